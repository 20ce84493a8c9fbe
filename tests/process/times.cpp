// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <alphabar/process/times.hpp>
#include <alphabar/schedule/paths.hpp>

#include <cstddef>
#include <limits>
#include <span>
#include <stdexcept>
#include <vector>

namespace ab = alphabar;

TEST_CASE("one number stands for the batch, a range for its samples")
{
    CHECK(ab::times_of(3, 2, "f") == std::vector<double>{3.0, 3.0});
    CHECK(ab::times_of(std::vector<long>{1, 2}, 2, "f") == std::vector<double>{1.0, 2.0});
    CHECK(ab::levels_at(ab::rectified_flow{}, 0.5, 1, "f") == std::vector<ab::noise_level>{{0.5, 0.5}});
    CHECK(ab::indices_of(std::vector<double>{4.0, 0.0}, 2, 5, "f") == std::vector<std::size_t>{4, 0});
    CHECK(ab::times_of(std::span<int const>{}, 0, "f").empty());
}

TEST_CASE("wrong counts and times off the table are refused")
{
    CHECK_THROWS_WITH_AS(ab::times_of(std::vector<int>{1}, 2, "f"),
                         "alphabar::f: the number of times is 1; there must be one for each sample of the batch of 2",
                         std::invalid_argument);
    CHECK_THROWS_WITH_AS(ab::indices_of(5, 1, 5, "f"), "alphabar::f: t is 5; it must be an integer in [0, 4]",
                         std::invalid_argument);
    CHECK_THROWS_AS(ab::indices_of(-1, 1, 5, "f"), std::invalid_argument);
    CHECK_THROWS_AS(ab::indices_of(0.5, 1, 5, "f"), std::invalid_argument);
    CHECK_THROWS_AS(ab::indices_of(std::numeric_limits<double>::quiet_NaN(), 1, 5, "f"), std::invalid_argument);
}
