// SPDX-License-Identifier: MIT
#include <alphabar/core/philox.hpp>

#include <doctest/doctest.h>

#include <Random123/philox.h>
#undef philox4x32 // Random123's C interface is macros

#include <array>
#include <cstdint>

using alphabar::philox4x32;
using words = std::array<std::uint32_t, 4>;

TEST_CASE("the known answers of Random123, at compile time")
{
    constexpr std::uint32_t ones = 0xffffffff;
    static_assert(philox4x32({0, 0, 0, 0}, {0, 0}) == words{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8});
    static_assert(philox4x32({ones, ones, ones, ones}, {ones, ones}) ==
                  words{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd});
    static_assert(philox4x32({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}) ==
                  words{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1});
    static_assert(philox4x32<7>({0, 0, 0, 0}, {0, 0}) == words{0x5f6fb709, 0x0d893f64, 0x4f121f81, 0x4f730a48});
    static_assert(philox4x32<7>({ones, ones, ones, ones}, {ones, ones}) ==
                  words{0x5207ddc2, 0x45165e59, 0x4d8ee751, 0x8c52f662});
    static_assert(philox4x32<7>({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}) ==
                  words{0x4dfccaba, 0x190a87f0, 0xc47362ba, 0xb6b5242a});
}

TEST_CASE("the 10000th number of C++26's std::philox4x32 is 1955073260")
{
    CHECK(philox4x32({2499, 0, 0, 0}, {20111115, 0})[3] == 1955073260u);
}

TEST_CASE("the words of Random123's own code, for a million random counters and keys")
{
    std::uint64_t state = 1;
    auto const next = [&] { // splitmix64
        std::uint64_t z = state += 0x9e3779b97f4a7c15;
        z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
        z = (z ^ z >> 27) * 0x94d049bb133111eb;
        return z ^ z >> 31;
    };
    auto const low = [](std::uint64_t x) { return static_cast<std::uint32_t>(x); };
    int differences = 0;
    for (int i = 0; i < 1'000'000; ++i) {
        std::uint64_t const a = next(), b = next(), k = next();
        words const ours = philox4x32({low(a), low(a >> 32), low(b), low(b >> 32)}, {low(k), low(k >> 32)});
        auto const theirs =
            r123::Philox4x32{}({{low(a), low(a >> 32), low(b), low(b >> 32)}}, {{low(k), low(k >> 32)}});
        for (unsigned j = 0; j < 4; ++j)
            differences += ours[j] != theirs[j];
    }
    CHECK(differences == 0);
}
