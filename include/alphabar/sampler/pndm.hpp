// SPDX-License-Identifier: MIT
// Classical multistep methods on the network's output: PNDM (Runge-Kutta and linear multistep), iPNDM, iPNDM-v, LMS.
#pragma once

#include <alphabar/sampler/adams.hpp>

namespace alphabar {

/// Adams-Bashforth of order 1 to 4 for equal steps, the newest first.
inline constexpr std::array<std::array<double, 4>, 4> adams_bashforth{{
    {1.0, 0.0, 0.0, 0.0},
    {3.0 / 2, -1.0 / 2, 0.0, 0.0},
    {23.0 / 12, -16.0 / 12, 5.0 / 12, 0.0},
    {55.0 / 24, -59.0 / 24, 37.0 / 24, -9.0 / 24},
}};

/// The DDIM step to `to` as a map of the state and the network's output: alpha' x_0 + sigma' epsilon. Throws
/// std::invalid_argument where the prediction does not determine it.
inline pair_map output_step(network_form const& network, noise_level from, noise_level to)
{
    network_maps const maps = maps_at(network, from);
    double const r = to.sigma;
    pair_map const step{to.alpha * maps.x_0.x + (r > 0.0 ? r * maps.epsilon.x : 0.0),
                        to.alpha * maps.x_0.other + (r > 0.0 ? r * maps.epsilon.other : 0.0)};
    require(std::isfinite(step.x) && std::isfinite(step.other), "output_step", "alpha", from.alpha,
            "the prediction does not determine a step from there: predict v or flow");
    return step;
}

/// One call of PNDM: the network at `time` and level `at`; then the state of level `from` goes to level `to`.
struct pndm_call {
    double time;
    noise_level at, from, to;
};

/// PNDM along these calls, the first `prk_calls` of which are steps of four calls. With the transfer T(x, F) of
/// `output_step`, which is DDIM's, and F_i the raw outputs,
///
///     Runge-Kutta   to the middle by F_0, from there by F_1, to the end by F_2, and by (F_0 + 2 F_1 + 2 F_2 + F_3) / 6
///     multistep     x' = T(x, Adams-Bashforth of order 1 to 4); without Runge-Kutta the second call is a correction of
///                   the first step, by (F_0 + F_1) / 2
///
/// Outputs are remembered, not x_0: nothing is clipped. Throws std::invalid_argument as `output_step` and
/// `network_call` do. Source: Liu et al. 2022, arXiv 2202.09778, (11) to (13) and algorithm 2.
inline plan pndm_along(std::vector<pndm_call> const& calls, std::size_t prk_calls, network_form network)
{
    using namespace slots;
    require(!calls.empty() && prk_calls % 4 == 0 && prk_calls <= calls.size(), "pndm", "prk_calls", prk_calls,
            "it must be a multiple of 4 and not above the number of calls, of which there is one at least");
    network.operation = {};
    plan p = empty_plan(network, calls[0].from);
    std::vector<std::size_t> kept; // the calls that begin a step
    for (std::size_t i = 0; i < calls.size(); ++i) {
        auto const& [time, at, from, to] = calls[i];
        bool const inner = i < prk_calls, corrects = prk_calls == 0 && i == 1;
        stage s = network_call(network, time, at, memory_form::epsilon);
        s.memory = {0.0, 1.0};
        if ((!inner || i % 4 == 0) && !corrects)
            kept.push_back(i);
        row mean = m(0);
        if (inner && i % 4 == 3)
            mean = 1.0 / 6 * (m(3) + m(0)) + 1.0 / 3 * (m(2) + m(1));
        else if (corrects)
            mean = 0.5 * (m(0) + m(1));
        else if (!inner) {
            mean = {};
            std::size_t const order = std::min<std::size_t>(kept.size(), 4);
            for (std::size_t j = 0; j < order; ++j)
                mean += adams_bashforth[order - 1][j] * m(i - kept[kept.size() - 1 - j]);
        }
        pair_map const step = output_step(network, from, to);
        bool const starts = inner ? i % 4 == 0 : i == 0 && calls.size() > 1;
        s.x = step.x * ((inner && !starts) || corrects ? y : x) + step.other * mean;
        if (starts)
            s.y = x;
        s.ends_step = inner ? i % 4 == 3 : !starts;
        p.stages.push_back(s);
    }
    return p;
}

struct pndm_options {
    network_form network{};
    bool runge_kutta = false; ///< the first three steps by Runge-Kutta (PRK), four calls each; else PLMS alone
};

/// PNDM on a grid whose times lie at equal distances: of order 2; of order 3, and 4 with Runge-Kutta, where sigma /
/// alpha falls by equal steps and the network predicts epsilon. Throws as above. A Runge-Kutta step never calls at
/// sigma = 0: near the end fewer are made.
inline constexpr solver_function pndm("pndm", [](grid_on_path const& g, pndm_options const& o) {
    require(!o.runge_kutta || g.path.at_time, "pndm", "runge_kutta", o.runge_kutta, needs_path);
    std::vector<pndm_call> calls;
    auto const& L = g.levels;
    std::size_t const n = g.steps(), prk = o.runge_kutta ? std::min<std::size_t>(3, n - 1) : 0;
    for (std::size_t i = 0; i < n; ++i) {
        if (i < prk) {
            grid_point const middle = g.path.at_time(0.5 * (g.times[i] + g.times[i + 1]));
            calls.push_back({g.times[i], L[i], L[i], middle.level});
            calls.push_back({middle.time, middle.level, L[i], middle.level});
            calls.push_back({middle.time, middle.level, L[i], L[i + 1]});
            calls.push_back({g.times[i + 1], L[i + 1], L[i], L[i + 1]});
            continue;
        }
        if (i == 1 && prk == 0)
            calls.push_back({g.times[1], L[1], L[0], L[1]});
        calls.push_back({g.times[i], L[i], L[i], L[i + 1]});
    }
    return pndm_along(calls, 4 * prk, o.network);
});

struct multistep_options {
    network_form network{};
    unsigned order = 4;
    bool euler_at_zero = false; ///< a step to sigma = 0 is Euler's (ComfyUI)
    step_weights weights = integral;
};

/// LMS, which is iPNDM-v: Adams-Bashforth of order 1, 2, ... `order` for the unequal steps that the grid has, in sigma
/// / alpha, d(x / alpha) = epsilon d(sigma / alpha), on rectified flow in t. Its first step, of order 1, costs O(h^2):
/// on fine grids orders 3 and 4 are of order 2. Throws as `adams` does. Source: k-diffusion, sample_lms; Zhou et al.
/// 2024, arXiv 2312.00094 (the iPNDM-v that is shipped has other weights from order 3 on, and order 2).
inline constexpr solver_function lms("lms", [](grid const& g, multistep_options const& o) {
    adams_options a{.predictor = {}, .form = usual_form(g), .predict = o.weights};
    for (std::size_t i = 0; i < g.steps(); ++i)
        a.predictor.push_back((o.euler_at_zero && g.levels[i + 1].sigma == 0.0) ||
                                      std::isinf(position(g.levels[i + 1], a.form))
                                  ? 1
                                  : std::min(static_cast<unsigned>(i + 1), o.order));
    return adams(g, o.network, a);
});

/// iPNDM: the same by the weights for equal steps, whatever the steps are; of order 2 at most, too. Throws unless order
/// is 1 to 4, and as `adams` does. Source: Zhang & Chen 2023, arXiv 2204.13902, section 3.
inline constexpr solver_function ipndm("ipndm", [](grid const& g, multistep_options const& given) {
    multistep_options o = given;
    require(o.order >= 1 && o.order <= 4, "ipndm", "order", o.order, "it must lie in [1, 4]");
    o.weights = [](transition const& step, std::span<double const> nodes, moment_rule) {
        auto const near = std::ranges::count_if(nodes, [](double u) { return std::isfinite(u); }); // not from alpha = 0
        nodes = nodes.first(std::max<std::size_t>(static_cast<std::size_t>(near), 1));
        node_values w = integral(step, nodes.first(1));
        for (std::size_t j = 0; j < nodes.size() && nodes.size() > 1; ++j)
            w[j] = step.b * step.h * adams_bashforth[nodes.size() - 1][j];
        return w;
    };
    return lms(g, o);
});

struct gradient_estimation_options {
    network_form network{};
    double gamma = 2.0; ///< 1 is Euler's method
};

/// Gradient estimation: Euler's method along gamma d + (1 - gamma) (d of the call before) in place of d, in sigma /
/// alpha, on rectified flow in t. Of order 2 for gamma = 3/2, of order 1 for others. A step to sigma = 0 is Euler's.
/// Throws std::invalid_argument unless gamma is finite, and as `make_transition` and `network_call` do. Source:
/// Permenter & Yuan 2024, arXiv 2306.04848, algorithm 2; ComfyUI, sample_gradient_estimation.
inline constexpr solver_function gradient_estimation("gradient_estimation", [](grid const& g,
                                                                               gradient_estimation_options const& o) {
    using namespace slots;
    require(std::isfinite(o.gamma), "gradient_estimation", "gamma", o.gamma, "it must be finite");
    return plan_of(o.network, steps_of(g), "gradient_estimation", [&](grid_step const& step, std::size_t i) {
        transition const t = make_transition(step.from, step.to, usual_form(g));
        double const gamma = i == 0 || step.to.sigma == 0.0 ? 1.0 : o.gamma, whole = integral(t, std::array{0.0})[0];
        stage s = network_call(o.network, step.time, step.from, usual_form(g));
        s.x = (t.a * x + gamma * whole * m(0) + (1.0 - gamma) * whole * m(1)).pruned();
        return s;
    });
});

} // namespace alphabar
