// SPDX-License-Identifier: MIT
#include <alphabar/guidance/classifier_free.hpp>

#include <support/guided.hpp>

#include <doctest/doctest.h>

namespace ab = alphabar;
using support::guided, support::prediction;

TEST_CASE("both ways to count, and the scales that change nothing")
{
    auto const c = prediction(0, 1, 50), u = prediction(1, 1, 50);
    auto const got = guided(ab::classifier_free{7.5}, 1, c, u);
    auto const more = guided(ab::classifier_free{ab::excess_scale(6.5)}, 1, c, u);
    for (std::size_t i = 0; i < c.size(); ++i) {
        CHECK(got[i] == doctest::Approx(u[i] + 7.5 * (c[i] - u[i])).epsilon(1e-13));
        CHECK(more[i] == got[i]);
    }
    CHECK(guided(ab::classifier_free{1.0}, 1, c, u) == c);
    CHECK(guided(ab::classifier_free{ab::excess_scale(0.0)}, 1, c, u) == c);
    CHECK(guided(ab::classifier_free{ab::excess_scale(std::vector<double>{6.5})}, 1, c, u) == got);
    CHECK(support::error(guided(ab::classifier_free{0.0}, 1, c, u), u) < 1e-15);
    CHECK(guided(ab::autoguidance{2.0}, 1, c, u) == support::mixed(1, c, 1, support::mixed(1, c, -1, u)));
}
