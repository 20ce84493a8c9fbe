// SPDX-License-Identifier: MIT
// DPM-Solver and DPM-Solver++, multistep, orders 1 to 3, ODE and SDE.
#pragma once

#include <alphabar/sampler/adams.hpp>

namespace alphabar {

struct dpm_options {
    network_form network{};
    std::optional<unsigned> order{};   ///< 1, 2 or 3; the named solvers have their own
    std::optional<memory_form> form{}; ///< x_0: DPM-Solver++; epsilon: DPM-Solver
    std::optional<double> eta{};       ///< tau^2: 0 the ODE, 1 the reverse SDE
    std::optional<bool> ancestral{};   ///< eta is that of ancestral steps in place of the SDE
    std::optional<moment_rule> rule{}; ///< by default midpoint for order 2, exact for order 3
    /// Order 3: the first step is corrected by the second call; without, the order is 2.
    std::optional<bool> corrected_start{};
    /// With fewer than 15 steps the last two have order 2 and 1 (diffusers).
    bool lower_order_final = false;
    bool euler_at_final = false; ///< the last step has order 1 (diffusers)
    double noise_scale = 1.0;    ///< k-diffusion's s_noise

    /// See named_function.
    static constexpr auto optional_members()
    {
        using o = dpm_options;
        return std::tuple(&o::order, &o::form, &o::eta, &o::ancestral, &o::rule, &o::corrected_start);
    }
};

/// The rules of order 3 that diffusers and DPM-Solver's authors, and k-diffusion ship: half the curvature, so order 2.
inline constexpr moment_rule shipped_3m{moment_rule::two_nodes::midpoint, moment_rule::three_nodes::half_curvature},
    shipped_3m_sde{moment_rule::two_nodes::exact, moment_rule::three_nodes::half_curvature};

/// The general multistep DPM-Solver, DPM-Solver++ of order 2 unless asked otherwise. A step to sigma = 0 has order 1.
///
/// Order 3 is truly of order 3: exact moments, and a first step whose local error is O(h^3), at no more calls. For the
/// shipped form set rule = shipped_3m and corrected_start = false.
///
/// Throws std::invalid_argument unless order is 1, 2 or 3 and eta >= 0, and as `adams` does. Source: Lu et al. 2022,
/// arXiv 2206.00927 (DPM-Solver) and 2211.01095 (DPM-Solver++, algorithm 2).
inline constexpr solver_function dpm_multistep("dpm_multistep", [](grid const& g, dpm_options const& o) {
    unsigned const order = o.order.value_or(2);
    double const eta = o.eta.value_or(0.0);
    bool const ancestral = o.ancestral.value_or(false);
    require(order >= 1 && order <= 3, "dpm_multistep", "order", order, "it must be 1, 2 or 3");
    require(eta >= 0.0 && std::isfinite(eta), "dpm_multistep", "eta", eta, "it must not be negative");
    std::size_t const n = g.steps();
    moment_rule const usual{order == 2 ? moment_rule::two_nodes::midpoint : moment_rule::two_nodes::exact};
    adams_options a{.predictor = rising_orders(g, order),
                    .form = o.form.value_or(memory_form::x_0),
                    .tau = std::vector<double>(ancestral ? 0 : n, std::sqrt(eta)),
                    .eta = ancestral ? eta : 0.0,
                    .rule = o.rule.value_or(usual),
                    .noise_scale = o.noise_scale};
    if (o.lower_order_final && n < 15)
        lower_final_orders(a.predictor, 2);
    if (o.euler_at_final)
        a.predictor[n - 1] = 1;
    if (order == 3 && o.corrected_start.value_or(true) && n > 1) {
        a.corrector.assign(n, 0);
        a.corrector[1] = 2;
    }
    return adams(g, o.network, a);
});

using dpm_named = named_function<dpm_multistep>;

/// DPM-Solver, epsilon remembered; order 2 unless `order` says otherwise.
inline constexpr dpm_named dpm_solver{{.form = memory_form::epsilon}};
/// DPM-Solver++(2M): x' = (sigma'/sigma) x + alpha' (1 - e^-h) ((1 + 1/(2r)) m(0) - 1/(2r) m(1)), r = h_previous / h.
inline constexpr dpm_named dpmpp_2m{};
/// res_multistep, the exact second order: x' = (sigma'/sigma) x + alpha' h ((phi_1 + phi_2 / r) m(0) - phi_2 / r m(1)),
/// phi of -h. Source: Zhang et al. 2023, arXiv 2308.02157, section 3.
inline constexpr dpm_named res_multistep{{.rule = moment_rule{}}};
/// The same down to the level of ancestral steps.
inline constexpr dpm_named res_multistep_ancestral{{.eta = 1.0, .ancestral = true, .rule = moment_rule{}}};
/// SDE-DPM-Solver++(2M); k-diffusion's dpmpp_2m_sde.
inline constexpr dpm_named dpmpp_2m_sde{{.eta = 1.0}};
/// DPM-Solver++(3M), of order 3.
inline constexpr dpm_named dpmpp_3m{{.order = 3}};
/// SDE-DPM-Solver++(3M), with a drift of order 3.
inline constexpr dpm_named dpmpp_3m_sde{{.order = 3, .eta = 1.0}};
/// DPM-Solver++(3M) as diffusers and its authors ship it, of order 2.
inline constexpr dpm_named dpmpp_3m_shipped{{.order = 3, .rule = shipped_3m, .corrected_start = false}};
/// SDE-DPM-Solver++(3M) as k-diffusion ships it, of order 2 in its drift.
inline constexpr dpm_named dpmpp_3m_sde_shipped{
    {.order = 3, .eta = 1.0, .rule = shipped_3m_sde, .corrected_start = false}};
/// DEIS in log rho, order 1 to 3: epsilon is a polynomial in log(sigma / alpha) = -lambda, so it is exponential
/// Adams-Bashforth on epsilon. With its published start order 3 is of order 2; set corrected_start for 3. A step to
/// sigma = 0 or from alpha = 0 has order 1. Source: Zhang & Chen 2023, arXiv 2204.13902, (13) to (15).
inline constexpr dpm_named deis{
    {.order = 3, .form = memory_form::epsilon, .rule = moment_rule{}, .corrected_start = false}};

} // namespace alphabar
