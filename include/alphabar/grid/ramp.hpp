// SPDX-License-Identifier: MIT
// N calls along a function of u, from u = 0 at the noisy end to u = 1 at the clean one: all grids that are one formula.
// The header to include for a grid of your own.
#pragma once

#include <alphabar/grid/grid.hpp>

#include <optional>

namespace alphabar {

/// The ends of a grid and how it is cut, in `sigma_of` the path. Without ends: the path's own, first_time and
/// final_time, with their exact times.
struct sigma_range {
    std::optional<double> sigma_min{};
    std::optional<double> sigma_max{};
    final_level end = final_level::zero;
    /// The nearest integers as times: as diffusers' Karras grids have, the levels of which stay, and as the software of
    /// grids spaced in time has. Calls that become equal are one.
    bool round_times = false;
    /// false: calls at u = i / (N - 1), so that the last one is at sigma_min, and then the end. true: at u = i / N;
    /// u = 1 is the end itself (final_level::first: sigma_min) or is replaced by it (final_level::zero).
    bool through_end = false;
};

namespace detail {

/// The same with u = i / N.
constexpr sigma_range through(sigma_range range)
{
    range.through_end = true;
    return range;
}

inline void require_positive(double value, std::string_view function, std::string_view argument)
{
    require(value > 0.0 && std::isfinite(value), function, argument, value, "it must be positive");
}

/// The grid of N calls point(u), u exact; one call is at u = 0.
grid ramp(noise_path auto const& path, std::size_t n, sigma_range const& range, auto const& point,
          std::string_view function)
{
    require(n >= 1 && n <= (1u << 20), function, "the number of steps", n, "at least 1 is needed, at most 2^20");
    double const intervals = static_cast<double>(range.through_end ? n : std::max<std::size_t>(n - 1, 1));
    std::vector<grid_point> points;
    for (std::size_t i = 0; i < n; ++i)
        if (grid_point const p = point(static_cast<double>(i) / double_double(intervals));
            points.empty() || !(p == points.back()))
            points.push_back(p);
    bool const at_last = range.through_end && range.end == final_level::first;
    return grid_of_points(path, points, at_last ? point(1.0) : end_of(path, range.end), function);
}

/// What a grid is laid out in: `sigma_of` the path, or its time.
enum class coordinate : std::uint8_t { sigma, time };

/// The grid at these values.
inline auto list_of(std::vector<double> values, coordinate in, final_level end, std::string_view function)
{
    return [=](noise_path auto const& path) -> grid {
        std::vector<grid_point> points;
        for (double x : values)
            points.push_back(in == coordinate::time ? point_at_time(path, x) : point_at_sigma(path, x));
        return grid_of_points(path, points, end_of(path, end), function);
    };
}

/// See sigma_grid and time_grid.
auto law_grid(std::size_t n, sigma_range const& range, coordinate in, auto law, std::string_view function)
{
    return [=](noise_path auto const& path) -> grid {
        auto const end = [&](std::optional<double> sigma, double time) {
            return sigma ? point_at_sigma(path, *sigma) : point_at_time(path, time);
        };
        grid_point const first = end(range.sigma_max, path.final_time()), last = end(range.sigma_min, first_time(path));
        double high = first.time, low = last.time;
        if (in == coordinate::sigma) {
            high = range.sigma_max.value_or(sigma_of(path, first.level));
            low = range.sigma_min.value_or(sigma_of(path, last.level));
            require(std::isfinite(high), function, "sigma_max", high,
                    "it must be finite: give one where the path ends at alpha = 0");
            require(low > 0.0 && (low < high || n == 1), function, "sigma_min", low, "it must lie in (0, sigma_max)");
        }
        auto const point = [&](double_double u) {
            grid_point p = u.high == 0.0 ? first : last;
            if (u.high != 0.0 && u.high != 1.0) {
                double const x = double_double(law(double_double(low), double_double(high), u)).high;
                p = in == coordinate::time ? grid_point{x, {}} : point_at_sigma(path, x);
            }
            if (range.round_times)
                p.time = std::nearbyint(p.time);
            return in == coordinate::time ? point_at_time(path, p.time) : p;
        };
        return ramp(path, n, range, point, function);
    };
}

} // namespace detail

/// N calls at the noise levels law(sigma_min, sigma_max, u), which fall as u rises, in double-double, rounded once:
/// within 0.51 units in the last place of the exact value. u = 0 and u = 1 are sigma_max and sigma_min themselves.
///
/// Throws std::invalid_argument unless N >= 1 and 0 < sigma_min < sigma_max < infinity.
auto sigma_grid(std::size_t n, sigma_range const& range, auto law, std::string_view function)
{
    return detail::law_grid(n, range, detail::coordinate::sigma, law, function);
}

/// N calls at the times law(t_min, t_max, u), t_min and t_max the times of the range. Throws std::invalid_argument
/// unless N >= 1 and the levels fall.
auto time_grid(std::size_t n, sigma_range const& range, auto law, std::string_view function)
{
    return detail::law_grid(n, range, detail::coordinate::time, law, function);
}

/// low + (high - low) f(1 - u): a law from a function that rises from f(0) = 0 to f(1) = 1.
constexpr auto between(auto f)
{
    return [f](double_double low, double_double high, double_double u) { return low + (high - low) * f(1.0 - u); };
}

} // namespace alphabar
