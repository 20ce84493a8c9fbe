// SPDX-License-Identifier: MIT
//
// Consistency sampling: to x_0, and back up with fresh noise.
#pragma once

#include <alphabar/core/error.hpp>
#include <alphabar/grid/grid.hpp>
#include <alphabar/sampler/ddim.hpp>
#include <alphabar/sampler/network_form.hpp>
#include <alphabar/sampler/plan.hpp>

#include <algorithm>
#include <cmath>
#include <vector>

namespace alphabar {

struct consistency_options {
    network_form network{};
    /// 0 draws nothing; the deviation of the data on paths whose noise has it (TrigFlow).
    double noise_scale = 1.0;
};

/// x' = alpha' x_0 + sigma' z at every step: consistency models, one step and many, the consistency decoder, sCM (on
/// `trigonometric_path`), the stochastic flow samplers. Where the network's x_0 has the noise of its `boundary` b, sigma'
/// becomes sqrt(sigma'^2 - (alpha' b)^2). Throws as `network_call` does. Source: Song et al. 2023, arXiv 2303.01469,
/// algorithm 1.
inline plan consistency(std::vector<grid_step> const& steps, consistency_options const& o = {})
{
    plan p = empty_plan(o.network, steps, "consistency");
    p.initial_scale *= o.noise_scale;
    for (grid_step const& step : steps) {
        auto const [b, r] = step.to;
        double const low = std::min(b * o.network.boundary, r), up = std::sqrt((r - low) * (r + low));
        p.stages.push_back(ancestral_stage(o.network, step, {{b, 0.0}, o.noise_scale * up}));
    }
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
