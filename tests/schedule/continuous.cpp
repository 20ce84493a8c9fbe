// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <alphabar/schedule/continuous.hpp>

#include <cmath>
#include <limits>
#include <stdexcept>

namespace ab = alphabar;

namespace {

template <class Path>
void check_path(Path const& path)
{
    double before = -1.0;
    for (double t : {0.001, 0.01, 0.2, 0.5, 0.77, 0.99}) {
        double const ratio = ab::sigma_ratio(path.level(t));
        CHECK(path.time(ratio) == doctest::Approx(t).epsilon(1e-11));
        CHECK(ratio > before);
        before = ratio;
    }
    CHECK(path.time(std::numeric_limits<double>::infinity()) == 1.0);
    CHECK_THROWS_AS(path.level(1.01), std::invalid_argument);
    CHECK_THROWS_AS(path.level(std::numeric_limits<double>::quiet_NaN()), std::invalid_argument);
    CHECK_THROWS_AS(path.time(-1.0), std::invalid_argument);
}

} // namespace

TEST_CASE("levels rise with time, and time is the inverse")
{
    check_path(ab::vp_sde{});
    check_path(ab::edm_vp{});
    check_path(ab::ve_sde{});
    check_path(ab::log_snr_path<ab::log_snr_linear>{});
    check_path(ab::log_snr_path<ab::log_snr_cosine>{});
    check_path(ab::log_snr_path<ab::log_snr_simple_cosine>{});
    check_path(ab::log_snr_path<ab::vdm_fixed_linear>{});
}

TEST_CASE("the SDE is the integral of its beta, and EDM's form of it the same path")
{
    ab::vp_sde const path;
    double integral = 0.0; // of beta, midpoint rule: exact for a straight line
    for (int i = 0; i < 100; ++i)
        integral += path.beta((i + 0.5) / 100.0) / 100.0;
    CHECK(path.alpha_bar(1.0) == doctest::Approx(std::exp(-integral)).epsilon(1e-12));
    for (double t : {0.1, 0.5, 1.0})
        CHECK(ab::edm_vp{}.sigma_ratio(t) == doctest::Approx(path.sigma_ratio(t)).epsilon(1e-12));
}

TEST_CASE("a shifted cosine has its SNR times (noise_d / image_d)^2")
{
    ab::log_snr_path<ab::log_snr_simple_cosine> const plain, shifted{{.noise_d = 32.0, .image_d = 64.0}};
    for (double t : {0.0, 0.3, 1.0})
        CHECK(shifted.log_snr(t) - plain.log_snr(t) == doctest::Approx(-2.0 * std::log(2.0)).epsilon(1e-13));
    CHECK(plain.log_snr(0.0) == doctest::Approx(15.0).epsilon(1e-14));
    CHECK(plain.log_snr(1.0) == doctest::Approx(-15.0).epsilon(1e-14));
}

TEST_CASE("Wuerstchen's cosine: clamped at both ends, its time bent by the scaler")
{
    ab::log_snr_path<ab::log_snr_wuerstchen> const plain, fast{{.scaler = 2.0}}, slow{{.scaler = 0.5}};
    auto const bar = [](auto const& path, double t) { return std::pow(path.level(t).alpha, 2); };
    CHECK(bar(plain, 0.0) == doctest::Approx(0.9999).epsilon(1e-13));
    CHECK(bar(plain, 1.0) == doctest::Approx(0.0001).epsilon(1e-10));
    double const half_pi = std::acos(0.0);
    auto const curve = [&](double u) { return std::pow(std::cos((u + 0.008) / 1.008 * half_pi), 2); };
    CHECK(bar(plain, 0.4) == doctest::Approx(curve(0.4) / curve(0.0)).epsilon(1e-13));
    CHECK(bar(fast, 0.3) == doctest::Approx(bar(plain, 1 - 0.49)).epsilon(1e-13));
    CHECK(bar(slow, 0.25) == doctest::Approx(bar(plain, 0.5)).epsilon(1e-13));
    CHECK(fast.time(ab::sigma_ratio(fast.level(0.6))) == doctest::Approx(0.6).epsilon(1e-12));
}
