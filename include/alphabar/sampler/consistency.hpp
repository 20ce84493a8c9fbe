// SPDX-License-Identifier: MIT
// Consistency sampling: to x_0, and back up with fresh noise.
#pragma once

#include <alphabar/sampler/ddim.hpp>

namespace alphabar {

struct consistency_options {
    network_form network{};
    /// 0 draws nothing; the deviation of the data on paths whose noise has it (TrigFlow).
    double noise_scale = 1.0;
};

/// x' = alpha' x_0 + sigma' z at every step: consistency models, one step and many, the consistency decoder, sCM (on
/// `trigonometric_path`), the stochastic flow samplers. Where the network's x_0 has the noise of its `boundary` b,
/// sigma' becomes sqrt(sigma'^2 - (alpha' b)^2). Throws as `network_call` does. Source: Song et al. 2023, arXiv
/// 2303.01469, algorithm 1.
inline constexpr solver_function consistency("consistency", [](std::vector<grid_step> const& steps,
                                                               consistency_options const& o) {
    plan p = plan_of(o.network, steps, "consistency", [&](grid_step const& step, std::size_t) {
        auto const [b, r] = step.to;
        double const low = std::min(b * o.network.boundary, r), up = std::sqrt((r - low) * (r + low));
        return ancestral_stage(o.network, step, {{b, 0.0}, o.noise_scale * up});
    });
    p.initial_scale *= o.noise_scale;
    return p;
});

} // namespace alphabar
