// SPDX-License-Identifier: MIT
// Tangential damping of the unconditional prediction (TCFG).
#pragma once

#include <alphabar/guidance/guide.hpp>

namespace alphabar {

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

} // namespace alphabar
