// SPDX-License-Identifier: MIT
//
// CFG-Zero*.
#pragma once

#include <alphabar/guidance/guide.hpp>

#include <cstddef>

namespace alphabar {

/// g = a u + w (c - a u) with a = <c, u> / (<u, u> + 1e-8) for each sample, the u closest to c; 0 in the first `zero_steps` steps.
/// Predictions: c, u.     Fan et al. 2025, arXiv 2503.18886, (9), section 4.2
struct zero_star {
    per_sample scale = 7.5;
    std::size_t zero_steps = 1;
    guidance_form form = guidance_form::scale;

    guidance_weights<1> weights(guidance_point const& p, guidance_moments<1> const& m) const
    {
        double const e = excess(form, scale(p));
        if (p.step < zero_steps)
            return {0.0, {0.0}};
        double const cu = m.dot(0, 0) - m.dot(0, 1), uu = cu - m.dot(0, 1) + m.dot(1, 1);
        double const a = cu / (uu + 1e-8);
        return {1 + e * (1 - a), {e * a}}; // c - a u = (1 - a) c + a (c - u)
    }
};

} // namespace alphabar
