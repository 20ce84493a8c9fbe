// SPDX-License-Identifier: MIT
// CFG++: a solver of the unconditional prediction whose steps end at the guided x_0.
#pragma once

#include <alphabar/sampler/dpm_multistep.hpp>
#include <alphabar/sampler/pndm.hpp>
#include <alphabar/sampler/two_stage.hpp>

namespace alphabar {

/// The factor of D - U in a step whose last stage is `s`; in CFG++ it is alpha'.
using cfg_pp_weight = double (*)(stage const& s, noise_level from, noise_level to);
inline double next_alpha(stage const&, noise_level, noise_level to) { return to.alpha; }

/// The CFG++ form of a plan on `g`. The network has two heads: F(0) is the unconditional prediction u, which the plan
/// follows, and F(1) the guided one, u + w (c - u), w in [0, 1] as a rule. With U and D their x_0 (not clipped) in the
/// first call of a step,
///
///     x' = the plan's x' + weight (D - U)
///
/// For DDIM this is alpha' D + sigma' epsilon_u. Throws std::invalid_argument where a step has more than two calls or
/// two that do not start at the same x, or churn, and where the plan has more steps than the grid or two heads already.
/// Source: Chung et al. 2024, arXiv 2406.08070, algorithm 2 and appendix; ComfyUI's samplers.
inline plan with_cfg_pp(plan p, grid const& g, network_form const& network, cfg_pp_weight weight = next_alpha)
{
    using namespace slots;
    require(p.heads == 1, "with_cfg_pp", "the plan's heads", p.heads, "it must be 1");
    std::size_t i = 0;
    for (auto s = p.stages.begin(); s != p.stages.end(); ++s, ++i) {
        require(i < g.steps(), "with_cfg_pp", "the plan's step", i, "the grid has no such step");
        auto const last = s->ends_step || s + 1 == p.stages.end() ? s : s + 1;
        bool const alone = last == s;
        require(alone || (last->ends_step && s->y == row(x) && last->x[y] != 0.0), "with_cfg_pp", "a step", i,
                "it has one call, or two from the same x");
        require(!s->churn, "with_cfg_pp", "churn of step", i, "its call must be at the level of the grid");
        row const gap = weight(*last, g.levels[i], g.levels[i + 1]) *
                        (maps_at(settled(network, g.usual), g.levels[i]).x_0.other * (F(1) + -1.0 * F(0)));
        if (alone)
            s->x += gap;
        if (s->y)
            *s->y += (alone ? 1.0 : 1.0 / last->x[y]) * gap;
        s = last;
    }
    p.heads = 2;
    return p;
}

/// The CFG++ form of a solver, called as it is with a path.
template <auto const& solver>
struct cfg_pp_of {
    using options = typename std::remove_cvref_t<decltype(solver)>::options;
    cfg_pp_weight weight = next_alpha;

    template <noise_path Path, grid_for<Path> Spec>
    plan operator()(Path const& path, Spec const& spec, options const& o = {}) const
    {
        grid const g = make_grid(path, spec);
        return with_cfg_pp(solver(path, g, o), g, o.network, weight);
    }
};

inline constexpr cfg_pp_of<ddim> euler_cfg_pp{};
inline constexpr cfg_pp_of<euler_ancestral> euler_ancestral_cfg_pp{};
inline constexpr cfg_pp_of<dpmpp_2m> dpmpp_2m_cfg_pp{};
inline constexpr cfg_pp_of<dpmpp_2s_ancestral> dpmpp_2s_ancestral_cfg_pp{};
inline constexpr cfg_pp_of<res_multistep> res_multistep_cfg_pp{};
inline constexpr cfg_pp_of<res_multistep_ancestral> res_multistep_ancestral_cfg_pp{};
inline constexpr cfg_pp_of<gradient_estimation> gradient_estimation_cfg_pp{};

} // namespace alphabar
