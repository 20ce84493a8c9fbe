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

#include <array>
#include <cmath>
#include <cstddef>
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

inline plan heun(grid const& g, std::vector<churned_step> const& steps, heun_options const& o)
{
    using namespace slots;
    network_form const network = settled(o.network, g.usual);
    memory_form const form = o.form.value_or(g.usual == prediction::flow ? memory_form::velocity : memory_form::rho);
    plan p{
        .stages = {}, .initial_scale = initial_scale(g.levels.front()), .heads = network.predicts_variance ? 2u : 1u};
    for (std::size_t i = 0; i < steps.size(); ++i) {
        auto const& [step, churn] = steps[i];
        if (step.to.sigma == 0.0 || (step.from.alpha == 0.0 && form == memory_form::rho)) {
            p.stages.push_back(ddim_stage(network, step));
            p.stages.back().churn = churn;
            continue;
        }
        transition const t = make_transition(step.from, step.to, form);
        stage predict = network_call(network, step.time, step.from, form);
        predict.churn = churn;
        predict.x = t.a * x + integral(t, std::array{0.0})[0] * m(0);
        predict.y = x;
        predict.ends_step = false;
        stage correct = network_call(network, i + 1 < g.steps() ? g.times[i + 1] : g.end_time, step.to, form);
        node_values const w = integral(t, std::array{t.h, 0.0});
        correct.x = t.a * y + w[0] * m(0) + w[1] * m(1);
        p.stages.push_back(predict);
        p.stages.push_back(correct);
    }
    number_draws(p);
    return p;
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
    std::vector<churned_step> steps;
    for (grid_step const& step : steps_of(g))
        steps.push_back({step, {}});
    return detail::heun(g, steps, o);
}

/// Heun's method with churn. Throws as `heun` and `churned_steps` do.
template <noise_path Path, grid_for<Path> Spec>
plan heun(Path const& path, Spec const& spec, heun_options const& o = {})
{
    grid const g = make_grid(path, spec);
    return detail::heun(g, churned_steps(path, g, o.churn), o);
}

} // namespace alphabar
