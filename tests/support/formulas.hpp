// SPDX-License-Identifier: MIT
// Small formulas and a generator for tests of the primitives.
#pragma once

#include <alphabar/core/host_device.hpp>
#include <alphabar/core/reduce.hpp>

#include <array>
#include <cmath>
#include <cstddef>
#include <span>
#include <vector>

namespace support {

/// a x + b y
template <class T>
struct weighted_sum {
    T a;
    T b;
    ALPHABAR_HOST_DEVICE constexpr T operator()(T x, T y) const { return a * x + b * y; }
};

/// a x
template <class T>
struct scaled {
    T a;
    ALPHABAR_HOST_DEVICE constexpr T operator()(T x) const { return a * x; }
};

/// a x and x + y
template <class T>
struct two_outputs {
    T a;
    constexpr std::array<T, 2> operator()(T x, T y) const { return {a * x, x + y}; }
};

/// x to the output, x^2 to the sum
template <class T>
struct with_square {
    T a;
    constexpr alphabar::reduced<T> operator()(T x) const { return {a * x, x * x}; }
};

/// Element i of row r is row_step r + i, exact in float.
struct counting {
    float row_step = 10000;
    void fill(std::size_t row, std::size_t first, std::span<float> out) const
    {
        for (float& value : out)
            value = row_step * static_cast<float>(row) + static_cast<float>(first++);
    }
};

/// For loops: for (std::size_t n : lengths(1, 16, 17))
inline std::vector<std::size_t> lengths(auto... n) { return {static_cast<std::size_t>(n)...}; }

/// Numbers of changing sign and size, of which no two neighbours are alike.
template <class T = double>
std::vector<T> wavy(std::size_t n)
{
    std::vector<T> values(n);
    for (std::size_t i = 0; i < n; ++i)
        values[i] = static_cast<T>(static_cast<float>(std::sin(1.7 * static_cast<double>(i) + 0.3) *
                                                      (1.0 + 0.01 * static_cast<double>(i % 97))));
    return values;
}

} // namespace support
