// SPDX-License-Identifier: MIT
// One number for the bits of many: what other software's random numbers were reduced to.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>
#include <type_traits>
#include <vector>

/// The sum of bits[i] (2 i + 1), modulo 2^64.
template <class T>
std::uint64_t bit_hash(std::vector<T> const& list)
{
    using word = std::conditional_t<sizeof(T) == 2, std::uint16_t,
                                    std::conditional_t<sizeof(T) == 4, std::uint32_t, std::uint64_t>>;
    std::uint64_t sum = 0, weight = 1;
    for (T x : list)
        sum += std::bit_cast<word>(x) * weight, weight += 2;
    return sum;
}

/// Of the n elements that draw(std::span<T>) writes.
template <class T, class F>
std::uint64_t bit_hash(std::size_t n, F const& draw)
{
    std::vector<T> out(n);
    draw(std::span<T>(out));
    return bit_hash(out);
}
