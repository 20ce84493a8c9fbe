// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <alphabar/schedule/paths.hpp>

#include <alphabar/schedule/continuous.hpp>

#include <limits>
#include <stdexcept>

namespace ab = alphabar;

static_assert(ab::sloped_path<ab::rectified_flow> && ab::sloped_path<ab::variance_exploding> &&
              ab::sloped_path<ab::polynomial_flow> && ab::sloped_path<ab::linear_vp> &&
              ab::sloped_path<ab::trigonometric_path> && ab::sloped_path<ab::vp_sde> &&
              ab::sloped_path<ab::sub_vp_sde> && ab::sloped_path<ab::ve_sde> && ab::noise_path<ab::edm_vp> &&
              ab::sloped_path<ab::log_snr_path<ab::log_snr_linear>>);
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

TEST_CASE("slopes are the derivatives of the levels, and time is the inverse of the ratio, on every path")
{
    auto const check = [](auto const& path) {
        for (double t : {0.05, 0.3, 0.5, 0.77, 0.95}) {
            double const h = 1e-5;
            ab::noise_level const before = path.level(t - h), after = path.level(t + h), here = path.level(t);
            CHECK(path.slope(t).alpha == doctest::Approx((after.alpha - before.alpha) / (2 * h)).epsilon(1e-7));
            CHECK(path.slope(t).sigma == doctest::Approx((after.sigma - before.sigma) / (2 * h)).epsilon(1e-7));
            CHECK(path.time(ab::sigma_ratio(here)) == doctest::Approx(t).epsilon(1e-13));
        }
    };
    check(ab::rectified_flow{});
    check(ab::variance_exploding{});
    check(ab::polynomial_flow{1.0});
    check(ab::polynomial_flow{3.5});
    check(ab::linear_vp{});
    check(ab::trigonometric_path{});
    check(ab::vp_sde{});
    check(ab::sub_vp_sde{});
    check(ab::ve_sde{});
    check(ab::log_snr_path<ab::log_snr_linear>{});
    check(ab::log_snr_path<ab::log_snr_cosine>{});
    check(ab::log_snr_path<ab::log_snr_simple_cosine>{{.noise_d = 32.0, .image_d = 64.0}});
    check(ab::log_snr_path<ab::vdm_fixed_linear>{});
    for (double scaler : {0.5, 1.0, 1.5})
        check(ab::log_snr_path<ab::log_snr_wuerstchen>{{.scaler = scaler}});
}

TEST_CASE("slopes of log-SNR paths at the ends: the limit at alpha = 0, 0 where the log-SNR is cut")
{
    ab::log_snr_path<ab::log_snr_cosine> const cosine; // alpha = cos((t + s) / (1 + s) pi / 2)
    CHECK(cosine.slope(1.0).alpha == doctest::Approx(-std::acos(0.0) / 1.008).epsilon(1e-15));
    CHECK(std::abs(cosine.slope(1.0).sigma) < 1e-15);
    ab::log_snr_path<ab::vdm_fixed_linear> const vdm; // alpha' = alpha sigma^2 l' / 2
    for (double t : {0.0, 0.1, 0.5, 0.9, 1.0}) {
        auto const [alpha, sigma] = vdm.level(t);
        CHECK(vdm.slope(t).alpha == doctest::Approx(-9.15 * alpha * sigma * sigma).epsilon(1e-15));
        CHECK(vdm.slope(t).sigma == doctest::Approx(9.15 * sigma * alpha * alpha).epsilon(1e-15));
    }
    ab::log_snr_path<ab::log_snr_cosine> const cut{{.s = 0.0}};
    CHECK(std::abs(cut.slope(0.001).alpha) < 1e-15);
    ab::log_snr_path<ab::log_snr_wuerstchen> const clamped{{.scaler = 0.5}};
    for (double t : {0.0, 1.0}) {
        CHECK(std::abs(clamped.slope(t).alpha) < 1e-15);
        CHECK(std::abs(clamped.slope(t).sigma) < 1e-15);
    }
}

TEST_CASE("the ends of the paths are exact")
{
    double const infinity = std::numeric_limits<double>::infinity();
    auto const check = [&](auto const& path) {
        CHECK(path.level(0.0) == ab::noise_level{1.0, 0.0});
        CHECK(path.level(1.0) == ab::noise_level{0.0, 1.0});
        CHECK(!std::signbit(path.level(1.0).alpha));
        CHECK(path.time(0.0) == 0.0);
        CHECK(path.time(infinity) == 1.0);
        CHECK_THROWS_AS(path.level(1.5), std::invalid_argument);
        CHECK_THROWS_AS(path.time(-1.0), std::invalid_argument);
    };
    check(ab::polynomial_flow{2.0});
    check(ab::linear_vp{});
    check(ab::trigonometric_path{});
    CHECK(ab::vp_sde{}.slope(0.0).sigma == infinity);
    CHECK(ab::sub_vp_sde{}.time(infinity) == 1.0);
    CHECK(ab::sub_vp_sde{}.time(0.0) == 0.0);
}
