// SPDX-License-Identifier: MIT
// Grids spaced in time: leading, trailing, linspace, and the others that users know by name.
#pragma once

#include <alphabar/grid/ramp.hpp>
#include <alphabar/schedule/rescale.hpp>

namespace alphabar {

/// How times of a table are rounded: exactly, in integers with halves to even, or as NumPy's arange, linspace and round
/// give them in doubles, which diffusers uses (now and then a time is one off, `trailing` may have one step more, and
/// `linspace` of one step is time 0 instead of T - 1).
enum class arithmetic : std::uint8_t { exact, numpy };

/// A spacing throws where it is given one that it does not read.
struct spacing_options {
    std::size_t steps_offset = 0; ///< added to the times of `leading` and of `ddim_quad`
    bool without_lowest = false; ///< one time more, the lowest left out (leading and linspace of DPM-Solver's software)
    bool rounded = true;         ///< integer times; false: `linspace` as it is (diffusers' Euler family)
    arithmetic rounding = arithmetic::exact; ///< `leading` counts in integers: NumPy gives the same
    final_level end = final_level::zero;
};

namespace detail {

/// n d / m rounded to an integer, halves to even.
constexpr std::uint64_t divide_to_even(std::uint64_t numerator, std::uint64_t denominator)
{
    std::uint64_t const q = numerator / denominator, twice = 2 * (numerator % denominator);
    return q + (twice > denominator || (twice == denominator && q % 2 == 1));
}

constexpr double real(std::size_t n) { return static_cast<double>(n); }

/// Throws unless 1 <= N <= T, and where an option is given that is not read: {{name, whether it is given}, ...}.
inline void check_steps(std::size_t n, std::size_t T, std::string_view function,
                        std::initializer_list<std::pair<std::string_view, bool>> not_read = {})
{
    for (auto const& [name, given] : not_read)
        require(!given, function, name, "given", "this spacing does not read it");
    require(n >= 1 && n <= T, function, "the number of steps", n, "it must lie in [1, T]");
}

/// time(i), i = 0 ... n - 1
std::vector<double> sequence(std::size_t n, auto const& time)
{
    std::vector<double> times(n);
    for (std::size_t i = 0; i < n; ++i)
        times[i] = static_cast<double>(time(i));
    return times;
}

/// The grid of the times(T) of a table.
auto grid_on_table(auto times, final_level end, std::string_view function)
{
    return [=](table_path auto const& path) -> grid {
        return list_of(times(path.T()), coordinate::time, end, function)(path);
    };
}

inline constexpr auto linear_law = between([](double_double v) { return v; });

/// The grid of the times(T, n, o) of a table; see trailing_grid (`through`) and linspace_grid.
auto spaced_grid(std::size_t n, spacing_options const& o, auto times, bool through, std::string_view function)
{
    return [=](noise_path auto const& path) -> grid {
        if constexpr (table_path<decltype(path)>)
            return list_of(times(path.T(), n, o), coordinate::time, o.end, function)(path);
        else {
            check_steps(n, 1u << 20, function,
                        {{"steps_offset", o.steps_offset > 0}, {"without_lowest", o.without_lowest}});
            std::optional<double> const low = through && o.end == final_level::zero ? std::optional(0.0) : std::nullopt;
            return time_grid(n, {.sigma_min = low, .end = o.end, .through_end = through}, linear_law, function)(path);
        }
    };
}

} // namespace detail

/// The N times i (T // N) + offset, i = N - 1 ... 0. They never reach T - 1 unless the offset does it.
///
/// Throws std::invalid_argument unless 1 <= N <= T, N + 1 <= T with without_lowest, and the first time is at most T -
/// 1. Source: Song et al. 2021 (DDIM), arXiv 2010.02502, appendix D.2; Lin et al. 2024, arXiv 2305.08891, table 2.
inline std::vector<double> leading_times(std::size_t T, std::size_t n, spacing_options const& o = {})
{
    std::size_t const low = o.without_lowest ? 1 : 0, top = n - 1 + low;
    detail::check_steps(n, T - low, "leading_grid", {{"rounded", !o.rounded}});
    std::size_t const stride = T / (n + low);
    require(top * stride + o.steps_offset < T, "leading_grid", "steps_offset", o.steps_offset,
            "the first time must be at most T - 1");
    return detail::sequence(n, [&](std::size_t i) { return (top - i) * stride + o.steps_offset; });
}

/// The N times round(T (N - i) / N) - 1, i = 0 ... N - 1: from T - 1 down.
///
/// Throws std::invalid_argument unless 1 <= N <= T. Source: Lin et al. 2024, arXiv 2305.08891, table 2.
inline std::vector<double> trailing_times(std::size_t T, std::size_t n, spacing_options const& o = {})
{
    detail::check_steps(
        n, T, "trailing_grid",
        {{"steps_offset", o.steps_offset > 0}, {"without_lowest", o.without_lowest}, {"rounded", !o.rounded}});
    if (o.rounding == arithmetic::exact)
        return detail::sequence(n, [&](std::size_t i) { return detail::divide_to_even(T * (n - i), n) - 1; });
    double const step = detail::real(T) / detail::real(n), delta = (detail::real(T) - step) - detail::real(T);
    return detail::sequence(static_cast<std::size_t>(std::ceil(detail::real(T) / step)), [&](std::size_t i) {
        return std::nearbyint(detail::real(T) + detail::real(i) * delta) -
               1.0; // numpy.arange(T, 0, -T / n).round() - 1
    });
}

/// The N times i (T - 1) / (N - 1), i = N - 1 ... 0, rounded unless asked otherwise: from T - 1 down to 0. One step is
/// at T - 1. Throws std::invalid_argument unless 1 <= N <= T (N + 1 <= T with without_lowest, but for one step), where
/// they are not rounded N <= 2^20. Source: Lin et al. 2024, arXiv 2305.08891, table 2.
inline std::vector<double> linspace_times(std::size_t T, std::size_t n, spacing_options const& o = {})
{
    std::size_t const low = o.without_lowest ? 1 : 0, intervals = n + low - 1;
    detail::check_steps(n, o.rounded ? std::max<std::size_t>(T - low, 1) : 1u << 20, "linspace_grid",
                        {{"steps_offset", o.steps_offset > 0}});
    bool const exact = o.rounding == arithmetic::exact;
    double const last = detail::real(T - 1), step = last / detail::real(std::max<std::size_t>(intervals, 1));
    return detail::sequence(n, [&](std::size_t k) {
        std::size_t const i = intervals - k;
        if (exact && o.rounded && intervals > 0)
            return static_cast<double>(detail::divide_to_even(i * (T - 1), intervals));
        // numpy.linspace(0, T - 1, ...): i * step, and the end as given
        double const time = k == 0 && (intervals > 0 || exact) ? last : detail::real(i) * step;
        return o.rounded ? std::nearbyint(time) : time;
    });
}

/// `leading_times` of a table. See there.
inline auto leading_grid(std::size_t n, spacing_options const& o = {})
{
    return detail::grid_on_table([=](std::size_t T) { return leading_times(T, n, o); }, o.end, "leading_grid");
}

/// `trailing_times` of a table; on a continuous path N equal intervals of time from the final time to the end.
inline auto trailing_grid(std::size_t n, spacing_options const& o = {})
{
    return detail::spaced_grid(n, o, trailing_times, true, "trailing_grid");
}

/// `linspace_times` of a table; on a continuous path, too, N equal times from the final to the first one, and then the
/// end (diffusers' flow matching where no sigmas are given).
inline auto linspace_grid(std::size_t n, spacing_options const& o = {})
{
    return detail::spaced_grid(n, o, linspace_times, false, "linspace_grid");
}

/// times = t_max + u (t_min - t_max): k-diffusion's get_sigmas, ComfyUI's and the WebUI's "normal" and "uniform", EDM's
/// grid for VP. Throws as time_grid does.
inline auto normal_grid(std::size_t n, sigma_range const& range = {})
{
    return time_grid(n, range, detail::linear_law, "normal_grid");
}

/// The same with u = i / N ("SGM Uniform"); dpm-solver's time_uniform with end = first.
inline auto sgm_uniform_grid(std::size_t n, sigma_range const& range = {})
{
    return normal_grid(n, detail::through(range));
}

/// sqrt t in equal steps (dpm-solver's time_quadratic). Throws as time_grid does.
inline auto time_quadratic_grid(std::size_t n, sigma_range const& range = {.end = final_level::first})
{
    auto const law = [](double_double low, double_double high, double_double u) {
        double_double const root = sqrt(high) + u * (sqrt(low) - sqrt(high));
        return root * root;
    };
    return time_grid(n, detail::through(range), law, "time_quadratic_grid");
}

/// t = t_min + (t_max - t_min) s(1 - i / N), s(v) = v^2 (3 - 2 v) (stable-diffusion.cpp's, which rounds).
/// Throws as time_grid does.
inline auto smoothstep_grid(std::size_t n, sigma_range const& range = {})
{
    auto const s = [](double_double v) { return v * v * (3.0 - scaled(v, 1)); };
    return time_grid(n, detail::through(range), between(s), "smoothstep_grid");
}

/// The N times law(T, i), i = 0 ... N - 1, of a table. Throws std::invalid_argument unless 1 <= N <= T and they fall.
auto indexed_grid(std::size_t n, auto law, std::string_view function, final_level end = final_level::zero)
{
    auto const times = [=](std::size_t T) {
        detail::check_steps(n, T, function);
        return detail::sequence(n, [&](std::size_t i) { return law(T, i); });
    };
    return detail::grid_on_table(times, end, function);
}

/// The times T - 1 - floor(i T / N) (ComfyUI's and the WebUI's "simple"); NumPy's form cuts i (T / N) in doubles.
inline auto simple_grid(std::size_t n, arithmetic rounding = arithmetic::exact)
{
    auto const law = [=](std::size_t T, std::size_t i) {
        double const at = detail::real(i) * (detail::real(T) / detail::real(n));
        return T - 1 - (rounding == arithmetic::exact ? i * T / n : static_cast<std::size_t>(at));
    };
    return indexed_grid(n, law, "simple_grid");
}

/// The times floor((T - 1) (N - i) / N) (sgm's LegacyDDPMDiscretization); NumPy's form cuts a linspace in doubles.
inline auto legacy_ddpm_grid(std::size_t n, arithmetic rounding = arithmetic::exact)
{
    auto const law = [=](std::size_t T, std::size_t i) {
        double const at = detail::real(i) * (-detail::real(T - 1) / detail::real(n)) + detail::real(T - 1);
        return rounding == arithmetic::exact ? (T - 1) * (n - i) / n : static_cast<std::size_t>(at);
    };
    return indexed_grid(n, law, "legacy_ddpm_grid");
}

/// The times 0.8 T ((N - 1 - i) / (N - 1))^2 + offset (DDIM's "quad"; latent diffusion adds an offset of 1). NumPy's
/// form cuts them to integers before the offset. Source: Song et al. 2021 (DDIM), arXiv 2010.02502, appendix D.2.
inline auto ddim_quad_grid(std::size_t n, spacing_options const& o = {})
{
    detail::check_steps(n, n, "ddim_quad_grid", {{"without_lowest", o.without_lowest}, {"rounded", !o.rounded}});
    auto const law = [=](std::size_t T, std::size_t i) {
        double const root = std::sqrt(0.8 * detail::real(T)),
                     step = root / detail::real(std::max<std::size_t>(n, 2) - 1);
        double const at = i == 0 ? root : detail::real(n - 1 - i) * step;
        return (o.rounding == arithmetic::numpy ? std::floor(at * at) : at * at) + detail::real(o.steps_offset);
    };
    return indexed_grid(n, law, "ddim_quad_grid", o.end);
}

/// The times of latent consistency models, and of TCD: of the L = floor(original_steps strength) times
/// (k + 1) (T // original_steps) - 1 that the student was distilled on, those at floor(i L / N), from the noisiest.
/// Throws also unless N <= L, 1 <= original_steps <= T and 0 < strength <= 1. Luo et al. 2023, arXiv 2310.04378.
inline auto lcm_grid(std::size_t n, std::size_t original_steps = 50, double strength = 1.0)
{
    require(original_steps >= 1, "lcm_grid", "original_steps", original_steps, "it must be at least 1");
    require(strength > 0.0 && strength <= 1.0, "lcm_grid", "strength", strength, "it must lie in (0, 1]");
    auto const length = static_cast<std::size_t>(detail::real(original_steps) * strength);
    require(n <= length, "lcm_grid", "the number of steps", n, "it must be at most original_steps strength");
    auto const law = [=](std::size_t T, std::size_t i) { return (length - i * length / n) * (T / original_steps) - 1; };
    return indexed_grid(n, law, "lcm_grid");
}

/// The times 1 + k max(T // N, 1) below T, all of them: N where N divides T, otherwise often more ("ddim_uniform", the
/// WebUI's "DDIM"). Throws std::invalid_argument unless N >= 1 and T >= 2.
inline auto ddim_uniform_grid(std::size_t n)
{
    require(n >= 1, "ddim_uniform_grid", "the number of steps", n, "at least 1 is needed");
    return [n](table_path auto const& path) -> grid {
        std::size_t const stride = std::max<std::size_t>(path.T() / n, 1), count = (path.T() - 1 + stride - 1) / stride;
        auto const law = [=](std::size_t, std::size_t i) { return 1 + (count - 1 - i) * stride; };
        return indexed_grid(count, law, "ddim_uniform_grid")(path);
    };
}

/// `kept_times` of a table, "ddimN" or counts of sections: the calls of a respaced process. Throws as kept_times does.
inline auto respaced_grid(std::string sections)
{
    auto const times = [=](std::size_t T) {
        std::vector<std::size_t> const kept = kept_times(T, sections);
        return std::vector<double>(kept.rbegin(), kept.rend());
    };
    return detail::grid_on_table(times, final_level::zero, "respaced_grid");
}

/// These times, descending.
inline auto times_grid(std::vector<double> times, final_level end = final_level::zero)
{
    return detail::list_of(std::move(times), detail::coordinate::time, end, "times_grid");
}

/// The grid of `spec` with its times handed to the network as map(t): 1000 t, 1 - t (models with inverted sigmas). The
/// levels stay.
auto with_times(auto const& spec, auto const& map)
{
    return [spec, map](noise_path auto const& path) -> grid {
        grid g = make_grid(path, spec);
        for (double& t : g.times)
            t = map(t);
        g.end_time = map(g.end_time);
        check(g, "with_times");
        return g;
    };
}

/// The path without the noisiest times, those with lambda = log(alpha / sigma) below lambda_min: diffusers'
/// lambda_min_clipped, dpm-solver's numerical_clip_alpha, -5.1 for the cosine schedule. A table's T is that of the cut.
template <noise_path Path>
struct clipped_path : Path {
    double last;

    double time(double ratio) const { return std::min(Path::time(ratio), last); }
    double final_time() const { return last; }
    double first_time() const { return alphabar::first_time(static_cast<Path const&>(*this)); }
    std::size_t T() const
        requires table_path<Path>
    {
        return static_cast<std::size_t>(last) + 1;
    }
    friend bool operator==(clipped_path const&, clipped_path const&) = default;
};

/// See clipped_path. Throws std::invalid_argument where nothing is left.
template <noise_path Path>
clipped_path<Path> clipped(Path const& path, double lambda_min)
{
    static_assert(!std::same_as<Path, rectified_flow>,
                  "alphabar: give the grid of a flow other ends in place of a clip");
    double const last = path.time(std::exp(-lambda_min));
    clipped_path<Path> out{path, table_path<Path> ? std::floor(last) : last};
    require(half_log_snr(path.level(first_time(path))) >= lambda_min, "clipped", "lambda_min", lambda_min,
            "it leaves nothing of the path");
    return out;
}

} // namespace alphabar
