// SPDX-License-Identifier: MIT
#include <alphabar/noise/mersenne_twister.hpp>

#include <doctest/doctest.h>

#include <array>
#include <cstdint>
#include <numeric>
#include <vector>

namespace ab = alphabar;

TEST_CASE("init_by_array: the first words that mt19937ar.out prints")
{
    auto engine = ab::detail::twister_by_array(std::array<std::uint32_t, 4>{0x123, 0x234, 0x345, 0x456});
    for (std::uint32_t word : {1067595299u, 955945823u, 477289528u, 4107218783u, 4228976476u})
        CHECK(engine() == word);
}

TEST_CASE("a key longer than the state is used to its end")
{
    std::vector<std::uint32_t> key(1000);
    std::iota(key.begin(), key.end(), 0u);
    auto one = ab::detail::twister_by_array(key);
    key.back() ^= 1;
    auto other = ab::detail::twister_by_array(key);
    CHECK(one() != other());
}
