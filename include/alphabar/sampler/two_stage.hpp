// SPDX-License-Identifier: MIT
//
// Steps of two calls, the second inside the step or at its end: DPM-Solver-2, its ancestral form, DPM-Solver++(2S)
// ancestral, DPM-Solver++ SDE; Heun's method is one too (heun.hpp).
#pragma once

#include <alphabar/core/error.hpp>
#include <alphabar/grid/grid.hpp>
#include <alphabar/sampler/ddim.hpp>
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

struct two_stage_options {
    network_form network{};
    churn_options churn{};
    std::optional<double> eta{}; ///< of the ancestral step; 0 the ODE
    std::optional<double>
        middle{}; ///< r, in (0, 1]: how far into the step the second call is, in the variable of `form`
    std::optional<memory_form> form{}; ///< what is remembered
    bool noisy_middle = false;         ///< the step to the second call is ancestral too
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

/// `between`: sigma / alpha -> the grid_point of the second call.
template <class Between>
plan two_stage(grid const& g, std::vector<churned_step> const& steps, two_stage_options const& o,
               Between const& between)
{
    using namespace slots;
    double const eta = o.eta.value_or(0.0), r = o.middle.value_or(0.5);
    memory_form const form = o.form.value_or(memory_form::x_0);
    require(eta >= 0.0 && std::isfinite(eta), "two_stage", "eta", eta, "it must not be negative");
    require(r > 0.0 && r <= 1.0, "two_stage", "middle", r, "it must lie in (0, 1]");
    network_form const network = settled(o.network, g.usual);
    plan p{
        .stages = {}, .initial_scale = initial_scale(g.levels.front()), .heads = network.predicts_variance ? 2u : 1u};
    for (std::size_t i = 0; i < steps.size(); ++i) {
        auto const& [step, churn] = steps[i];
        auto const [down, up] = make_ancestral_step(step.from, step.to, eta);
        if (down.sigma == 0.0 || (step.from.alpha == 0.0 && form != memory_form::velocity)) {
            p.stages.push_back(ddim_stage(network, step, {.eta = eta, .noise_scale = o.noise_scale}));
            p.stages.back().churn = churn;
            continue;
        }
        noise_level const goal = o.noisy_middle ? step.to : down;
        grid_point const middle = r < 1.0 ? between(ratio_between(step.from, goal, form, r))
                                          : grid_point{i + 1 < g.steps() ? g.times[i + 1] : g.end_time, goal};
        auto const half = make_ancestral_step(step.from, middle.level, o.noisy_middle ? eta : 0.0);
        transition const first = make_transition(step.from, half.down, form),
                         whole = make_transition(step.from, down, form);
        double const w = integral(whole, std::array{0.0})[0];
        stage predict = network_call(network, step.time, step.from, form),
              correct = network_call(network, middle.time, middle.level, form);
        predict.churn = churn;
        predict.x = first.a * x + integral(first, std::array{0.0})[0] * m(0);
        predict.y = x;
        predict.ends_step = false;
        correct.x = (whole.a * y + w / (2.0 * r) * m(0) + w * (1.0 - 1.0 / (2.0 * r)) * m(1)).pruned();
        if (half.up * o.noise_scale != 0.0)
            predict.x += o.noise_scale * half.up * z;
        if (up * o.noise_scale != 0.0)
            correct.x += o.noise_scale * up * z;
        p.stages.push_back(predict);
        p.stages.push_back(correct);
    }
    number_draws(p);
    return p;
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

namespace detail {

inline two_stage_options named(two_stage_options o, memory_form form, double eta)
{
    o.form = o.form.value_or(form);
    o.eta = o.eta.value_or(eta);
    return o;
}

} // namespace detail

/// DPM-Solver-2, k-diffusion's dpm_2, with churn: epsilon at the middle of the step in lambda. Source: Lu et al. 2022,
/// arXiv 2206.00927, algorithm 1.
template <noise_path Path, grid_for<Path> Spec>
plan dpm_2(Path const& path, Spec const& spec, two_stage_options const& o = {})
{
    return two_stage(path, spec, detail::named(o, memory_form::epsilon, 0.0));
}
/// Its ancestral form, eta = 1. Source: k-diffusion, sample_dpm_2_ancestral.
template <noise_path Path, grid_for<Path> Spec>
plan dpm_2_ancestral(Path const& path, Spec const& spec, two_stage_options const& o = {})
{
    return two_stage(path, spec, detail::named(o, memory_form::epsilon, 1.0));
}
/// DPM-Solver++(2S), ancestral with eta = 1: x_0 at the middle. Source: Lu et al. 2022, arXiv 2211.01095, algorithm 1;
/// k-diffusion, sample_dpmpp_2s_ancestral.
template <noise_path Path, grid_for<Path> Spec>
plan dpmpp_2s_ancestral(Path const& path, Spec const& spec, two_stage_options const& o = {})
{
    return two_stage(path, spec, detail::named(o, memory_form::x_0, 1.0));
}
/// DPM-Solver++ SDE: 2S with noise on the way to the middle as well. Source: k-diffusion, sample_dpmpp_sde.
template <noise_path Path, grid_for<Path> Spec>
plan dpmpp_sde(Path const& path, Spec const& spec, two_stage_options o = {})
{
    o.noisy_middle = true;
    return two_stage(path, spec, detail::named(o, memory_form::x_0, 1.0));
}

} // namespace alphabar
