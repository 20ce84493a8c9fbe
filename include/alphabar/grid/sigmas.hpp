// SPDX-License-Identifier: MIT
//
// Grids spaced in the noise level: Karras, exponential, polyexponential, kl-optimal, a list.
#pragma once

#include <alphabar/core/error.hpp>
#include <alphabar/grid/grid.hpp>

#include <cmath>
#include <cstddef>
#include <optional>
#include <utility>
#include <vector>

namespace alphabar {

/// The ends of a sigma grid, in `sigma_of` the path. Without: the path's own, first_time and
/// final_time, with their exact times.
struct sigma_range {
    std::optional<double> sigma_min{};
    std::optional<double> sigma_max{};
    final_level end = final_level::zero;
    /// The nearest integers as times, as diffusers' Karras grids have; the levels stay.
    bool round_times = false;
};

/// N calls at the noise levels between(u, sigma_min, sigma_max), u = i / (N - 1), from u = 0 at
/// sigma_max to u = 1 at sigma_min. The ends are sigma_max and sigma_min themselves; one step is at
/// sigma_max. `between` falls in u.
///
/// Throws std::invalid_argument unless N >= 1 and 0 < sigma_min < sigma_max < infinity.
template <noise_path Path, class Between>
grid sigma_grid(Path const& path, std::size_t n, sigma_range const& range, Between const& between,
                std::string_view function)
{
    require(n >= 1, function, "the number of steps", n, "at least 1 is needed");
    auto const end_point = [&](std::optional<double> const& given, double time) {
        return given ? point_at_sigma(path, *given) : point_at_time(path, time);
    };
    grid_point const first = end_point(range.sigma_max, path.final_time());
    grid_point const last = end_point(range.sigma_min, first_time(path));
    double const high = range.sigma_max.value_or(sigma_of(path, first.level));
    double const low = range.sigma_min.value_or(sigma_of(path, last.level));
    require(std::isfinite(high), function, "sigma_max", high,
            "it must be finite: give one where the path ends at alpha = 0");
    require(low > 0.0 && (low < high || n == 1), function, "sigma_min", low, "it must lie in (0, sigma_max)");
    std::vector<grid_point> points;
    points.reserve(n);
    for (std::size_t i = 0; i < n; ++i) {
        double const u = n == 1 ? 0.0 : static_cast<double>(i) / static_cast<double>(n - 1);
        points.push_back(i == 0 ? first : i + 1 == n ? last : point_at_sigma(path, between(u, low, high)));
        if (range.round_times)
            points.back().time = std::nearbyint(points.back().time);
    }
    return grid_of_points(path, points, range.end, function);
}

struct karras_options {
    double rho = 7.0;
    sigma_range range{};
};

/// sigma = (sigma_max^(1/rho) + u (sigma_min^(1/rho) - sigma_max^(1/rho)))^rho. Throws as
/// sigma_grid does, and unless rho > 0. Source: Karras et al. 2022, arXiv 2206.00364, (5).
inline auto karras_grid(std::size_t n, karras_options const& o = {})
{
    require(o.rho > 0.0 && std::isfinite(o.rho), "karras_grid", "rho", o.rho, "it must be positive");
    return [n, o]<noise_path Path>(Path const& path) -> grid {
        return sigma_grid(
            path, n, o.range,
            [rho = o.rho](double u, double low, double high) {
                double const top = std::pow(high, 1.0 / rho);
                return std::pow(top + u * (std::pow(low, 1.0 / rho) - top), rho);
            },
            "karras_grid");
    };
}

/// Equal steps in log sigma, that is in lambda. Throws as sigma_grid does.
inline auto exponential_grid(std::size_t n, sigma_range const& range = {})
{
    return [n, range]<noise_path Path>(Path const& path) -> grid {
        return sigma_grid(
            path, n, range, [](double u, double low, double high) { return high * std::exp(u * std::log(low / high)); },
            "exponential_grid");
    };
}

struct polyexponential_options {
    double rho = 1.0;
    sigma_range range{};
};

/// log sigma = log sigma_min + (1 - u)^rho log(sigma_max / sigma_min) (k-diffusion). Throws as
/// sigma_grid does.
inline auto polyexponential_grid(std::size_t n, polyexponential_options const& o = {})
{
    require(o.rho > 0.0 && std::isfinite(o.rho), "polyexponential_grid", "rho", o.rho, "it must be positive");
    return [n, o]<noise_path Path>(Path const& path) -> grid {
        return sigma_grid(
            path, n, o.range,
            [rho = o.rho](double u, double low, double high) {
                return low * std::exp(std::pow(1.0 - u, rho) * std::log(high / low));
            },
            "polyexponential_grid");
    };
}

/// sigma = tan((1 - u) atan sigma_max + u atan sigma_min). Throws as sigma_grid does.
/// Source: Sabour et al. 2024 (Align Your Steps), arXiv 2404.14507, theorem 3.1.
inline auto kl_optimal_grid(std::size_t n, sigma_range const& range = {})
{
    return [n, range]<noise_path Path>(Path const& path) -> grid {
        return sigma_grid(
            path, n, range,
            [](double u, double low, double high) {
                return std::tan((1.0 - u) * std::atan(high) + u * std::atan(low));
            },
            "kl_optimal_grid");
    };
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
