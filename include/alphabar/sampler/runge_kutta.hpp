// SPDX-License-Identifier: MIT
// Runge-Kutta methods, exponential and classical: the calls inside a step, and the memory between them.
#pragma once

#include <alphabar/sampler/euler.hpp>
#include <alphabar/sampler/singlestep.hpp>

#include <memory>

namespace alphabar {

/// A method: calls at the fractions c of a step of length h in the variable of the memories, c[0] = 0, and the weights
/// of the rows. In a form with K = 0 (rho, velocity, or in the path's time) it is a classical method.
struct runge_kutta_method {
    std::vector<double> c;
    stage_weights weights = exact_weights;
};

/// The tableau type: after call i the memory is taken to be m(u) = sum_j l_ij(u / h) m_j with polynomials l[i][j] of
/// degree 2, given by their coefficients, and is integrated exactly. Throws std::invalid_argument unless there is a row
/// a call with an entry a memory, and c rises from 0 above it.
inline runge_kutta_method tableau(std::vector<double> c, std::vector<std::vector<std::array<double, 3>>> l)
{
    require(!c.empty() && c[0] == 0.0 && l.size() == c.size() && c.size() <= max_nodes, "tableau", "the number of rows",
            l.size(), "c starts with 0, and there is a row for each of at most 8 calls");
    for (std::size_t i = 0; i < c.size(); ++i)
        require(l[i].size() == i + 1 && (i == 0 || c[i] > 0.0), "tableau", "a row", i,
                "row i has i + 1 entries, and c[i] is above 0");
    // shared: every call holds the weights
    auto const rows = std::make_shared<std::pair<std::vector<double>, decltype(l)>>(c, std::move(l));
    return {c, [rows](transition const& row, std::span<double const> nodes, bool) {
                std::size_t const i = nodes.size() - 1;
                double const h = i == 0 ? 1.0 : nodes[0] / rows->first[i];
                node_values const I = moments(row, 3);
                node_values w{};
                for (std::size_t j = 0; j <= i; ++j)
                    for (std::size_t k = 0; k < 3; ++k)
                        if (double const l_k = rows->second[i][j][k]; l_k != 0.0)
                            w[i - j] += row.b * l_k * I[k] / std::pow(h, static_cast<double>(k));
                return w;
            }};
}

/// The method of a Butcher tableau: a[i] are the weights of the row after call i, the last row b. With K not 0 the
/// memory is held constant, and the order is 2 at most.
inline runge_kutta_method butcher(std::vector<double> const& c, std::vector<std::vector<double>> const& a)
{
    std::vector<std::vector<std::array<double, 3>>> l(a.size());
    for (std::size_t i = 0; i < a.size(); ++i)
        for (double weight : a[i])
            l[i].push_back({weight / (i + 1 < c.size() ? c[i + 1] : 1.0)});
    return tableau(c, l);
}

/// One call. Euler's method; in the form x_0 or epsilon DDIM.
inline runge_kutta_method rk_1() { return {{0.0}}; }
/// The exact second-order method, res_2s: a_21 = c phi_1(c z), b_2 = phi_2(z) / c, b_1 = phi_1(z) - b_2. With K = 0 the
/// general second-order family of Karras et al. 2022, arXiv 2206.00364, algorithm 3: c = 1/2 is the midpoint rule, 2/3
/// Ralston's, 1 Heun's. Source: Hochbruck & Ostermann 2005, (5.4).
inline runge_kutta_method res_2s(double c = 0.5) { return {{0.0, c}}; }
/// DPM-Solver-2 with r_1 = c: for c = 1/2 the exponential midpoint rule.
inline runge_kutta_method dpm_2s(double c = 0.5) { return {{0.0, c}, dpm_rule{}}; }
/// DPM-Solver-3; with K = 0 Heun's third-order rule.
inline runge_kutta_method dpm_3s() { return {{0.0, 1.0 / 3, 2.0 / 3}, dpm_rule{.skip_middle = true}}; }
/// All memories exactly: DPM-Solver-3 of the type "taylor". Of order 3 for any second call, as the third is at 2/3.
inline runge_kutta_method exact_3s(double c_2 = 1.0 / 3) { return {{0.0, c_2, 2.0 / 3}}; }
/// Krogstad's fourth-order method; with K = 0 the classical Runge-Kutta rule. Source: Krogstad 2005, (51).
inline runge_kutta_method rk_4()
{
    return tableau({0.0, 0.5, 0.5, 1.0}, {{{1.0}},
                                          {{1.0, -4.0}, {0.0, 4.0}},
                                          {{1.0, -2.0}, {}, {0.0, 2.0}},
                                          {{1.0, -3.0, 2.0}, {0.0, 2.0, -2.0}, {0.0, 2.0, -2.0}, {0.0, -1.0, 2.0}}});
}
/// Kutta's 3/8 rule, of order 4 where K = 0.
inline runge_kutta_method rk_38()
{
    return butcher({0.0, 1.0 / 3, 2.0 / 3, 1.0},
                   {{1.0 / 3}, {-1.0 / 3, 1.0}, {1.0, -1.0, 1.0}, {0.125, 0.375, 0.375, 0.125}});
}

/// DPM-Solver-fast: how a number of calls is spent on steps of 3, the last ones of fewer. Of order 3 where that is one
/// of two calls, of order 2 where it is, or ends with, one call. Source: Lu et al. 2022, arXiv 2206.00927, section 3.4.
inline std::vector<std::size_t> fast_counts(std::size_t calls)
{
    require(calls >= 1, "fast_counts", "calls", calls, "at least 1 is needed");
    std::vector<std::size_t> counts(calls / 3, 3);
    if (calls % 3 != 0)
        counts.push_back(calls % 3);
    else
        counts.back() = 2, counts.push_back(1);
    return counts;
}
/// The methods of its steps: runge_kutta(path, a grid of as many, {.methods = fast_methods(20), .form = epsilon}).
inline std::vector<runge_kutta_method> fast_methods(std::size_t calls)
{
    std::vector<runge_kutta_method> methods;
    for (std::size_t count : fast_counts(calls))
        methods.push_back(count == 3 ? dpm_3s() : count == 2 ? dpm_2s() : rk_1());
    return methods;
}

struct runge_kutta_options {
    network_form network{};
    std::vector<runge_kutta_method> methods{res_2s()}; ///< one, or one a step
    memory_form form = memory_form::x_0;
    bool in_time = false; ///< dx/dt is remembered, in the path's own time; it needs a sloped_path
    churn_options churn{};
    double tau = 0.0;          ///< of the SDE: 1 the reverse SDE; the noises inside a step are of one Brownian path
    double eta = 0.0;          ///< of ancestral steps (make_ancestral_step)
    bool noisy_inside = false; ///< the rows to calls inside a step are ancestral too
    bool stays_above = false;  ///< ancestral steps do not go below the last level of the grid (k-diffusion's dpm_fast)
    double noise_scale = 1.0;
};

namespace detail {

/// sigma / alpha at the fraction r between two levels, in the variable of `form`.
inline double ratio_between(noise_level s, noise_level t, memory_form form, double r)
{
    double const sigma = (1.0 - r) * s.sigma + r * t.sigma;
    switch (form) {
    case memory_form::velocity: return sigma / (1.0 - sigma);
    case memory_form::rho: return (1.0 - r) * sigma_ratio(s) + r * sigma_ratio(t);
    default: return std::pow(sigma_ratio(s), 1.0 - r) * std::pow(sigma_ratio(t), r);
    }
}

} // namespace detail

/// A Runge-Kutta method on these steps, which begin at the first level of `g`; the calls inside a step lie on the path.
/// A step from or to an end of the path has one call, unless the form is velocity (or rho, from sigma = 0); in time
/// only one to sigma = 0 has. With eta > 0 each step goes down below its level, and noise is added there. With tau > 0
/// the steps are the SDE's: with tau = 1 dpm_2s and dpm_3s are SEEDS-2 and 3, Gonzalez et al. 2023, arXiv 2305.14267,
/// as in ComfyUI.
///
/// Throws std::invalid_argument where methods are not one, nor one a step, unless eta >= 0 and tau >= 0, in time where
/// the path does not know its slope, where a call lies inside a step and there is no path, and as `singlestep` does.
inline plan runge_kutta_along(path_view const& path, grid const& g, std::vector<churned_step> const& steps,
                              runge_kutta_options const& o)
{
    std::size_t const n = steps.size();
    require(n > 0, "runge_kutta", "the number of steps", n, "at least 1 is needed");
    require(o.methods.size() == 1 || o.methods.size() == n, "runge_kutta", "the number of methods", o.methods.size(),
            "there is one, or one a step");
    require(o.eta >= 0.0 && std::isfinite(o.eta) && !(o.in_time && o.eta > 0.0), "runge_kutta", "eta", o.eta,
            "it must not be negative, and 0 in time");
    require(o.tau >= 0.0 && std::isfinite(o.tau) && (o.tau == 0.0 || (!o.in_time && o.eta == 0.0)), "runge_kutta",
            "tau", o.tau, "it must not be negative, and 0 in time or with eta");
    require(!o.in_time || path.at_time, "runge_kutta", "in_time", o.in_time, needs_path);
    require(!o.in_time || path.slope, "runge_kutta", "in_time", o.in_time, "the path does not know its slope");
    auto const& between = o.in_time ? path.at_time : path.at_ratio;
    std::vector<inner_call> calls;
    calls.reserve(n * o.methods.front().c.size());
    for (std::size_t i = 0; i < n; ++i) {
        auto const& [step, churn, end_time] = steps[i];
        auto [down, up] = make_ancestral_step(step.from, step.to, o.eta);
        if (double const floor = sigma_ratio(g.levels.back()) * down.alpha;
            o.stays_above && up > 0.0 && down.sigma < floor)
            down.sigma = floor, up = std::sqrt(std::max(step.to.sigma * step.to.sigma - floor * floor, 0.0));
        grid_point const begin{step.time, step.from}, end{end_time, step.to};
        noise_level const goal = o.noisy_inside ? step.to : down;
        runge_kutta_method const& chosen = o.methods[o.methods.size() == 1 ? 0 : i];
        bool const inside =
            begin.level.alpha > 0.0 && down.alpha > 0.0 && (begin.level.sigma > 0.0 || o.form == memory_form::rho);
        bool const whole =
            (o.form == memory_form::velocity && chosen.c.size() > 1) || ((o.in_time || inside) && down.sigma > 0.0);
        runge_kutta_method const& method = whole ? chosen : rk_1();
        require(o.tau == 0.0 || std::ranges::is_sorted(method.c), "runge_kutta", "tau", o.tau,
                "the calls of its step must go forward");
        auto const time = [&](double c) { return begin.time + c * (end.time - begin.time); };
        std::vector<grid_point> points;
        for (double c : method.c) {
            bool const known = c == 0.0 || (c == 1.0 && goal == end.level);
            require(known || between, "runge_kutta", "a call inside a step", c, needs_path);
            points.push_back(c == 0.0 ? begin
                             : known
                                 ? end
                                 : between(o.in_time ? time(c) : detail::ratio_between(step.from, goal, o.form, c)));
        }
        for (std::size_t j = 0; j < points.size(); ++j) {
            bool const last = j + 1 == points.size();
            auto const there = last ? ancestral_step{down, up}
                                    : make_ancestral_step(step.from, points[j + 1].level, o.noisy_inside ? o.eta : 0.0);
            inner_call call{points[j].time, points[j].level, there.down, static_cast<unsigned>(j)};
            call.form = whole ? o.form : form_from(begin.level, memory_form::x_0);
            call.noise = there.up;
            call.weights = method.weights;
            if (j == 0)
                call.churn = churn;
            if (o.in_time) {
                double const whole_step = end.time - begin.time, next = last ? 1.0 : method.c[j + 1];
                call.along = {method.c[j] * whole_step, next * whole_step, {path.slope(time(method.c[j]))}};
            }
            calls.push_back(std::move(call));
        }
    }
    plan p = singlestep(
        calls,
        {.network = settled(o.network, g.usual), .tau = o.tau, .one_path = o.tau > 0.0, .noise_scale = o.noise_scale});
    p.initial_scale = initial_scale(g.levels.front()); // before the churn
    return p;
}

/// The same on the steps of a grid. Throws as `churned_steps` does, too.
inline constexpr solver_function runge_kutta("runge_kutta", [](grid_on_path const& g, runge_kutta_options const& o) {
    return runge_kutta_along(g.path, g, churned_steps(g.path, g, o.churn, "runge_kutta"), o);
});

} // namespace alphabar
