// SPDX-License-Identifier: MIT
#include <alphabar/noise/python.hpp>

#include "support/bit_hash.hpp"

#include <doctest/doctest.h>

#include <stdexcept>

namespace ab = alphabar;

TEST_CASE("gauss, getrandbits and random, bit by bit as CPython 3.11 draws them")
{
    ab::python_random g((std::uint64_t{1} << 40) + 3);
    CHECK(bit_hash<double>(1001, [&](auto out) { g.randn(out); }) == 0x55b885de3eeede17);
    CHECK(g.getrandbits(5) == 6);
    CHECK(g.random() == 0.16403583824872503);
}

TEST_CASE("bits beyond a word are refused")
{
    ab::python_random g(0);
    CHECK_THROWS_WITH_AS(g.getrandbits(33), "alphabar::python_random::getrandbits: k is 33; it must lie in [1, 32]",
                         std::invalid_argument);
    CHECK_THROWS_AS(g.getrandbits(0), std::invalid_argument);
}
