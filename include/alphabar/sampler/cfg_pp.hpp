// SPDX-License-Identifier: MIT
//
// CFG++: x_0 from the guided prediction, the noise from the unconditional one.
#pragma once

#include <alphabar/core/error.hpp>
#include <alphabar/grid/grid.hpp>
#include <alphabar/sampler/ddim.hpp>
#include <alphabar/sampler/exponential.hpp>
#include <alphabar/sampler/network_form.hpp>
#include <alphabar/sampler/plan.hpp>

#include <cmath>
#include <cstddef>
#include <utility>
#include <vector>

namespace alphabar {

/// The network has two heads: F(0) is the guided prediction u + w (c - u), w in [0, 1] as a rule, F(1) the unconditional u.
/// Below, D is x_0 of the guided head, U and epsilon_u are x_0 and epsilon of the other.
struct cfg_pp_options {
    network_form network{};
    double eta = 0.0; ///< of ancestral steps (make_ancestral_step)
    double noise_scale = 1.0;
};

namespace detail {

/// x_0 or epsilon of the unconditional head.
inline row of_head_1(pair_map const& map)
{
    row const r = map.x * slots::x + map.other * slots::F(1);
    return r.pruned();
}

/// A stage for each step: one(stage with its call made, step index, step, its ancestral split, the maps of the call).
template <class One>
plan cfg_pp(grid const& g, cfg_pp_options const& o, One const& one)
{
    check(g, "cfg_pp");
    require(o.eta >= 0.0 && std::isfinite(o.eta), "cfg_pp", "eta", o.eta, "it must not be negative");
    network_form const network = settled(o.network, g.usual);
    plan p{.stages = {}, .initial_scale = initial_scale(g.levels.front()), .heads = 2};
    for (std::size_t i = 0; i < g.steps(); ++i) {
        grid_step const step{g.times[i], g.levels[i], g.levels[i + 1]};
        auto [down, up] = make_ancestral_step(step.from, step.to, o.eta);
        stage s = network_call(network, step.time, step.from);
        one(p, s, i, step, down, maps_at(network, step.from));
        p.stages.back().x = (p.stages.back().x + o.noise_scale * up * slots::z).pruned();
    }
    number_draws(p);
    return p;
}

} // namespace detail

/// Euler and, with eta = 1, Euler-ancestral: DDIM with x' = alpha' D + sigma_down epsilon_u + up z. Source: Chung et al. 2024,
/// arXiv 2406.08070, algorithm 2.
inline plan euler_cfg_pp(grid const& g, cfg_pp_options const& o = {})
{
    using namespace slots;
    return detail::cfg_pp(
        g, o, [](plan& p, stage& s, std::size_t, grid_step const& step, noise_level down, network_maps const& maps) {
            s.x = step.to.alpha * m(0);
            if (down.sigma > 0.0)
                s.x += down.sigma * detail::of_head_1(maps.epsilon);
            p.stages.push_back(s);
        });
}

/// DPM-Solver++(2M): x' = alpha' D + sigma' epsilon_u + alpha' (1 - e^-h) (D - U of the call before) / (2r), r = h before / h; without the
/// last term in the first step and to sigma = 0. Source: Chung et al. 2024, arXiv 2406.08070, appendix; ComfyUI,
/// sample_dpmpp_2m_cfg_pp.
inline plan dpmpp_2m_cfg_pp(grid const& g, cfg_pp_options const& o = {})
{
    using namespace slots;
    auto const lambda = [&](std::size_t i) { return half_log_snr(g.levels[i]); };
    return detail::cfg_pp(
        g, o, [&](plan& p, stage& s, std::size_t i, grid_step const& step, noise_level down, network_maps const& maps) {
            s.x = step.to.alpha * m(0);
            if (down.sigma > 0.0) {
                s.x += down.sigma * detail::of_head_1(maps.epsilon);
                double const h = half_log_snr(down) - lambda(i), before = i ? lambda(i) - lambda(i - 1) : 0.0;
                if (i > 0 && std::isfinite(before))
                    s.x += (step.to.alpha * -std::expm1(-h) * h / (2.0 * before)) * (m(0) - row(y));
            }
            if (i + 1 < g.steps())
                s.y = detail::of_head_1(maps.x_0);
            p.stages.push_back(s);
        });
}

/// DPM-Solver++(2S), ancestral with eta = 1: the state x becomes alpha D + sigma epsilon_u, from which 2S steps to the level below and
/// adds noise. Source: ComfyUI, sample_dpmpp_2s_ancestral_cfg_pp.
template <noise_path Path, grid_for<Path> Spec>
plan dpmpp_2s_ancestral_cfg_pp(Path const& path, Spec const& spec, cfg_pp_options const& o = {.eta = 1.0})
{
    using namespace slots;
    grid const g = make_grid(path, spec);
    network_form const network = settled(o.network, g.usual);
    return detail::cfg_pp(
        g, o, [&](plan& p, stage& s, std::size_t, grid_step const& step, noise_level down, network_maps const& maps) {
            auto const [a, sigma] = step.from;
            if (down.sigma == 0.0 || a == 0.0) {
                s.x = down.alpha * m(0);
                if (down.sigma > 0.0)
                    s.x += down.sigma * detail::of_head_1(maps.epsilon);
                p.stages.push_back(s);
                return;
            }
            grid_point const middle = point_at_ratio(path, std::sqrt(sigma_ratio(step.from) * sigma_ratio(down)));
            s.y = (a * m(0) + sigma * detail::of_head_1(maps.epsilon)).pruned();
            double const keep = middle.level.sigma / sigma, kept = down.sigma / sigma;
            s.x = keep * *s.y + (middle.level.alpha - a * keep) * m(0);
            s.ends_step = false;
            p.stages.push_back(s);
            stage second = network_call(network, middle.time, middle.level);
            second.x = kept * y + (down.alpha - a * kept) * m(0);
            p.stages.push_back(second);
        });
}

template <noise_path Path, grid_for<Path> Spec>
plan euler_cfg_pp(Path const& path, Spec const& spec, cfg_pp_options const& o = {})
{
    return euler_cfg_pp(make_grid(path, spec), o);
}
template <noise_path Path, grid_for<Path> Spec>
plan dpmpp_2m_cfg_pp(Path const& path, Spec const& spec, cfg_pp_options const& o = {})
{
    return dpmpp_2m_cfg_pp(make_grid(path, spec), o);
}

} // namespace alphabar
