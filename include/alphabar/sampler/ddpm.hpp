// SPDX-License-Identifier: MIT
// DDPM: ancestral sampling from the posterior, with every kind of variance.
#pragma once

#include <alphabar/process/posterior.hpp>
#include <alphabar/sampler/solver.hpp>

namespace alphabar {

/// The variance of a DDPM step:
///
///     fixed_small    that of q(x' | x, x_0)
///     fixed_large    beta of the step
///     learned        the network's second head
///     learned_log    the exponential of it
///     learned_range  between the two fixed ones in the logarithm, at (head + 1) / 2
///
/// Source of the last: Nichol & Dhariwal 2021, arXiv 2102.09672, (15).
enum class ddpm_variance : std::uint8_t { fixed_small, fixed_large, learned, learned_log, learned_range };

struct ddpm_options {
    network_form network{};
    ddpm_variance variance = ddpm_variance::fixed_small;
    std::vector<bool> noisy{}; ///< [i]: whether step i draws; none: every step but one to sigma = 0
};

/// DDPM: x' drawn from the posterior q(x' | x, x_0) of `make_posterior`, between any two levels of any path. beta of a
/// step is sigma^2 - (alpha / alpha')^2 sigma'^2, on a variance-preserving path 1 - alpha-bar / alpha-bar'. On
/// log_snr_path<vdm_fixed_linear> it is the sampler of variational diffusion models (Kingma et al. 2021, arXiv
/// 2107.00630, (32)): x' = (alpha' / alpha)(x - c sigma epsilon) + sigma' sqrt(c) z, c = 1 - snr / snr'.
///
/// Throws std::invalid_argument where a step does not go down, and as `network_call` does. Source: Ho et al. 2020,
/// arXiv 2006.11239, (6), (7) and algorithm 2.
inline constexpr solver_function ddpm("ddpm", [](std::vector<grid_step> const& steps, ddpm_options const& given) {
    using namespace slots;
    using kind = ddpm_variance;
    ddpm_options o = given;
    require(o.noisy.empty() || o.noisy.size() == steps.size(), "ddpm", "the size of noisy", o.noisy.size(),
            "there is one entry a step, or none");
    bool const fixed = o.variance == kind::fixed_small || o.variance == kind::fixed_large;
    o.network.predicts_variance = o.network.predicts_variance || !fixed;
    return plan_of(o.network, steps, "ddpm", [&](grid_step const& step, std::size_t i) {
        posterior const q = make_posterior(step.from, step.to);
        stage now = network_call(o.network, step.time, step.from);
        now.x = (q.x_0 * m(0) + q.x_t * x).pruned();
        if (o.noisy.empty() ? step.to.sigma == 0.0 : !o.noisy[i])
            return now;
        double const variance = std::max(q.variance, 1e-20), ratio = step.from.sigma / step.to.sigma;
        double const beta = step.to.sigma > 0.0 ? q.variance * ratio * ratio : step.from.sigma * step.from.sigma;
        now.x += (fixed ? std::sqrt(o.variance == kind::fixed_small ? variance : beta) : 1.0) * z;
        using spread = noise_spread::kind;
        if (o.variance == kind::learned_range)
            now.spread = noise_spread{spread::range, std::log(variance), std::log(beta)};
        else if (!fixed)
            now.spread = noise_spread{o.variance == kind::learned ? spread::variance : spread::log_variance};
        return now;
    });
});

} // namespace alphabar
