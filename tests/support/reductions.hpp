// SPDX-License-Identifier: MIT
// The stand-ins of the recorded losses: predictions and targets as formulas of the flat element index.
#pragma once

#include <cmath>
#include <cstddef>
#include <vector>

namespace support {

/// 0.8 sin(0.37 (i + 1))
inline std::vector<double> stand_in_data(std::size_t n)
{
    std::vector<double> values(n);
    for (std::size_t i = 0; i < n; ++i)
        values[i] = 0.8 * std::sin(0.37 * static_cast<double>(i + 1));
    return values;
}

/// 0.6 tanh(sqrt(2) sin(1.1 (i + 1) + 0.5))
inline std::vector<double> stand_in_prediction(std::size_t n)
{
    std::vector<double> values(n);
    for (std::size_t i = 0; i < n; ++i)
        values[i] = 0.6 * std::tanh(std::sqrt(2.0) * std::sin(1.1 * static_cast<double>(i + 1) + 0.5));
    return values;
}

} // namespace support
