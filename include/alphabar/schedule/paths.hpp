// SPDX-License-Identifier: MIT
//
// The paths of flow matching and the variance-exploding path.
#pragma once

#include <alphabar/core/error.hpp>
#include <alphabar/schedule/noise_level.hpp>

#include <algorithm>
#include <cmath>
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
    constexpr path_slope slope(double) const { return {-1.0, 1.0}; }
    constexpr double final_time() const { return 1.0; }
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
    constexpr path_slope slope(double) const { return {0.0, 1.0}; }
    constexpr double final_time() const { return sigma_max; }
    constexpr double first_time() const { return sigma_min; }
    friend constexpr bool operator==(variance_exploding const&, variance_exploding const&) = default;
};

/// alpha = (1 - t)^n, sigma = 1 - alpha, n >= 1: rectified flow in another time. Source: flow_matching's
/// PolynomialConvexScheduler, Lipman et al. 2024, arXiv 2412.06264, section 4.8.1.
struct polynomial_flow {
    double n = 1.0;

    noise_level level(double t) const
    {
        require(t >= 0.0 && t <= 1.0, "polynomial_flow::level", "t", t, "it must lie in [0, 1]");
        return {std::pow(1.0 - t, n), t == 1.0 ? 1.0 : -std::expm1(n * std::log1p(-t))};
    }
    path_slope slope(double t) const
    {
        double const rate = n * std::pow(1.0 - t, n - 1.0);
        return {-rate, rate};
    }
    /// 1 - (1 + ratio)^(-1 / n)
    double time(double ratio) const
    {
        require(ratio >= 0.0, "polynomial_flow::time", "ratio", ratio, "it must not be negative");
        return -std::expm1(-std::log1p(ratio) / n);
    }
    double final_time() const { return 1.0; }
    friend constexpr bool operator==(polynomial_flow const&, polynomial_flow const&) = default;
};

/// alpha = 1 - t, sigma = sqrt(1 - alpha^2). Source: flow_matching's LinearVPScheduler.
struct linear_vp {
    noise_level level(double t) const
    {
        require(t >= 0.0 && t <= 1.0, "linear_vp::level", "t", t, "it must lie in [0, 1]");
        return {1.0 - t, std::sqrt(t * (2.0 - t))};
    }
    path_slope slope(double t) const { return {-1.0, (1.0 - t) / level(t).sigma}; }
    double time(double ratio) const
    {
        require(ratio >= 0.0, "linear_vp::time", "ratio", ratio, "it must not be negative");
        double const root = std::hypot(1.0, ratio);
        return ratio > 1.0 ? 1.0 - 1.0 / root : ratio * (ratio / (root * (root + 1.0)));
    }
    double final_time() const { return 1.0; }
    friend constexpr bool operator==(linear_vp, linear_vp) = default;
};

static_assert(noise_path<rectified_flow> && noise_path<variance_exploding> && noise_path<polynomial_flow> &&
              noise_path<linear_vp>);

} // namespace alphabar
