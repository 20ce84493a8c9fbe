// SPDX-License-Identifier: MIT
//
// Guidance by several conditions: two of them nested, or any number side by side, and how training drops them.
#pragma once

#include <alphabar/core/error.hpp>
#include <alphabar/guidance/guide.hpp>
#include <alphabar/noise/stream.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace alphabar {

/// g = u + w_i (i - u) + w_c (c - i), c by text and image, i by the image alone. Predictions: c, i, u.
/// Source: Brooks, Holynski & Efros 2023 (InstructPix2Pix), arXiv 2211.09800, (3).
struct two_condition {
    per_sample scale = 7.5;
    per_sample image_scale = 1.5;

    guidance_weights<2> weights(guidance_point const& p) const
    {
        double const w = scale(p), v = image_scale(p);
        return {1.0, {w - v, v - 1}};
    }
};

/// g = u + sum_k w_k (c_k - u). A negative w_k moves away from condition k. Predictions: u, c_1, ..., c_N.
/// Source: Liu et al. 2022, arXiv 2206.01714, (11). N = 1 with a c_1 and a u of two sets of conditions is Composer's guidance.
template <std::size_t N>
struct compositional {
    std::array<per_sample, N> scales;

    guidance_weights<N> weights(guidance_point const& p) const
    {
        guidance_weights<N> w;
        for (std::size_t k = 0; k < N; ++k)
            w.d[k] = -scales[k](p);
        return w;
    }
};
template <class... Scale>
compositional(Scale const&...) -> compositional<sizeof...(Scale)>;

/// How training drops conditions: all of them, none, or else each on its own.     Huang et al. 2023 (Composer), arXiv 2302.09778, 2.2
struct condition_dropout {
    double all = 0.1, none = 0.1, each = 0.5;
};

/// Which of n conditions training example `sample` keeps in training step `step`: bit k stands for condition k.
///
/// Throws std::invalid_argument for n > 64, for probabilities outside [0, 1], and where all + none > 1.
inline std::uint64_t kept_conditions(noise_stream noise, std::size_t n, std::uint32_t step, std::uint64_t sample,
                                     condition_dropout const& drop = {})
{
    require(n <= 64, "kept_conditions", "n", n, "at most 64 conditions are allowed");
    require(drop.all >= 0 && drop.none >= 0 && drop.all + drop.none <= 1 && drop.each >= 0 && drop.each <= 1,
            "kept_conditions", "a probability", drop.each, "each lies in [0, 1], and all + none <= 1");
    noise_field const field = noise(purpose::dropout, step, sample);
    double const u = field.uniform(0, 0);
    std::uint64_t kept = 0;
    for (std::size_t k = 0; k < n && u >= drop.all; ++k)
        if (u < drop.all + drop.none || field.uniform(0, 1 + k) >= drop.each)
            kept |= std::uint64_t{1} << k;
    return kept;
}

} // namespace alphabar
