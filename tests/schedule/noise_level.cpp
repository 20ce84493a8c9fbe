// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <alphabar/schedule/noise_level.hpp>

#include <cmath>
#include <initializer_list>
#include <limits>

namespace ab = alphabar;

constexpr double infinity = std::numeric_limits<double>::infinity();
static_assert(ab::sigma_ratio({0.0, 1.0}) == infinity && ab::sigma_ratio({1.0, 0.0}) == 0.0);
static_assert(ab::snr({1.0, 0.0}) == infinity && ab::snr({2.0, 4.0}) == 0.25);

TEST_CASE("log-SNR is the logarithm of the SNR, and infinite at the ends")
{
    ab::noise_level const level{0.6, 0.8};
    CHECK(ab::log_snr(level) == doctest::Approx(std::log(ab::snr(level))).epsilon(1e-15));
    CHECK(ab::half_log_snr(level) == doctest::Approx(std::log(0.75)).epsilon(1e-15));
    CHECK(ab::half_log_snr({1.0, 0.0}) == infinity);
    CHECK(ab::half_log_snr({0.0, 1.0}) == -infinity);
}

TEST_CASE("variance-preserving levels lie on the circle")
{
    for (double ratio : {0.0, 1e-300, 1e-3, 0.75, 1.0, 80.0, 1e300}) {
        auto const level = ab::variance_preserving_level(ratio);
        CHECK(level.alpha * level.alpha + level.sigma * level.sigma == doctest::Approx(1.0).epsilon(1e-15));
        CHECK(ab::sigma_ratio(level) == doctest::Approx(ratio).epsilon(1e-15));
    }
    CHECK(ab::variance_preserving_level(infinity) == ab::noise_level{0.0, 1.0});
}
