// SPDX-License-Identifier: MIT
// Predictions of the velocity of a path, and networks of one path used on another.
#pragma once

#include <alphabar/process/prediction.hpp>
#include <alphabar/schedule/noise_level.hpp>

namespace alphabar {

/// x_0 and eps from the state x at `level` and a prediction of the velocity u = alpha' x_0 + sigma' eps:
///
///     x_0 = (sigma' x - sigma u) / d,  eps = (alpha u - alpha' x) / d,  d = alpha sigma' - alpha' sigma
///
/// Coefficients are not finite where slopes are not. Source: Lipman et al. 2024, arXiv 2412.06264, section 4.8.
constexpr prediction_map from_velocity(noise_level level, path_slope slope)
{
    double const d = level.alpha * slope.sigma - slope.alpha * level.sigma;
    return {{slope.sigma / d, -level.sigma / d}, {-slope.alpha / d, level.alpha / d}};
}

/// A velocity from the maps of x_0 and eps: u = x * state + other * output.
constexpr pair_map to_velocity(prediction_map const& from, path_slope slope)
{
    return {slope.alpha * from.x_0.x + slope.sigma * from.epsilon.x,
            slope.alpha * from.x_0.other + slope.sigma * from.epsilon.other};
}

/// The call of a network of the path `trained` for a state x at `level` of another path: it is given input_scale x at
/// `time`, where it sees a state at `seen`, with the same sigma / alpha. Its x_0 and eps at `seen` are those of x:
/// grids and solvers of one path so use networks of another. Source: Lipman et al. 2024, arXiv 2412.06264, section 4.7,
/// (4.79).
struct transformed_call {
    double time;
    double input_scale;
    noise_level seen;
};
template <noise_path Path>
transformed_call schedule_transform(Path const& trained, noise_level level)
{
    double const time = trained.time(sigma_ratio(level));
    noise_level const seen = trained.level(time);
    return {time, level.sigma > level.alpha ? seen.sigma / level.sigma : seen.alpha / level.alpha, seen};
}

} // namespace alphabar
