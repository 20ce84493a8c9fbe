// SPDX-License-Identifier: MIT
// Here the answers of Random123's kat_vectors for counters and keys of zeros and of digits of pi; the conformance cases
// have the other ones.
#include <alphabar/noise/counter_engines.hpp>

#include <doctest/doctest.h>

#include <array>
#include <cstdint>
#include <set>

namespace ab = alphabar;
using w32 = std::uint32_t;
using w64 = std::uint64_t;

static_assert(ab::philox<w32, 4>({}, {}) == ab::philox4x32<10>({}, {}), "constexpr, and the library's own");

TEST_CASE("known answers")
{
    CHECK(ab::philox<w32, 2>({0, 0}, {0}) == std::array<w32, 2>{0xff1dae59, 0x6cd10df2});
    CHECK(ab::philox<w64, 2>({0, 0}, {0}) == std::array<w64, 2>{0xca00a0459843d731, 0x66c24222c9a845b5});
    CHECK(ab::threefry<w32, 2>({0, 0}, {0, 0}) == std::array<w32, 2>{0x6b200159, 0x99ba4efe});
    CHECK(ab::threefry<w32, 2>({0x243f6a88, 0x85a308d3}, {0x13198a2e, 0x03707344}) ==
          std::array<w32, 2>{0xc4923a9c, 0x483df7a0});
}

TEST_CASE("the product of two words keeps all of it")
{
    constexpr w64 ones = ~w64{0};
    CHECK(ab::detail::multiply(ones, ones).high == ones - 1);
    CHECK(ab::detail::multiply(ones, ones).low == 1);
    auto const p = ab::detail::multiply(w64{0xfedcba9876543210}, w64{0x0123456789abcdef});
    CHECK(p.high == 0x0121fa00ad77d742);
    CHECK(p.low == 0x2236d88fe5618cf0);
}

TEST_CASE("for a fixed key, different counters give different blocks")
{
    std::set<std::array<w64, 4>> seen;
    for (w64 i = 0; i < 1000; ++i) {
        seen.insert(ab::philox<w64, 4>({i, 0, 0, 0}, {1, 2}));
        seen.insert(ab::threefry<w64, 4>({i, 0, 0, 0}, {1, 2, 3, 4}));
    }
    CHECK(seen.size() == 2000);
}
