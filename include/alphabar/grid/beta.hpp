// SPDX-License-Identifier: MIT
//
// The beta grid, and the quantile function that it needs.
#pragma once

#include <alphabar/core/error.hpp>
#include <alphabar/grid/sigmas.hpp>

#include <cmath>
#include <cstddef>
#include <vector>

namespace alphabar {

/// The regularised incomplete beta function I_x(a, b), a and b positive; 0 below x = 0, 1 above x
/// = 1. To about 1e-14.
///
/// Source: its continued fraction, Numerical Recipes (2007), (6.4.9), by Lentz's method.
inline double incomplete_beta(double a, double b, double x)
{
    if (x <= 0.0 || x >= 1.0)
        return x <= 0.0 ? 0.0 : 1.0;
    if (x > (a + 1.0) / (a + b + 2.0))
        return 1.0 - incomplete_beta(b, a, 1.0 - x);
    double const log_beta = std::lgamma(a) + std::lgamma(b) - std::lgamma(a + b);
    double c = 1.0, d = 1.0 / (1.0 - (a + b) * x / (a + 1.0)), fraction = d;
    for (int m = 1; m < 1000; ++m) {
        double const even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m));
        double const odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1));
        for (double const step : {even, odd}) {
            d = 1.0 / (1.0 + step * d);
            c = 1.0 + step / c;
            fraction *= c * d;
        }
        if (std::abs(c * d - 1.0) < 1e-16)
            break;
    }
    return std::exp(a * std::log(x) + b * std::log1p(-x) - log_beta) / a * fraction;
}

/// The x with I_x(a, b) = p: Newton's method within a bracket.
///
/// Throws std::invalid_argument unless 0 <= p <= 1 and a and b are positive.
inline double beta_quantile(double a, double b, double p)
{
    require(a > 0.0 && std::isfinite(a), "beta_quantile", "alpha", a, "it must be positive");
    require(b > 0.0 && std::isfinite(b), "beta_quantile", "beta", b, "it must be positive");
    require(p >= 0.0 && p <= 1.0, "beta_quantile", "p", p, "it must lie in [0, 1]");
    if (p == 0.0 || p == 1.0)
        return p;
    double const log_beta = std::lgamma(a) + std::lgamma(b) - std::lgamma(a + b);
    double low = 0.0, high = 1.0, x = 0.5;
    for (int i = 0; i < 200; ++i) {
        double const error = incomplete_beta(a, b, x) - p;
        (error < 0.0 ? low : high) = x;
        double next = x - error * std::exp(log_beta - (a - 1.0) * std::log(x) - (b - 1.0) * std::log1p(-x));
        if (!(next > low && next < high))
            next = 0.5 * (low + high);
        if (std::abs(next - x) <= 1e-16 * x)
            return next;
        x = next;
    }
    return x;
}

/// sigma_min + (sigma_max - sigma_min) q(1 - i / (count - 1)), i = 0 ... count - 1, q the quantile
/// function of Beta(alpha, beta).
inline std::vector<double> beta_sigmas(double sigma_min, double sigma_max, std::size_t count, double alpha = 0.6,
                                       double beta = 0.6)
{
    std::vector<double> sigmas(count, sigma_max);
    for (std::size_t i = 1; i < count; ++i) {
        double const p = 1.0 - static_cast<double>(i) / static_cast<double>(count - 1);
        sigmas[i] = sigma_min + (sigma_max - sigma_min) * beta_quantile(alpha, beta, p);
    }
    return sigmas;
}

struct beta_options {
    double alpha = 0.6;
    double beta = 0.6;
    sigma_range range{};
};

/// sigma = sigma_min + (sigma_max - sigma_min) q(1 - u), q the quantile function of Beta(alpha,
/// beta): diffusers' form, which acts on sigma. Throws as sigma_grid and beta_quantile do. Source:
/// Lee et al. 2024 (Beta Sampling is All You Need), arXiv 2407.12173.
inline auto beta_grid(std::size_t n, beta_options const& o = {})
{
    return [n, o]<noise_path Path>(Path const& path) -> grid {
        return sigma_grid(
            path, n, o.range,
            [o](double u, double low, double high) {
                return low + (high - low) * beta_quantile(o.alpha, o.beta, 1.0 - u);
            },
            "beta_grid");
    };
}

} // namespace alphabar
