// SPDX-License-Identifier: MIT
#include <alphabar/loss/densities.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <stdexcept>
#include <vector>

namespace ab = alphabar;
using doctest::Approx;

TEST_CASE("stratified numbers: one in each part, over all machines")
{
    std::vector<double> all;
    for (std::size_t group = 0; group < 3; ++group)
        for (std::size_t i = 0; i < 5; ++i)
            all.push_back(ab::stratified_uniform(0.25, i, 5, group, 3));
    std::ranges::sort(all);
    for (std::size_t k = 0; k < 15; ++k)
        CHECK(all[k] == Approx((static_cast<double>(k) + 0.25) / 15).epsilon(1e-15));
}

TEST_CASE("the distribution function of each quantile is u")
{
    double const infinity = std::numeric_limits<double>::infinity();
    for (double u : {0.0, 1e-4, 0.1, 0.5, 0.8, 0.9999}) {
        CHECK(0.5 * std::erfc(-(std::log(ab::log_normal_sigma(u)) + 1.2) / (1.2 * std::sqrt(2.0))) ==
              Approx(u).epsilon(1e-12));
        CHECK(std::log(ab::log_uniform_sigma(u, 0.01, 100) / 0.01) / std::log(1e4) == Approx(u).epsilon(1e-12));
        CHECK(1 / (1 + std::pow(ab::log_logistic_sigma(u, std::log(2.0), 0.5) / 2, -2)) == Approx(u).epsilon(1e-12));
        CHECK(std::atan(ab::v_diffusion_sigma(u, 0.5) / 0.5) / std::atan(infinity) == Approx(u).epsilon(1e-12));
    }
    CHECK(ab::log_logistic_sigma(0, 0, 1, 0.1, 10) == Approx(0.1).epsilon(1e-14));
    CHECK(ab::log_logistic_sigma(1, 0, 1, 0.1, 10) == Approx(10).epsilon(1e-14));
    CHECK(ab::v_diffusion_sigma(1, 1, 0.1, 10) == Approx(10).epsilon(1e-14));
}

TEST_CASE("the split normal takes each side as often as its scale is long")
{
    CHECK(ab::split_log_normal_sigma(0.74, 2.0, 0.0, 3.0, 1.0) == Approx(std::exp(-6.0)));
    CHECK(ab::split_log_normal_sigma(0.76, -2.0, 0.0, 3.0, 1.0) == Approx(std::exp(2.0)));
}

TEST_CASE("the interpolated cosine runs between its ends and is the shifted one where both are alike")
{
    ab::interpolated_cosine const same{128, 32, 32}, between{128, 32, 64};
    CHECK(ab::interpolated_cosine_sigma(0, between) == Approx(1e-3).epsilon(1e-10));
    CHECK(ab::interpolated_cosine_sigma(1, between) == Approx(1e3).epsilon(1e-10));
    // unshifted at the middle: log-SNR 0, so that sigma is image_d / noise_d
    CHECK(ab::interpolated_cosine_sigma(0.5, {128, 32, 32, 1, 1e-9, 1e9}) == Approx(4).epsilon(1e-6));
    double last = 0;
    for (double u = 0; u <= 1; u += 0.125) {
        CHECK(ab::interpolated_cosine_sigma(u, same) > last);
        last = ab::interpolated_cosine_sigma(u, same);
    }
}

TEST_CASE("bad numbers are refused")
{
    double const nan = std::numeric_limits<double>::quiet_NaN();
    CHECK_THROWS_AS(ab::stratified_uniform(1.0, 0, 1), std::invalid_argument);
    CHECK_THROWS_AS(ab::stratified_uniform(0.5, 1, 1), std::invalid_argument);
    CHECK_THROWS_AS(ab::stratified_uniform(0.5, 0, 1, 1, 1), std::invalid_argument);
    CHECK_THROWS_AS(ab::log_normal_sigma(nan), std::invalid_argument);
    CHECK_THROWS_AS(ab::log_normal_sigma(0.5, 0, 0), std::invalid_argument);
    CHECK_THROWS_AS(ab::log_uniform_sigma(0.5, 1, 0.1), std::invalid_argument);
    CHECK_THROWS_AS(ab::log_logistic_sigma(0.5, 0, 0), std::invalid_argument);
    CHECK_THROWS_AS(ab::v_diffusion_sigma(0.5, 0), std::invalid_argument);
    CHECK_THROWS_AS(ab::split_log_normal_sigma(0.5, 0, 0, 1, 0), std::invalid_argument);
    CHECK_THROWS_AS(ab::interpolated_cosine_sigma(1.5, {128, 32, 32}), std::invalid_argument);
}
