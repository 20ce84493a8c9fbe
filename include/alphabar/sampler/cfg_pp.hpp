// SPDX-License-Identifier: MIT
// CFG++: x_0 from the guided prediction, the noise from the unconditional one.
#pragma once

#include <alphabar/sampler/ddim.hpp>

namespace alphabar {

struct cfg_pp_options {
    network_form network{};
    std::optional<double> eta{}; ///< of ancestral steps (make_ancestral_step)
    double noise_scale = 1.0;
};

/// A CFG++ sampler. The network has two heads: F(0) is the guided prediction u + w (c
/// - u), w in [0, 1] as a rule, F(1) the unconditional u. D is x_0 of the guided head; U and epsilon_u are x_0 and
/// epsilon of the other.
///
///     one       x' = alpha' D + sigma_down epsilon_u + up z
///     multistep  the same + alpha' (1 - e^-h) (D - U of the call before) / (2r), r = h before / h; not to sigma = 0
///     inner     x~ = alpha D + sigma epsilon_u in place of x, from which DPM-Solver++(2S) steps
///
/// Throws std::invalid_argument unless eta >= 0, and as `check` and `network_call` do. Source: Chung et al. 2024, arXiv
/// 2406.08070, algorithm 2 and appendix; ComfyUI, sample_dpmpp_2m_cfg_pp and sample_dpmpp_2s_ancestral_cfg_pp.
enum class cfg_pp_kind : std::uint8_t { one, multistep, inner };

inline plan cfg_pp(grid_on_path const& g, cfg_pp_kind what, double usual_eta, cfg_pp_options const& o)
{
    using namespace slots;
    network_form const& network = o.network;
    double const eta = o.eta.value_or(usual_eta);
    require(eta >= 0.0 && std::isfinite(eta), "cfg_pp", "eta", eta, "it must not be negative");
    require(what != cfg_pp_kind::inner || g.path.at_ratio, "cfg_pp", "a call inside a step", eta, needs_path);
    auto const unconditional = [](pair_map const& map) { return (map.x * x + map.other * F(1)).pruned(); };
    plan p = empty_plan(network, g.levels.front());
    p.heads = 2;
    for (std::size_t i = 0; i < g.steps(); ++i) {
        noise_level const from = g.levels[i];
        auto const [down, up] = make_ancestral_step(from, g.levels[i + 1], eta);
        auto const [scale, x_0, epsilon] = maps_at(network, from);
        double const h = half_log_snr(down) - half_log_snr(from);
        stage s = network_call(network, g.times[i], from);
        s.x = down.alpha * m(0) + (down.sigma > 0.0 ? down.sigma * unconditional(epsilon) : row());
        if (what == cfg_pp_kind::multistep && i > 0 && std::isfinite(h)) {
            double const before = half_log_snr(from) - half_log_snr(g.levels[i - 1]); // infinite from alpha = 0
            s.x += (down.alpha * -std::expm1(-h) * h / (2.0 * before)) * (m(0) - row(y));
        }
        if (what == cfg_pp_kind::multistep && i + 1 < g.steps())
            s.y = unconditional(x_0);
        if (what == cfg_pp_kind::inner && std::isfinite(h)) {
            grid_point const middle = g.path.at_ratio(std::sqrt(sigma_ratio(from) * sigma_ratio(down)));
            double const keep = middle.level.sigma / from.sigma, kept = down.sigma / from.sigma;
            s.y = from.alpha * m(0) + from.sigma * unconditional(epsilon);
            s.x = keep * *s.y + (middle.level.alpha - from.alpha * keep) * m(0);
            s.ends_step = false;
            p.stages.push_back(s);
            s = network_call(network, middle.time, middle.level);
            s.x = kept * y + (down.alpha - from.alpha * kept) * m(0);
        }
        s.x = (s.x + o.noise_scale * up * z).pruned();
        p.stages.push_back(s);
    }
    number_draws(p);
    return p;
}

/// A row of the kinds: with this eta where none is given.
template <cfg_pp_kind what, int eta>
inline constexpr auto cfg_pp_row =
    [](grid_on_path const& g, cfg_pp_options const& o) { return cfg_pp(g, what, eta, o); };

inline constexpr solver_function euler_cfg_pp("euler_cfg_pp", cfg_pp_row<cfg_pp_kind::one, 0>);
inline constexpr solver_function euler_ancestral_cfg_pp("euler_ancestral_cfg_pp", cfg_pp_row<cfg_pp_kind::one, 1>);
inline constexpr solver_function dpmpp_2m_cfg_pp("dpmpp_2m_cfg_pp", cfg_pp_row<cfg_pp_kind::multistep, 0>);
inline constexpr solver_function dpmpp_2s_ancestral_cfg_pp("dpmpp_2s_ancestral_cfg_pp",
                                                           cfg_pp_row<cfg_pp_kind::inner, 1>);

} // namespace alphabar
