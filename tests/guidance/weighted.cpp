// SPDX-License-Identifier: MIT
#include <alphabar/guidance/weighted.hpp>

#include <alphabar/guidance/classifier_free.hpp>
#include <support/guided.hpp>

#include <doctest/doctest.h>

#include <stdexcept>

namespace ab = alphabar;
using support::guided, support::prediction, support::error, support::mixed;

TEST_CASE("text and image")
{
    auto const c = prediction(0, 1, 40), i = prediction(1, 1, 40), u = prediction(2, 1, 40);
    std::vector<double> want(40);
    for (std::size_t k = 0; k < 40; ++k)
        want[k] = u[k] + 1.5 * (i[k] - u[k]) + 7.5 * (c[k] - i[k]);
    CHECK(error(guided(ab::two_condition(), 1, c, i, u), want) < 1e-14);
    CHECK(guided(ab::two_condition(1.0, 1.0), 1, c, i, u) == c);
    CHECK(error(guided(ab::two_condition(7.5, 7.5), 1, c, i, u), guided(ab::classifier_free{7.5}, 1, c, u)) < 1e-14);
}

TEST_CASE("any number of conditions")
{
    auto const u = prediction(0, 1, 40), a = prediction(1, 1, 40), b = prediction(2, 1, 40), c = prediction(3, 1, 40);
    std::vector<double> want(40);
    for (std::size_t k = 0; k < 40; ++k)
        want[k] = u[k] + 3 * (a[k] - u[k]) + 2 * (b[k] - u[k]) - 1.5 * (c[k] - u[k]);
    CHECK(error(guided(ab::compositional(3.0, 2.0, -1.5), 1, u, a, b, c), want) < 1e-14);
    CHECK(error(guided(ab::compositional(3.0), 1, u, a), guided(ab::classifier_free{3.0}, 1, a, u)) < 1e-14);
    CHECK(guided(ab::compositional(0.0, 0.0), 1, u, a, b) == u);
}

TEST_CASE("two terms, each in its window")
{
    auto const c = prediction(0, 1, 40), u = prediction(1, 1, 40), p = prediction(2, 1, 40);
    auto const rule = ab::perturbed(5.0, 3.0, {0, 0.5}, {0.3, 1});
    auto const plain = guided(ab::classifier_free{5.0}, 1, c, u), away = mixed(3, c, -3, p);
    CHECK(guided(rule, {.step = 0, .steps = 10}, 1, c, u, p) == plain);
    CHECK(error(guided(rule, {.step = 4, .steps = 10}, 1, c, u, p), mixed(1, plain, 1, away)) < 1e-14);
    CHECK(error(guided(rule, {.step = 7, .steps = 10}, 1, c, u, p), mixed(1, c, 1, away)) < 1e-14);
    CHECK(error(guided(ab::perturbed(ab::excess_scale(5.0), 3.0), 1, c, u, p), mixed(1, mixed(6, c, -5, u), 1, away)) <
          1e-14);
    CHECK(ab::adaptive_perturbed_scale(3, 0.005, 900) == doctest::Approx(2.5));
    CHECK(ab::adaptive_perturbed_scale(3, 0.005, 100) == 0);
}

TEST_CASE("LTX-2: three terms; neutral scales give c")
{
    auto const c = prediction(0, 1, 40), u = prediction(1, 1, 40), p = prediction(2, 1, 40), q = prediction(3, 1, 40);
    CHECK(guided(ab::multimodal(), 1, c, u, p, q) == c);
    auto want = mixed(1, mixed(1, mixed(4, c, -3, u), 2, mixed(1, c, -1, p)), 0.5, mixed(1, c, -1, q));
    CHECK(error(guided(ab::multimodal(4.0, 2.0, 1.5), 1, c, u, p, q), want) < 1e-14);
}

TEST_CASE("your own terms, scales for each sample")
{
    auto const c = prediction(0, 2, 20), u = prediction(1, 2, 20), p = prediction(2, 2, 20);
    std::vector<double> const scales{5.0, -2.0}, others{1.5, 0.5};
    ab::weighted const rule{ab::weighted_term{scales}, ab::weighted_term{0.5, {0.5, 1}}};
    auto const first = guided(rule, {.step = 0, .steps = 2}, 2, c, u, p);
    auto const second = guided(rule, {.step = 1, .steps = 2}, 2, c, u, p);
    auto const nested = guided(ab::two_condition(scales, others), 2, c, p, u);
    auto const side = guided(ab::compositional(scales, others), 2, u, c, p);
    for (std::size_t i = 0; i < 40; ++i) {
        double const w = scales[i / 20], v = others[i / 20];
        CHECK(first[i] == doctest::Approx(c[i] + w * (c[i] - u[i])).epsilon(1e-13));
        CHECK(second[i] == doctest::Approx(first[i] + 0.5 * (c[i] - p[i])).epsilon(1e-13));
        CHECK(nested[i] == doctest::Approx(u[i] + v * (p[i] - u[i]) + w * (c[i] - p[i])).epsilon(1e-13));
        CHECK(side[i] == doctest::Approx(u[i] + w * (c[i] - u[i]) + v * (p[i] - u[i])).epsilon(1e-13));
    }
    CHECK_THROWS_WITH_AS(guided(rule, 1, c, u, p), doctest::Contains("alphabar::weighted: a weight is 2 numbers"),
                         std::invalid_argument);
}
