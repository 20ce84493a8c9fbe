// SPDX-License-Identifier: MIT
// EDM2's magnitude-preserving operations: inputs of unit variance give outputs of unit variance.
#pragma once

#include <alphabar/core/error.hpp>

#include <cmath>
#include <cstddef>

namespace alphabar {

// Source of all: Karras et al. 2024, arXiv 2312.02696, appendix B.

/// x S(x) / 0.596, S the logistic function: (81).
inline double mp_silu(double x) { return x / (1.0 + std::exp(-x)) / 0.596; }

/// a weight_a + b weight_b.
struct mp_weights {
    double a;
    double b;
};

/// The sum ((1 - t) a + t b) / sqrt((1 - t)^2 + t^2): (88). Throws std::invalid_argument unless 0 <= t <= 1.
inline mp_weights mp_sum(double t = 0.5)
{
    require(t >= 0.0 && t <= 1.0, "mp_sum", "t", t, "it must lie in [0, 1]");
    double const root = std::hypot(1.0 - t, t);
    return {(1.0 - t) / root, t / root};
}

/// The factors of the parts of a concatenation of channels_a and channels_b channels, of which b contributes t: (103).
/// Throws as mp_sum, and unless both have channels.
inline mp_weights mp_cat(std::size_t channels_a, std::size_t channels_b, double t = 0.5)
{
    require(channels_a > 0 && channels_b > 0, "mp_cat", "the number of channels",
            channels_a < channels_b ? channels_a : channels_b, "both parts must have some");
    mp_weights const sum = mp_sum(t);
    double const a = static_cast<double>(channels_a), b = static_cast<double>(channels_b), all = a + b;
    return {sum.a * std::sqrt(all / a), sum.b * std::sqrt(all / b)};
}

/// The width of the averaging profile t^gamma of a power-function EMA, relative to the length of training:
/// sqrt((gamma + 1) / (gamma + 3)) / (gamma + 2): (123). Throws std::invalid_argument unless gamma >= 0.
inline double ema_width(double gamma)
{
    require(gamma >= 0.0 && std::isfinite(gamma), "ema_width", "gamma", gamma, "it must not be negative");
    return std::sqrt((gamma + 1.0) / (gamma + 3.0)) / (gamma + 2.0);
}

/// The inverse: the gamma of a width. Throws std::invalid_argument unless the width lies in (0, 1 / sqrt 12].
inline double ema_exponent(double width)
{
    require(width > 0.0 && width <= ema_width(0.0), "ema_exponent", "width", width, "it must lie in (0, 1 / sqrt 12]");
    // y = gamma + 2 is the largest root of y^2 (y + 1) = c (y - 1), c = 1 / width^2: Newton's method from above
    double const c = 1.0 / (width * width);
    double y = std::sqrt(c);
    for (int i = 0; i < 60; ++i) {
        double const step = (y * y * (y + 1.0) - c * (y - 1.0)) / (y * (3.0 * y + 2.0) - c);
        y -= step;
        if (std::abs(step) <= 1e-15 * y)
            break;
    }
    return y > 2.0 ? y - 2.0 : 0.0;
}

} // namespace alphabar
