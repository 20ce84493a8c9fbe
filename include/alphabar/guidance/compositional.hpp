// SPDX-License-Identifier: MIT
// Guidance by several conditions: two of them nested, or any number side by side.
#pragma once

#include <alphabar/guidance/guide.hpp>

namespace alphabar {

/// g = u + w_i (i - u) + w_c (c - i), c by text and image, i by the image alone. Predictions: c, i, u.
/// Source: Brooks, Holynski & Efros 2023 (InstructPix2Pix), arXiv 2211.09800, (3).
struct two_condition {
    per_sample scale = 7.5;
    per_sample image_scale = 1.5;

    combination<2> weights(guidance_point const& p) const
    {
        double const w = scale(p), v = image_scale(p);
        return {1.0, {w - v, v - 1}};
    }
};

/// g = u + sum_k w_k (c_k - u); a negative w_k moves away from condition k. Predictions: u, c_1, ..., c_N. With N = 1
/// and two sets of conditions as u and c_1, Composer's. Source: Liu et al. 2022, arXiv 2206.01714, (11); Huang et al.
/// 2023, arXiv 2302.09778, 2.2.
template <std::size_t N>
struct compositional {
    std::array<per_sample, N> scales;

    combination<N> weights(guidance_point const& p) const
    {
        combination<N> w;
        for (std::size_t k = 0; k < N; ++k)
            w.d[k] = -scales[k](p);
        return w;
    }
};
template <class... Scale>
compositional(Scale const&...) -> compositional<sizeof...(Scale)>;

} // namespace alphabar
