// SPDX-License-Identifier: MIT
// Rules of c, u and a scale: classifier-free guidance, and what takes another u (CFG-Zero*, TCFG) or scale (MAMBO-G).
#pragma once

#include <alphabar/guidance/guide.hpp>

namespace alphabar {

/// g = u + w (c - u). Predictions: c, u. Source: Ho & Salimans 2022, arXiv 2207.12598, (6).
struct classifier_free {
    per_sample scale = 7.5;

    combination<1> weights(guidance_point const& p) const { return {1.0, {scale(p, "classifier_free") - 1}}; }
};

/// bad + w (good - bad) of a network and a worse one. Predictions: good, bad. Karras et al. 2024, arXiv 2406.02507.
using autoguidance = classifier_free;

/// g = a u + w (c - a u), a = <c, u> / (<u, u> + 1e-8): a u is the multiple of u closest to c. 0 in the first
/// `zero_steps` steps. Predictions: c, u. Source: Fan et al. 2025, arXiv 2503.18886.
struct zero_star {
    per_sample scale = 7.5;
    std::size_t zero_steps = 1;

    combination<1> weights(guidance_point const& p, inner_products<1> const& m) const
    {
        double const cu = m.dot(0, 0) - m.dot(0, 1), uu = cu - m.dot(0, 1) + m.dot(1, 1);
        double const a = cu / (uu + 1e-8), e = scale(p, "zero_star") - 1;
        if (p.step < zero_steps)
            return {0.0};
        return e == 0 ? combination<1>{} : combination<1>{1 + e * (1 - a), {e * a}};
    }
};

/// Classifier-free guidance with u projected on the first right singular vector of the rows (c, u). Predictions: c, u.
/// Source: Kwon et al. 2025, arXiv 2503.18137. That vector is p c + q u up to its length, (p, q) = (cos t, sin t) the
/// first eigenvector of the inner products: tan 2t = 2 <c, u> / (<c, c> - <u, u>). The projection is q (p c + q u).
struct tangential {
    per_sample scale = 7.5;

    combination<1> weights(guidance_point const& at, inner_products<1> const& m) const
    {
        double const t = 0.5 * std::atan2(2 * (m.dot(0, 0) - m.dot(0, 1)), 2 * m.dot(0, 1) - m.dot(1, 1));
        double const p = std::cos(t), q = std::sin(t), e = scale(at, "tangential") - 1;
        return e == 0 ? combination<1>{} : combination<1>{1 + e * p * (p - q), {e * q * q}};
    }
};

/// g = u + (1 + (w - 1) exp(-alpha |c - u| / |u|)) (c - u), norms of a sample; c where u = 0. Predictions: c, u.
/// Source: Zhu, Peng, Shu et al. 2025, arXiv 2508.03442.
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
