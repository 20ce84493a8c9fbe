// SPDX-License-Identifier: MIT
// What solvers share: how they are called, and plans that are made step by step.
#pragma once

#include <alphabar/core/error.hpp>
#include <alphabar/grid/grid.hpp>
#include <alphabar/sampler/exponential.hpp>
#include <alphabar/sampler/network_form.hpp>
#include <alphabar/sampler/plan.hpp>
#include <alphabar/schedule/noise_level.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <optional>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

namespace alphabar {

/// A path of any type, for solvers that call the network between the levels of a grid. It refers to the path.
struct path_view {
    std::function<grid_point(double)> at_time{};
    std::function<grid_point(double)> at_ratio{};
    std::function<path_slope(double)> slope{}; ///< without: the path does not know it

    path_view() = default;
    template <noise_path Path>
    path_view(Path const& path)
        : at_time([&path](double t) { return point_at_time(path, t); }),
          at_ratio([&path](double ratio) { return point_at_ratio(path, ratio); })
    {
        if constexpr (sloped_path<Path>)
            slope = [&path](double t) { return path.slope(t); };
    }
};

/// A grid and the path that it lies on.
struct grid_on_path : grid {
    path_view path{};
};

/// A solver: a function from a grid and options, whose `network` is settled, to a plan. It is called as
///
///     solver(grid, options)                solver(path, spec or grid, options)
///
/// and, where it is a function of steps, as solver(steps, options), too. Solvers of a grid_on_path that are called without
/// a path throw where they need it. Each throws std::invalid_argument as `check` does, and as it says.
template <class Input, class Options>
struct solver_function {
    using input = Input;
    using options = Options;
    std::string_view name;
    plan (*solve)(Input const& input, Options const& o);

    constexpr solver_function(std::string_view its_name, plan (*function)(Input const&, Options const&))
        : name(its_name), solve(function)
    {
    }
    plan operator()(std::vector<grid_step> const& steps, Options const& o = {}) const
        requires std::same_as<Input, std::vector<grid_step>>
    {
        return solve(steps, o);
    }
    plan operator()(grid const& g, Options const& o = {}) const { return on(g, {}, o); }
    template <noise_path Path, grid_for<Path> Spec>
    plan operator()(Path const& path, Spec const& spec, Options const& o = {}) const
    {
        return on(make_grid(path, spec), path, o);
    }

private:
    plan on(grid const& g, path_view const& path, Options o) const
    {
        check(g, name);
        o.network = settled(o.network, g.usual);
        if constexpr (std::same_as<Input, grid>)
            return solve(g, o);
        else if constexpr (std::same_as<Input, grid_on_path>)
            return solve({g, path}, o);
        else
            return solve(steps_of(g), o);
    }
};

namespace detail {
template <class Input, class Options>
solver_function<Input, Options> solver_of(plan (*)(Input const&, Options const&));
}
template <class Function, class Solver = decltype(detail::solver_of(+std::declval<Function>()))>
solver_function(char const*, Function) -> solver_function<typename Solver::input, typename Solver::options>;

/// A plan without stages that starts at this level.
inline plan empty_plan(network_form const& network, noise_level first)
{
    return {.stages = {}, .initial_scale = initial_scale(first), .heads = network.predicts_variance ? 2u : 1u};
}

/// The plan of one stage a step, make(step, index of the step). Throws std::invalid_argument where there are none.
template <class Make>
plan plan_of(network_form const& network, std::vector<grid_step> const& steps, std::string_view function,
             Make const& make)
{
    require(!steps.empty(), function, "the number of steps", steps.size(), "at least 1 is needed");
    plan p = empty_plan(network, steps.front().from);
    p.stages.reserve(steps.size());
    for (std::size_t i = 0; i < steps.size(); ++i)
        p.stages.push_back(make(steps[i], i));
    number_draws(p);
    return p;
}

} // namespace alphabar
