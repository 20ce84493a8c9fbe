// SPDX-License-Identifier: MIT
//
// Adaptive projected guidance.
#pragma once

#include <alphabar/core/error.hpp>
#include <alphabar/guidance/guide.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>

namespace alphabar {

/// With D = c - u + mu (the D of before), D <- D min(1, r / |D|), split into D_par along c and the rest D_orth:
///
///     g = c + (w - 1) (D_orth + eta D_par)          form `excess`: w in place of w - 1
///
/// Predictions: c, u. eta = 1, r = infinity, mu = 0 is classifier_free. mu other than 0 asks for an average (see `guide`). `from_u`, diffusers' form: u + w (...). Sadat, Hilliges & Weber 2024, arXiv 2410.02416, algorithm 1.
struct adaptive_projected {
    per_sample scale = 7.5;
    double eta = 0.0;                                        ///< what is kept of the part along c
    double radius = std::numeric_limits<double>::infinity(); ///< the largest |D|, r > 0: 15 for 64 x 64 pixels
    double momentum = 0.0;                                   ///< mu in (-1, 1); the paper's is negative
    guidance_form form = guidance_form::scale;
    bool from_u = false;

    template <std::size_t K>
    guidance_weights<K> weights(guidance_point const& p, guidance_moments<K> const& m) const
    {
        static_assert(K == 1 || K == 2, "alphabar: adaptive_projected takes two predictions");
        require(radius > 0 && std::isfinite(eta) && std::abs(momentum) < 1, "adaptive_projected", "an option", radius,
                "radius > 0, eta finite and |momentum| < 1 must hold");
        bool const shipped = from_u && form == guidance_form::scale;
        double const w = shipped ? scale(p) : excess(form, scale(p)), cc = m.dot(0, 0), dd = m.dot(K, K);
        double const kept = dd > radius * radius ? w * radius / std::sqrt(dd) : w;
        guidance_weights<K> g{1 - (cc > 0 ? kept * (1 - eta) * m.dot(0, K) / cc : 0.0)};
        g.d[0] = shipped ? -1.0 : 0.0;
        g.d[K - 1] += kept; // with momentum the last difference is the average
        return g;
    }
};

/// Classifier-free guidance of its own scale up to the step `last_plain`, inclusive, while the momentum already runs; then `rule`.
struct adaptive_projected_mix {
    adaptive_projected rule{};
    per_sample scale = 3.5;
    std::size_t last_plain = 0;

    template <std::size_t K>
    guidance_weights<K> weights(guidance_point const& p, guidance_moments<K> const& m) const
    {
        return p.step > last_plain ? rule.weights(p, m) : guidance_weights<K>{1.0, {excess(rule.form, scale(p))}};
    }
};

} // namespace alphabar
