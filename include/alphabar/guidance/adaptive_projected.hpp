// SPDX-License-Identifier: MIT
// Adaptive projected guidance.
#pragma once

#include <alphabar/guidance/guide.hpp>

namespace alphabar {

/// g = c + (w - 1) (D_orth + eta D_par) with D = c - u + momentum (the D of before), D <- D min(1, radius / |D|), D_par
/// its part along c; `from_u`, diffusers' form: u + w (...). Predictions: c, u. With momentum see `guide`.
///
/// eta = 1 alone is classifier_free. Source: Sadat, Hilliges & Weber 2024, arXiv 2410.02416, algorithm 1. diffusers'
/// mixture, plain guidance in the first steps while the momentum already runs, is
/// within{classifier_free{3.5}, step_window{0, 0.2}, adaptive_projected{...}}.
struct adaptive_projected {
    per_sample scale = 7.5;
    double eta = 0.0;
    double radius = std::numeric_limits<double>::infinity(); ///< r > 0
    double momentum = 0.0;                                   ///< in (-1, 1); the paper's is negative
    bool from_u = false;

    template <std::size_t K>
    combination<K> weights(guidance_point const& p, inner_products<K> const& m) const
    {
        static_assert(K == 1 || K == 2, "alphabar: adaptive_projected takes two predictions");
        require(radius > 0, "adaptive_projected", "radius", radius, "it must be positive");
        require(std::isfinite(eta), "adaptive_projected", "eta", eta, "it must be finite");
        require(std::abs(momentum) < 1, "adaptive_projected", "momentum", momentum, "it must lie in (-1, 1)");
        double const w = scale(p, "adaptive_projected") - (from_u ? 0 : 1), cc = m.dot(0, 0), dd = m.dot(K, K);
        if (w == 0 && !from_u)
            return {};
        double const kept = dd <= radius * radius ? w : w * radius / std::sqrt(dd);
        combination<K> g{1 - (cc == 0 ? 0.0 : kept * (1 - eta) * m.dot(0, K) / cc)};
        g.d[0] = from_u ? -1.0 : 0.0;
        g.d[K - 1] += kept; // with momentum the last difference is the average
        return g;
    }
};

} // namespace alphabar
