// SPDX-License-Identifier: MIT
#include <alphabar/loss/frequency.hpp>

#include <doctest/doctest.h>

#include <array>
#include <cmath>
#include <stdexcept>
#include <vector>

namespace ab = alphabar;
using doctest::Approx;

TEST_CASE("half the sampling rate weighs 1, the mean most, and the larger frequency decides")
{
    auto const w = ab::frequency_weights(std::array<std::size_t, 2>{3, 5});
    CHECK(w[0] == Approx(std::log2(6.0)));
    CHECK(w[1] == Approx(std::log2(5.0)));
    CHECK(w[4] == Approx(1.0));
    CHECK(w[14] == Approx(1.0));
    CHECK(w[10] == Approx(1.0)); // 1/2 in the first dimension, the mean in the second
    CHECK(ab::frequency_weights(std::array<std::size_t, 1>{64}, 2.0)[0] == 2.0);
    CHECK(ab::frequency_weights(std::array<std::size_t, 1>{1}) == std::vector<double>{1.0});
}

TEST_CASE("bad shapes are refused")
{
    CHECK_THROWS_AS(ab::frequency_weights({}), std::invalid_argument);
    CHECK_THROWS_AS(ab::frequency_weights(std::array<std::size_t, 2>{3, 0}), std::invalid_argument);
}
