// SPDX-License-Identifier: MIT
// Variational diffusion models: discrete data as levels, their likelihood, the learned log-SNR, and the embedding of
// time.
#pragma once

#include <alphabar/core/error.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <span>
#include <vector>

namespace alphabar {

// Source of all: Kingma et al. 2021, arXiv 2107.00630.

/// The middle of bin `value` of [-1, 1] cut into `vocabulary` bins: 2 (value + 1/2) / vocabulary - 1. Throws
/// std::invalid_argument unless value < vocabulary.
inline double bin_centre(std::size_t value, std::size_t vocabulary)
{
    require(value < vocabulary, "bin_centre", "value", value, "it must be below the size of the vocabulary");
    return (2.0 * static_cast<double>(value) + 1.0) / static_cast<double>(vocabulary) - 1.0;
}

/// log p(value | z_0) of one element in nats: the softmax over the vocabulary of -e^-gamma_0 (z - bin_centre)^2 / 2, z
/// being z_0 / alpha_0. Section 3.3 and appendix B. Throws as bin_centre does.
inline double bin_log_probability(double z, std::size_t value, double gamma_0, std::size_t vocabulary = 256)
{
    double const precision = std::exp(-gamma_0);
    auto const logit = [&](std::size_t v) {
        double const d = z - bin_centre(v, vocabulary);
        return -0.5 * precision * d * d;
    };
    double const own = logit(value);
    double highest = own, sum = 0.0;
    for (std::size_t v = 0; v < vocabulary; ++v)
        highest = std::max(highest, logit(v));
    for (std::size_t v = 0; v < vocabulary; ++v)
        sum += std::exp(logit(v) - highest);
    return own - highest - std::log(sum);
}

/// gamma = -log SNR and its derivative by time.
struct gamma_value {
    double value;
    double derivative;
};

/// The learned gamma: a straight line plus a layer of n units, monotone because every kernel counts by its absolute
/// value,
///
///     gamma(t) = |kernel| t + bias + 1/n sum_k |out_k| (2 S(|in_k| (2 t - 1) + bias_k) - 1),  S the logistic function
///
/// Appendix H. Without units it is the linear one, whose kernel and bias are learned.
struct monotone_gamma {
    double kernel = 18.3;
    double bias = -13.3;
    std::vector<double> in_kernel{};
    std::vector<double> in_bias{};
    std::vector<double> out_kernel{};

    /// Throws std::invalid_argument unless the three lists have one number a unit.
    gamma_value operator()(double t) const
    {
        std::size_t const n = in_kernel.size();
        require(in_bias.size() == n && out_kernel.size() == n, "monotone_gamma", "the number of units", n,
                "the three lists must have one number a unit");
        gamma_value g{std::abs(kernel) * t + bias, std::abs(kernel)};
        for (std::size_t k = 0; k < n; ++k) {
            double const in = std::abs(in_kernel[k]), out = std::abs(out_kernel[k]) / static_cast<double>(n);
            double const bent = std::tanh(0.5 * (in * (2.0 * t - 1.0) + in_bias[k])); // 2 S - 1
            g.value += out * bent;
            g.derivative += out * in * (1.0 - bent * bent);
        }
        return g;
    }
};

/// Fills `out` with the sinusoidal embedding of a time: with half = size / 2 and w_k = period^(-k / (half - 1)), first
/// sin(w_k t), then cos(w_k t); an odd last number is 0. VDM's networks get that of 1000 t. Throws
/// std::invalid_argument unless out holds 4 numbers at least. Source: Vaswani et al. 2017, arXiv 1706.03762, section
/// 3.5, in DDPM's order.
inline void sinusoidal_embedding(double t, std::span<double> out, double period = 10000.0)
{
    std::size_t const half = out.size() / 2;
    require(half >= 2, "sinusoidal_embedding", "the size", out.size(), "it must be at least 4");
    for (std::size_t k = 0; k < half; ++k) {
        double const angle = t * std::pow(period, -static_cast<double>(k) / static_cast<double>(half - 1));
        out[k] = std::sin(angle);
        out[half + k] = std::cos(angle);
    }
    if (out.size() % 2 == 1)
        out.back() = 0.0;
}

} // namespace alphabar
