// SPDX-License-Identifier: MIT
//
// Equally spaced times: leading, trailing, linspace.
#pragma once

#include <alphabar/core/error.hpp>
#include <alphabar/grid/grid.hpp>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace alphabar {

/// How times of a table are rounded: exactly, in integers with halves to even, or as NumPy's
/// arange, linspace and round give them in doubles, which diffusers uses (now and then a time is
/// one off, `trailing` may have one step more, and `linspace` of one step is time 0 instead of T -
/// 1).
enum class arithmetic : std::uint8_t { exact, numpy };

struct spacing_options {
    std::size_t steps_offset = 0; ///< added to the times of `leading`
    bool without_lowest = false;  ///< one time more, the lowest one left out (leading and linspace
                                  ///< of DPM-Solver's software)
    bool rounded = true;          ///< integer times; false: `linspace` as it is (diffusers' Euler family)
    arithmetic rounding = arithmetic::exact;
    final_level end = final_level::zero;
};

namespace detail {

/// n d / m rounded to an integer, halves to even.
constexpr std::uint64_t divide_to_even(std::uint64_t numerator, std::uint64_t denominator)
{
    std::uint64_t const q = numerator / denominator, twice = 2 * (numerator % denominator);
    return q + (twice > denominator || (twice == denominator && q % 2 == 1));
}

} // namespace detail

/// The N times i (T // N) + offset, i = N - 1 ... 0. They never reach T - 1 unless the offset does
/// it.
///
/// Throws std::invalid_argument unless 1 <= N <= T and the first time is at most T - 1.
/// Source: Song et al. 2021 (DDIM), arXiv 2010.02502, appendix D.2; Lin et al. 2024, arXiv
/// 2305.08891, table 2.
inline std::vector<double> leading_times(std::size_t T, std::size_t n, spacing_options const& o = {})
{
    std::size_t const low = o.without_lowest ? 1 : 0;
    require(n >= 1 && n <= T && n + low <= T, "leading_grid", "the number of steps", n, "it must lie in [1, T]");
    std::size_t const stride = T / (n + low);
    require((n - 1 + low) * stride + o.steps_offset < T, "leading_grid", "steps_offset", o.steps_offset,
            "the first time must be at most T - 1");
    std::vector<double> times;
    for (std::size_t i = n; i-- > 0;)
        times.push_back(static_cast<double>((i + low) * stride + o.steps_offset));
    return times;
}

/// The N times round(T (N - i) / N) - 1, i = 0 ... N - 1: from T - 1 down.
///
/// Throws std::invalid_argument unless 1 <= N <= T. Source: Lin et al. 2024, arXiv 2305.08891,
/// table 2.
inline std::vector<double> trailing_times(std::size_t T, std::size_t n, spacing_options const& o = {})
{
    require(n >= 1 && n <= T, "trailing_grid", "the number of steps", n, "it must lie in [1, T]");
    std::vector<double> times;
    if (o.rounding == arithmetic::numpy) { // numpy.arange(T, 0, -T / n).round() - 1
        double const first = static_cast<double>(T), step = first / static_cast<double>(n);
        double const second = first - step, delta = second - first;
        auto const count = static_cast<std::size_t>(std::ceil(first / step));
        for (std::size_t i = 0; i < count; ++i)
            times.push_back(std::nearbyint(first + static_cast<double>(i) * delta) - 1.0);
        return times;
    }
    for (std::size_t i = 0; i < n; ++i)
        times.push_back(static_cast<double>(detail::divide_to_even(T * (n - i), n)) - 1.0);
    return times;
}

/// The N times i (T - 1) / (N - 1), i = N - 1 ... 0, rounded unless asked otherwise: from T - 1
/// down to 0. One step is at T - 1.
///
/// Throws std::invalid_argument unless 1 <= N <= T. Source: Lin et al. 2024, arXiv 2305.08891,
/// table 2.
inline std::vector<double> linspace_times(std::size_t T, std::size_t n, spacing_options const& o = {})
{
    std::size_t const low = o.without_lowest ? 1 : 0, intervals = n + low - 1;
    require(n >= 1 && n <= (1u << 20) && (n + low <= T || n == 1 || !o.rounded), "linspace_grid", "the number of steps",
            n, "it must lie in [1, T]");
    std::vector<double> times;
    double const last = static_cast<double>(T - 1);
    for (std::size_t i = n + low; i-- > low;) {
        if (o.rounding == arithmetic::numpy ||
            !o.rounded) { // numpy.linspace(0, T - 1, ...): i * step, and the end as given
            double const step = last / static_cast<double>(intervals ? intervals : 1);
            bool const at_end = i == intervals && (intervals > 0 || o.rounding == arithmetic::exact);
            double const time = at_end ? last : static_cast<double>(i) * step;
            times.push_back(o.rounded ? std::nearbyint(time) : time);
        } else {
            times.push_back(intervals ? static_cast<double>(detail::divide_to_even(i * (T - 1), intervals)) : last);
        }
    }
    return times;
}

namespace detail {

template <table_path Path>
grid grid_of_times(Path const& path, std::vector<double> const& times, final_level end, std::string_view function)
{
    std::vector<grid_point> points;
    points.reserve(times.size());
    for (double t : times)
        points.push_back(point_at_time(path, t));
    return grid_of_points(path, points, end, function);
}

/// n equal intervals from the path's final time to its end.
template <noise_path Path>
grid equal_intervals(Path const& path, std::size_t n, final_level end, std::string_view function)
{
    require(n >= 1, function, "the number of steps", n, "at least 1 is needed");
    double const first = path.final_time(), last = end == final_level::zero ? 0.0 : first_time(path);
    std::vector<grid_point> points;
    points.reserve(n);
    for (std::size_t i = 0; i < n; ++i)
        points.push_back(point_at_time(path, first + (last - first) * static_cast<double>(i) / static_cast<double>(n)));
    return grid_of_points(path, points, end, function);
}

} // namespace detail

/// `leading_times` of a table. See there.
inline auto leading_grid(std::size_t n, spacing_options const& o = {})
{
    return [n, o]<table_path Path>(Path const& path) -> grid {
        return detail::grid_of_times(path, leading_times(path.T(), n, o), o.end, "leading_grid");
    };
}

/// `trailing_times` of a table; on a continuous path N equal intervals of time from the final time
/// to the end.
inline auto trailing_grid(std::size_t n, spacing_options const& o = {})
{
    return [n, o]<noise_path Path>(Path const& path) -> grid {
        if constexpr (table_path<Path>)
            return detail::grid_of_times(path, trailing_times(path.T(), n, o), o.end, "trailing_grid");
        else
            return detail::equal_intervals(path, n, o.end, "trailing_grid");
    };
}

/// `linspace_times` of a table; on a continuous path N equal intervals of time from the final time
/// to the end.
inline auto linspace_grid(std::size_t n, spacing_options const& o = {})
{
    return [n, o]<noise_path Path>(Path const& path) -> grid {
        if constexpr (table_path<Path>)
            return detail::grid_of_times(path, linspace_times(path.T(), n, o), o.end, "linspace_grid");
        else
            return detail::equal_intervals(path, n, o.end, "linspace_grid");
    };
}

/// These times, descending.
inline auto times_grid(std::vector<double> times, final_level end = final_level::zero)
{
    return [times = std::move(times), end]<noise_path Path>(Path const& path) -> grid {
        std::vector<grid_point> points;
        for (double t : times)
            points.push_back(point_at_time(path, t));
        return grid_of_points(path, points, end, "times_grid");
    };
}

} // namespace alphabar
