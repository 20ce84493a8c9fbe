// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <alphabar/schedule/gaussian_diffusion.hpp>
#include <alphabar/schedule/rescale.hpp>

#include <cmath>
#include <cstddef>
#include <stdexcept>
#include <vector>

namespace ab = alphabar;

TEST_CASE("zero terminal SNR is the published rescaling")
{
    ab::gaussian_diffusion const before(ab::linear_betas(1000)), after(ab::zero_terminal_snr(ab::linear_betas(1000)));
    double const first = std::sqrt(before.alpha_bar(0)), last = std::sqrt(before.alpha_bar(999));
    for (std::size_t t = 0; t < 1000; ++t) {
        double const root = (std::sqrt(before.alpha_bar(t)) - last) * first / (first - last);
        CHECK(after.alpha_bar(t) == doctest::Approx(root * root).epsilon(1e-9));
    }
    CHECK(after.alpha_bar(0) == before.alpha_bar(0));
    CHECK(after.alpha_bar(999) == 0.0);
    CHECK_THROWS_AS(ab::zero_terminal_snr(ab::linear_betas(1)), std::invalid_argument);
}

TEST_CASE("the shift divides the SNR")
{
    ab::gaussian_diffusion const before(ab::scaled_linear_betas(1000)),
        after(ab::snr_shift(ab::scaled_linear_betas(1000), 3.0));
    for (std::size_t t = 0; t < 1000; ++t)
        CHECK(after.snr(t) == doctest::Approx(before.snr(t) / 3.0).epsilon(1e-14));
    CHECK(ab::snr_shift(ab::zero_terminal_snr(ab::linear_betas(10)), 2.0)[9] == ab::double_double(1.0));
    CHECK_THROWS_AS(ab::snr_shift(ab::linear_betas(10), 0.0), std::invalid_argument);
}

TEST_CASE("respacing keeps alpha-bar")
{
    auto const kept = ab::kept_times(1000, "ddim50");
    ab::gaussian_diffusion const before(ab::cosine_betas(1000)), after(ab::respace(ab::cosine_betas(1000), kept));
    CHECK(after.T() == 50);
    for (std::size_t i = 0; i < 50; ++i)
        CHECK(after.alpha_bar(i) == before.alpha_bar(kept[i]));
}

TEST_CASE("kept times are guided-diffusion's")
{
    CHECK(ab::kept_times(10, "3,3") == std::vector<std::size_t>{0, 2, 4, 5, 7, 9}); // conformance, maths/tables
    CHECK(ab::kept_times(1000, "ddim2") == std::vector<std::size_t>{0, 500});
    CHECK(ab::kept_times(10, "1,0,2") == std::vector<std::size_t>{0, 7, 9});
    CHECK_THROWS_AS(ab::kept_times(10, "6,6"), std::invalid_argument);
    CHECK_THROWS_AS(ab::kept_times(1000, "ddim999"), std::invalid_argument);
    CHECK_THROWS_AS(ab::kept_times(10, "ddim"), std::invalid_argument);
    CHECK_THROWS_AS(ab::kept_times(10, "3,x"), std::invalid_argument);
    CHECK_THROWS_AS(ab::kept_times(10, ""), std::invalid_argument);
}

TEST_CASE("bad choices are refused")
{
    ab::beta_schedule const betas = ab::linear_betas(10);
    CHECK_THROWS_AS(ab::respace(betas, std::vector<std::size_t>{}), std::invalid_argument);
    CHECK_THROWS_AS(ab::respace(betas, std::vector<std::size_t>{3, 3}), std::invalid_argument);
    CHECK_THROWS_AS(ab::respace(betas, std::vector<std::size_t>{10}), std::invalid_argument);
}
