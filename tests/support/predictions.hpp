// SPDX-License-Identifier: MIT
// The outputs of perfect networks, by the definitions.
#pragma once

#include <alphabar/process/prediction.hpp>
#include <alphabar/schedule/noise_level.hpp>

#include <array>

namespace support {

inline constexpr std::array prediction_kinds = {alphabar::prediction::epsilon, alphabar::prediction::x_0,
                                                alphabar::prediction::v, alphabar::prediction::flow,
                                                alphabar::prediction::score};

/// What a perfect network of this kind gives on alpha x_0 + sigma eps.
inline double perfect_output(alphabar::prediction kind, alphabar::noise_level level, double x_0, double eps)
{
    using alphabar::prediction;
    switch (kind) {
    case prediction::epsilon: return eps;
    case prediction::x_0: return x_0;
    case prediction::v: return level.alpha * eps - level.sigma * x_0;
    case prediction::flow: return eps - x_0;
    default: return -eps / level.sigma;
    }
}

} // namespace support
