// SPDX-License-Identifier: MIT
// CFG-Zero*.
#pragma once

#include <alphabar/guidance/guide.hpp>

namespace alphabar {

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

} // namespace alphabar
