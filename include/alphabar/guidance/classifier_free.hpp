// SPDX-License-Identifier: MIT
//
// Classifier-free guidance, and the rules that have its formula: autoguidance and CFG++.
#pragma once

#include <alphabar/core/error.hpp>
#include <alphabar/guidance/guide.hpp>
#include <alphabar/schedule/noise_level.hpp>

namespace alphabar {

/// g = u + w (c - u), or c + w (c - u) in the form `excess`. Predictions: c, u.     Ho & Salimans 2022, arXiv 2207.12598, (6)
struct classifier_free {
    per_sample scale = 7.5;
    guidance_form form = guidance_form::scale;

    guidance_weights<1> weights(guidance_point const& p) const { return {1.0, {excess(form, scale(p))}}; }
};

/// bad + w (good - bad), bad being a smaller or less trained network. Predictions: good, bad.     Karras et al. 2024, arXiv 2406.02507
using autoguidance = classifier_free;

/// CFG++: x_0 comes of e_g = u + lambda (c - u), and the step adds the noise of u: x' = alpha' (x - sigma e_g) / alpha + sigma' u,
/// epsilon predictions. Chung et al. 2024, arXiv 2406.08070, algorithm 1. For DDIM this is plain guidance with a scale that depends
/// on the step:  w = lambda / (1 - sigma' alpha / (alpha' sigma)),  which is returned; w = lambda for the step to sigma' = 0.
///
/// Throws std::invalid_argument unless lambda lies in [0, 1], alpha > 0 and sigma' / alpha' < sigma / alpha.
inline double cfg_plus_plus_scale(double lambda, noise_level from, noise_level to)
{
    require(lambda >= 0 && lambda <= 1, "cfg_plus_plus_scale", "lambda", lambda, "it must lie in [0, 1]");
    double const kept = to.sigma * from.alpha / (to.alpha * from.sigma);
    require(from.alpha > 0 && kept < 1, "cfg_plus_plus_scale", "sigma' alpha / (alpha' sigma)", kept,
            "the step must go to less noise, from a level with alpha > 0");
    return lambda / (1 - kept);
}

} // namespace alphabar
