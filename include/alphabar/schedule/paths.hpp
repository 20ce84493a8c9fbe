// SPDX-License-Identifier: MIT
//
// The rectified-flow and the variance-exploding path.
#pragma once

#include <alphabar/core/error.hpp>
#include <alphabar/schedule/noise_level.hpp>

#include <algorithm>
#include <limits>

namespace alphabar {

/// alpha = 1 - t, sigma = t, t in [0, 1]: straight lines from data (t = 0) to noise (t = 1).
///
/// Source: Liu, Gong & Liu 2023, arXiv 2209.03003, (1); Lipman et al. 2023, arXiv 2210.02747, section 4.1.
struct rectified_flow {
    /// Throws std::invalid_argument unless t lies in [0, 1].
    constexpr noise_level level(double t) const
    {
        require(t >= 0.0 && t <= 1.0, "rectified_flow::level", "t", t, "it must lie in [0, 1]");
        return {1.0 - t, t};
    }
    /// ratio / (1 + ratio). Throws std::invalid_argument unless ratio >= 0; infinity is 1.
    constexpr double time(double ratio) const
    {
        require(ratio >= 0.0, "rectified_flow::time", "ratio", ratio, "it must not be negative");
        return ratio > std::numeric_limits<double>::max() ? 1.0
               : ratio < 1.0                              ? ratio / (1.0 + ratio)
                                                          : 1.0 / (1.0 + 1.0 / ratio);
    }
    constexpr double final_time() const { return 1.0; }
    constexpr path_slope slope(double) const { return {-1.0, 1.0}; }
    friend constexpr bool operator==(rectified_flow, rectified_flow) = default;
};

/// alpha = 1, sigma = t: noise is added to the data as it is. The ends are EDM's unless given.
///
/// Source: Karras et al. 2022, arXiv 2206.00364, table 1; Song et al. 2021, arXiv 2011.13456, section 3.4.
struct variance_exploding {
    double sigma_min = 0.002;
    double sigma_max = 80.0;

    /// Throws std::invalid_argument unless t is finite and at least 0; t may lie beyond sigma_min and sigma_max.
    constexpr noise_level level(double t) const
    {
        require(t >= 0.0 && t <= std::numeric_limits<double>::max(), "variance_exploding::level", "t", t,
                "it must be finite and not negative");
        return {1.0, t};
    }
    /// ratio itself; infinity is sigma_max. Throws std::invalid_argument unless ratio >= 0.
    constexpr double time(double ratio) const
    {
        require(ratio >= 0.0, "variance_exploding::time", "ratio", ratio, "it must not be negative");
        return ratio > std::numeric_limits<double>::max() ? sigma_max : ratio;
    }
    constexpr double final_time() const { return sigma_max; }
    constexpr path_slope slope(double) const { return {0.0, 1.0}; }
    constexpr double first_time() const { return sigma_min; }
    friend constexpr bool operator==(variance_exploding const&, variance_exploding const&) = default;
};

static_assert(noise_path<rectified_flow> && noise_path<variance_exploding>);

} // namespace alphabar
