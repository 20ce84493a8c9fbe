// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <alphabar/schedule/ladders.hpp>

#include <stdexcept>

namespace ab = alphabar;

TEST_CASE("the ladder telescopes")
{
    auto const ladder = ab::make_ve_ladder(100);
    double sum = 0.0;
    for (double g : ladder.adjacent_diffusion)
        sum += g * g;
    CHECK(sum == doctest::Approx(2500.0).epsilon(1e-13));
    CHECK(ladder.sigma.front() == 0.01);
    CHECK(ladder.sigma.back() == 50.0);
    CHECK(ab::make_ve_ladder(1).sigma.front() == 0.01);
    CHECK_THROWS_AS(ab::make_ve_ladder(0), std::invalid_argument);
    CHECK_THROWS_AS(ab::make_ve_ladder(5, 2.0, 1.0), std::invalid_argument);
}
