// SPDX-License-Identifier: MIT
// Philox4x32: 128 random bits as a pure function of a counter and a key.
#pragma once

#include <alphabar/core/host_device.hpp>

#include <array>
#include <cstdint>

namespace alphabar {

namespace detail {

inline constexpr std::uint32_t philox_m0 = 0xD2511F53, philox_m1 = 0xCD9E8D57; // multipliers
inline constexpr std::uint32_t philox_w0 = 0x9E3779B9,
                               philox_w1 = 0xBB67AE85; // key increments: golden ratio, sqrt(3) - 1

/// Philox on plain words, in place: the form that device code can call.
template <int Rounds = 10>
ALPHABAR_HOST_DEVICE constexpr void philox4x32(std::uint32_t (&c)[4], std::uint32_t k0, std::uint32_t k1)
{
    for (int round = 0; round < Rounds; ++round) {
        std::uint64_t const a = std::uint64_t{philox_m0} * c[0];
        std::uint64_t const b = std::uint64_t{philox_m1} * c[2];
        c[0] = static_cast<std::uint32_t>(b >> 32) ^ c[1] ^ k0;
        c[1] = static_cast<std::uint32_t>(b);
        c[2] = static_cast<std::uint32_t>(a >> 32) ^ c[3] ^ k1;
        c[3] = static_cast<std::uint32_t>(a);
        k0 += philox_w0;
        k1 += philox_w1;
    }
}

} // namespace detail

/// Philox4x32-Rounds of Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as 1, 2, 3" (SC 2011): four
/// random words for each counter and key; for a fixed key a bijection of the counters. Counters and keys may be as
/// regular as the caller likes.
template <int Rounds = 10>
constexpr std::array<std::uint32_t, 4> philox4x32(std::array<std::uint32_t, 4> counter,
                                                  std::array<std::uint32_t, 2> key)
{
    static_assert(Rounds > 0,
                  "alphabar: Philox needs at least one round; 10 is its usual number, 7 its least safe one");
    std::uint32_t c[4] = {counter[0], counter[1], counter[2], counter[3]};
    detail::philox4x32<Rounds>(c, key[0], key[1]);
    return {c[0], c[1], c[2], c[3]};
}

} // namespace alphabar
