// SPDX-License-Identifier: MIT
// The pieces of the variational bound, element by element, with their gradients.
#pragma once

#include <cmath>
#include <cstddef>

namespace alphabar {

/// KL(N(mean1, e^log_variance1) || N(mean2, e^log_variance2)) in nats, with its gradient.
struct normal_kl_term {
    double value;
    double mean1, log_variance1, mean2, log_variance2; ///< derivatives
};

/// (log_variance2 - log_variance1 + e^(log_variance1 - log_variance2) + (mean1 - mean2)^2 e^-log_variance2 - 1) / 2.
/// Source: Kingma & Welling 2014, arXiv 1312.6114, appendix B, between any two normals.
inline normal_kl_term normal_kl(double mean1, double log_variance1, double mean2, double log_variance2)
{
    double const d = mean1 - mean2, gap = log_variance1 - log_variance2, precision = std::exp(-log_variance2);
    double const ratio = std::expm1(gap), square = d * d * precision;
    return {0.5 * ((ratio - gap) + square), d * precision, 0.5 * ratio, -d * precision, -0.5 * (ratio + square)};
}

/// The standard normal distribution function by its tanh approximation, (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))) /
/// 2, which guided-diffusion's likelihood uses. Page 1977.
inline double approx_standard_normal_cdf(double x)
{
    return 0.5 * (1.0 + std::tanh(0.79788456080286535588 * (x + 0.044715 * x * x * x)));
}

/// A log likelihood in nats with its gradient.
struct log_likelihood_term {
    double value;
    double mean, log_scale; ///< derivatives
};

/// The log probability of the 8-bit value x in [-1, 1], the mass of N(mean, e^(2 log_scale)) in a bin of +-1/255 around
/// it, open below -0.999 and above 0.999. Masses are at least `floor`, below which the gradient is 0. Source: Ho et al.
/// 2020, arXiv 2006.11239, (13).
inline log_likelihood_term discretized_gaussian_log_likelihood(double x, double mean, double log_scale,
                                                               double floor = 1e-12)
{
    double const inverse = std::exp(-log_scale), centred = x - mean;
    double const upper = inverse * (centred + 1.0 / 255.0), lower = inverse * (centred - 1.0 / 255.0);
    double const high = approx_standard_normal_cdf(upper), low = approx_standard_normal_cdf(lower);
    auto const density = [](double u) {
        double const t = std::tanh(0.79788456080286535588 * (u + 0.044715 * u * u * u));
        return 0.5 * (1.0 - t * t) * 0.79788456080286535588 * (1.0 + 3.0 * 0.044715 * u * u);
    };
    bool const first = x < -0.999, last = x > 0.999;
    double const mass = first ? high : last ? 1.0 - low : high - low;
    if (!(mass >= floor))
        return {std::log(floor), 0.0, 0.0};
    double const above = last ? 0.0 : density(upper), below = first ? 0.0 : density(lower);
    return {std::log(mass), -inverse * (above - below) / mass, -(above * upper - below * lower) / mass};
}

/// DiT's: the log density of (x - mean) e^-log_scale under N(0, 1), without the - log_scale.
inline double continuous_gaussian_log_likelihood(double x, double mean, double log_scale)
{
    double const u = (x - mean) * std::exp(-log_scale);
    return -0.5 * u * u - 0.91893853320467274178;
}

/// The log density in nats of `count` numbers under N(0, sigma^2 I), from the sum of their squares: the prior of a
/// likelihood by the probability flow, sigma = 1 on variance-preserving paths. Song et al. 2021, arXiv 2011.13456,
/// (39).
inline double normal_log_density(double sum_of_squares, std::size_t count, double sigma = 1.0)
{
    double const n = static_cast<double>(count);
    return -n * (0.91893853320467274178 + std::log(sigma)) - 0.5 * sum_of_squares / (sigma * sigma);
}

} // namespace alphabar
