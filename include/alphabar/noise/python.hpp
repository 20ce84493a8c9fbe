// SPDX-License-Identifier: MIT
// The random numbers of Python's module `random`.
#pragma once

#include <alphabar/core/error.hpp>
#include <alphabar/noise/drawn_noise.hpp>
#include <alphabar/noise/mersenne_twister.hpp>

#include <array>
#include <cmath>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <numbers>
#include <optional>
#include <random>
#include <span>
#include <utility>

namespace alphabar {

/// random.Random(seed) of a non-negative integer (of a negative one, Python takes the absolute value).
class python_random {
public:
    explicit python_random(std::uint64_t seed)
        : engine_(detail::twister_by_array(std::span<std::uint32_t const>(halves(seed)).first(seed >> 32 == 0 ? 1 : 2)))
    {
    }

    /// getrandbits(k), 1 <= k <= 32: else std::invalid_argument.
    std::uint32_t getrandbits(int k)
    {
        require(k >= 1 && k <= 32, "python_random::getrandbits", "k", k, "it must lie in [1, 32]");
        return static_cast<std::uint32_t>(engine_()) >> (32 - k);
    }
    /// random(): uniform in [0, 1).
    double random() { return detail::twister_double(engine_); }
    /// gauss(mean, deviation): Box-Muller, the second of a pair is kept for the next call.
    double gauss(double mean = 0, double deviation = 1)
    {
        double z;
        if (kept_) {
            z = *std::exchange(kept_, std::nullopt);
        } else {
            double const angle = random() * (2 * std::numbers::pi), radius = std::sqrt(-2 * std::log(1 - random()));
            z = std::cos(angle) * radius;
            kept_ = std::sin(angle) * radius;
        }
        return mean + z * deviation;
    }
    template <std::floating_point T>
    void randn(std::span<T> out)
    {
        for (T& x : out)
            x = static_cast<T>(gauss());
    }

private:
    static std::array<std::uint32_t, 2> halves(std::uint64_t seed)
    {
        return {static_cast<std::uint32_t>(seed), static_cast<std::uint32_t>(seed >> 32)};
    }
    std::mt19937 engine_;
    std::optional<double> kept_;
};

/// random.Random(seed).gauss(), element after element.
using python_noise = drawn_noise<python_random>;

} // namespace alphabar
