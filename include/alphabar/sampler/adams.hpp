// SPDX-License-Identifier: MIT
// The exponential Adams family: predictors and correctors of any order, ODE and SDE. DPM-Solver,
// DPM-Solver++, DEIS, UniPC, SA-Solver and LMS are lists of orders and a rule.
#pragma once

#include <alphabar/sampler/ddim.hpp>

namespace alphabar {

/// The weights b w of a step at these nodes; `integral` is the right one.
using step_weights = node_values (*)(transition const& step, std::span<double const> nodes, moment_rule rule);

struct adams_options {
    std::vector<unsigned> predictor{}; ///< [i]: how many memories the step i -> i + 1 uses; at least 1
    std::vector<unsigned>
        corrector{}; ///< [i]: how many the corrected step i - 1 -> i uses, with the new one; 0 or empty: none
    memory_form form = memory_form::x_0;
    std::vector<double> tau{}; ///< [i]: stochasticity of the step i -> i + 1; none: 0, the ODE
    double eta = 0.0; ///< of ancestral steps, without tau. Memories are then as far apart as the steps down are long
    moment_rule rule{};
    double noise_scale = 1.0; ///< factor of every z
    bool split = false;       ///< a corrected stage becomes two, the second without a call: the corrected state is an x
    bool pece = false;        ///< the second calls, and its memory takes the place of the first one's
    step_weights predict = integral; ///< the predictor's weights
    step_weights correct = integral; ///< the corrector's weights
};

/// Exponential Adams-Bashforth (predictor) and Adams-Moulton (corrector) on `g`. With D(i; j...)
/// the integral of (1) in exponential.hpp over step i by the memories of the calls j:
///
///     x_i+1 = a_i x_i + c_i z_i + D(i; i, i - 1, ...)               predictor
///     x_i   = a_i-1 x_i-1 + c_i-1 z_i-1 + D(i - 1; i, i - 1, ...)   corrected by the call at i
///
/// The anchor holds what both share, y' = a x + c z, so no old noise is needed. The first step has one memory, or two
/// where it is corrected: that costs O(h^2), or O(h^3), and no order above 2, or 3, is reached. A step from an end of
/// the path remembers as `form_from` says; in another form it is not corrected.
///
/// Throws std::invalid_argument where the lists do not have one entry a step, where an order is not in [1, 8] or asks
/// for more memories than there are, and as `check`, `make_transition`, `integral` and `network_call` do.
inline plan adams(grid const& g, network_form const& form_of_network, adams_options const& o)
{
    using namespace slots;
    check(g, "adams");
    std::size_t const n = g.steps();
    require(o.predictor.size() == n, "adams", "the number of predictor orders", o.predictor.size(),
            "there is one a step");
    require(o.corrector.empty() || o.corrector.size() == n, "adams", "the number of corrector orders",
            o.corrector.size(), "there is one a step, or none");
    require(o.tau.empty() || o.tau.size() == n, "adams", "the number of taus", o.tau.size(),
            "there is one a step, or none");
    require(o.eta == 0.0 || o.tau.empty(), "adams", "eta", o.eta, "it must be 0 where there are taus");
    network_form const network = settled(form_of_network, g.usual);

    auto const form_at = [&](std::size_t i) { return form_from(g.levels[i], o.form); };
    std::vector<double> u(n + 1);
    std::vector<transition> steps(n);
    for (std::size_t i = 0; i <= n; ++i)
        u[i] = position(g.levels[i], o.form);
    for (std::size_t i = 0; i < n; ++i) {
        auto const [down, up] = make_ancestral_step(g.levels[i], g.levels[i + 1], o.eta);
        steps[i] = make_transition(g.levels[i], down, form_at(i), o.tau.empty() ? 0.0 : o.tau[i]);
        if (o.eta == 0.0)
            continue;
        steps[i].c = up;
        if (std::isfinite(u[i]))
            u[i + 1] = u[i] + steps[i].h;
    }

    std::vector<std::size_t> memory_of(n); // [i]: which memory the call at i left
    std::size_t made = 0;
    // the integral of step i by the memories of the calls newest, newest - 1, ..., `newest` being this stage's m(0)
    auto const drift = [&](std::size_t i, std::size_t newest, unsigned count, step_weights weigh) {
        require(count >= 1 && count <= max_nodes && count <= newest + 1, "adams", "an order", count,
                "it must lie in [1, 8] and not ask for more memories than there are");
        node_values nodes{};
        for (std::size_t j = 0; j < count; ++j)
            nodes[j] = newest - j == i ? 0.0 : u[newest - j] - u[i];
        node_values const w = weigh(steps[i], std::span(nodes).first(count), o.rule);
        row r;
        for (std::size_t j = 0; j < count; ++j)
            r += w[j] * m(made - 1 - memory_of[newest - j]);
        return r;
    };
    auto const corrects = [&](std::size_t i) {
        return i > 0 && i < n && !o.corrector.empty() && o.corrector[i] > 0 && form_at(i - 1) == o.form;
    };

    plan p = empty_plan(network, g.levels[0]);
    p.stages.reserve(o.split || o.pece ? 2 * n : n);
    for (std::size_t i = 0; i < n; ++i) {
        stage s = network_call(network, g.times[i], g.levels[i], form_at(i));
        memory_of[i] = made++;
        row here = x;
        if (corrects(i)) {
            here = y + drift(i - 1, i, o.corrector[i], o.correct);
            if (o.split || o.pece) {
                s.x = here.pruned();
                s.ends_step = false;
                p.stages.push_back(s);
                s = stage{.time = g.times[i], .calls = false};
                if (o.pece)
                    s = network_call(network, g.times[i], g.levels[i], o.form), memory_of[i] = made++;
                here = x;
            }
        }
        row common = steps[i].a * here;
        if (steps[i].c != 0.0 && o.noise_scale != 0.0)
            common += o.noise_scale * steps[i].c * z;
        s.x = (common + drift(i, i, o.predictor[i], o.predict)).pruned();
        if (corrects(i + 1))
            s.y = common.pruned();
        p.stages.push_back(s);
    }
    number_draws(p);
    return p;
}

/// The usual orders: as many memories as there are, at most `order`, and one for a step to an end of the path.
inline std::vector<unsigned> rising_orders(grid const& g, unsigned order)
{
    check(g, "rising_orders");
    require(order >= 1 && order <= max_nodes, "rising_orders", "order", order, "it must lie in [1, 8]");
    std::vector<unsigned> orders(g.steps(), 1);
    for (std::size_t i = 0; i < g.steps(); ++i)
        if (!is_end(g.levels[i + 1]))
            orders[i] = static_cast<unsigned>(std::min<std::size_t>(order, i + 1));
    return orders;
}

/// Lowers the last `most` steps to the orders ..., 3, 2, 1 (the software's lower_order_final).
inline void lower_final_orders(std::vector<unsigned>& orders, std::size_t most = max_nodes)
{
    for (std::size_t left = 1; left <= std::min(orders.size(), most); ++left)
        orders[orders.size() - left] = std::min(orders[orders.size() - left], static_cast<unsigned>(left));
}

} // namespace alphabar
