// SPDX-License-Identifier: MIT
// The paths of flow matching and the variance-exploding path.
#pragma once

#include <alphabar/core/double_double.hpp>
#include <alphabar/core/error.hpp>
#include <alphabar/schedule/noise_level.hpp>

namespace alphabar {

// On the paths here and in continuous.hpp, unless they say otherwise, times lie in [0, 1]: std::invalid_argument is
// thrown outside, and by `time` unless the ratio sigma / alpha >= 0; an infinite one gives final_time.

namespace detail {
constexpr double in_unit(double t, std::string_view function)
{
    require(!is_nan(t) && t >= 0.0 && t <= 1.0, function, "t", t, "it must lie in [0, 1]");
    return t;
}
constexpr double allowed_ratio(double ratio, std::string_view function)
{
    require(!is_nan(ratio) && ratio >= 0.0, function, "ratio", ratio, "it must not be negative");
    return ratio;
}
} // namespace detail

/// alpha = 1 - t, sigma = t: straight lines from data (t = 0) to noise (t = 1).
///
/// Source: Liu, Gong & Liu 2023, arXiv 2209.03003, (1); Lipman et al. 2023, arXiv 2210.02747, section 4.1.
struct rectified_flow {
    constexpr noise_level level(double t) const { return {1.0 - detail::in_unit(t, "rectified_flow::level"), t}; }
    /// r / (1 + r)
    constexpr double time(double r) const
    {
        return detail::allowed_ratio(r, "rectified_flow::time") < 1.0 ? r / (1.0 + r) : 1.0 / (1.0 + 1.0 / r);
    }
    constexpr path_slope slope(double) const { return {-1.0, 1.0}; }
    constexpr double final_time() const { return 1.0; }
};

/// alpha = 1, sigma = t: noise is added to the data as it is. The ends are EDM's unless given; t may lie beyond them,
/// and must be finite and at least 0.
///
/// Source: Karras et al. 2022, arXiv 2206.00364, table 1; Song et al. 2021, arXiv 2011.13456, section 3.4.
struct variance_exploding {
    double sigma_min = 0.002;
    double sigma_max = 80.0;

    constexpr noise_level level(double t) const
    {
        require(detail::is_finite(t) && t >= 0.0, "variance_exploding::level", "t", t,
                "it must be finite and not negative");
        return {1.0, t};
    }
    /// ratio itself
    constexpr double time(double ratio) const
    {
        return detail::is_finite(detail::allowed_ratio(ratio, "variance_exploding::time")) ? ratio : sigma_max;
    }
    constexpr path_slope slope(double) const { return {0.0, 1.0}; }
    constexpr double final_time() const { return sigma_max; }
    constexpr double first_time() const { return sigma_min; }
};

/// alpha = (1 - t)^n, sigma = 1 - alpha, n >= 1: rectified flow in another time. Source: flow_matching's
/// PolynomialConvexScheduler, Lipman et al. 2024, arXiv 2412.06264, section 4.8.1.
struct polynomial_flow {
    double n = 1.0;

    noise_level level(double t) const
    {
        double const alpha = std::pow(1.0 - detail::in_unit(t, "polynomial_flow::level"), n);
        return {alpha, t == 1.0 ? 1.0 : -std::expm1(n * std::log1p(-t))};
    }
    path_slope slope(double t) const
    {
        double const rate = n * std::pow(1.0 - t, n - 1.0);
        return {-rate, rate};
    }
    /// 1 - (1 + r)^(-1 / n)
    double time(double r) const
    {
        return -std::expm1(-std::log1p(detail::allowed_ratio(r, "polynomial_flow::time")) / n);
    }
    double final_time() const { return 1.0; }
};

/// alpha = 1 - t, sigma = sqrt(1 - alpha^2). Source: flow_matching's LinearVPScheduler.
struct linear_vp {
    noise_level level(double t) const { return {1.0 - detail::in_unit(t, "linear_vp::level"), std::sqrt(t * (2 - t))}; }
    path_slope slope(double t) const { return {-1.0, (1.0 - t) / level(t).sigma}; }
    double time(double ratio) const
    {
        double const root = std::hypot(1.0, detail::allowed_ratio(ratio, "linear_vp::time"));
        return ratio > 1.0 ? 1.0 - 1.0 / root : ratio * (ratio / (root * (root + 1.0)));
    }
    double final_time() const { return 1.0; }
};

} // namespace alphabar
