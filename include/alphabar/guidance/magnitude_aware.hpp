// SPDX-License-Identifier: MIT
//
// Magnitude-aware guidance (MambO-G).
#pragma once

#include <alphabar/guidance/guide.hpp>

#include <cmath>

namespace alphabar {

/// g = u + (1 + (w - 1) exp(-alpha |c - u| / |u|)) (c - u), norms of each sample; form `excess`: c + w exp(...) (c - u). Less guidance
/// where it would change much; none where u = 0. Predictions: c, u.     Zhu, Peng, Shu et al. 2025, arXiv 2508.03442
struct magnitude_aware {
    per_sample scale = 10.0;
    per_sample alpha = 8.0;
    guidance_form form = guidance_form::scale;

    guidance_weights<1> weights(guidance_point const& p, guidance_moments<1> const& m) const
    {
        double const dd = m.dot(1, 1), uu = m.dot(0, 0) - 2 * m.dot(0, 1) + dd;
        double const damping = dd > 0 ? std::exp(-alpha(p) * std::sqrt(dd / std::max(uu, 0.0))) : 1.0;
        return {1.0, {excess(form, scale(p)) * damping}};
    }
};

} // namespace alphabar
