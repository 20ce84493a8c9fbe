// SPDX-License-Identifier: MIT
//
// N calls along a function of u, from u = 0 at the noisy end to u = 1 at the clean one: all grids that are one formula.
#pragma once

#include <alphabar/core/double_double.hpp>
#include <alphabar/core/error.hpp>
#include <alphabar/grid/grid.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <optional>
#include <string_view>
#include <vector>

namespace alphabar {

/// The ends of a grid and how it is cut, in `sigma_of` the path. Without ends: the path's own, first_time and final_time,
/// with their exact times.
struct sigma_range {
    std::optional<double> sigma_min{};
    std::optional<double> sigma_max{};
    final_level end = final_level::zero;
    /// The nearest integers as times: as diffusers' Karras grids have, the levels of which stay, and as the software of
    /// grids spaced in time has. Calls that become equal are one.
    bool round_times = false;
    /// false: calls at u = i / (N - 1), so that the last one is at sigma_min, and then the end. true: at u = i / N; u = 1 is
    /// the end itself (final_level::first: sigma_min) or is replaced by it (final_level::zero).
    bool through_end = false;
};

namespace detail {

/// The grid of N calls point(u), u exact; one call is at u = 0.
template <noise_path Path, class Point>
grid ramp(Path const& path, std::size_t n, sigma_range const& range, Point const& point, std::string_view function)
{
    require(n >= 1 && n <= (1u << 20), function, "the number of steps", n, "at least 1 is needed, at most 2^20");
    double_double const intervals(static_cast<double>(range.through_end ? n : std::max<std::size_t>(n - 1, 1)));
    std::vector<grid_point> points;
    points.reserve(n);
    for (std::size_t i = 0; i < n; ++i)
        if (grid_point const p = point(double_double(static_cast<double>(i)) / intervals);
            points.empty() || !(p == points.back()))
            points.push_back(p);
    if (range.through_end && range.end == final_level::first)
        return grid_of_points(path, points, point(1.0), function);
    return grid_of_points(path, points, range.end, function);
}

/// The noisiest and the cleanest point of a range.
struct end_points {
    grid_point first, last;
    template <noise_path Path>
    end_points(Path const& path, sigma_range const& range)
        : first(range.sigma_max ? point_at_sigma(path, *range.sigma_max) : point_at_time(path, path.final_time())),
          last(range.sigma_min ? point_at_sigma(path, *range.sigma_min) : point_at_time(path, first_time(path)))
    {
    }
};

} // namespace detail

/// N calls at the noise levels at(u), at = law(sigma_min, sigma_max), a falling function of u in double-double, rounded
/// once: within 0.51 units in the last place of the exact value. u = 0 and u = 1 are sigma_max and sigma_min themselves.
///
/// Throws std::invalid_argument unless N >= 1 and 0 < sigma_min < sigma_max < infinity.
template <class Law>
auto sigma_grid(std::size_t n, sigma_range const& range, Law law, std::string_view function)
{
    return [=]<noise_path Path>(Path const& path) -> grid {
        detail::end_points const ends(path, range);
        double const high = range.sigma_max.value_or(sigma_of(path, ends.first.level));
        double const low = range.sigma_min.value_or(sigma_of(path, ends.last.level));
        require(std::isfinite(high), function, "sigma_max", high,
                "it must be finite: give one where the path ends at alpha = 0");
        require(low > 0.0 && (low < high || n == 1), function, "sigma_min", low, "it must lie in (0, sigma_max)");
        auto const at = law(double_double(low), double_double(high));
        auto const point = [&](double_double u) {
            grid_point p = u.high == 0.0   ? ends.first
                           : u.high == 1.0 ? ends.last
                                           : point_at_sigma(path, double_double(at(u)).high);
            if (range.round_times)
                p.time = std::nearbyint(p.time);
            return p;
        };
        return detail::ramp(path, n, range, point, function);
    };
}

/// N calls at the times at(u), at = law(t_min, t_max), t_min and t_max the times of the range. Throws std::invalid_argument
/// unless N >= 1 and the levels fall.
template <class Law>
auto time_grid(std::size_t n, sigma_range const& range, Law law, std::string_view function)
{
    return [=]<noise_path Path>(Path const& path) -> grid {
        detail::end_points const ends(path, range);
        auto const at = law(double_double(ends.last.time), double_double(ends.first.time));
        auto const point = [&](double_double u) {
            double const t = u.high == 0.0   ? ends.first.time
                             : u.high == 1.0 ? ends.last.time
                                             : double_double(at(u)).high;
            return point_at_time(path, range.round_times ? std::nearbyint(t) : t);
        };
        return detail::ramp(path, n, range, point, function);
    };
}

/// low + (high - low) f(1 - u): a law from a function that rises from f(0) = 0 to f(1) = 1.
template <class Function>
constexpr auto between(Function const& f)
{
    return [f](double_double low, double_double high) {
        return
            [f, low, high](double_double u) { return low + (high - low) * double_double(f(double_double(1.0) - u)); };
    };
}

} // namespace alphabar
