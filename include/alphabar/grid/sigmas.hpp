// SPDX-License-Identifier: MIT
//
// Grids spaced in the noise level: Karras, exponential, polyexponential, kl-optimal, VP, bong-tangent, linear-quadratic,
// logit-normal, a list.
#pragma once

#include <alphabar/core/double_double.hpp>
#include <alphabar/core/error.hpp>
#include <alphabar/grid/grid.hpp>
#include <alphabar/grid/ramp.hpp>
#include <alphabar/schedule/continuous.hpp>

#include <cmath>
#include <cstddef>
#include <utility>
#include <vector>

namespace alphabar {

struct karras_options {
    double rho = 7.0;
    sigma_range range{};
};

/// (sigma_max^(1/rho) + u (sigma_min^(1/rho) - sigma_max^(1/rho)))^rho. Karras et al. 2022, arXiv 2206.00364, (5).
inline auto karras_law(double rho)
{
    return [rho](double_double low, double_double high) {
        double_double const power = double_double(1.0) / double_double(rho), top = pow(high, power);
        return [=, step = pow(low, power) - top](double_double u) { return pow(top + u * step, rho); };
    };
}

/// The levels at these places u of the ramp: consistency models' `ts` divided by steps - 1.
inline std::vector<double> karras_levels(std::vector<double> places, double sigma_min, double sigma_max,
                                         double rho = 7.0)
{
    auto const at = karras_law(rho)(double_double(sigma_min), double_double(sigma_max));
    for (double& u : places)
        u = at(u).high;
    return places;
}

/// `karras_law`. Throws as sigma_grid does, and unless rho > 0.
inline auto karras_grid(std::size_t n, karras_options const& o = {})
{
    require(o.rho > 0.0 && std::isfinite(o.rho), "karras_grid", "rho", o.rho, "it must be positive");
    return sigma_grid(n, o.range, karras_law(o.rho), "karras_grid");
}

struct polyexponential_options {
    double rho = 1.0;
    sigma_range range{};
};

/// log sigma = log sigma_min + (1 - u)^rho log(sigma_max / sigma_min) (k-diffusion). Throws as sigma_grid does, and unless
/// rho > 0.
inline auto polyexponential_grid(std::size_t n, polyexponential_options const& o = {})
{
    require(o.rho > 0.0 && std::isfinite(o.rho), "polyexponential_grid", "rho", o.rho, "it must be positive");
    auto const law = [rho = o.rho](double_double low, double_double high) {
        return [=, range = log(high / low)](double_double u) {
            double_double const ramp = double_double(1.0) - u;
            return low * exp((rho == 1.0 ? ramp : pow(ramp, rho)) * range);
        };
    };
    return sigma_grid(n, o.range, law, "polyexponential_grid");
}

/// Equal steps in log sigma, that is in lambda: also diffusers' use_lu_lambdas, dpm-solver's logSNR (with end = first and
/// through_end), and EDM's grid for VE. Throws as sigma_grid does.
inline auto exponential_grid(std::size_t n, sigma_range const& range = {})
{
    return polyexponential_grid(n, {.rho = 1.0, .range = range});
}

/// sigma = tan((1 - u) atan sigma_max + u atan sigma_min). Throws as sigma_grid does. The WebUI's form has N + 1 levels and
/// ends at sigma_min: through_end and final_level::first.
/// Source: Sabour et al. 2024 (Align Your Steps), arXiv 2404.14507, theorem 3.1.
inline auto kl_optimal_grid(std::size_t n, sigma_range const& range = {})
{
    auto const law = [](double_double low, double_double high) {
        return [top = atan_over_half_pi(high), bottom = atan_over_half_pi(low)](double_double u) {
            auto const [sine, cosine] = sin_cos_half_pi(top + u * (bottom - top));
            return sine / cosine;
        };
    };
    return sigma_grid(n, range, law, "kl_optimal_grid");
}

/// k-diffusion's get_sigmas_vp: sigma / alpha of EDM's form of the VP SDE at equal steps of time from 1 to `first_time`, for
/// networks in sigma. Throws as sigma_grid does, and unless 0 < first_time < 1.
inline auto vp_grid(std::size_t n, edm_vp const& vp = {}, double first_time = 1e-3)
{
    require(first_time > 0.0 && first_time < 1.0, "vp_grid", "first_time", first_time, "it must lie in (0, 1)");
    auto const law = [=](double_double, double_double) {
        return [=](double_double u) {
            return vp.exact_sigma_ratio(double_double(1.0) + u * double_double::exact_sum(first_time, -1.0));
        };
    };
    return sigma_grid(n, {.sigma_min = vp.sigma_ratio(first_time), .sigma_max = vp.sigma_ratio(1.0)}, law, "vp_grid");
}

/// Two arc-tangent segments that meet at half the range (RES4LYF's bong_tangent), with N + 1 levels down to 0: with M = N + 2
/// and p = floor(3 M / 5), x = u N and A(x) = atan(8 (p - x) / M) before x = p - 1, atan(-8 (x - p + 1) / M) from there on,
/// each segment scaled to its half. A grid of one step is at sigma_max. Throws as sigma_grid does.
inline auto bong_tangent_grid(std::size_t n, sigma_range range = {})
{
    range.through_end = true;
    double const m = static_cast<double>(n) + 2.0, p = std::floor(3.0 * m / 5.0), joint = p - 1.0;
    auto const segment = [m](double x, double first, double last, double pivot) {
        auto const a = [&](double y) { return std::atan(8.0 * (pivot - y) / m); };
        return 0.5 * (a(x) - a(last)) / (a(first) - a(last));
    };
    auto const law = [=](double_double, double_double high) {
        return [=](double_double u) {
            double const x = u.high * (m - 2.0);
            return high *
                   double_double(x < joint ? 0.5 + segment(x, 0.0, joint, p) : segment(x, joint, m - 2.0, joint));
        };
    };
    return sigma_grid(n, range, law, "bong_tangent_grid");
}

struct linear_quadratic_options {
    double threshold_noise = 0.025; ///< how far the linear part goes
    std::size_t linear_steps = 0;   ///< 0: N / 2
    sigma_range range{};
};

/// sigma_max (1 - q), q rising linearly to threshold_noise in linear_steps steps and then as a parabola with the same value
/// and slope there, to q = 1 at the end (Mochi, LTX-Video). A grid of one step is at sigma_max.
///
/// Throws as sigma_grid does, and unless 0 < threshold_noise < 1 and linear_steps < N.
inline auto linear_quadratic_grid(std::size_t n, linear_quadratic_options o = {})
{
    o.range.through_end = true;
    o.linear_steps = o.linear_steps > 0 ? o.linear_steps : n / 2;
    require(o.threshold_noise > 0.0 && o.threshold_noise < 1.0, "linear_quadratic_grid", "threshold_noise",
            o.threshold_noise, "it must lie in (0, 1)");
    require(n <= 1 || o.linear_steps < n, "linear_quadratic_grid", "linear_steps", o.linear_steps,
            "it must be below N");
    double const linear = static_cast<double>(o.linear_steps), rest = static_cast<double>(n) - linear;
    double const slope = linear > 0.0 ? o.threshold_noise / linear : 0.0;
    double const bend = (1.0 - o.threshold_noise - slope * rest) / (rest * rest);
    auto const law = [=](double_double, double_double high) {
        return [=](double_double u) {
            double const x = u.high * (linear + rest), beyond = x > linear ? x - linear : 0.0;
            return high * double_double(1.0 - (slope * x + bend * beyond * beyond));
        };
    };
    return sigma_grid(n, o.range, law, "linear_quadratic_grid");
}

/// These noise levels, descending, in `sigma_of` the path.
inline auto sigmas_grid(std::vector<double> sigmas, final_level end = final_level::zero)
{
    return [sigmas = std::move(sigmas), end]<noise_path Path>(Path const& path) -> grid {
        std::vector<grid_point> points;
        for (double s : sigmas)
            points.push_back(point_at_sigma(path, s));
        return grid_of_points(path, points, end, "sigmas_grid");
    };
}

} // namespace alphabar
