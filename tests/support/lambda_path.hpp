// SPDX-License-Identifier: MIT
// The paths of the test-bed with lambda = log(alpha / sigma) as time, for solvers that make levels of their own.
#pragma once

#include <support/convergence.hpp>

#include <cmath>

namespace support {

struct lambda_path {
    path_kind kind;
    alphabar::noise_level level(double lambda) const { return level_at(kind, lambda); }
    double time(double ratio) const { return -std::log(ratio); }
    double final_time() const { return -20.0; }
    alphabar::path_slope slope(double lambda) const
    {
        auto const [a, s] = level(lambda);
        switch (kind) {
        case path_kind::variance_preserving: return {a * s * s, -s * a * a};
        case path_kind::rectified_flow: return {a * s, -s * a};
        default: return {0.0, -s};
        }
    }
};

} // namespace support
