// SPDX-License-Identifier: MIT
// Guidance by given weights of any number of predictions: several conditions, and perturbed networks.
#pragma once

#include <alphabar/guidance/interval.hpp>

namespace alphabar {

struct weighted_term {
    per_sample weight = 0.0;
    step_window window{};
};

/// g = p_0 + sum_k w_k (p_0 - p_k), each term in its window of steps. Predictions: p_0, ..., p_K; `guided` skips one of
/// weight 0.
template <std::size_t K>
struct weighted {
    weighted_term terms[K];

    combination<K> weights(guidance_point const& p) const
    {
        combination<K> g;
        for (std::size_t k = 0; k < K; ++k)
            g.d[k] = terms[k].window(p) ? terms[k].weight(p, "weighted", "a weight") : 0.0;
        return g;
    }
};
template <class... Term>
weighted(Term const&...) -> weighted<sizeof...(Term)>;

/// g = u + w_i (i - u) + w_c (c - i), c by text and image, i by the image alone. Predictions: c, i, u.
/// Source: Brooks, Holynski & Efros 2023 (InstructPix2Pix), arXiv 2211.09800, (3).
inline weighted<2> two_condition(per_sample const& scale = 7.5, per_sample const& image_scale = 1.5)
{
    return {{{scale - image_scale}, {image_scale - 1.0}}};
}

/// g = u + sum_k w_k (c_k - u); a negative w_k moves away from condition k. Predictions: u, c_1, ..., c_N. With N = 1
/// and two sets of conditions Composer's. Source: Liu et al. 2022, arXiv 2206.01714, (11); Huang et al. 2023, arXiv
/// 2302.09778, 2.2.
template <std::convertible_to<per_sample>... Scale>
weighted<sizeof...(Scale)> compositional(Scale const&... scales)
{
    return {{{0.0 - per_sample(scales)}...}};
}

/// g = u + w (c - u) + s (c - p), each term in its window of steps. Predictions: c, u, p; p of a network whose
/// attention is the identity (PAG: Ahn et al. 2024, arXiv 2403.17377), without some layers (SLG), or with blurred
/// attention (SEG: Hong 2024, arXiv 2408.00760).
///
/// (Where w's term alone is off, diffusers' usual form starts from p: s is then one more.)
inline weighted<2> perturbed(per_sample const& scale = 7.5, per_sample const& perturbed_scale = 3.0,
                             step_window window = {}, step_window perturbed_window = {})
{
    return {{{scale - 1.0, window}, {perturbed_scale, perturbed_window}}};
}

/// PAG's adaptive scale  max(s - a (1000 - t), 0)  at the time t of 1000:
/// varying{[](guidance_point const& p) { return perturbed(7.5, adaptive_perturbed_scale(3, 0.005, p.time)); }}.
inline double adaptive_perturbed_scale(double s, double a, double t) { return std::max(s - a * (1000 - t), 0.0); }

/// g = c + (w - 1) (c - u) + s (c - p) + (v - 1) (c - q), p without some of the spatio-temporal attention (Hyung et al.
/// 2024, arXiv 2411.18664), q without the other modality. Predictions: c, u, p, q. HaCohen et al. 2026, arXiv
/// 2601.03233.
inline weighted<3> multimodal(per_sample const& scale = 1.0, per_sample const& perturbed_scale = 0.0,
                              per_sample const& modality_scale = 1.0)
{
    return {{{scale - 1.0}, {perturbed_scale}, {modality_scale - 1.0}}};
}

} // namespace alphabar
