// SPDX-License-Identifier: MIT
#include <alphabar/guidance/magnitude_aware.hpp>

#include <alphabar/guidance/classifier_free.hpp>
#include <support/guided.hpp>

#include <doctest/doctest.h>

namespace ab = alphabar;
using support::guided, support::prediction, support::dot, support::error, support::mixed;

TEST_CASE("the scale falls with the size of the difference")
{
    auto const c = prediction(0, 1, 80), u = prediction(1, 1, 80), d = mixed(1, c, -1, u);
    double const ratio = std::sqrt(dot(d, d) / dot(u, u));
    CHECK(error(guided(ab::magnitude_aware{10.0, 2.0}, 1, c, u),
                guided(ab::classifier_free{1 + 9 * std::exp(-2 * ratio)}, 1, c, u)) < 1e-13);
    CHECK(guided(ab::magnitude_aware{10.0, 0.0}, 1, c, u) == guided(ab::classifier_free{10.0}, 1, c, u));
    CHECK(guided(ab::magnitude_aware{10.0}, 1, c, c) == c);
    CHECK(guided(ab::magnitude_aware{10.0}, 1, c, std::vector<double>(80)) == c); // u = 0: nothing is added
}
