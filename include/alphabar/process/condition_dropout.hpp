// SPDX-License-Identifier: MIT
// Conditions that training drops, so that guidance finds its predictions without them.
#pragma once

#include <alphabar/core/error.hpp>
#include <alphabar/noise/stream.hpp>

#include <cstddef>
#include <cstdint>

namespace alphabar {

/// How training drops conditions: all of them, none, or else each on its own. Source: Huang et al. 2023 (Composer),
/// arXiv 2302.09778, 2.2.
struct condition_dropout {
    double all = 0.1, none = 0.1, each = 0.5;
};

/// Which of n conditions training example `sample` keeps in training step `step`: bit k stands for condition k.
///
/// Throws std::invalid_argument for n > 64, for probabilities outside [0, 1], and where all + none > 1.
inline std::uint64_t kept_conditions(noise_stream noise, std::size_t n, std::uint32_t step, std::uint64_t sample,
                                     condition_dropout const& drop = {})
{
    require(n <= 64, "kept_conditions", "n", n, "at most 64 conditions are allowed");
    require(drop.all >= 0 && drop.none >= 0 && drop.all + drop.none <= 1 && drop.each >= 0 && drop.each <= 1,
            "kept_conditions", "a probability", drop.each, "each lies in [0, 1], and all + none <= 1");
    noise_field const field = noise(purpose::dropout, step, sample);
    double const u = field.uniform(0, 0);
    std::uint64_t kept = 0;
    for (std::size_t k = 0; k < n && u >= drop.all; ++k)
        if (u < drop.all + drop.none || field.uniform(0, 1 + k) >= drop.each)
            kept |= std::uint64_t{1} << k;
    return kept;
}

} // namespace alphabar
