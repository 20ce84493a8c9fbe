// SPDX-License-Identifier: MIT
//
// DDPM: ancestral sampling from the posterior, with every kind of variance.
#pragma once

#include <alphabar/core/error.hpp>
#include <alphabar/grid/grid.hpp>
#include <alphabar/process/posterior.hpp>
#include <alphabar/sampler/network_form.hpp>
#include <alphabar/sampler/plan.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <vector>

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

/// DDPM along these steps: x' drawn from the posterior q(x' | x, x_0) of `make_posterior`, between
/// any two levels of any path. beta of a step is sigma^2 - (alpha / alpha')^2 sigma'^2, on a
/// variance-preserving path 1 - alpha-bar / alpha-bar'.
///
/// Throws std::invalid_argument where a step does not go down, and as `network_call` does.
/// Source: Ho et al. 2020, arXiv 2006.11239, (6), (7) and algorithm 2.
inline plan ddpm(std::vector<grid_step> const& steps, ddpm_options const& o = {})
{
    using namespace slots;
    using kind = ddpm_variance;
    require(!steps.empty(), "ddpm", "the number of steps", steps.size(), "at least 1 is needed");
    require(o.noisy.empty() || o.noisy.size() == steps.size(), "ddpm", "the size of noisy", o.noisy.size(),
            "there is one entry a step, or none");
    bool const learned =
        o.variance == kind::learned || o.variance == kind::learned_log || o.variance == kind::learned_range;
    plan p{.stages = {},
           .initial_scale = initial_scale(steps.front().from),
           .heads = learned || o.network.predicts_variance ? 2u : 1u};
    p.stages.reserve(steps.size());
    for (std::size_t i = 0; i < steps.size(); ++i) {
        grid_step const& step = steps[i];
        posterior const q = make_posterior(step.from, step.to);
        stage now = network_call(o.network, step.time, step.from);
        now.x = (q.x_0 * m(0) + q.x_t * x).pruned();
        if (o.noisy.empty() ? step.to.sigma > 0.0 : o.noisy[i]) {
            double const variance = std::max(q.variance, 1e-20), ratio = step.from.sigma / step.to.sigma;
            double const beta = step.to.sigma > 0.0 ? q.variance * ratio * ratio : step.from.sigma * step.from.sigma;
            double const deviation = o.variance == kind::fixed_small   ? std::sqrt(variance)
                                     : o.variance == kind::fixed_large ? std::sqrt(beta)
                                                                       : 1.0;
            now.x += deviation * z;
            if (o.variance == kind::learned)
                now.spread = noise_spread{.what = noise_spread::kind::variance};
            if (o.variance == kind::learned_log)
                now.spread = noise_spread{.what = noise_spread::kind::log_variance};
            if (o.variance == kind::learned_range)
                now.spread = noise_spread{
                    .what = noise_spread::kind::range, .log_min = std::log(variance), .log_max = std::log(beta)};
        }
        p.stages.push_back(now);
    }
    number_draws(p);
    return p;
}

/// DDPM on a grid. Throws as `check` and `network_call` do.
inline plan ddpm(grid const& g, ddpm_options o = {})
{
    check(g, "ddpm");
    o.network = settled(o.network, g.usual);
    return ddpm(steps_of(g), o);
}
template <noise_path Path, grid_for<Path> Spec>
plan ddpm(Path const& path, Spec const& spec, ddpm_options const& o = {})
{
    return ddpm(make_grid(path, spec), o);
}

} // namespace alphabar
