// SPDX-License-Identifier: MIT
#include <alphabar/guidance/tangential.hpp>

#include <alphabar/guidance/classifier_free.hpp>
#include <support/guided.hpp>

#include <doctest/doctest.h>

namespace ab = alphabar;
using support::guided, support::prediction, support::dot, support::error, support::mixed;

TEST_CASE("u loses its part along the second singular vector of (c, u), and nothing else")
{
    for (int which = 1; which < 6; ++which)
        for (double size : {0.2, 1.0, 5.0}) {
            auto const c = prediction(0, 1, 80), u = mixed(size, prediction(which, 1, 80), 0, c);
            auto const damped = guided(ab::tangential{0.0}, 1, c, u);
            // the first right singular vector by power iteration on c c^T + u u^T
            auto first = c;
            for (int i = 0; i < 4000; ++i) {
                first = mixed(dot(first, c), c, dot(first, u), u);
                first = mixed(1 / std::sqrt(dot(first, first)), first, 0, c);
            }
            CHECK(error(damped, mixed(dot(u, first), first, 0, c)) < 1e-11);
            CHECK(error(guided(ab::tangential{3.0}, 1, c, u), guided(ab::classifier_free{3.0}, 1, c, damped)) < 1e-12);
        }
}

TEST_CASE("limits: c = u keeps u; u at right angles to a larger c goes")
{
    auto const c = prediction(0, 1, 40);
    CHECK(error(guided(ab::tangential{0.0}, 1, c, c), c) < 1e-14);
    std::vector<double> const along{3, 0, 0}, across{0, 2, 0};
    CHECK(error(guided(ab::tangential{0.0}, 1, along, across), {0, 0, 0}) < 1e-15);
    CHECK(error(guided(ab::tangential{0.0}, 1, across, along), along) < 1e-15);
    CHECK(guided(ab::tangential{1.0}, 1, c, across.size() == 3 ? mixed(2, c, 0, c) : c) == c);
}
