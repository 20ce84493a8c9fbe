// SPDX-License-Identifier: MIT
// Steps of two calls, the second inside the step or at its end: Heun's method, DPM-Solver-2, its ancestral form,
// DPM-Solver++(2S) ancestral, DPM-Solver++ SDE.
#pragma once

#include <alphabar/sampler/runge_kutta.hpp>

namespace alphabar {

struct two_stage_options {
    network_form network{};
    churn_options churn{};
    std::optional<double> eta{}; ///< of the ancestral step; 0 the ODE
    /// r, in (0, 1]: where in the step the second call is, in the variable of `form`; below 1 it needs the path.
    std::optional<double> middle{};
    /// What is remembered; without, rho, and velocity on rectified flow without noise.
    std::optional<memory_form> form{};
    std::optional<bool> noisy_middle{}; ///< the step to the second call is ancestral too
    double noise_scale = 1.0;

    /// See named_function.
    static constexpr auto optional_members()
    {
        using o = two_stage_options;
        return std::tuple(&o::eta, &o::middle, &o::form, &o::noisy_middle);
    }
};

/// The family of two-stage steps. With the exact solution x' = a x + integral of the memory m over the step from its
/// level to `down` (exponential.hpp, make_ancestral_step):
///
///     x_m = a_m x + I_m m_0 [+ up_m z]                            to the fraction r of the step, where m_1 is called
///     x'  = a x + I ((1 - 1/(2r)) m_0 + 1/(2r) m_1) + up z
///
/// where I m is the integral of a constant m. As ODE solvers all are of order 2; with eta > 0 of order 1 in the noise.
/// form rho with r = 1 is Heun's method and its other r the general second-order family of Karras et al. 2022, arXiv
/// 2206.00364, algorithm 3. A step to sigma = 0 is Euler's, and in the other forms than velocity one from alpha = 0.
/// Throws std::invalid_argument for a bad eta or middle, and as `runge_kutta_along` does.
inline constexpr solver_function two_stage("two_stage", [](grid_on_path const& g, two_stage_options const& o) {
    double const r = o.middle.value_or(0.5), w = 1.0 / (2.0 * r);
    require(r > 0.0 && r <= 1.0, "two_stage", "middle", r, "it must lie in (0, 1]");
    std::vector<churned_step> const steps = churned_steps(g.path, g, o.churn, "two_stage");
    std::vector<runge_kutta_method> methods(steps.size(), butcher({0.0, r}, {{r}, {1.0 - w, w}}));
    for (std::size_t i = 0; i < steps.size(); ++i)
        if (steps[i].step.to.sigma == 0.0)
            methods[i] = rk_1();
    memory_form const usual = o.eta.value_or(0.0) == 0.0 ? usual_form(g) : memory_form::rho;
    return runge_kutta_along(g.path, g, steps,
                             {.network = o.network,
                              .methods = methods,
                              .form = o.form.value_or(usual),
                              .eta = o.eta.value_or(0.0),
                              .noisy_inside = o.noisy_middle.value_or(false),
                              .noise_scale = o.noise_scale});
});

using two_stage_named = named_function<two_stage>;

/// Heun's method: an Euler step to the next level, a second call there, and the step again with the mean of both
/// slopes. Two calls a step, but one in a step to sigma = 0 or, in rho, from alpha = 0. In rho, and on rectified flow
/// in t,
///
///     x' = (alpha' / alpha) x + alpha' (rho' - rho) (d_0 + d_1) / 2,   d = epsilon, rho = sigma / alpha
///
/// Source: Karras et al. 2022, arXiv 2206.00364, algorithms 1 and 2, with their churn. Throws as `two_stage` does.
inline constexpr two_stage_named heun{{.middle = 1.0}};
/// DPM-Solver-2, k-diffusion's dpm_2: epsilon at the middle in lambda. Lu et al. 2022, arXiv 2206.00927, algorithm 1.
inline constexpr two_stage_named dpm_2{{.form = memory_form::epsilon}};
/// Its ancestral form. Source: k-diffusion, sample_dpm_2_ancestral.
inline constexpr two_stage_named dpm_2_ancestral{{.eta = 1.0, .form = memory_form::epsilon}};
/// DPM-Solver++(2S), ancestral: x_0 at the middle. Source: Lu et al. 2022, arXiv 2211.01095, algorithm 1; k-diffusion,
/// sample_dpmpp_2s_ancestral.
inline constexpr two_stage_named dpmpp_2s_ancestral{{.eta = 1.0, .form = memory_form::x_0}};
/// DPM-Solver++ SDE: 2S with noise on the way to the middle as well. Source: k-diffusion, sample_dpmpp_sde.
inline constexpr two_stage_named dpmpp_sde{{.eta = 1.0, .form = memory_form::x_0, .noisy_middle = true}};

/// Heun++: a step by the slopes here and, reached by Euler's method, at the ends of this step and the next, weighted by
/// the positions u of the calls (sigma / alpha, on rectified flow t), u_0 that of the first level of the grid:
///
///     x' = a x + b (u' - u) (w_0 d_0 + w_1 d_1 + w_2 d_2),   w_k = u_k / (3 u_0) for k > 0,   w_0 = 1 - w_1 - w_2
///
/// The last step but one has two calls, 2 in place of 3, and the last one is Euler's. Of order 1. Source: ComfyUI,
/// sample_heunpp2. Throws as `singlestep` and `churned_steps` do.
inline constexpr solver_function heunpp2("heunpp2", [](grid_on_path const& g, euler_options const& o) {
    memory_form const form = usual_form(g);
    require(g.levels[0].sigma > 0.0, "heunpp2", "sigma", g.levels[0].sigma, "it cannot start at sigma = 0");
    std::vector<inner_call> calls;
    for (std::size_t i = 0; auto const& [step, churn, end_time] : churned_steps(g.path, g, o.churn, "heunpp2")) {
        auto const weigh = [u = position(step.from, form), first = position(g.levels[0], form)](
                               transition const& row, std::span<double const> nodes, bool last) {
            node_values w{};
            double rest = row.b * row.h;
            for (std::size_t j = 0; j + 1 < nodes.size(); ++j)
                rest -= w[j] = row.b * (last ? row.h * (u + nodes[j]) / (static_cast<double>(nodes.size()) * first)
                                             : (j == 0 ? row.h : nodes[j - 1]) - nodes[j]);
            w[nodes.size() - 1] = rest;
            return w;
        };
        bool const whole = form == memory_form::velocity || step.from.alpha > 0.0;
        std::size_t const count = whole ? std::min<std::size_t>(3, g.steps() - i) : 1;
        for (unsigned k = 0; k < count; ++k) {
            calls.push_back({k > 0 ? g.times[i + k] : step.time, k > 0 ? g.levels[i + k] : step.from,
                             k + 1 < count ? g.levels[i + k + 1] : step.to, k});
            if (k == 0)
                calls.back().churn = churn;
            if (count > 1)
                calls.back().form = form, calls.back().weights = weigh;
        }
        ++i;
    }
    plan p = singlestep(calls, {.network = o.network});
    p.initial_scale = initial_scale(g.levels[0]); // before the churn
    return p;
});

} // namespace alphabar
