// SPDX-License-Identifier: MIT
#include <alphabar/guidance/rescale.hpp>

#include <alphabar/guidance/classifier_free.hpp>
#include <alphabar/guidance/weighted.hpp>
#include <support/guided.hpp>

#include <doctest/doctest.h>

#include <stdexcept>

namespace ab = alphabar;
using support::guided, support::prediction, support::deviation, support::error, support::mixed;

TEST_CASE("phi = 1 gives the standard deviation of c, phi in between the mixture, phi = 0 the rule")
{
    auto const c = prediction(0, 1, 200), u = prediction(1, 1, 200), p = prediction(2, 1, 200);
    ab::classifier_free const rule{7.5};
    auto const g = guided(rule, 1, c, u);
    CHECK(deviation(guided(ab::rescaled{rule, 1.0}, 1, c, u)) == doctest::Approx(deviation(c)).epsilon(1e-12));
    CHECK(guided(ab::rescaled{rule, 0.0}, 1, c, u) == g);
    double const factor = 0.7 * deviation(c) / deviation(g) + 0.3;
    CHECK(error(guided(ab::rescaled{rule, 0.7}, 1, c, u), mixed(factor, g, 0, c)) < 1e-13);
    // of what is at hand, in place
    auto in_place = g;
    ab::guide(ab::rescaled{ab::classifier_free{0.0}, 0.7}, in_place, c, in_place);
    CHECK(error(in_place, mixed(factor, g, 0, c)) < 1e-13);
    auto const three = ab::perturbed(7.5, 3.0);
    CHECK(deviation(guided(ab::rescaled{three, 1.0}, 1, c, u, p)) == doctest::Approx(deviation(c)).epsilon(1e-12));
    // nothing to do
    CHECK(guided(ab::rescaled{ab::classifier_free{1.0}, 0.7}, 1, c, u) == c);
}

TEST_CASE("constant predictions, and a large mean")
{
    std::vector<double> const ones(8, 1.0), twos(8, 2.0);
    CHECK(guided(ab::rescaled{ab::classifier_free{3.0}, 1.0}, 1, twos, ones) == std::vector<double>(8, 4.0));
    auto c = prediction(0, 1, 500), u = prediction(1, 1, 500);
    for (std::size_t i = 0; i < c.size(); ++i)
        c[i] += 1000, u[i] += 1000;
    CHECK(deviation(guided(ab::rescaled{ab::classifier_free{7.5}, 1.0}, 1, c, u)) ==
          doctest::Approx(deviation(c)).epsilon(1e-8));
    CHECK_THROWS_AS(guided(ab::rescaled{ab::classifier_free{3.0}, 1.1}, 1, c, u), std::invalid_argument);
    CHECK_THROWS_AS(guided(ab::rescaled{ab::classifier_free{3.0}, -0.1}, 1, c, u), std::invalid_argument);
}
