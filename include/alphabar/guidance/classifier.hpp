// SPDX-License-Identifier: MIT
// Classifier guidance of a prediction of any kind; condition_mean of process/p_sample.hpp moves the mean.
#pragma once

#include <alphabar/guidance/guide.hpp>
#include <alphabar/process/prediction.hpp>
#include <alphabar/process/times.hpp>

namespace alphabar {

/// out = the prediction with epsilon - s sigma G in place of epsilon, G the gradient of log p(y | x_t) at x_t. For
/// epsilon this is F - s sigma G, for x_0 F + s sigma^2 / alpha G: at scale 1 guided-diffusion's condition_score, whose
/// mean is then q_posterior's. Source: Dhariwal & Nichol 2021, arXiv 2105.05233, algorithm 2.
///
/// Shapes: all [batch, ...]; times: one number, or one a sample; `out` may be an input. Throws std::invalid_argument,
/// before anything is written, where epsilon does not give the prediction (alpha = 0), for bad times, shapes, scales.
template <noise_path Path, class Times, tensor F, tensor Gradient, class Out>
void classifier_guide(Path const& path, prediction kind, per_sample const& scale, Times const& times, F const& output,
                      Gradient const& gradient, Out&& out)
{
    std::vector<pair_formula<compute_t<value_t<Out>>>> formulas;
    guidance_point at{.batch = traits_of<F>::shape(output).batch()};
    for (noise_level const& level : levels_at(path, times, at.batch, "classifier_guide")) {
        double const factor =
            convert_prediction(prediction::epsilon, kind, level).other * level.sigma * scale(at, "classifier_guide");
        require(std::isfinite(factor), "classifier_guide", "the prediction", name_of(kind),
                "epsilon does not determine it here");
        formulas.emplace_back(pair_map{1.0, -factor});
        ++at.row;
    }
    transform_rows(formulas, out, output, gradient);
}

} // namespace alphabar
