// SPDX-License-Identifier: MIT
#include <alphabar/guidance/zero_star.hpp>

#include <alphabar/guidance/classifier_free.hpp>
#include <support/guided.hpp>

#include <doctest/doctest.h>

namespace ab = alphabar;
using support::guided, support::prediction, support::dot, support::error, support::mixed;

TEST_CASE("the scaled u is the one closest to c; the first steps are 0")
{
    auto const c = prediction(0, 1, 80), u = prediction(1, 1, 80);
    ab::guidance_point const later{.step = 1, .steps = 9};
    auto const scaled_u = guided(ab::zero_star{0.0}, later, 1, c, u);
    CHECK(std::abs(dot(mixed(1, c, -1, scaled_u), u)) < 1e-8 * dot(c, c));
    CHECK(error(scaled_u, mixed(dot(c, u) / dot(u, u), u, 0, c)) < 1e-9);
    CHECK(error(guided(ab::zero_star{4.0}, later, 1, c, u), guided(ab::classifier_free{4.0}, 1, c, scaled_u)) < 1e-13);
    // the length of u does not matter
    CHECK(error(guided(ab::zero_star{4.0}, later, 1, c, mixed(3, u, 0, u)),
                guided(ab::zero_star{4.0}, later, 1, c, u)) < 1e-9);
    CHECK(guided(ab::zero_star{4.0}, 1, c, u) == std::vector<double>(80));
    CHECK(guided(ab::zero_star{4.0, 2}, later, 1, c, u) == std::vector<double>(80));
    CHECK(guided(ab::zero_star{1.0}, later, 1, c, u) == c);
}
