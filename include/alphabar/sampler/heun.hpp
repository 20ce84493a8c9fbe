// SPDX-License-Identifier: MIT
//
// Heun's method, the second-order sampler of EDM.
#pragma once

#include <alphabar/core/error.hpp>
#include <alphabar/grid/grid.hpp>
#include <alphabar/sampler/euler.hpp>
#include <alphabar/sampler/exponential.hpp>
#include <alphabar/sampler/network_form.hpp>
#include <alphabar/sampler/plan.hpp>
#include <alphabar/sampler/two_stage.hpp>

#include <optional>
#include <vector>

namespace alphabar {

struct heun_options {
    network_form network{};
    churn_options churn{};
    std::optional<memory_form> form{}; ///< rho (EDM: the trapezoid in sigma / alpha) or velocity
                                       ///< (in t, the default on rectified flow)
};

namespace detail {

/// Heun's method as the two-stage family has it.
inline plan heun(grid const& g, std::vector<churned_step> const& steps, heun_options const& o)
{
    memory_form const usual = g.usual == prediction::flow ? memory_form::velocity : memory_form::rho;
    return two_stage(g, steps, {.network = o.network, .middle = 1.0, .form = o.form.value_or(usual)},
                     [](double) { return grid_point{}; });
}

} // namespace detail

/// Heun's method: an Euler step to the next level, a second call there, and the step again with the
/// mean of both slopes. Two calls a step; a step to sigma = 0 is Euler's, as is one from alpha = 0.
///
///     x' = (alpha' / alpha) x + alpha' (rho' - rho) (d_0 + d_1) / 2,   d = epsilon, rho = sigma /
///     alpha
///
/// Throws as `check` and `network_call` do. Source: Karras et al. 2022, arXiv 2206.00364,
/// algorithms 1 and 2.
inline plan heun(grid const& g, heun_options const& o = {})
{
    require(o.churn.amount == 0.0, "heun", "churn", o.churn.amount, "churn needs the path: heun(path, grid, options)");
    check(g, "heun");
    return detail::heun(g, without_churn(g), o);
}

/// Heun's method with churn. Throws as `heun` and `churned_steps` do.
template <noise_path Path, grid_for<Path> Spec>
plan heun(Path const& path, Spec const& spec, heun_options const& o = {})
{
    grid const g = make_grid(path, spec);
    return detail::heun(g, churned_steps(path, g, o.churn), o);
}

} // namespace alphabar
