// SPDX-License-Identifier: MIT
// A noise level: the scales (alpha, sigma) of x = alpha x_0 + sigma eps.
#pragma once

#include <cmath>
#include <concepts>
#include <limits>

namespace alphabar {

/// The scales of x = alpha x_0 + sigma eps, eps ~ N(0, 1). Both are at least 0 and not both 0: sigma = 0 is clean data,
/// alpha = 0 pure noise (zero terminal SNR).
struct noise_level {
    double alpha, sigma;
    friend constexpr bool operator==(noise_level const&, noise_level const&) = default;
};

/// d alpha / dt and d sigma / dt of a path: on its ODE dx/dt = alpha' x_0 + sigma' epsilon.
struct path_slope {
    double alpha, sigma;
};

/// sigma / alpha: the noise level of x / alpha, k-diffusion's sigma. 0 for clean data, infinite for pure noise.
constexpr double sigma_ratio(noise_level level)
{
    return level.alpha == 0.0 ? std::numeric_limits<double>::infinity() : level.sigma / level.alpha;
}

/// (alpha / sigma)^2, the signal-to-noise ratio; infinite for clean data, 0 for pure noise.
constexpr double snr(noise_level level)
{
    double const r = sigma_ratio({level.sigma, level.alpha}); // alpha / sigma
    return r * r;
}

/// lambda = log(alpha / sigma), half of log_snr: +infinity for clean data, -infinity for pure noise.
inline double half_log_snr(noise_level level) { return std::log(sigma_ratio({level.sigma, level.alpha})); }

/// log(alpha^2 / sigma^2).
inline double log_snr(noise_level level) { return 2.0 * half_log_snr(level); }

/// The level on the circle alpha^2 + sigma^2 = 1 with sigma / alpha = `ratio`, which may be infinite.
inline noise_level variance_preserving_level(double ratio)
{
    double const root = std::hypot(1.0, ratio);
    return ratio > std::numeric_limits<double>::max() ? noise_level{0.0, 1.0} : noise_level{1.0 / root, ratio / root};
}

/// A path: how alpha and sigma depend on time.
///
///     level(t)       the noise level at time t; throws std::invalid_argument outside the path
///     time(ratio)    the time at which sigma / alpha = ratio, the inverse; a ratio beyond the ends gives the end
///     final_time()   the time of the noisiest level
///
/// sigma / alpha rises with t. A path of T discrete times (a table) also has T(): times 0 to T - 1, and doubles between
/// them.
template <class Path>
concept noise_path = requires(Path const& path, double t) {
    { path.level(t) } -> std::convertible_to<noise_level>;
    { path.time(t) } -> std::convertible_to<double>;
    { path.final_time() } -> std::convertible_to<double>;
};

/// A path with `slope(t)`, its path_slope at time t.
template <class Path>
concept sloped_path = noise_path<Path> && requires(Path const& path, double t) {
    { path.slope(t) } -> std::convertible_to<path_slope>;
};

} // namespace alphabar
