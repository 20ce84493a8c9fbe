// SPDX-License-Identifier: MIT
// Guidance away from predictions of a perturbed network: PAG, SLG, SEG, and the rule of LTX-2.
#pragma once

#include <alphabar/guidance/guide.hpp>
#include <alphabar/guidance/interval.hpp>

namespace alphabar {

/// g = u + w (c - u) + s (c - p), each term in its window of steps. Predictions: c, u, p; p of a network whose
/// attention is the identity (PAG: Ahn et al. 2024, arXiv 2403.17377), without some layers (SLG), or with blurred
/// attention (SEG: Hong 2024, arXiv 2408.00760).
///
/// At w = 1 u is not called. (Where w's term alone is off, diffusers' form `scale` starts from p: s is then one more.)
struct perturbed {
    per_sample scale = 7.5;
    per_sample perturbed_scale = 3.0;
    step_window window{}, perturbed_window{};
    guidance_form form = guidance_form::scale;

    combination<2> weights(guidance_point const& p) const
    {
        double const w = excess(form, scale(p)), s = perturbed_scale(p);
        return {1.0, {window(p) ? w : 0.0, perturbed_window(p) ? s : 0.0}};
    }
};

/// PAG's adaptive scale  max(s - a (1000 - t), 0)  at the time t of 1000.
inline double adaptive_perturbed_scale(double s, double a, double t) { return std::max(s - a * (1000 - t), 0.0); }

/// g = c + (w - 1) (c - u) + s (c - p) + (v - 1) (c - q), p without some of the spatio-temporal attention (Hyung et al.
/// 2024, arXiv 2411.18664), q without the other modality. Predictions: c, u, p, q. Source: HaCohen et al. 2026 (LTX-2),
/// arXiv 2601.03233.
struct multimodal {
    per_sample scale = 1.0;
    per_sample perturbed_scale = 0.0;
    per_sample modality_scale = 1.0;

    combination<3> weights(guidance_point const& p) const
    {
        return {1.0, {scale(p) - 1, perturbed_scale(p), modality_scale(p) - 1}};
    }
};

} // namespace alphabar
