// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <alphabar/schedule/paths.hpp>

#include <limits>
#include <stdexcept>

namespace ab = alphabar;

static_assert(ab::rectified_flow{}.level(0.25) == ab::noise_level{0.75, 0.25});
static_assert(ab::variance_exploding{}.level(3.0) == ab::noise_level{1.0, 3.0});

TEST_CASE("time is the inverse of the level")
{
    for (double t : {0.0, 0.001, 0.3, 0.5, 0.7, 1.0})
        CHECK(ab::rectified_flow{}.time(ab::sigma_ratio(ab::rectified_flow{}.level(t))) ==
              doctest::Approx(t).epsilon(1e-15));
    for (double t : {0.0, 0.002, 80.0})
        CHECK(ab::variance_exploding{}.time(t) == t);
    CHECK(ab::variance_exploding{}.time(std::numeric_limits<double>::infinity()) == 80.0);
}

TEST_CASE("times outside the path are refused, with their value")
{
    CHECK_THROWS_WITH_AS(ab::rectified_flow{}.level(1.5),
                         "alphabar::rectified_flow::level: t is 1.5; it must lie in [0, 1]", std::invalid_argument);
    CHECK_THROWS_AS(ab::rectified_flow{}.level(std::numeric_limits<double>::quiet_NaN()), std::invalid_argument);
    CHECK_THROWS_AS(ab::rectified_flow{}.time(-1.0), std::invalid_argument);
    CHECK_THROWS_AS(ab::variance_exploding{}.level(-1.0), std::invalid_argument);
    CHECK_THROWS_AS(ab::variance_exploding{}.level(std::numeric_limits<double>::infinity()), std::invalid_argument);
}
