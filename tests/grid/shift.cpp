// SPDX-License-Identifier: MIT
#include <alphabar/grid/shift.hpp>

#include <alphabar/grid/spacing.hpp>
#include <doctest/doctest.h>

#include <stdexcept>

using namespace alphabar;

TEST_CASE("a shift multiplies the noise ratio, and the ends stay")
{
    grid const plain = make_grid(rectified_flow{}, trailing_grid(8)),
               g = make_grid(rectified_flow{}, shifted_grid(trailing_grid(8), 3.0));
    CHECK(g.levels.front() == noise_level{0.0, 1.0});
    CHECK(g.levels.back() == noise_level{1.0, 0.0});
    for (std::size_t i = 1; i < 8; ++i) {
        CHECK(sigma_ratio(g.levels[i]) == doctest::Approx(3.0 * sigma_ratio(plain.levels[i])));
        CHECK(g.times[i] == g.levels[i].sigma);
    }
    CHECK(make_grid(rectified_flow{}, shifted_grid(trailing_grid(8), 1.0)) == plain);
    // shifts compose
    CHECK(make_grid(rectified_flow{}, shifted_grid(shifted_grid(trailing_grid(2), 2.0), 3.0)).times[1] ==
          doctest::Approx(6.0 / 7.0));
}

TEST_CASE("a bad shift is said") { CHECK_THROWS_AS(shifted_grid(trailing_grid(8), 0.0), std::invalid_argument); }
