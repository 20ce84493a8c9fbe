// SPDX-License-Identifier: MIT
// The counter-based engines of Random123 in every width: what other software's generators are made of. The library's
// own noise uses philox4x32 of core/philox.hpp.
#pragma once

#include <alphabar/core/philox.hpp>

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <type_traits>

namespace alphabar {

namespace detail {

/// a * b without loss: its upper and its lower word.
template <class Word>
struct whole_product {
    Word high, low;
};
constexpr whole_product<std::uint32_t> multiply(std::uint32_t a, std::uint32_t b)
{
    std::uint64_t const p = std::uint64_t{a} * b;
    return {static_cast<std::uint32_t>(p >> 32), static_cast<std::uint32_t>(p)};
}
constexpr whole_product<std::uint64_t> multiply(std::uint64_t a, std::uint64_t b)
{
    std::uint64_t const a0 = a & 0xffffffff, a1 = a >> 32, b0 = b & 0xffffffff, b1 = b >> 32;
    std::uint64_t const p00 = a0 * b0, p01 = a0 * b1, p10 = a1 * b0;
    std::uint64_t const middle = (p00 >> 32) + (p01 & 0xffffffff) + (p10 & 0xffffffff);
    return {a1 * b1 + (p01 >> 32) + (p10 >> 32) + (middle >> 32), middle << 32 | (p00 & 0xffffffff)};
}

template <class Word, std::size_t N>
inline constexpr bool is_counter_engine =
    (std::is_same_v<Word, std::uint32_t> || std::is_same_v<Word, std::uint64_t>) && (N == 2 || N == 4);

} // namespace detail

/// PhiloxNxW-Rounds for N = 2, 4 words of W = 32, 64 bits: Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as
/// easy as 1, 2, 3" (SC 2011), section 3.3. The counter and the result are N words, the key N / 2, word 0 first.
template <class Word, std::size_t N, int Rounds = 10>
    requires detail::is_counter_engine<Word, N>
constexpr std::array<Word, N> philox(std::array<Word, N> c, std::array<Word, N / 2> key)
{
    constexpr bool wide = sizeof(Word) == 8;
    if constexpr (N == 4 && !wide) {
        return philox4x32<Rounds>(c, key);
    } else {
        constexpr Word weyl[2] = {static_cast<Word>(wide ? 0x9E3779B97F4A7C15 : 0x9E3779B9), // golden ratio
                                  static_cast<Word>(0xBB67AE8584CAA73B)};                    // sqrt(3) - 1
        for (int round = 0; round < Rounds; ++round) {
            if constexpr (N == 2) {
                auto const p = detail::multiply(c[0], static_cast<Word>(wide ? 0xD2B74407B1CE6E93 : 0xD256D193));
                c = {static_cast<Word>(p.high ^ key[0] ^ c[1]), p.low};
            } else {
                auto const a = detail::multiply(c[0], static_cast<Word>(0xD2E7470EE14C6C93)),
                           b = detail::multiply(c[2], static_cast<Word>(0xCA5A826395121157));
                c = {b.high ^ c[1] ^ key[0], b.low, a.high ^ c[3] ^ key[1], a.low};
            }
            for (std::size_t i = 0; i < N / 2; ++i)
                key[i] += weyl[i];
        }
        return c;
    }
}

/// ThreefryNxW-Rounds: the same paper, section 3.2. The key has as many words as the counter.
template <class Word, std::size_t N, int Rounds = 20>
    requires detail::is_counter_engine<Word, N>
constexpr std::array<Word, N> threefry(std::array<Word, N> x, std::array<Word, N> const& key)
{
    constexpr bool wide = sizeof(Word) == 8;
    // rotations by round modulo 8; with four words there are two in a round
    constexpr int pairs[2][8] = {{13, 15, 26, 6, 17, 29, 16, 24}, {16, 42, 12, 31, 16, 32, 24, 21}};
    constexpr int quads[2][8][2] = {{{10, 26}, {11, 21}, {13, 27}, {23, 5}, {6, 20}, {17, 11}, {25, 10}, {18, 20}},
                                    {{14, 16}, {52, 57}, {23, 40}, {5, 37}, {25, 33}, {46, 12}, {58, 22}, {32, 32}}};
    std::array<Word, N + 1> schedule{};
    schedule[N] = static_cast<Word>(wide ? 0x1BD11BDAA9FC1A22 : 0x1BD11BDA);
    for (std::size_t i = 0; i < N; ++i) {
        schedule[i] = key[i];
        schedule[N] ^= key[i];
        x[i] += key[i];
    }
    auto const mix = [&x](std::size_t a, std::size_t b, int turn) {
        x[a] += x[b];
        x[b] = std::rotl(x[b], turn) ^ x[a];
    };
    for (int round = 0; round < Rounds; ++round) {
        if constexpr (N == 2) {
            mix(0, 1, pairs[wide][round % 8]);
        } else {
            mix(0, round % 2 ? 3 : 1, quads[wide][round % 8][0]);
            mix(2, round % 2 ? 1 : 3, quads[wide][round % 8][1]);
        }
        if (round % 4 == 3) {
            auto const turn = static_cast<std::size_t>(round / 4 + 1);
            for (std::size_t i = 0; i < N; ++i)
                x[i] += schedule[(turn + i) % (N + 1)];
            x[N - 1] += static_cast<Word>(turn);
        }
    }
    return x;
}

} // namespace alphabar
