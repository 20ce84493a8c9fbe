// SPDX-License-Identifier: MIT
//
// DDIM with any eta, and its inversion.
#pragma once

#include <alphabar/core/error.hpp>
#include <alphabar/grid/grid.hpp>
#include <alphabar/sampler/network_form.hpp>
#include <alphabar/sampler/plan.hpp>

#include <algorithm>
#include <cmath>
#include <string_view>
#include <vector>

namespace alphabar {

/// A plan without stages, for these steps. Throws std::invalid_argument where there are none.
inline plan empty_plan(network_form const& network, std::vector<grid_step> const& steps, std::string_view function)
{
    require(!steps.empty(), function, "the number of steps", steps.size(), "at least 1 is needed");
    return {
        .stages = {}, .initial_scale = initial_scale(steps.front().from), .heads = network.predicts_variance ? 2u : 1u};
}

struct ddim_options {
    network_form network{};
    double eta = 0.0;             ///< 0 the ODE, 1 the DDPM posterior
    bool network_epsilon = false; ///< where x_0 is clipped, step along the network's own epsilon
                                  ///< all the same (diffusers' default)
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
    double const keep = to.alpha / from.alpha, k = to.sigma > 0.0 ? keep * (from.sigma / to.sigma) : 1.0;
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

/// One step of DDIM: `ancestral_stage` with the split of `make_ancestral_step`. With alpha = 1 it is Euler's (eta = 0) and
/// the ancestral one, on rectified flow Euler's in t. Source: Song et al. 2021, arXiv 2010.02502, (12) and (16); clipping
/// as in guided-diffusion's ddim_sample.
inline stage ddim_stage(network_form const& network, grid_step const& step, ddim_options const& o = {})
{
    return ancestral_stage(network, step, make_ancestral_step(step.from, step.to, o.eta), o);
}

/// DDIM along these steps. Throws std::invalid_argument unless eta >= 0, and as `network_call`
/// does.
inline plan ddim(std::vector<grid_step> const& steps, ddim_options const& o = {})
{
    plan p = empty_plan(o.network, steps, "ddim");
    require(o.eta >= 0.0 && std::isfinite(o.eta), "ddim", "eta", o.eta, "it must not be negative");
    p.stages.reserve(steps.size());
    for (grid_step const& step : steps)
        p.stages.push_back(ddim_stage(o.network, step, o));
    number_draws(p);
    return p;
}

/// DDIM on a grid. Throws std::invalid_argument unless eta >= 0, and as `check` and `network_call`
/// do.
inline plan ddim(grid const& g, ddim_options o = {})
{
    check(g, "ddim");
    require(o.eta == 0.0 || g.direction != grid::course::up, "ddim", "eta", o.eta, "an inversion has no noise");
    o.network = settled(o.network, g.usual);
    return ddim(steps_of(g), o);
}
template <noise_path Path, grid_for<Path> Spec>
plan ddim(Path const& path, Spec const& spec, ddim_options const& o = {})
{
    return ddim(make_grid(path, spec), o);
}

/// DDIM inversion: the ODE from the end of the grid up to its first level, from an image to its
/// noise. Each call is at the level that the state has. Throws as `ddim` does. Source: Dhariwal &
/// Nichol 2021, arXiv 2105.05233, section F.
inline plan ddim_inverse(grid const& g, ddim_options const& o = {})
{
    plan p = ddim(g.direction == grid::course::up ? g : reversed(g), o);
    p.initial_scale = 1.0;
    return p;
}
template <noise_path Path, grid_for<Path> Spec>
plan ddim_inverse(Path const& path, Spec const& spec, ddim_options const& o = {})
{
    return ddim_inverse(make_grid(path, spec), o);
}

} // namespace alphabar
