// SPDX-License-Identifier: MIT
#include <alphabar/core/special.hpp>

#include "support/exact_phi.hpp"

#include <boost/math/distributions/beta.hpp>
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <stdexcept>
#include <utility>

using namespace alphabar;

TEST_CASE("the quantile function of Beta agrees with Boost's")
{
    for (double a : {0.3, 0.6, 1.0, 2.5})
        for (double b : {0.6, 1.7})
            for (double p : {1e-6, 0.01, 0.3, 0.5, 0.77, 0.999}) {
                double const want = boost::math::quantile(boost::math::beta_distribution<>(a, b), p);
                CHECK(beta_quantile(a, b, p) == doctest::Approx(want).epsilon(1e-12));
                CHECK(incomplete_beta(a, b, want) == doctest::Approx(p).epsilon(1e-12));
            }
    CHECK(beta_quantile(0.6, 0.6, 0.0) == 0.0);
    CHECK(beta_quantile(0.6, 0.6, 1.0) == 1.0);
}

TEST_CASE("the quantile function of N(0, 1) to 40 digits, rounded")
{
    for (auto const& [p, want] : {std::pair(1e-300, -37.0470962993612), std::pair(1e-10, -6.361340902404057),
                                  std::pair(0.02425, -1.972961051311885), std::pair(0.1, -1.2815515655446004),
                                  std::pair(0.3, -0.5244005127080408), std::pair(0.49999, -2.5066282748960008e-05),
                                  std::pair(0.9, 1.2815515655446006), std::pair(0.999999, 4.753424308817087)})
        CHECK(normal_quantile(p) == doctest::Approx(want).epsilon(1e-15));
    CHECK(std::abs(normal_quantile(0.5)) < 1e-16);
    CHECK(normal_quantile(0.0) == -std::numeric_limits<double>::infinity());
    CHECK(normal_quantile(1.0) == std::numeric_limits<double>::infinity());
    for (double p = 1e-8; p < 0.5; p *= 1.7)
        CHECK(0.5 * std::erfc(-normal_quantile(p) / std::sqrt(2.0)) == doctest::Approx(p).epsilon(1e-14));
    CHECK_THROWS_AS(normal_quantile(-0.1), std::invalid_argument);
    CHECK_THROWS_AS(normal_quantile(std::numeric_limits<double>::quiet_NaN()), std::invalid_argument);
}

TEST_CASE("phi agrees with its series in 50 digits")
{
    double worst = 0.0;
    for (unsigned k = 0; k <= 8; ++k)
        for (double z : {-40.0, -12.0, -6.0, -3.01, -2.0, -1.3, -0.5, -1e-3, -1e-9, 0.0, 1e-12, 1e-4, 0.3, 1.0, 1.6,
                         2.7, 4.9, 8.0, 20.0})
            worst = std::max(worst, static_cast<double>(abs(phi(k, z) / support::exact_phi(k, z) - 1)));
    MESSAGE("worst relative error " << worst);
    CHECK(worst < 2e-15);
}
