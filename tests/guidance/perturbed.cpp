// SPDX-License-Identifier: MIT
#include <alphabar/guidance/perturbed.hpp>

#include <alphabar/guidance/classifier_free.hpp>
#include <support/guided.hpp>

#include <doctest/doctest.h>

namespace ab = alphabar;
using support::guided, support::prediction, support::error, support::mixed;

TEST_CASE("two terms, each in its window")
{
    auto const c = prediction(0, 1, 40), u = prediction(1, 1, 40), p = prediction(2, 1, 40);
    ab::perturbed const rule{.scale = 5.0, .perturbed_scale = 3.0, .window = {0, 0.5}, .perturbed_window = {0.3, 1}};
    auto const plain = guided(ab::classifier_free{5.0}, 1, c, u), away = mixed(3, c, -3, p);
    CHECK(guided(rule, {.step = 0, .steps = 10}, 1, c, u, p) == plain);
    CHECK(error(guided(rule, {.step = 4, .steps = 10}, 1, c, u, p), mixed(1, plain, 1, away)) < 1e-14);
    CHECK(error(guided(rule, {.step = 7, .steps = 10}, 1, c, u, p), mixed(1, c, 1, away)) < 1e-14);
    CHECK(error(guided(ab::perturbed{5.0, 3.0, {}, {}, ab::guidance_form::excess}, 1, c, u, p),
                mixed(1, mixed(6, c, -5, u), 1, away)) < 1e-14);
    CHECK(ab::adaptive_perturbed_scale(3, 0.005, 900) == doctest::Approx(2.5));
    CHECK(ab::adaptive_perturbed_scale(3, 0.005, 100) == 0);
}

TEST_CASE("LTX-2: three terms; neutral scales give c")
{
    auto const c = prediction(0, 1, 40), u = prediction(1, 1, 40), p = prediction(2, 1, 40), q = prediction(3, 1, 40);
    CHECK(guided(ab::multimodal{}, 1, c, u, p, q) == c);
    auto want = mixed(1, mixed(1, mixed(4, c, -3, u), 2, mixed(1, c, -1, p)), 0.5, mixed(1, c, -1, q));
    CHECK(error(guided(ab::multimodal{4.0, 2.0, 1.5}, 1, c, u, p, q), want) < 1e-14);
}
