// SPDX-License-Identifier: MIT
// What makes one training run different from another: two runs of the same config and data end with the same bits.
#pragma once

#include <cstdint>
#include <string>

namespace mnist {

struct training_config {
    std::string network = "unet"; ///< unet, or classic: two convolutions
    double budget = 3;            ///< 10^12 floating-point operations
    std::uint64_t seed = 42;
    std::uint32_t batch = 32;
    double rate = 7e-3;       ///< Adam's highest step size
    double drop_label = 0.15; ///< the share of digits whose class is hidden, for guidance
    double ema = 0.995;       ///< how slowly the averaged weights follow

    friend bool operator==(training_config const&, training_config const&) = default;
};

} // namespace mnist
