// SPDX-License-Identifier: MIT
//
// Guidance away from perturbed predictions: PAG, SLG, SEG, and LTX-2's two.
#pragma once

#include <alphabar/guidance/guide.hpp>
#include <alphabar/guidance/interval.hpp>

#include <algorithm>

namespace alphabar {

/// g = u + w (c - u) + s (c - p), p the conditional prediction of a network whose attention is replaced by the identity (PAG: Ahn et
/// al. 2024, arXiv 2403.17377, (14)), some of whose layers are skipped (SLG), or whose attention is blurred (SEG: Hong 2024, arXiv
/// 2408.00760). Each term has its window of steps. Predictions: c, u, p; without u (w = 1) leave w, and u is not called.
///
/// diffusers takes p in place of c where w's term alone is off and the form is `scale`: s - 1 there.
struct perturbed {
    per_sample scale = 7.5;
    per_sample perturbed_scale = 3.0;
    step_window window{}, perturbed_window{};
    guidance_form form = guidance_form::scale;

    guidance_weights<2> weights(guidance_point const& p) const
    {
        double const w = excess(form, scale(p)), s = perturbed_scale(p);
        return {1.0, {window(p) ? w : 0.0, perturbed_window(p) ? s : 0.0}};
    }
};

/// The adaptive scale of PAG:  max(s - a (1000 - t), 0)  at the time t of 1000.
inline double adaptive_perturbed_scale(double s, double a, double t) { return std::max(s - a * (1000 - t), 0.0); }

/// g = c + (w - 1) (c - u) + s (c - p) + (v - 1) (c - q), p without some spatio-temporal attention (STG: Hyung et al. 2024, arXiv
/// 2411.18664), q without the other modality. Predictions: c, u, p, q. HaCohen et al. 2026, LTX-2, arXiv 2601.03233, (3).
struct multimodal {
    per_sample scale = 1.0;
    per_sample perturbed_scale = 0.0;
    per_sample modality_scale = 1.0;

    guidance_weights<3> weights(guidance_point const& p) const
    {
        return {1.0, {scale(p) - 1, perturbed_scale(p), modality_scale(p) - 1}};
    }
};

} // namespace alphabar
