// SPDX-License-Identifier: MIT
#include <alphabar/guidance/classifier_free.hpp>

#include <support/guided.hpp>

#include <doctest/doctest.h>

namespace ab = alphabar;
using support::guided, support::prediction, support::dot, support::error, support::mixed;

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
