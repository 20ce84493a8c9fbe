// SPDX-License-Identifier: MIT
#include <alphabar/grid/beta.hpp>

#include <boost/math/distributions/beta.hpp>
#include <doctest/doctest.h>
#include <support/table.hpp>

#include <stdexcept>

using namespace alphabar;

TEST_CASE("the quantile function agrees with Boost's")
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

TEST_CASE("Beta(1, 1) is uniform, and the ends are pinned")
{
    auto const path = support::table();
    grid const g = make_grid(path, beta_grid(9));
    CHECK(g.levels.front() == path.level(999));
    CHECK(g.levels[8] == path.level(0));
    grid const uniform = make_grid(variance_exploding{}, beta_grid(3, {.alpha = 1, .beta = 1}));
    CHECK(uniform.levels[1].sigma == doctest::Approx(40.001));
    auto const sigmas = beta_sigmas(0.03, 14.6, 9);
    CHECK(sigmas.front() == 14.6);
    CHECK(sigmas.back() == 0.03);
}

TEST_CASE("bad parameters are said")
{
    CHECK_THROWS_AS(make_grid(variance_exploding{}, beta_grid(9, {.alpha = 0})), std::invalid_argument);
    CHECK_THROWS_AS(beta_quantile(1, 1, 1.5), std::invalid_argument);
}
