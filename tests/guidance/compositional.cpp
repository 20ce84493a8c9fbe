// SPDX-License-Identifier: MIT
#include <alphabar/guidance/compositional.hpp>

#include <alphabar/guidance/classifier_free.hpp>
#include <support/guided.hpp>

#include <doctest/doctest.h>

namespace ab = alphabar;
using support::guided, support::prediction, support::error, support::mixed;

TEST_CASE("text and image")
{
    auto const c = prediction(0, 1, 40), i = prediction(1, 1, 40), u = prediction(2, 1, 40);
    std::vector<double> want(40);
    for (std::size_t k = 0; k < 40; ++k)
        want[k] = u[k] + 1.5 * (i[k] - u[k]) + 7.5 * (c[k] - i[k]);
    CHECK(error(guided(ab::two_condition{}, 1, c, i, u), want) < 1e-14);
    CHECK(guided(ab::two_condition{1.0, 1.0}, 1, c, i, u) == c);
    CHECK(error(guided(ab::two_condition{7.5, 7.5}, 1, c, i, u), guided(ab::classifier_free{7.5}, 1, c, u)) < 1e-14);
}

TEST_CASE("any number of conditions")
{
    auto const u = prediction(0, 1, 40), a = prediction(1, 1, 40), b = prediction(2, 1, 40), c = prediction(3, 1, 40);
    std::vector<double> want(40);
    for (std::size_t k = 0; k < 40; ++k)
        want[k] = u[k] + 3 * (a[k] - u[k]) + 2 * (b[k] - u[k]) - 1.5 * (c[k] - u[k]);
    CHECK(error(guided(ab::compositional{3.0, 2.0, -1.5}, 1, u, a, b, c), want) < 1e-14);
    CHECK(error(guided(ab::compositional{3.0}, 1, u, a), guided(ab::classifier_free{3.0}, 1, a, u)) < 1e-14);
    CHECK(guided(ab::compositional{0.0, 0.0}, 1, u, a, b) == u);
}
