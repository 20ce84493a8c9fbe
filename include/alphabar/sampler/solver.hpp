// SPDX-License-Identifier: MIT
// What solvers share: how they are called, and plans that are made step by step.
#pragma once

#include <alphabar/grid/grid.hpp>
#include <alphabar/sampler/exponential.hpp>
#include <alphabar/sampler/network_form.hpp>
#include <alphabar/sampler/plan.hpp>

#include <functional>

namespace alphabar {

/// A path of any type, for solvers that call the network between the levels of a grid. It refers to the path.
struct path_view {
    std::function<grid_point(double)> at_time{};
    std::function<grid_point(double)> at_ratio{};
    std::function<path_slope(double)> slope{}; ///< empty where the path has none

    path_view() = default;
    template <noise_path Path>
    path_view(Path const& path)
        : at_time([&path](double t) { return point_at_time(path, t); }),
          at_ratio([&path](double ratio) { return point_at_ratio(path, ratio); })
    {
        if constexpr (sloped_path<Path>)
            slope = [&path](double t) { return path.slope(t); };
    }
    template <noise_path Path>
    path_view(Path const&&) = delete; // it would not outlive the view
};

/// What a solver says that is called without a path and needs one.
inline constexpr std::string_view needs_path = "it needs the path: call the solver as (path, grid, options)";

/// A grid and the path that it lies on.
struct grid_on_path : grid {
    path_view path{};
};

/// The classical form of a grid's path: epsilon in sigma / alpha, and on rectified flow its velocity in t.
inline memory_form usual_form(grid const& g)
{
    return g.usual == prediction::flow ? memory_form::velocity : memory_form::rho;
}

/// A solver: a function from a grid and options to a plan. It is called as
///
///     solver(grid, options)                solver(path, spec or grid, options)
///
/// where the options' `network` is settled by the grid and the grid is checked, and, where it is a function of steps,
/// as solver(steps, options), where neither is done: name what the network predicts. A solver of a grid_on_path that is
/// called without a path throws where it needs it. All throw std::invalid_argument as `check` does, and as each says.
template <class Input, class Options>
struct solver_function {
    using input = Input;
    using options = Options;
    static_assert(
        requires(Options o) { o.network = network_form{}; },
        "alphabar: a solver's options hold a network_form `network`");
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
    plan operator()(grid_on_path const& g, Options const& o = {}) const { return on(g, g.path, o); }
    template <noise_path Path, grid_for<Path> Spec>
    plan operator()(Path const& path, Spec const& spec, Options const& o = {}) const
    {
        return on(make_grid(path, spec), path, o);
    }
    template <noise_path Path, class Spec>
    void operator()(Path const&, Spec const&, Options const& = {}) const
    {
        static_assert(grid_for<Spec, Path>,
                      "alphabar: the second argument makes no grid of this path: a grid is wanted, or a spec such as "
                      "karras_grid(20)");
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

/// A name for `solver`: what the options do not give is what `usual` says, for the members that
/// Options::optional_members lists. Called as any solver.
template <auto const& solver>
struct named_function {
    using options = typename std::remove_cvref_t<decltype(solver)>::options;
    options usual{};

    plan operator()(grid const& g, options const& o = {}) const { return solver(g, filled(o)); }
    plan operator()(grid_on_path const& g, options const& o = {}) const { return solver(g, filled(o)); }
    template <noise_path Path, class Spec>
    auto operator()(Path const& path, Spec const& spec, options const& o = {}) const
    {
        return solver(path, spec, filled(o));
    }

private:
    options filled(options o) const
    {
        auto const fill = [&](auto... member) { ((o.*member = o.*member ? o.*member : usual.*member), ...); };
        std::apply(fill, options::optional_members());
        return o;
    }
};

/// A plan without stages that starts at this level.
inline plan empty_plan(network_form const& network, noise_level first)
{
    return {.stages = {}, .initial_scale = initial_scale(first), .heads = network.predicts_variance ? 2u : 1u};
}

/// A plan with one stage for each step, made by make(step, index). Throws std::invalid_argument where there are none.
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
