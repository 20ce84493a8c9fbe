// SPDX-License-Identifier: MIT
// Weights of frequencies, for losses taken in the cosine transform.
#pragma once

#include <alphabar/core/error.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <span>
#include <vector>

namespace alphabar {

/// The weight of each frequency of an array in the orthonormal cosine transform, row-major: the least over its
/// dimensions of -log2(1 / (2 n) + k (1 - 1 / n) / (2 (n - 1))), k the frequency and n the length of a dimension, and
/// of `scales` where that is at least 1: low frequencies count more, none more than `scales` octaves. Source:
/// k-diffusion's FreqWeightedLoss. Throws std::invalid_argument unless there is a dimension and none is 0.
inline std::vector<double> frequency_weights(std::span<std::size_t const> lengths, double scales = 0.0)
{
    require(!lengths.empty(), "frequency_weights", "the number of dimensions", lengths.size(), "at least 1 is needed");
    std::size_t size = 1;
    for (std::size_t n : lengths) {
        require(n > 0, "frequency_weights", "a length", n, "it must be positive");
        size *= n;
    }
    std::vector<double> weights(size);
    for (std::size_t i = 0; i < size; ++i) {
        double highest = 0.0; // the highest place in (0, 1/2] of a dimension
        std::size_t rest = i;
        for (std::size_t d = lengths.size(); d-- > 0; rest /= lengths[d]) {
            double const n = static_cast<double>(lengths[d]), k = static_cast<double>(rest % lengths[d]);
            highest = std::max(highest, 0.5 / n + (n > 1.0 ? k * (0.5 - 0.5 / n) / (n - 1.0) : 0.0));
        }
        weights[i] = scales >= 1.0 ? std::min(-std::log2(highest), scales) : -std::log2(highest);
    }
    return weights;
}

} // namespace alphabar
