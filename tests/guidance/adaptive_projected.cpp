// SPDX-License-Identifier: MIT
#include <alphabar/guidance/adaptive_projected.hpp>

#include <alphabar/guidance/classifier_free.hpp>
#include <alphabar/guidance/interval.hpp>
#include <alphabar/guidance/rescale.hpp>
#include <support/guided.hpp>

#include <doctest/doctest.h>

#include <limits>
#include <stdexcept>

namespace ab = alphabar;
using support::guided, support::prediction, support::dot, support::error, support::mixed;

TEST_CASE("eta = 1 without radius and momentum is classifier-free guidance")
{
    auto const c = prediction(0, 2, 60), u = prediction(1, 2, 60);
    CHECK(guided(ab::adaptive_projected{.scale = 7.5, .eta = 1}, 2, c, u) == guided(ab::classifier_free{7.5}, 2, c, u));
    CHECK(error(guided(ab::adaptive_projected{.scale = 7.5, .eta = 1, .from_u = true}, 2, c, u),
                guided(ab::classifier_free{7.5}, 2, c, u)) < 1e-14);
    CHECK(guided(ab::adaptive_projected{.scale = 1.0}, 2, c, u) == c);
}

TEST_CASE("eta = 0 adds nothing along c, and the radius bounds what is added")
{
    auto const c = prediction(0, 1, 60), u = prediction(1, 1, 60);
    auto const step = mixed(1, guided(ab::adaptive_projected{.scale = 4.0}, 1, c, u), -1, c);
    CHECK(std::abs(dot(step, c)) < 1e-12 * dot(c, c));
    auto const d = mixed(1, c, -1, u);
    CHECK(dot(step, d) > 0);
    auto const bounded =
        mixed(1, guided(ab::adaptive_projected{.scale = 4.0, .eta = 1, .radius = 0.5}, 1, c, u), -1, c);
    CHECK(std::sqrt(dot(bounded, bounded)) == doctest::Approx(3 * 0.5).epsilon(1e-13));
    CHECK(guided(ab::adaptive_projected{.eta = 1, .radius = 1e6}, 1, c, u) ==
          guided(ab::adaptive_projected{.eta = 1}, 1, c, u));
}

TEST_CASE("momentum: the average of the differences, and the rule of it")
{
    double const mu = -0.5;
    ab::adaptive_projected const rule{.scale = 4.0, .eta = 0.2, .radius = 2.0, .momentum = mu};
    std::vector<double> average(60), out(60), want(60);
    for (int k = 0; k < 4; ++k) {
        auto const c = prediction(k, 1, 60), u = prediction(k + 3, 1, 60);
        want = mixed(1, mixed(1, c, -1, u), mu, want);
        if (k == 2) { // in place
            out = c;
            ab::guide(rule, std::tie(out, average), out, u);
        } else {
            ab::guide(rule, std::tie(out, average), c, u);
        }
        CHECK(error(average, want) < 1e-15);
        auto const size = std::sqrt(dot(want, want)), share = dot(want, c) / dot(c, c);
        auto const part = mixed(1, want, -0.8 * share, c); // orthogonal + eta parallel
        CHECK(error(out, mixed(1, c, 3 * std::min(1.0, 2.0 / size), part)) < 1e-13);
    }
}

TEST_CASE("momentum under rescaling")
{
    auto const c = prediction(0, 1, 60), u = prediction(1, 1, 60);
    std::vector<double> average = prediction(2, 1, 60), same = average, out(60), plain(60);
    ab::adaptive_projected const rule{.momentum = 0.3};
    ab::guide(ab::rescaled{rule, 1.0}, std::tie(out, average), c, u);
    ab::guide(rule, std::tie(plain, same), c, u);
    CHECK(average == same);
    CHECK(support::deviation(out) == doctest::Approx(support::deviation(c)).epsilon(1e-12));
    CHECK(error(out, mixed(support::deviation(c) / support::deviation(plain), plain, 0, c)) < 1e-13);
}

TEST_CASE("the mixture: plain guidance first, while the momentum runs")
{
    ab::within const mix{ab::classifier_free{3.0}, ab::step_window{0, 0.5},
                         ab::adaptive_projected{.scale = 6.0, .momentum = -0.5}};
    std::vector<double> average(60), same(60), out(60), want(60);
    for (std::size_t k = 0; k < 4; ++k) {
        auto const c = prediction(static_cast<int>(k), 1, 60), u = prediction(9, 1, 60);
        ab::guide(mix, {.step = k, .steps = 4}, std::tie(out, average), c, u);
        ab::guide(mix.otherwise, std::tie(want, same), c, u);
        CHECK(average == same);
        CHECK(out == (k <= 1 ? guided(ab::classifier_free{3.0}, 1, c, u) : want));
    }
}

TEST_CASE("the average rests where u does not count")
{
    auto const c = prediction(0, 1, 60), u = prediction(1, 1, 60);
    std::vector<double> average = prediction(2, 1, 60), out(60);
    auto const before = average;
    ab::adaptive_projected const rule{.momentum = -0.5};
    ab::within const later{rule, ab::step_window{0.5, 1}};
    ab::guide(later, {.step = 1, .steps = 4}, std::tie(out, average), c, u);
    CHECK(out == c);
    CHECK(average == before);
    ab::guide(ab::adaptive_projected{.scale = 1, .momentum = -0.5}, std::tie(out, average), c, u);
    CHECK(out == c);
    CHECK(average == before);
    ab::guide(later, {.step = 2, .steps = 4}, std::tie(out, average), c, u);
    CHECK(error(average, mixed(1, mixed(1, c, -1, u), -0.5, before)) < 1e-15);
}

TEST_CASE("bad options")
{
    auto const c = prediction(0, 1, 6), u = prediction(1, 1, 6);
    for (double const bad : {0.0, -1.0, std::numeric_limits<double>::quiet_NaN()})
        CHECK_THROWS_AS(guided(ab::adaptive_projected{.radius = bad}, 1, c, u), std::invalid_argument);
    CHECK_THROWS_WITH_AS(guided(ab::adaptive_projected{.eta = std::numeric_limits<double>::infinity()}, 1, c, u),
                         "alphabar::adaptive_projected: eta is inf; it must be finite", std::invalid_argument);
    std::vector<double> out(6), average(6);
    CHECK_THROWS_WITH_AS(ab::guide(ab::adaptive_projected{.momentum = 2}, std::tie(out, average), c, u),
                         "alphabar::adaptive_projected: momentum is 2; it must lie in (-1, 1)", std::invalid_argument);
    CHECK_THROWS_WITH_AS(guided(ab::adaptive_projected{.momentum = 0.5}, 1, c, u),
                         doctest::Contains("std::tie(out, average)"), std::invalid_argument);
}
