// SPDX-License-Identifier: MIT
//
// Consistency sampling: to x_0, and back up with fresh noise.
#pragma once

#include <alphabar/core/error.hpp>
#include <alphabar/grid/grid.hpp>
#include <alphabar/sampler/ddim.hpp>
#include <alphabar/sampler/network_form.hpp>
#include <alphabar/sampler/plan.hpp>

#include <cmath>
#include <vector>

namespace alphabar {

struct consistency_options {
    network_form network{};
    /// 0 draws nothing; the deviation of the data on paths whose noise has it (TrigFlow).
    double noise_scale = 1.0;
};

/// x' = alpha' x_0 + sigma' z at every step: consistency and latent consistency models, sCM (on `trigonometric_path`),
/// the stochastic flow samplers. Throws as `network_call` does. Source: Song et al. 2023, arXiv 2303.01469, algorithm 1.
inline plan consistency(std::vector<grid_step> const& steps, consistency_options const& o = {})
{
    require(!steps.empty(), "consistency", "the number of steps", steps.size(), "at least 1 is needed");
    plan p{.stages = {},
           .initial_scale = o.noise_scale * initial_scale(steps.front().from),
           .heads = o.network.predicts_variance ? 2u : 1u};
    for (grid_step const& step : steps)
        p.stages.push_back(ancestral_stage(o.network, step, {{step.to.alpha, 0.0}, o.noise_scale * step.to.sigma}));
    number_draws(p);
    return p;
}
inline plan consistency(grid const& g, consistency_options o = {})
{
    check(g, "consistency");
    o.network = settled(o.network, g.usual);
    return consistency(steps_of(g), o);
}
template <noise_path Path, grid_for<Path> Spec>
plan consistency(Path const& path, Spec const& spec, consistency_options const& o = {})
{
    return consistency(make_grid(path, spec), o);
}

} // namespace alphabar
