// SPDX-License-Identifier: MIT
// DDIM with any eta, and its inversion.
#pragma once

#include <alphabar/sampler/solver.hpp>

namespace alphabar {

struct ddim_options {
    network_form network{};
    double eta = 0.0; ///< 0 the ODE, 1 the DDPM posterior
    /// Where x_0 is clipped, step along the network's own epsilon all the same (diffusers' default).
    bool network_epsilon = false;
    double noise_scale = 1.0;
};

/// A stochastic step as one down without noise, to a level with less of it, and noise of deviation `up` added there.
struct ancestral_step {
    noise_level down;
    double up;
};

/// The split of a step with this eta on any path: up = sigma' q, q = min(1, eta sqrt(1 - snr / snr')), snr = (alpha /
/// sigma)^2, and down = (alpha', sigma' sqrt(1 - q^2)). eta = 1 is the posterior of DDPM. Throws std::invalid_argument
/// where eta > 0 and the step goes to more noise. Source: Song et al. 2021, arXiv 2010.02502, (16).
inline ancestral_step make_ancestral_step(noise_level from, noise_level to, double eta)
{
    double const k = eta == 0.0 ? 0.0 : (to.sigma / from.sigma) * (from.alpha / to.alpha);
    require(k <= 1.0, "make_ancestral_step", "eta", eta, "a step to more noise has eta = 0");
    double const q = std::min(eta * std::sqrt((1.0 - k) * (1.0 + k)), 1.0);
    return {{to.alpha, to.sigma * std::sqrt((1.0 - q) * (1.0 + q))}, to.sigma * q};
}

/// The forward process from one level to a noisier one, x' = keep x + add z; the same level adds nothing. Throws
/// std::invalid_argument where `to` is cleaner.
inline stage::churn_map make_forward_step(noise_level from, noise_level to)
{
    double const keep = from == to ? 1.0 : to.alpha / from.alpha,
                 k = to.sigma > 0.0 ? keep * (from.sigma / to.sigma) : 1.0;
    require(k <= 1.0, "make_forward_step", "sigma / alpha", sigma_ratio(to), "it must not be below that of the start");
    return {keep, to.sigma * std::sqrt((1.0 - k) * (1.0 + k))};
}

/// One step between any two noise levels of any path with this split:
///
///     x' = alpha' x_0 + sigma_down epsilon + up z
///
/// sigma_down = sigma' is the ODE's step; sigma_down = 0 forgets epsilon (consistency models). epsilon belongs to the
/// clipped x_0, epsilon = (x - alpha x_0) / sigma, unless network_epsilon asks for the network's. `o.eta` is not read.
/// Throws as `network_call` does, and std::invalid_argument where an x_0 prediction says nothing of epsilon.
inline stage ancestral_stage(network_form const& network, grid_step const& step, ancestral_step const& split,
                             ddim_options const& o = {})
{
    using namespace slots;
    auto const [a, s] = step.from;
    double const b = step.to.alpha, direction = split.down.sigma;
    stage now = network_call(network, step.time, step.from);
    if (direction == 0.0) {
        now.x = b * m(0);
    } else if (network.operation.what == x0_operation::kind::none || o.network_epsilon) {
        pair_map const epsilon = maps_at(network, step.from).epsilon;
        require(std::isfinite(epsilon.x) && std::isfinite(epsilon.other), "ddim", "sigma", s,
                "an x_0 prediction says nothing of epsilon there");
        now.x = b * m(0) + (direction * epsilon.x) * x + (direction * epsilon.other) * F();
    } else {
        now.x = (b - direction * a / s) * m(0) + (direction / s) * x;
    }
    now.x = now.x.pruned();
    if (split.up * o.noise_scale != 0.0)
        now.x += (o.noise_scale * split.up) * z;
    return now;
}

/// One step of DDIM: `ancestral_stage` with the split of `make_ancestral_step`. Throws as they do, and unless eta >= 0.
inline stage ddim_stage(network_form const& network, grid_step const& step, ddim_options const& o = {})
{
    require(o.eta >= 0.0 && std::isfinite(o.eta), "ddim", "eta", o.eta, "it must not be negative");
    return ancestral_stage(network, step, make_ancestral_step(step.from, step.to, o.eta), o);
}

/// DDIM: `ddim_stage` at every step. With alpha = 1 it is Euler's method (eta = 0) and the ancestral one, on rectified
/// flow Euler's in t. An inversion has eta = 0. Throws as `ddim_stage` does. Source: Song et al. 2021, arXiv
/// 2010.02502, (12) and (16); clipping as in guided-diffusion's ddim_sample.
inline constexpr solver_function ddim("ddim", [](std::vector<grid_step> const& steps, ddim_options const& o) {
    return plan_of(o.network, steps, "ddim",
                   [&](grid_step const& s, std::size_t) { return ddim_stage(o.network, s, o); });
});

/// DDIM inversion: the ODE from the end of the grid up to its first level, from an image to its noise. Each call is at
/// the level that the state has. Throws std::invalid_argument unless eta = 0, and as `ddim` does. Source: Dhariwal &
/// Nichol 2021, arXiv 2105.05233, section F.
inline constexpr solver_function ddim_inverse("ddim_inverse", [](grid const& g, ddim_options const& o) {
    require(o.eta == 0.0, "ddim_inverse", "eta", o.eta, "an inversion has no noise");
    plan p = ddim(g.direction == grid::course::up ? g : reversed(g), o);
    p.initial_scale = 1.0;
    return p;
});

} // namespace alphabar
