// SPDX-License-Identifier: MIT
#include <alphabar/denoiser/magnitude.hpp>

#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <stdexcept>

namespace ab = alphabar;
using doctest::Approx;

TEST_CASE("unit variance in, unit variance out")
{
    double square = 0, step = 1e-3; // of N(0, 1)
    for (double x = -12; x <= 12; x += step)
        square += step * ab::mp_silu(x) * ab::mp_silu(x) * std::exp(-0.5 * x * x) / std::sqrt(2 * std::acos(-1.0));
    CHECK(square == Approx(1).epsilon(2e-3)); // 0.596 has three digits
    for (double t : {0.0, 0.3, 0.5, 1.0}) {
        auto const sum = ab::mp_sum(t), cat = ab::mp_cat(3, 5, t);
        CHECK(sum.a * sum.a + sum.b * sum.b == Approx(1).epsilon(1e-15));
        CHECK((3 * cat.a * cat.a + 5 * cat.b * cat.b) / 8 == Approx(1).epsilon(1e-15));
        CHECK(5 * cat.b * cat.b / 8 == Approx(sum.b * sum.b).epsilon(1e-15)); // b's share
    }
    CHECK_THROWS_AS(ab::mp_sum(1.5), std::invalid_argument);
    CHECK_THROWS_AS(ab::mp_cat(0, 5), std::invalid_argument);
}

TEST_CASE("widths of EMA profiles: the moments of t^gamma, and the inverse")
{
    for (double gamma : {0.0, 0.5, 6.94, 16.97, 97.0, 1e4}) {
        // of the density (gamma + 1) t^gamma: mean (gamma + 1) / (gamma + 2), mean square (gamma + 1) / (gamma + 3)
        double const mean = (gamma + 1) / (gamma + 2), square = (gamma + 1) / (gamma + 3);
        if (gamma < 100)
            CHECK(ab::ema_width(gamma) == Approx(std::sqrt(square - mean * mean)).epsilon(1e-9));
        CHECK(ab::ema_exponent(ab::ema_width(gamma)) == Approx(gamma).epsilon(1e-7));
    }
    CHECK_THROWS_AS(ab::ema_exponent(0.3), std::invalid_argument);
    CHECK_THROWS_AS(ab::ema_exponent(0.0), std::invalid_argument);
    CHECK_THROWS_AS(ab::ema_width(-0.1), std::invalid_argument);
    CHECK_THROWS_AS(ab::ema_width(std::numeric_limits<double>::quiet_NaN()), std::invalid_argument);
}
