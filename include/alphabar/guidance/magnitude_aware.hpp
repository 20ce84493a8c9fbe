// SPDX-License-Identifier: MIT
// Magnitude-aware guidance (MAMBO-G).
#pragma once

#include <alphabar/guidance/guide.hpp>

namespace alphabar {

/// g = u + (1 + (w - 1) exp(-alpha |c - u| / |u|)) (c - u), norms of a sample; c where u = 0. Predictions: c, u. Source: Zhu, Peng, Shu et al. 2025, arXiv 2508.03442.
struct magnitude_aware {
    per_sample scale = 10.0;
    per_sample alpha = 8.0;

    combination<1> weights(guidance_point const& p, inner_products<1> const& m) const
    {
        double const dd = m.dot(1, 1), uu = std::fmax(m.dot(0, 0) - 2 * m.dot(0, 1) + dd, 0.0);
        double const ratio = dd == 0 ? 0.0 : std::sqrt(dd / uu), strength = alpha(p, "magnitude_aware", "alpha");
        double const e = scale(p, "magnitude_aware") - 1;
        return {1.0, {e == 0 || strength == 0 ? e : e * std::exp(-strength * ratio)}};
    }
};

} // namespace alphabar
