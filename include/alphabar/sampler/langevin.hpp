// SPDX-License-Identifier: MIT
// Score-based sampling (Song et al. 2021, arXiv 2011.13456): the reverse-diffusion predictor, Langevin correctors.
#pragma once

#include <alphabar/sampler/ddim.hpp>

namespace alphabar {

/// A stage that calls the network and remembers the score, -epsilon / sigma: x' = keep x + gain m(0) + noise z.
inline stage score_stage(network_form const& network, double time, noise_level level, double keep, double gain,
                         double noise)
{
    using namespace slots;
    stage s = network_call(network, time, level, memory_form::epsilon);
    bool const clipped = network.operation.what != x0_operation::kind::none;
    pair_map& map = clipped ? s.recall : s.memory;
    map = {-map.x / level.sigma, -map.other / level.sigma};
    s.x = (keep * x + gain * m(0) + noise * z).pruned();
    return s;
}

/// A forward step x -> keep x + add z turned round: x' = (2 - keep) x + add^2 score + add z. Ibid., (46).
inline stage reverse_diffusion_stage(network_form const& network, double time, noise_level level, stage::churn_map step,
                                     bool noisy = true)
{
    return score_stage(network, time, level, 2.0 - step.keep, step.add * step.add, noisy ? step.add : 0.0);
}

struct langevin_options {
    double snr = 0.16;
    unsigned steps = 1;      ///< before each step of the predictor
    bool annealed = false;   ///< e = 2 (snr sigma)^2, without norms
    bool over_batch = false; ///< the means of the norms over the batch, as published
};

/// A Langevin step at one level, x' = x + e score + sqrt(2 e) z, which leaves the level's density as it is but for its
/// size: e = 2 keep^2 (snr |z| / |score|)^2 with the norms of the sample, or 2 keep^2 (snr sigma)^2. `keep` is that of
/// the forward step to this level. Source: Song et al. 2021, arXiv 2011.13456, algorithms 4 and 5.
inline stage langevin_stage(network_form const& network, double time, noise_level level, double keep,
                            langevin_options const& o)
{
    require(o.snr > 0.0 && std::isfinite(o.snr), "langevin", "snr", o.snr, "it must be positive");
    double const size = o.annealed ? std::sqrt(2.0) * keep * o.snr * level.sigma : keep;
    stage s = score_stage(network, time, level, 1.0, size * size, o.annealed ? std::sqrt(2.0) * size : size);
    if (!o.annealed)
        s.langevin = langevin_step{o.snr, o.over_batch};
    return s;
}

/// What goes from level to level: reverse diffusion, the ancestral step (DDIM, eta = 1), or nothing.
enum class score_predictor : std::uint8_t { none, reverse_diffusion, ancestral };

struct predictor_corrector_options {
    network_form network{.predicts = prediction::score};
    score_predictor predictor = score_predictor::reverse_diffusion;
    langevin_options corrector{};
    bool final_noise = false; ///< whether the last step draws noise
};

/// Song's predictor-corrector sampler on any path: at each level `corrector.steps` steps of Langevin dynamics, then the
/// predictor to the next one. Throws as `network_call` and `check` do. Ibid., algorithm 1.
inline constexpr solver_function predictor_corrector("predictor_corrector", [](grid const& g,
                                                                               predictor_corrector_options const& o) {
    require(o.predictor != score_predictor::none || o.corrector.steps > 0, "predictor_corrector", "corrector.steps",
            o.corrector.steps, "without a predictor it must be at least 1");
    network_form const& network = o.network;
    require(network.operation.what == x0_operation::kind::none || o.corrector.steps == 0 || o.corrector.annealed,
            "predictor_corrector", "network.operation", "set",
            "x_0 is not clipped where norms give the corrector's size");
    plan p = empty_plan(network, g.levels.front());
    for (std::size_t i = 0; i < g.steps(); ++i) {
        stage::churn_map const forward = make_forward_step(g.levels[i + 1], g.levels[i]);
        for (unsigned k = 0; k < o.corrector.steps && forward.keep > 0.0; ++k) { // at alpha = 0 its size is 0
            p.stages.push_back(langevin_stage(network, g.times[i], g.levels[i], forward.keep, o.corrector));
            p.stages.back().ends_step = o.predictor == score_predictor::none && k + 1 == o.corrector.steps;
        }
        bool const noisy = o.final_noise || i + 1 < g.steps();
        if (o.predictor == score_predictor::reverse_diffusion)
            p.stages.push_back(reverse_diffusion_stage(network, g.times[i], g.levels[i], forward, noisy));
        else if (o.predictor == score_predictor::ancestral)
            p.stages.push_back(ddim_stage(network, {g.times[i], g.levels[i], g.levels[i + 1]},
                                          {.eta = 1.0, .noise_scale = noisy ? 1.0 : 0.0}));
    }
    number_draws(p);
    return p;
});

} // namespace alphabar
