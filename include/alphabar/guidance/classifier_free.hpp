// SPDX-License-Identifier: MIT
// Classifier-free guidance, and the rules that have its formula: autoguidance and CFG++.
#pragma once

#include <alphabar/guidance/guide.hpp>
#include <alphabar/schedule/noise_level.hpp>

namespace alphabar {

/// g = u + w (c - u), or c + w (c - u) in the form `excess`. Predictions: c, u. Source: Ho & Salimans 2022, arXiv
/// 2207.12598, (6).
struct classifier_free {
    per_sample scale = 7.5;
    guidance_form form = guidance_form::scale;

    combination<1> weights(guidance_point const& p) const { return {1.0, {excess(form, scale(p))}}; }
};

/// bad + w (good - bad) of a network and a worse one. Predictions: good, bad. Source: Karras et al. 2024, arXiv
/// 2406.02507.
using autoguidance = classifier_free;

/// CFG++ renoises with u: x' = alpha' x_0(u + lambda (c - u)) + sigma' u, c and u epsilon. Source: Chung et al. 2024,
/// arXiv 2406.08070.
/// For DDIM this is guidance with the scale lambda / (1 - sigma' alpha / (alpha' sigma)) of the step, here returned.
///
/// Throws std::invalid_argument unless lambda lies in [0, 1], alpha > 0 and sigma' / alpha' < sigma / alpha.
inline double cfg_plus_plus_scale(double lambda, noise_level from, noise_level to)
{
    double const kept = to.sigma * from.alpha / (to.alpha * from.sigma);
    require(lambda >= 0 && lambda <= 1, "cfg_plus_plus_scale", "lambda", lambda, "it must lie in [0, 1]");
    require(from.alpha > 0 && kept < 1, "cfg_plus_plus_scale", "the step", kept,
            "it must lead to less noise, alpha > 0");
    return lambda / (1 - kept);
}

} // namespace alphabar
