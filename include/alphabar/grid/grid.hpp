// SPDX-License-Identifier: MIT
// The times and noise levels that a sampler visits.
#pragma once

#include <alphabar/process/prediction.hpp>
#include <alphabar/schedule/paths.hpp>

namespace alphabar {

/// N network calls and N steps: call i at times[i] and levels[i], step i from levels[i] to levels[i + 1]; N + 1 levels.
struct grid {
    /// down: noise falls strictly from level to level. up: it rises strictly (inversion). as_given: not checked, for
    /// grids of other software in which levels repeat.
    enum class course : std::uint8_t { down, up, as_given };

    std::vector<double> times;
    std::vector<noise_level> levels;
    double end_time = 0.0;                  ///< the time of the last level, for solvers that call the network there
    prediction usual = prediction::epsilon; ///< what networks of this path predict unless the user says otherwise
    course direction = course::down;

    std::size_t steps() const { return times.size(); }
    friend bool operator==(grid const&, grid const&) = default;
};

/// A spec is a function from a path to a grid, karras_grid(20) or a lambda of your own; a new one is a small function.
template <class Spec, class Path>
concept grid_spec = std::is_invocable_r_v<grid, Spec const&, Path const&>;

/// What a solver takes after a path: a spec, or a ready grid.
template <class Spec, class Path>
concept grid_for = std::same_as<Spec, grid> || grid_spec<Spec, Path>;

/// A path of T discrete times, 0 to T - 1: a table.
template <class Path>
concept table_path = noise_path<Path> && requires(Path const& path) {
    { path.T() } -> std::convertible_to<std::size_t>;
};

/// One step of a sampler: the network is called at `time` and level `from`, and the state goes to level `to`.
struct grid_step {
    double time;
    noise_level from, to;
};

/// The steps of a grid. A list of steps is more general: `to` need not be where the next step starts (software that
/// steps back by T // N whatever its times are).
inline std::vector<grid_step> steps_of(grid const& g)
{
    std::vector<grid_step> steps(g.steps());
    for (std::size_t i = 0; i < g.steps(); ++i)
        steps[i] = {g.times[i], g.levels[i], g.levels[i + 1]};
    return steps;
}

/// Throws std::invalid_argument unless `g` has at least one step, one level more than times, finite times, levels with
/// alpha and sigma >= 0 and not both 0, and noise that falls (or rises) strictly as its course says.
inline void check(grid const& g, std::string_view function)
{
    std::size_t const n = g.times.size();
    require(n > 0, function, "the number of steps", n, "at least 1 is needed");
    require(g.levels.size() == n + 1, function, "the number of levels", g.levels.size(),
            "there is one more level than times");
    for (double time : g.times)
        require(std::isfinite(time), function, "a time", time, "it must be finite");
    for (auto const& [alpha, sigma] : g.levels) {
        require(std::isfinite(alpha) && alpha >= 0.0, function, "alpha", alpha, "it must be finite and not negative");
        require(std::isfinite(sigma) && sigma >= 0.0, function, "sigma", sigma, "it must be finite and not negative");
        require(alpha > 0.0 || sigma > 0.0, function, "sigma", sigma, "alpha and sigma cannot both be 0");
    }
    bool const down = g.direction == grid::course::down;
    for (std::size_t i = 0; i < n && g.direction != grid::course::as_given; ++i) {
        noise_level const s = g.levels[down ? i : i + 1], t = g.levels[down ? i + 1 : i];
        require(s.sigma * t.alpha > t.sigma * s.alpha, function, "sigma / alpha of a level",
                sigma_ratio(g.levels[i + 1]),
                down ? "noise must fall from each level to the next" : "noise must rise from each level to the next");
    }
}

/// The deviation of the normal noise that a plan starts from: 1 on variance-preserving paths, sigma on others.
inline double initial_scale(noise_level first)
{
    auto const [alpha, sigma] = first;
    bool const exploding = alpha == 1.0 && sigma > 0.0;
    double const off =
        (1.0 - alpha) * (1.0 + alpha) - sigma * sigma; // near the data, too, 0 where alpha^2 + sigma^2 = 1
    return !exploding && std::abs(off) <= 4e-6 * sigma * sigma + 4e-16 ? 1.0 : sigma;
}

/// Where a grid ends: at sigma = 0, or at the least noisy level of the path (diffusers' final_sigmas_type = "sigma_min"
/// and set_alpha_to_one = false: the first alpha-bar of a table).
enum class final_level : std::uint8_t { zero, first };

/// The time of the least noisy level that a network of the path has seen: 0 on a table, the path's own first_time where
/// it has one, final_time / 1000 on others.
double first_time(noise_path auto const& path)
{
    if constexpr (requires { path.first_time(); })
        return path.first_time();
    else
        return table_path<decltype(path)> ? 0.0 : 0.001 * path.final_time();
}

/// What networks of the path usually predict: flow on rectified flow, epsilon elsewhere.
constexpr prediction usual_prediction(noise_path auto const&) { return prediction::epsilon; }
constexpr prediction usual_prediction(rectified_flow const&) { return prediction::flow; }

/// The noise level in which users speak of a path, and in which sigma grids are spaced: sigma / alpha; on rectified
/// flow, where that is infinite at the start, sigma itself.
constexpr double sigma_of(noise_path auto const&, noise_level level) { return sigma_ratio(level); }
constexpr double sigma_of(rectified_flow const&, noise_level level) { return level.sigma; }

/// One call of a grid.
struct grid_point {
    double time;
    noise_level level;
    friend bool operator==(grid_point const&, grid_point const&) = default;
};

/// The point of the path at this time.
grid_point point_at_time(noise_path auto const& path, double time) { return {time, path.level(time)}; }

/// The point of the path at this `sigma_of`. On a table the level is exact also between and beyond its entries; the
/// time is interpolated and stays in [0, T - 1].
grid_point point_at_sigma(noise_path auto const& path, double sigma) { return point_at_time(path, path.time(sigma)); }
grid_point point_at_sigma(table_path auto const& path, double sigma)
{
    return {path.time(sigma), variance_preserving_level(sigma)};
}
inline grid_point point_at_sigma(rectified_flow const& path, double sigma) { return point_at_time(path, sigma); }

/// The point of the path at this sigma / alpha, which may be infinite where the path ends at alpha = 0.
grid_point point_at_ratio(noise_path auto const& path, double ratio) { return point_at_sigma(path, ratio); }
inline grid_point point_at_ratio(rectified_flow const& path, double ratio)
{
    return point_at_time(path, path.time(ratio));
}

/// Where a grid of the path ends.
grid_point end_of(noise_path auto const& path, final_level end)
{
    return end == final_level::zero ? grid_point{0.0, {1.0, 0.0}} : point_at_time(path, first_time(path));
}

/// The grid of these calls, ended at `end`. Throws as `check` does.
grid grid_of_points(noise_path auto const& path, std::vector<grid_point> const& points, grid_point const& end,
                    std::string_view function)
{
    grid g{.times = {}, .levels = {}, .end_time = end.time, .usual = usual_prediction(path)};
    for (grid_point const& p : points) {
        g.times.push_back(p.time);
        g.levels.push_back(p.level);
    }
    if (!points.empty() && points.back().level == end.level) // the last step stands still
        g.direction = grid::course::as_given;
    g.levels.push_back(end.level);
    check(g, function);
    return g;
}

/// The grid that `spec` makes on `path`; a ready grid stands for itself. Throws as `check` does.
template <noise_path Path, grid_for<Path> Spec>
grid make_grid(Path const& path, Spec const& spec)
{
    if constexpr (std::same_as<Spec, grid>) {
        check(spec, "make_grid");
        return spec;
    } else {
        return make_grid(path, static_cast<grid>(spec(path)));
    }
}

/// The grid from its step `first` on: what image to image runs, from data made noisy to that level. Throws
/// std::invalid_argument unless first is a step of the grid.
inline grid grid_from(grid g, std::size_t first)
{
    check(g, "grid_from");
    require(first < g.steps(), "grid_from", "first", first, "it must be a step of the grid");
    g.times.erase(g.times.begin(), g.times.begin() + static_cast<std::ptrdiff_t>(first));
    g.levels.erase(g.levels.begin(), g.levels.begin() + static_cast<std::ptrdiff_t>(first));
    return g;
}

/// The index of the first step of image to image: of N steps the last floor(N strength), or, as diffusers' flow
/// pipelines have it, the last ceil(N strength). grid_from(grid, index) starts there.
/// Throws std::invalid_argument unless 0 <= strength <= 1 and a step is left.
inline std::size_t begin_of_strength(std::size_t n, double strength, bool round_up = false)
{
    require(strength >= 0.0 && strength <= 1.0, "begin_of_strength", "strength", strength, "it must lie in [0, 1]");
    double const steps = static_cast<double>(n) * strength;
    std::size_t const left = std::min(n, static_cast<std::size_t>(round_up ? std::ceil(steps) : std::floor(steps)));
    require(left > 0, "begin_of_strength", "strength", strength, "it leaves no step");
    return n - left;
}

/// The grid in the other direction, for inversion: from its last level up to its first, each at the time of its level.
inline grid reversed(grid const& g)
{
    using enum grid::course;
    check(g, "reversed");
    grid back = g;
    std::ranges::reverse(back.levels);
    back.times.push_back(g.end_time);
    std::ranges::reverse(back.times);
    back.end_time = back.times.back();
    back.times.pop_back();
    back.direction = g.direction == down ? up : g.direction == up ? down : as_given;
    return back;
}

} // namespace alphabar
