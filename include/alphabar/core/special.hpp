// SPDX-License-Identifier: MIT
// Special functions that the standard library lacks: the incomplete beta function, the quantiles of the beta and the
// normal distribution, phi.
#pragma once

#include <alphabar/core/error.hpp>

#include <cmath>
#include <limits>
#include <numbers>

namespace alphabar {

/// The regularised incomplete beta function I_x(a, b), a and b positive; 0 below x = 0, 1 above x = 1. To about 1e-14.
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

/// The x with Phi(x) = p, Phi the distribution function of N(0, 1); infinite at p = 0 and 1. To about 1e-15.
///
/// Source: Abramowitz & Stegun, (26.2.23), then Halley's method. Throws std::invalid_argument unless 0 <= p <= 1.
inline double normal_quantile(double p)
{
    require(p >= 0.0 && p <= 1.0, "normal_quantile", "p", p, "it must lie in [0, 1]");
    if (p > 0.5)
        return -normal_quantile(1.0 - p);
    if (p == 0.0)
        return -std::numeric_limits<double>::infinity();
    double const t = std::sqrt(-2.0 * std::log(p));
    double x = (2.515517 + t * (0.802853 + t * 0.010328)) / (1.0 + t * (1.432788 + t * (0.189269 + t * 0.001308))) - t;
    for (int i = 0; i < 3; ++i) {
        double const error = 0.5 * std::erfc(-x / std::numbers::sqrt2) - p;
        double const step = error * std::sqrt(2.0 * std::numbers::pi) * std::exp(0.5 * x * x);
        x -= step / (1.0 + 0.5 * x * step);
    }
    return x;
}

/// phi_k(z) = integral_0^1 exp(z (1 - v)) v^(k-1) / (k-1)! dv for k >= 1, phi_0 = exp. To about 1e-15 relative.
///
/// Series where the recursion phi_{k+1}(z) = (phi_k(z) - 1 / k!) / z cancels. Source: Hochbruck &
/// Ostermann 2010, (2.10).
inline double phi(unsigned k, double z)
{
    double factorial = 1.0;
    for (unsigned n = 2; n <= k; ++n)
        factorial *= n;
    if (std::abs(z) < 1.0 + 0.5 * k) {
        double sum = 0.0, addend = 1.0 / factorial;
        for (unsigned n = 1; sum + addend != sum; ++n) {
            sum += addend;
            addend *= z / (k + n);
        }
        return sum;
    }
    if (k == 0)
        return std::exp(z);
    double value = std::expm1(z) / z;
    factorial = 1.0;
    for (unsigned n = 1; n < k; ++n) {
        factorial *= n;
        value = (value - 1.0 / factorial) / z;
    }
    return value;
}

} // namespace alphabar
