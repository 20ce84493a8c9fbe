// SPDX-License-Identifier: MIT
// The hashes are those of NumPy 2.4.6.
#include <alphabar/noise/numpy.hpp>

#include "support/bit_hash.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <cstdint>
#include <stdexcept>
#include <vector>

namespace ab = alphabar;
namespace np = alphabar::numpy;

TEST_CASE("SeedSequence")
{
    np::seed_sequence const sequence(42);
    CHECK(sequence.generate_state(2) == std::vector<std::uint32_t>{3444837047, 2669555309});
    CHECK(sequence.child(1).generate_state(2) == std::vector<std::uint32_t>{4091952314, 31242083});
}

TEST_CASE("default_rng: a hundred thousand normals, so that every layer and the tail are met, bit by bit")
{
    np::generator<> g(7), h(7);
    CHECK(bit_hash<double>(100000, [&](auto out) { g.standard_normal(out); }) == 0x143f7ae9e8546519);
    CHECK(bit_hash<float>(100000, [&](auto out) { h.standard_normal(out); }) == 0x2804b0be41216150);
}

TEST_CASE_TEMPLATE("every bit generator, bit by bit", Engine, np::pcg64_dxsm, np::philox, np::sfc64, np::mt19937)
{
    std::size_t const row = std::is_same_v<Engine, np::pcg64_dxsm> ? 0
                            : std::is_same_v<Engine, np::philox>   ? 1
                            : std::is_same_v<Engine, np::sfc64>    ? 2
                                                                   : 3;
    constexpr std::uint64_t expected[4][5] = {
        {0xd9670dfeecbf894d, 0x3bf2d635a3480, 0x12cc3a046426d9, 0x74e3, 0xed15c448cde2de3b},
        {0xfe1868f00b993f94, 0x3bef7ceff71dc, 0x146d06c6cf9dd2, 0x7c4a, 0xf38a31a18c7ed604},
        {0xff99c268e9ba82e4, 0x3bf7f072e44e5, 0x121ad3564deb50, 0x7771, 0xef4fc666b2f685e9},
        {0x3acd7b728ed2b8dd, 0x3bf72479cf05e, 0x14383c8f498533, 0xc207, 0xf32c264a62178eba}};
    np::generator<Engine> g(7);
    CHECK(bit_hash<double>(1000, [&](auto out) { g.standard_normal(out); }) == expected[row][0]);
    CHECK(bit_hash<float>(1001, [&](auto out) { g.random(out); }) == expected[row][1]);
    CHECK(bit_hash<std::int64_t>(101, [&](auto out) { g.integers(out, -5, std::int64_t{1} << 40); }) ==
          expected[row][2]);
    CHECK(bit_hash<std::int64_t>(101, [&](auto out) { g.integers(out, -5, 12); }) == expected[row][3]);
    CHECK(bit_hash<double>(10, [&](auto out) { g.random(out); }) == expected[row][4]);
}

TEST_CASE("the legacy generator, bit by bit")
{
    np::random_state g(7);
    CHECK(bit_hash<double>(1001, [&](auto out) { g.randn(out); }) == 0x22638e223d08a67d);
    CHECK(bit_hash<std::int64_t>(101, [&](auto out) { g.randint(out, -3, std::int64_t{1} << 40); }) ==
          0x126bb5776a766e);
    CHECK(bit_hash<std::int64_t>(101, [&](auto out) { g.randint(out, 0, 17); }) == 0x141bb);
    CHECK(bit_hash<float>(3, [&](auto out) { g.randn(out); }) == 0x6bce338a2);
    np::random_state of_list(std::vector<std::uint32_t>{1, 2, 3});
    CHECK(bit_hash<double>(10, [&](auto out) { of_list.randn(out); }) == 0x6c110fb320213ca4);
}

TEST_CASE("as an executor's noise")
{
    ab::numpy_noise noise(np::generator<>(42), {1, 2});
    ab::numpy_legacy_noise legacy(np::random_state(42), {1, 2});
    CHECK(legacy.initial().values == std::vector<float>{0.4967141530112327f, -0.13826430117118466f});
    CHECK(legacy(0).values[0] == 0.6476885381006925f);
    np::generator<> g(42);
    std::vector<float> z(4);
    g.standard_normal(std::span(z));
    CHECK(noise(0).values == std::vector<float>{z[2], z[3]});
}

TEST_CASE("ranges of integers at their limits")
{
    np::generator<> g(1);
    np::random_state legacy(1);
    constexpr auto least = INT64_MIN, most = INT64_MAX;
    std::vector<std::int64_t> out(100);
    for (auto [low, high] :
         {std::pair{least, most}, {-1, 0}, {0, std::int64_t{1} << 32}, {0, (std::int64_t{1} << 32) + 1}}) {
        for (int which = 0; which < 2; ++which) {
            which ? g.integers(out, low, high) : legacy.randint(out, low, high);
            for (std::int64_t x : out)
                CHECK((x >= low && x < high));
        }
    }
    CHECK_THROWS_WITH_AS(g.integers(out, 3, 3), "alphabar::numpy::generator::integers: high is 3; it must be above low",
                         std::invalid_argument);
    CHECK_THROWS_AS(legacy.randint(out, 3, 2), std::invalid_argument);
    CHECK_THROWS_AS(np::random_state(std::vector<std::uint32_t>{}), std::invalid_argument);
}
