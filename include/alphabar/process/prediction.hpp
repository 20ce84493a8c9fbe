// SPDX-License-Identifier: MIT
//
// What a network's output means: one 2x2 table, any prediction into any other.
#pragma once

#include <alphabar/core/error.hpp>
#include <alphabar/core/host_device.hpp>
#include <alphabar/core/pair_map.hpp>
#include <alphabar/core/tensor.hpp>
#include <alphabar/core/transform.hpp>
#include <alphabar/schedule/noise_level.hpp>

#include <cstdint>
#include <limits>
#include <string_view>

namespace alphabar {

/// What the network's output F means, x = alpha x_0 + sigma eps:
///
///     epsilon      F = eps                        Ho et al. 2020, arXiv 2006.11239, (11)
///     x_0          F = x_0
///     v            F = alpha eps - sigma x_0      Salimans & Ho 2022, arXiv 2202.00512, section 4
///     flow         F = eps - x_0                  Liu, Gong & Liu 2023, arXiv 2209.03003, (1), in the direction of noise
///     score        F = -eps / sigma               Song et al. 2021, arXiv 2011.13456, (7)
///     previous_x   F = the mean of x at the next cleaner time; it depends on two levels, so only p_mean_variance reads it
enum class prediction : std::uint8_t { epsilon, x_0, v, flow, score, previous_x };

/// "epsilon", "x_0", ...
constexpr std::string_view name_of(prediction kind)
{
    switch (kind) {
    case prediction::epsilon: return "epsilon";
    case prediction::x_0: return "x_0";
    case prediction::v: return "v";
    case prediction::flow: return "flow";
    case prediction::score: return "score";
    case prediction::previous_x: return "previous_x";
    }
    reject("name_of", "prediction", static_cast<int>(kind), "it must be one of the enumerators");
}

/// The prediction of this name. Throws std::invalid_argument where there is none.
constexpr prediction parse_prediction(std::string_view name)
{
    for (int i = 0; i <= static_cast<int>(prediction::previous_x); ++i)
        if (auto const kind = static_cast<prediction>(i); name_of(kind) == name)
            return kind;
    reject("parse_prediction", "name", name, "it must be epsilon, x_0, v, flow, score or previous_x");
}

/// x_0 = x_0.x x + x_0.other F and eps = epsilon.x x + epsilon.other F.
struct prediction_map {
    pair_map x_0;
    pair_map epsilon;
    friend constexpr bool operator==(prediction_map const&, prediction_map const&) = default;
};

/// x_0 and eps from the state x at `level` and a prediction of this kind. A coefficient that does not exist is infinite or NaN:
/// x_0 from epsilon or score where alpha = 0, eps from x_0 where sigma = 0, both of which the state says nothing of.
///
/// Throws std::invalid_argument for previous_x.
constexpr prediction_map to_x_0_and_epsilon(prediction kind, noise_level level)
{
    auto const [alpha, sigma] = level;
    double const infinity = std::numeric_limits<double>::infinity();
    // 1 / alpha and 1 / sigma, defined also at 0, where compilers reject the division in constant expressions
    double const per_alpha = alpha == 0.0 ? infinity : 1.0 / alpha;
    double const per_sigma = sigma == 0.0 ? infinity : 1.0 / sigma;
    switch (kind) {
    case prediction::epsilon: return {{per_alpha, alpha == 0.0 ? -infinity : -(sigma / alpha)}, {0.0, 1.0}};
    case prediction::x_0: return {{0.0, 1.0}, {per_sigma, sigma == 0.0 ? -infinity : -(alpha / sigma)}};
    case prediction::v: {
        double const norm = alpha * alpha + sigma * sigma;
        return {{alpha / norm, -sigma / norm}, {sigma / norm, alpha / norm}};
    }
    case prediction::flow: {
        double const sum = alpha + sigma;
        return {{1.0 / sum, -sigma / sum}, {1.0 / sum, alpha / sum}};
    }
    case prediction::score:
        return {{per_alpha, alpha == 0.0 ? infinity : sigma * (sigma / alpha)}, {0.0, -sigma}};
    case prediction::previous_x: break;
    }
    reject("to_x_0_and_epsilon", "prediction", name_of(kind), "it must be epsilon, x_0, v, flow or score");
}

} // namespace alphabar
