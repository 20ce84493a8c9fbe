// SPDX-License-Identifier: MIT
// Noise levels for training: each density by its quantile function, so that a uniform number, stratified or not, gives
// a level.
#pragma once

#include <alphabar/core/error.hpp>
#include <alphabar/core/special.hpp>
#include <alphabar/schedule/continuous.hpp>

#include <cmath>
#include <cstddef>
#include <limits>
#include <numbers>

namespace alphabar {

/// The uniform number of sample i of n on machine `group` of `groups`: (group + groups i + u) / (n groups), one in each
/// of n groups equal parts of [0, 1). Throws std::invalid_argument unless group < groups, i < n and u lies in [0, 1).
/// Source: k-diffusion's stratified_uniform; for one machine Kingma et al. 2021, arXiv 2107.00630, appendix I.1,
/// without the common u.
inline double stratified_uniform(double u, std::size_t i, std::size_t n, std::size_t group = 0, std::size_t groups = 1)
{
    require(u >= 0.0 && u < 1.0, "stratified_uniform", "u", u, "it must lie in [0, 1)");
    require(i < n, "stratified_uniform", "i", i, "it must be below n");
    require(group < groups, "stratified_uniform", "group", group, "it must be below groups");
    return (static_cast<double>(group + groups * i) + u) / (static_cast<double>(n) * static_cast<double>(groups));
}

namespace detail {
/// u mapped linearly to [F(low), F(high)].
inline double truncated(double u, double low, double high, char const* function)
{
    require(u >= 0.0 && u <= 1.0, function, "u", u, "it must lie in [0, 1]");
    require(low < high, function, "the least value", low, "its probability must be below that of the greatest value");
    return low + u * (high - low);
}
} // namespace detail

// Each gives the level sigma below which a share u of its density lies. std::invalid_argument is thrown unless u lies
// in [0, 1], the ends are in order and scales are positive.

/// log sigma ~ N(loc, scale^2): EDM with -1.2 and 1.2, EDM2 with -0.4 and 1. Karras et al. 2022, arXiv 2206.00364,
/// table 1.
inline double log_normal_sigma(double u, double loc = -1.2, double scale = 1.2)
{
    require(scale > 0.0, "log_normal_sigma", "scale", scale, "it must be positive");
    return std::exp(loc + scale * normal_quantile(u));
}

/// log sigma uniform.
inline double log_uniform_sigma(double u, double sigma_min, double sigma_max)
{
    require(sigma_min > 0.0, "log_uniform_sigma", "sigma_min", sigma_min, "it must be positive");
    return std::exp(detail::truncated(u, std::log(sigma_min), std::log(sigma_max), "log_uniform_sigma"));
}

/// log sigma logistic, truncated (k-diffusion).
inline double log_logistic_sigma(double u, double loc = 0.0, double scale = 1.0, double sigma_min = 0.0,
                                 double sigma_max = std::numeric_limits<double>::infinity())
{
    require(scale > 0.0, "log_logistic_sigma", "scale", scale, "it must be positive");
    auto const cdf = [&](double sigma) { return 1.0 / (1.0 + std::exp(-(std::log(sigma) - loc) / scale)); };
    double const p = detail::truncated(u, cdf(sigma_min), cdf(sigma_max), "log_logistic_sigma");
    return std::exp(loc + scale * (std::log(p) - std::log1p(-p)));
}

/// The angle atan(sigma / sigma_data) uniform, truncated: v-diffusion's cosine schedule with a uniform time.
inline double v_diffusion_sigma(double u, double sigma_data = 1.0, double sigma_min = 0.0,
                                double sigma_max = std::numeric_limits<double>::infinity())
{
    require(sigma_data > 0.0, "v_diffusion_sigma", "sigma_data", sigma_data, "it must be positive");
    return sigma_data * std::tan(detail::truncated(u, std::atan(sigma_min / sigma_data),
                                                   std::atan(sigma_max / sigma_data), "v_diffusion_sigma"));
}

/// Half a normal on each side of loc, with its own scale, continuous at loc: `u` chooses the side and `n`, from N(0,
/// 1), the place (k-diffusion).
inline double split_log_normal_sigma(double u, double n, double loc, double scale_below, double scale_above)
{
    require(scale_below > 0.0, "split_log_normal_sigma", "scale_below", scale_below, "it must be positive");
    require(scale_above > 0.0, "split_log_normal_sigma", "scale_above", scale_above, "it must be positive");
    bool const below = u < scale_below / (scale_below + scale_above);
    return std::exp(loc + (below ? -scale_below : scale_above) * std::abs(n));
}

struct interpolated_cosine {
    double image_d;
    double noise_d_low;
    double noise_d_high;
    double sigma_data = 1.0;
    double sigma_min = 1e-3;
    double sigma_max = 1e3;
};

/// Simple diffusion's interpolated schedule at time u: u l_low + (1 - u) l_high, the log-SNRs of the cosine schedules
/// shifted to noise_d_low and noise_d_high, each within [sigma_min, sigma_max] (k-diffusion's u is 1 - u). Source:
/// Hoogeboom et al. 2023, arXiv 2301.11093, section 3.1.
inline double interpolated_cosine_sigma(double u, interpolated_cosine const& o)
{
    require(u >= 0.0 && u <= 1.0, "interpolated_cosine_sigma", "u", u, "it must lie in [0, 1]");
    auto const log_snr = [&](double noise_d) {
        double const shift = 2.0 * std::log(noise_d / o.image_d);
        log_snr_simple_cosine const l{.min = -2.0 * std::log(o.sigma_max / o.sigma_data) - shift,
                                      .max = -2.0 * std::log(o.sigma_min / o.sigma_data) - shift,
                                      .noise_d = noise_d,
                                      .image_d = o.image_d};
        return l.exact(u).high;
    };
    return o.sigma_data * std::exp(-0.5 * std::lerp(log_snr(o.noise_d_high), log_snr(o.noise_d_low), u));
}

} // namespace alphabar
