// SPDX-License-Identifier: MIT
// Samplers of networks of few steps, which go to x_0 and back up with fresh noise: consistency models, latent
// consistency models, trajectory consistency.
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

struct lcm_options {
    network_form network{};
    double timestep_scaling = 10.0;
    double sigma_data = 0.5;
    bool unscaled_skip = false; ///< D = c_skip x / alpha + c_out x_0 (the WebUI), not from alpha = 0
};

/// Latent consistency models on a variance-preserving path: `consistency` with D = c_skip x + c_out x_0 in place of
/// x_0, which is clipped before where asked,
///
///     c_skip = d^2 / (u^2 + d^2),  c_out = u / sqrt(u^2 + d^2),  u = timestep_scaling t,  d = sigma_data
///
/// Throws std::invalid_argument off alpha^2 + sigma^2 = 1, where `consistency` is the sampler, and as `network_call`
/// does. Source: Luo et al. 2023, arXiv 2310.04378, section 4.1 and algorithm 3.
inline constexpr solver_function lcm_sampler("lcm_sampler", [](std::vector<grid_step> const& steps,
                                                               lcm_options const& o) {
    using namespace slots;
    plan p = consistency(steps, {.network = o.network});
    for (std::size_t i = 0; i < steps.size(); ++i) {
        auto const [a, s] = steps[i].from;
        require(std::abs(a * a + s * s - 1.0) < 1e-5, "lcm_sampler", "alpha^2 + sigma^2", a * a + s * s,
                "it must be 1: on other paths `consistency` is the sampler");
        require(a > 0.0 || !o.unscaled_skip, "lcm_sampler", "alpha", a, "with unscaled_skip it must be positive");
        double const u = o.timestep_scaling * steps[i].time, root = std::hypot(u, o.sigma_data);
        double const skip = o.sigma_data / root, alpha = steps[i].to.alpha;
        p.stages[i].x += (alpha * skip * skip / (o.unscaled_skip ? a : 1.0)) * x + (alpha * (u / root - 1.0)) * m(0);
    }
    return p;
});

struct tcd_options {
    network_form network{};
    double gamma = 0.3; ///< 0 the deterministic sampler; 1 goes to time 0 before it goes up again
};

/// One step of trajectory consistency distillation: `step` by DDIM to its level s, then by the forward process up to
/// `up`. Throws as `ddim_stage` does and where `up` is cleaner than s.
inline stage tcd_stage(network_form const& network, grid_step const& step, noise_level up)
{
    stage s = ddim_stage(network, step, {.network_epsilon = true});
    auto const [keep, add] = make_forward_step(step.to, up);
    s.x *= keep;
    if (add != 0.0)
        s.x += add * slots::z;
    return s;
}

/// TCD, strategic stochastic sampling: for the next time t' of the grid, down to s = (1 - gamma) t' by DDIM, then up to
/// t'. The last step goes to the end of the grid. Throws std::invalid_argument unless gamma lies in [0, 1], and as
/// `tcd_stage` does. Source: Zheng et al. 2024, arXiv 2402.19159, algorithm 4.
inline constexpr solver_function tcd("tcd", [](grid_on_path const& g, tcd_options const& o) {
    require(o.gamma >= 0.0 && o.gamma <= 1.0, "tcd", "gamma", o.gamma, "it must lie in [0, 1]");
    require(o.gamma == 0.0 || g.path.at_time, "tcd", "gamma", o.gamma, needs_path);
    return plan_of(o.network, steps_of(g), "tcd", [&](grid_step step, std::size_t i) {
        noise_level const to = step.to;
        if (i + 1 < g.steps() && o.gamma > 0.0)
            step.to = g.path.at_time((1.0 - o.gamma) * g.times[i + 1]).level;
        return tcd_stage(o.network, step, to);
    });
});

} // namespace alphabar
