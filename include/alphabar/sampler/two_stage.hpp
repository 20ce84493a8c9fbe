// SPDX-License-Identifier: MIT
//
// Steps of two calls, the second inside the step or at its end: DPM-Solver-2, its ancestral form, DPM-Solver++(2S)
// ancestral, DPM-Solver++ SDE; Heun's method is one too (heun.hpp).
#pragma once

#include <alphabar/core/error.hpp>
#include <alphabar/grid/grid.hpp>
#include <alphabar/sampler/euler.hpp>
#include <alphabar/sampler/network_form.hpp>
#include <alphabar/sampler/plan.hpp>
#include <alphabar/sampler/runge_kutta.hpp>

#include <optional>
#include <vector>

namespace alphabar {

struct two_stage_options {
    network_form network{};
    churn_options churn{};
    std::optional<double> eta{};    ///< of the ancestral step; 0 the ODE
    std::optional<double> middle{}; ///< r, in (0, 1]: where in the step the second call is, in the variable of `form`
    std::optional<memory_form> form{}; ///< what is remembered
    bool noisy_middle = false;         ///< the step to the second call is ancestral too
    double noise_scale = 1.0;
};

namespace detail {

template <class Between>
plan two_stage(grid const& g, std::vector<churned_step> const& steps, two_stage_options const& o,
               Between const& between)
{
    double const r = o.middle.value_or(0.5), w = 1.0 / (2.0 * r);
    require(r > 0.0 && r <= 1.0, "two_stage", "middle", r, "it must lie in (0, 1]");
    std::vector<runge_kutta_method> methods;
    for (churned_step const& s : steps)
        methods.push_back(s.step.to.sigma == 0.0 ? rk_1() : butcher({0.0, r}, {{r}, {1.0 - w, w}}));
    return runge_kutta(g, steps,
                       {.network = o.network,
                        .methods = methods,
                        .form = o.form.value_or(memory_form::x_0),
                        .eta = o.eta.value_or(0.0),
                        .noisy_inside = o.noisy_middle,
                        .noise_scale = o.noise_scale},
                       between, [](double) { return path_slope{}; });
}

} // namespace detail

/// The family of two-stage steps. With the exact solution x' = a x + integral of the memory m over the step from its
/// level to `down` (exponential.hpp, make_ancestral_step):
///
///     x_m = a_m x + I_m m_0 [+ up_m z]                            to the fraction r of the step, where m_1 is called
///     x'  = a x + I ((1 - 1/(2r)) m_0 + 1/(2r) m_1) + up z
///
/// where I m is the integral of a constant m. As ODE solvers all are of order 2; with eta > 0 of order 1 in the noise.
/// form rho with r = 1 is Heun's method and its other r the general second-order family of Karras et al. 2022, arXiv
/// 2206.00364, algorithm 3. A step to sigma = 0, or from alpha = 0, is Euler's. Throws std::invalid_argument for a bad
/// eta or middle, and as `churned_steps`, `check` and `network_call` do.
template <noise_path Path, grid_for<Path> Spec>
plan two_stage(Path const& path, Spec const& spec, two_stage_options const& o = {})
{
    grid const g = make_grid(path, spec);
    return detail::two_stage(g, churned_steps(path, g, o.churn), o,
                             [&](double ratio) { return point_at_ratio(path, ratio); });
}

/// A name: what the options are where they are not given.
struct two_stage_named {
    memory_form form;
    double eta;
    bool noisy_middle = false;

    template <noise_path Path, grid_for<Path> Spec>
    plan operator()(Path const& path, Spec const& spec, two_stage_options o = {}) const
    {
        o.form = o.form.value_or(form);
        o.eta = o.eta.value_or(eta);
        o.noisy_middle = o.noisy_middle || noisy_middle;
        return two_stage(path, spec, o);
    }
};

/// DPM-Solver-2, k-diffusion's dpm_2, with churn: epsilon at the middle of the step in lambda. Source: Lu et al. 2022,
/// arXiv 2206.00927, algorithm 1.
inline constexpr two_stage_named dpm_2{memory_form::epsilon, 0.0};
/// Its ancestral form. Source: k-diffusion, sample_dpm_2_ancestral.
inline constexpr two_stage_named dpm_2_ancestral{memory_form::epsilon, 1.0};
/// DPM-Solver++(2S), ancestral: x_0 at the middle. Source: Lu et al. 2022, arXiv 2211.01095, algorithm 1; k-diffusion,
/// sample_dpmpp_2s_ancestral.
inline constexpr two_stage_named dpmpp_2s_ancestral{memory_form::x_0, 1.0};
/// DPM-Solver++ SDE: 2S with noise on the way to the middle as well. Source: k-diffusion, sample_dpmpp_sde.
inline constexpr two_stage_named dpmpp_sde{memory_form::x_0, 1.0, true};

} // namespace alphabar
