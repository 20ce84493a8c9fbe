// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <alphabar/process/likelihood.hpp>

#include <cmath>
#include <initializer_list>
#include <numbers>

namespace ab = alphabar;

namespace {

template <class F>
double slope(F const& f, double x)
{
    double const h = 1e-5;
    return (f(x + h) - f(x - h)) / (2.0 * h);
}

} // namespace

TEST_CASE("the divergence of two normals")
{
    // conformance: gaussian/normal_kl/points
    CHECK(ab::normal_kl(0.0, -9.2, 0.0, -9.2).value == 0.0);
    CHECK(ab::normal_kl(1.0, 0.0, -1.0, 0.0).value == doctest::Approx(2.0).epsilon(1e-15));
    CHECK(ab::normal_kl(0.001, -20.0, 0.0, -20.0).value == doctest::Approx(242.58259770489514).epsilon(1e-14));
    CHECK(ab::normal_kl(0.5, -46.05, 0.5, -9.2).value == doctest::Approx(17.924999999999997).epsilon(1e-14));
    CHECK(ab::normal_kl(0.0, 10.0, 0.0, -10.0).value == doctest::Approx(242582587.20489514).epsilon(1e-14));
    CHECK(ab::normal_kl(2.0, -1.0, 2.0, 3.0).value == doctest::Approx(1.509157819444367).epsilon(1e-14));
    auto const at = ab::normal_kl(0.3, -0.7, -0.2, 0.4);
    CHECK(at.mean1 ==
          doctest::Approx(slope([](double u) { return ab::normal_kl(u, -0.7, -0.2, 0.4).value; }, 0.3)).epsilon(1e-8));
    CHECK(at.log_variance1 ==
          doctest::Approx(slope([](double u) { return ab::normal_kl(0.3, u, -0.2, 0.4).value; }, -0.7)).epsilon(1e-8));
    CHECK(at.mean2 ==
          doctest::Approx(slope([](double u) { return ab::normal_kl(0.3, -0.7, u, 0.4).value; }, -0.2)).epsilon(1e-8));
    CHECK(at.log_variance2 ==
          doctest::Approx(slope([](double u) { return ab::normal_kl(0.3, -0.7, -0.2, u).value; }, 0.4)).epsilon(1e-8));
}

TEST_CASE("the discretised likelihood is a distribution over the 256 values")
{
    double total = 0.0;
    for (int k = 0; k < 256; ++k)
        total += std::exp(ab::discretized_gaussian_log_likelihood(k / 127.5 - 1.0, 0.2, -1.5).value);
    CHECK(total == doctest::Approx(1.0).epsilon(1e-9));
    // conformance: the first case
    auto const first = ab::discretized_gaussian_log_likelihood(-1.0, -1.0, -1.0);
    CHECK(first.value == doctest::Approx(-0.684677915565407).epsilon(1e-12));
    CHECK(first.mean == doctest::Approx(-2.150461099701681).epsilon(1e-12));
    CHECK(first.log_scale == doctest::Approx(-0.008433180783143849).epsilon(1e-11));
    for (double x : {-1.0, 0.2, 1.0}) {
        auto const at = ab::discretized_gaussian_log_likelihood(x, 0.1, -0.5);
        CHECK(at.mean ==
              doctest::Approx(
                  slope([=](double m) { return ab::discretized_gaussian_log_likelihood(x, m, -0.5).value; }, 0.1))
                  .epsilon(1e-6));
        CHECK(at.log_scale ==
              doctest::Approx(
                  slope([=](double s) { return ab::discretized_gaussian_log_likelihood(x, 0.1, s).value; }, -0.5))
                  .epsilon(1e-6));
    }
    auto const far = ab::discretized_gaussian_log_likelihood(0.5, -0.5, -7.0);
    CHECK(far.value == std::log(1e-12));
    CHECK(far.mean == 0.0);
}

TEST_CASE("the approximate distribution function is within 4e-4 of the true one")
{
    for (double x = -5.0; x <= 5.0; x += 0.1)
        CHECK(std::abs(ab::approx_standard_normal_cdf(x) - 0.5 * std::erfc(-x / std::sqrt(2.0))) < 4e-4);
}

TEST_CASE("the continuous likelihood")
{
    // conformance: gaussian/continuous_gaussian_log_likelihood, the first element
    double const x = 0.8 * std::sin(0.37), mean = std::sqrt(2.0) * std::sin(1.6);
    CHECK(ab::continuous_gaussian_log_likelihood(x, mean, std::sin(0.2)) ==
          doctest::Approx(-1.343740479928044).epsilon(1e-12));
}

TEST_CASE("the log density of the prior")
{
    // two numbers, 0.5 and -2, under N(0, 9)
    double const each = -0.5 * std::log(2 * std::numbers::pi * 9);
    CHECK(ab::normal_log_density(0.25 + 4.0, 2, 3.0) ==
          doctest::Approx(2 * each - 0.25 / 18 - 4.0 / 18).epsilon(1e-14));
}
