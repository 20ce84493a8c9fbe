// SPDX-License-Identifier: MIT
// Classifier-free guidance, and autoguidance, which has its formula.
#pragma once

#include <alphabar/guidance/guide.hpp>

namespace alphabar {

/// g = u + w (c - u). Predictions: c, u. Source: Ho & Salimans 2022, arXiv 2207.12598, (6).
struct classifier_free {
    per_sample scale = 7.5;

    combination<1> weights(guidance_point const& p) const { return {1.0, {scale(p, "classifier_free") - 1}}; }
};

/// bad + w (good - bad) of a network and a worse one. Predictions: good, bad. Source: Karras et al. 2024, arXiv
/// 2406.02507.
using autoguidance = classifier_free;

} // namespace alphabar
