// SPDX-License-Identifier: MIT
// Digits from a trained network.
#pragma once

#include "model.hpp"
#include "samplers.hpp"

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

namespace mnist {

struct drawing {
    std::uint64_t seed = 42;
    double guidance = 1.5; ///< v = v_without + guidance (v_with - v_without), v_with knowing the class
    std::uint64_t first_sample = 0;
    std::function<void(std::size_t done)> on_sample = [](std::size_t) {}; ///< may throw to stop
};

/// One digit for each class asked for. Digit i depends on the seed, its number first_sample + i and its class only.
std::vector<float> draw(model& network, sampler const& with, std::span<std::uint8_t const> asked, drawing const& how);

} // namespace mnist
