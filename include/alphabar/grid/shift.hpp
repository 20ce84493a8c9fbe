// SPDX-License-Identifier: MIT
// Grids of flow models: shifted, stretched, logit-normal.
#pragma once

#include <alphabar/core/special.hpp>
#include <alphabar/grid/ramp.hpp>

namespace alphabar {

/// t -> shift t / (1 + (shift - 1) t) on rectified flow, that is sigma / alpha times `shift`. 0 and 1 stay. Source:
/// Esser et al. 2024 (Stable Diffusion 3), arXiv 2403.03206, (23).
constexpr double shifted_time(double t, double shift) { return shift * t / (1.0 + (shift - 1.0) * t); }

/// The grid of `spec` with every call at its shifted time, on rectified flow. The end stays. Throws
/// std::invalid_argument unless shift is positive and finite.
auto shifted_grid(auto const& spec, double shift)
{
    detail::require_positive(shift, "shifted_grid", "shift");
    return [spec, shift](rectified_flow const& path) -> grid {
        grid g = make_grid(path, spec);
        for (std::size_t i = 0; i < g.steps(); ++i) {
            g.times[i] = shifted_time(g.times[i], shift);
            g.levels[i] = path.level(g.times[i]);
        }
        check(g, "shifted_grid");
        return g;
    };
}

/// A straight line through (256, 0.5) and (4096, 1.15): Flux' mu of the number of image tokens (calculate_shift). Other
/// models have other points: LTX (1024, 0.95) and (4096, 2.05), Qwen-Image (256, 0.5) and (8192, 0.9).
constexpr double flux_mu(double tokens, double few = 256.0, double many = 4096.0, double low = 0.5, double high = 1.15)
{
    return low + (tokens - few) * ((high - low) / (many - few));
}

/// Flux 2's mu: straight lines in the number of tokens fitted for 200 steps and for 10, between them, and beyond,
/// straight in the number of steps; above 4300 tokens that of 200 steps.
constexpr double flux2_mu(double tokens, double steps)
{
    double const m_200 = 1.6927e-4 * tokens + 0.45666666, m_10 = 8.73809524e-5 * tokens + 1.89833333;
    return tokens > 4300.0 ? m_200 : m_200 + (m_200 - m_10) / 190.0 * (steps - 200.0);
}

/// e^mu, a shift given by its logarithm (diffusers' time_shift_type = "exponential"; "linear" is mu itself).
inline double_double exponential_shift(double mu) { return exp(double_double(mu)); }

struct flow_options {
    double_double shift = 1.0;    ///< every sigma / alpha times it
    double power = 1.0;           ///< and before that to this power (the `sigma` of time_shift)
    std::optional<double> last{}; ///< t of the last of N equally spaced calls; without: N equal intervals from 1 to 0
    std::optional<double> terminal{}; ///< 1 - t times the factor that brings the last call to t = terminal
};

/// N calls at t = shift / (shift + (1 / x - 1)^power), x from 1 down in equal steps, then 0: Stable Diffusion 3, Flux,
/// Wan, Qwen-Image, LTX. Every t is within 0.51 units in the last place of the exact value. One step is at t = 1,
/// whatever the stretch.
///
/// Throws std::invalid_argument unless N >= 1, shift and power are positive, last lies in (0, 1), terminal in [0, 1).
/// Source: Esser et al. 2024, arXiv 2403.03206, (23); diffusers' stretch_shift_to_terminal.
inline auto flow_grid(std::size_t n, flow_options const& o = {})
{
    detail::require_positive(o.shift.high, "flow_grid", "shift");
    detail::require_positive(o.power, "flow_grid", "power");
    require(!o.last || (*o.last > 0.0 && *o.last < 1.0), "flow_grid", "last", o.last.value_or(0),
            "it must lie in (0, 1)");
    require(!o.terminal || (*o.terminal >= 0.0 && *o.terminal < 1.0), "flow_grid", "terminal", o.terminal.value_or(0),
            "it must lie in [0, 1)");
    return [n, o](rectified_flow const& path) -> grid {
        auto const clean = [&](double_double u) {                                       // 1 - t
            double_double const part = u * (1.0 - double_double(o.last.value_or(0.0))); // 1 - x
            if (part.high == 0.0 || part.high == 1.0)
                return part;
            double_double const ratio = part / (1.0 - part), raised = o.power == 1.0 ? ratio : pow(ratio, o.power);
            return raised / (o.shift + raised);
        };
        double_double factor = 1.0;
        if (double const k = static_cast<double>(n); o.terminal && n > 1)
            factor = (1.0 - double_double(*o.terminal)) / clean(o.last ? 1.0 : (k - 1.0) / double_double(k));
        auto const point = [&](double_double u) { return point_at_time(path, (1.0 - factor * clean(u)).high); };
        return detail::ramp(path, n, {.through_end = !o.last}, point, "flow_grid");
    };
}

struct logit_normal_options {
    double mean = 0.0; ///< Ideogram adds log(tokens / 1024) / 2
    double deviation = 1.75;
    double log_snr_min = -18.0;
    double log_snr_max = 15.0;
};

/// t = S(mean - deviation q(i / N)), S(y) = 1 / (1 + e^-y), q the quantile function of N(0, 1), within S(-log_snr / 2)
/// of both ends; then 0 (Ideogram 4, stable-diffusion.cpp). Throws std::invalid_argument unless N, deviation > 0.
inline auto logit_normal_grid(std::size_t n, logit_normal_options const& o = {})
{
    detail::require_positive(o.deviation, "logit_normal_grid", "deviation");
    require(o.log_snr_min <= o.log_snr_max, "logit_normal_grid", "log_snr_min", o.log_snr_min,
            "it must not be above log_snr_max");
    return [n, o](rectified_flow const& path) -> grid {
        auto const point = [&](double_double u) {
            double const logit = o.mean - o.deviation * normal_quantile(u.high);
            return point_at_time(
                path, 1.0 / (1.0 + std::exp(-std::clamp(logit, -0.5 * o.log_snr_max, -0.5 * o.log_snr_min))));
        };
        return detail::ramp(path, n, {.through_end = true}, point, "logit_normal_grid");
    };
}

} // namespace alphabar
