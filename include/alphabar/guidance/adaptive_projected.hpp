// SPDX-License-Identifier: MIT
// Adaptive projected guidance.
#pragma once

#include <alphabar/guidance/guide.hpp>

namespace alphabar {

/// g = c + (w - 1) (D_orth + eta D_par) with D = c - u + momentum (the D of before), D <- D min(1, radius / |D|), D_par
/// its part along c; form `excess`: w for w - 1; `from_u`, diffusers' form: u + w (...). Predictions: c, u. A momentum
/// asks for an average (`guide`).
///
/// eta = 1 alone is classifier_free. Source: Sadat, Hilliges & Weber 2024, arXiv 2410.02416, algorithm 1.
struct adaptive_projected {
    per_sample scale = 7.5;
    double eta = 0.0;
    double radius = std::numeric_limits<double>::infinity(); ///< r > 0
    double momentum = 0.0;                                   ///< in (-1, 1); the paper's is negative
    guidance_form form = guidance_form::scale;
    bool from_u = false;

    template <std::size_t K>
    combination<K> weights(guidance_point const& p, inner_products<K> const& m) const
    {
        static_assert(K == 1 || K == 2, "alphabar: adaptive_projected takes two predictions");
        require(radius > 0 && std::isfinite(eta) && std::abs(momentum) < 1, "adaptive_projected", "an option", radius,
                "radius > 0, eta finite and |momentum| < 1 must hold");
        bool const shipped = from_u && form == guidance_form::scale;
        double const w = shipped ? scale(p) : excess(form, scale(p)), cc = m.dot(0, 0), dd = m.dot(K, K);
        double const kept = dd > radius * radius ? w * radius / std::sqrt(dd) : w;
        combination<K> g{1 - (cc > 0 ? kept * (1 - eta) * m.dot(0, K) / cc : 0.0)};
        g.d[0] = shipped ? -1.0 : 0.0;
        g.d[K - 1] += kept; // with momentum the last difference is the average
        return g;
    }
};

/// Classifier-free guidance of its own scale up to the step `last_plain`, inclusive, while the momentum already runs;
/// then `rule`.
struct adaptive_projected_mix {
    adaptive_projected rule{};
    per_sample scale = 3.5;
    std::size_t last_plain = 0;

    template <std::size_t K>
    combination<K> weights(guidance_point const& p, inner_products<K> const& m) const
    {
        return p.step > last_plain ? rule.weights(p, m) : combination<K>{1.0, {excess(rule.form, scale(p))}};
    }
};

} // namespace alphabar
