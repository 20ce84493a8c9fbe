// SPDX-License-Identifier: MIT
// std::mt19937 as other software seeds it. Seeded with one 32-bit number, it is theirs already.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <random>
#include <span>

namespace alphabar::detail {

/// A seed sequence that is the engine's whole state, from which the next 624 words are made.
struct twister_state {
    using result_type = std::uint32_t;
    std::array<std::uint32_t, 624> words{};
    template <class Iterator>
    void generate(Iterator first, Iterator last) const
    {
        std::copy_n(words.begin(), last - first, first);
    }
};

/// init_by_array of Matsumoto and Nishimura's mt19937ar.c (2002): a state from any number of words, at least one.
inline std::mt19937 twister_by_array(std::span<std::uint32_t const> key)
{
    twister_state s;
    std::size_t const n = s.words.size();
    s.words[0] = 19650218;
    for (std::size_t i = 1; i < n; ++i)
        s.words[i] = 1812433253 * (s.words[i - 1] ^ s.words[i - 1] >> 30) + static_cast<std::uint32_t>(i);
    std::size_t i = 1;
    auto const mix = [&](std::uint32_t factor) { s.words[i] ^= (s.words[i - 1] ^ s.words[i - 1] >> 30) * factor; };
    auto const advance = [&] {
        if (++i == n)
            s.words[0] = s.words[n - 1], i = 1;
    };
    for (std::size_t k = 0; k < std::max(n, key.size()); ++k, advance()) {
        mix(1664525);
        s.words[i] += key[k % key.size()] + static_cast<std::uint32_t>(k % key.size());
    }
    for (std::size_t k = 1; k < n; ++k, advance()) {
        mix(1566083941);
        s.words[i] -= static_cast<std::uint32_t>(i);
    }
    s.words[0] = 0x80000000;
    return std::mt19937(s);
}

/// Uniform in [0, 1): 53 bits of two words, as Python and NumPy's legacy generator take them.
inline double twister_double(std::mt19937& engine)
{
    auto const a = static_cast<double>(engine() >> 5), b = static_cast<double>(engine() >> 6);
    return (a * 0x1p26 + b) * 0x1p-53;
}

} // namespace alphabar::detail
