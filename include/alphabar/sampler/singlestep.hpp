// SPDX-License-Identifier: MIT
// Singlestep solvers: a step with calls inside it. DPM-Solver and DPM-Solver++ singlestep, orders 1 to 3, ODE and SDE.
#pragma once

#include <alphabar/sampler/solver.hpp>

namespace alphabar {

/// The coefficients of a step's memories in a row: `row` leads from the start of the step to where the row goes,
/// `nodes` are the positions of the step's calls from its start, the newest first; `last`: the row ends the step.
using stage_weights = std::function<node_values(transition const& row, std::span<double const> nodes, bool last)>;

/// The weights of the polynomial through all the memories.
inline node_values exact_weights(transition const& row, std::span<double const> nodes, bool)
{
    return integral(row, nodes);
}

/// One call inside a step, and where the row after it takes the state from the step's start.
struct inner_call {
    /// What is remembered in place of the form: dx/dt (slope_call). Times of the path from the start of the step: of
    /// this call, and of where the row goes.
    struct in_time {
        double from_start;
        double length;
        slope_terms terms;
    };
    double time;
    noise_level level;
    noise_level to{}; ///< as a rule the level of the next call; lower, where noise is added on arrival
    unsigned age = 0; ///< calls of the same step before it; 0: the step starts here
    memory_form form = memory_form::x_0;
    double noise = 0.0; ///< coefficient of z, beside what tau brings
    stage_weights weights = exact_weights;
    std::optional<stage::churn_map> churn{};
    std::optional<in_time> along{};
};

struct singlestep_options {
    network_form network{};
    double tau = 0.0;      ///< 0 the ODE, 1 the reverse SDE
    bool one_path = false; ///< the noises of a step are of one Brownian path; without, each row's is its own
    double noise_scale = 1.0;
};

/// The stages of the general singlestep method. By (1) of exponential.hpp from the step's start s, after each call
///
///     x' = a x_s + sum_j w_j m(j) + (c + noise) z
///
/// over the memories of the step so far; x_s is the anchor. On one path it is carried on with its noise, y' = a y + c z
/// from call to call. Throws std::invalid_argument where ages do not count up from 0, where a level `to` is missing,
/// and as `make_transition`, `integral`, `network_call` and `slope_call` do.
inline std::vector<stage> singlestep_stages(std::vector<inner_call> const& calls, singlestep_options const& o)
{
    using namespace slots;
    std::vector<stage> stages;
    stages.reserve(calls.size());
    node_values nodes{}; // the newest first
    for (std::size_t k = 0; k < calls.size(); ++k) {
        auto const& [time, level, to, age, form, noise, weights, churn, along] = calls[k];
        require(age == 0 || (k > 0 && age == calls[k - 1].age + 1 && age < max_nodes), "singlestep", "an age", age,
                "it counts the calls of a step, 0, 1, ... below 8");
        require(along || to.alpha > 0.0 || to.sigma > 0.0, "singlestep", "the level `to` of a call", k,
                "it must be given");
        inner_call const& start = calls[k - age];
        std::shift_right(nodes.begin(), nodes.end(), 1);
        nodes[0] = age == 0 ? 0.0 : along ? along->from_start : position(level, form) - position(start.level, form);
        transition const step =
            along ? transition{1.0, 1.0, 0.0, 0.0, along->length, 1.0} : make_transition(start.level, to, form, o.tau);
        stage s = along ? slope_call(o.network, time, level, along->terms) : network_call(o.network, time, level, form);
        s.ends_step = k + 1 == calls.size() || calls[k + 1].age == 0;
        node_values const w = weights(step, std::span(nodes).first(age + 1), s.ends_step);
        s.churn = churn;
        transition const part = o.one_path ? make_transition(level, to, form, o.tau) : step;
        row const carried = part.a * (age == 0 ? x : y) + o.noise_scale * (part.c + noise) * z;
        s.x = carried;
        for (std::size_t j = 0; j <= age; ++j)
            s.x += w[j] * m(j);
        s.x = s.x.pruned();
        if (!s.ends_step && (o.one_path || age == 0))
            s.y = o.one_path ? carried.pruned() : x;
        stages.push_back(std::move(s));
    }
    return stages;
}

/// The plan of `singlestep_stages`, which starts at the level of the first call.
inline plan singlestep(std::vector<inner_call> const& calls, singlestep_options const& o)
{
    require(!calls.empty(), "singlestep", "the number of calls", calls.size(), "at least 1 is needed");
    plan p = empty_plan(o.network, calls[0].level);
    p.stages = singlestep_stages(calls, o);
    number_draws(p);
    return p;
}

/// How DPM-Solver's singlestep methods depart from the exact weights.
struct dpm_rule {
    moment_rule last{.two = moment_rule::two_nodes::midpoint}; ///< of the row that ends a step
    moment_rule inner{};                                       ///< of the others
    /// With three memories the one in the middle is left out. The published form: of order 3, as that memory lies at
    /// 1/3 and the newest at 2/3 of the step in lambda.
    bool skip_middle = false;
    node_values operator()(transition const& step, std::span<double const> nodes, bool ends) const
    {
        if (nodes.size() != 3 || !skip_middle)
            return integral(step, nodes, ends ? last : inner);
        node_values const w = integral(step, std::array{nodes[0], nodes[2]});
        return {w[0], 0.0, w[1]};
    }
};

/// The calls of a grid as steps of 1, 2, ..., order calls: which memory each is of its step, counted from 1. What is
/// left over at the end is a step of fewer; the last call is a step of its own where the grid ends at an end of the
/// path and, with `lower_final` (diffusers), where nothing is left over. Lu et al. 2022, arXiv 2206.00927, section 3.4.
inline std::vector<unsigned> singlestep_orders(grid const& g, unsigned order, bool lower_final = false)
{
    check(g, "singlestep_orders");
    require(order >= 1 && order <= 3, "singlestep_orders", "order", order, "it must be 1, 2 or 3");
    std::size_t const n = g.steps();
    std::vector<unsigned> orders;
    for (std::size_t i = 0; i < n; ++i)
        orders.push_back(static_cast<unsigned>(i % order) + 1);
    if (is_end(g.levels[n]) || (lower_final && n % order == 0))
        orders[n - 1] = 1;
    return orders;
}

struct dpm_singlestep_options {
    network_form network{};
    unsigned order = 2;
    memory_form form = memory_form::x_0; ///< x_0: DPM-Solver++; epsilon: DPM-Solver
    double eta = 0.0;                    ///< tau^2: 0 the ODE, 1 the reverse SDE
    dpm_rule rule{};
    std::vector<unsigned> orders{}; ///< in place of singlestep_orders
    double noise_scale = 1.0;
};

/// DPM-Solver and DPM-Solver++ singlestep on a grid that holds every call: a step of `order` calls goes through `order`
/// steps of the grid. The SDE draws a noise a call, independent of the others: its weak order is 1.
///
/// Throws std::invalid_argument unless order is 1, 2 or 3 and eta >= 0, and as `singlestep` does. Source: Lu et al.
/// 2022, arXiv 2206.00927, algorithms 1 and 2, and 2211.01095, algorithm 1.
inline constexpr solver_function dpm_singlestep("dpm_singlestep", [](grid const& g, dpm_singlestep_options const& o) {
    require(o.eta >= 0.0 && std::isfinite(o.eta), "dpm_singlestep", "eta", o.eta, "it must not be negative");
    std::vector<unsigned> const orders = o.orders.empty() ? singlestep_orders(g, o.order) : o.orders;
    require(orders.size() == g.steps(), "dpm_singlestep", "the number of orders", orders.size(), "there is one a call");
    std::vector<inner_call> calls;
    for (std::size_t i = 0; i < g.steps(); ++i) {
        require(orders[i] >= 1, "dpm_singlestep", "an order", orders[i], "it must be at least 1");
        bool const first =
            i == 0 || calls.back().form != o.form; // what is remembered at an end of the path may be of another form
        unsigned const age = first ? 0 : std::min(orders[i] - 1, calls.back().age + 1);
        calls.push_back({g.times[i], g.levels[i], g.levels[i + 1], age, form_from(g.levels[i], o.form), 0.0, o.rule});
    }
    return singlestep(calls, {.network = o.network, .tau = std::sqrt(o.eta), .noise_scale = o.noise_scale});
});

} // namespace alphabar
