// SPDX-License-Identifier: MIT
#include <alphabar/guidance/interval.hpp>

#include <alphabar/guidance/classifier_free.hpp>
#include <alphabar/guidance/rescale.hpp>
#include <alphabar/schedule/paths.hpp>
#include <support/guided.hpp>

#include <doctest/doctest.h>

#include <stdexcept>

namespace ab = alphabar;
using support::guided, support::prediction;

TEST_CASE("steps: the first included, the last not, both rounded down")
{
    ab::step_window const window{0.25, 0.6};
    for (std::size_t k = 0; k < 10; ++k)
        CHECK(window({.step = k, .steps = 10}) == (k >= 2 && k < 6));
    for (std::size_t k = 0; k < 3; ++k)
        CHECK(ab::step_window{}({.step = k, .steps = 3}));
    CHECK_FALSE(ab::step_window{0, 0}({.step = 0, .steps = 3}));
    CHECK_THROWS_WITH_AS((ab::step_window{0.5, 0.4}({})),
                         "alphabar::step_window: stop is 0.4; it must lie in [start, 1]", std::invalid_argument);
    CHECK_THROWS_AS((ab::step_window{0, 1.1}({})), std::invalid_argument);
    CHECK_THROWS_WITH_AS((ab::step_window{-0.1, 1}({})), "alphabar::step_window: start is -0.1; it must lie in [0, 1]",
                         std::invalid_argument);
}

TEST_CASE("noise levels: above low, up to high")
{
    ab::variance_exploding const path;
    ab::level_window const window{&path, 0.3, 5.0};
    for (double sigma : {0.2, 0.3, 0.31, 5.0, 5.1})
        CHECK(window({.time = sigma}) == (sigma > 0.3 && sigma <= 5.0));
    ab::rectified_flow const flow; // sigma / alpha = t / (1 - t)
    ab::level_window const half{&flow, 1.0};
    CHECK_FALSE(half({.time = 0.5}));
    CHECK(half({.time = 0.51}));
    CHECK(half({.time = 1.0}));
    ab::level_window const capped{&flow, 0.0, 100.0};
    CHECK_FALSE(capped({.time = 1.0}));
    CHECK_FALSE(capped({.time = 0.0}));
    CHECK_THROWS_AS(half({}), std::invalid_argument);
}

TEST_CASE("outside its window a rule gives the first prediction, bit by bit")
{
    auto const c = prediction(0, 2, 9), u = prediction(1, 2, 9);
    auto const check = [&](auto const& rule) {
        ab::within const part{rule, ab::step_window{0.5, 1}};
        CHECK(guided(part, {.step = 4, .steps = 10}, 2, c, u) == c);
        CHECK(guided(part, {.step = 5, .steps = 10}, 2, c, u) == guided(rule, 2, c, u));
        CHECK(guided(rule, 2, c, u) != c);
    };
    check(ab::classifier_free{3.0});
    check(ab::tangential{3.0});
}

TEST_CASE("another rule outside the window")
{
    auto const c = prediction(0, 2, 9), u = prediction(1, 2, 9);
    auto const check = [&](auto const& inside, auto const& outside) {
        ab::within const both{inside, ab::step_window{0.5, 1}, outside};
        CHECK(guided(both, {.step = 4, .steps = 10}, 2, c, u) == guided(outside, 2, c, u));
        CHECK(guided(both, {.step = 5, .steps = 10}, 2, c, u) == guided(inside, 2, c, u));
    };
    check(ab::classifier_free{3.0}, ab::classifier_free{2.0});
    check(ab::classifier_free{3.0}, ab::tangential{2.0});
    check(ab::tangential{3.0}, ab::unguided{});
    check(ab::rescaled{ab::classifier_free{3.0}}, ab::tangential{2.0});
}

TEST_CASE("plain at first, then guided")
{
    ab::within const late{ab::unguided{}, ab::step_window{0, 0.5}, ab::classifier_free{3.0}};
    auto const c = prediction(1, 2, 8), u = prediction(2, 2, 8);
    CHECK(guided(late, {.step = 0, .steps = 2}, 2, c, u) == c);
    CHECK(guided(late, {.step = 1, .steps = 2}, 2, c, u) ==
          guided(ab::classifier_free{3.0}, {.step = 1, .steps = 2}, 2, c, u));
}

TEST_CASE("a rule for each step, time and sample")
{
    auto const c = prediction(0, 3, 9), u = prediction(1, 3, 9);
    ab::guidance_point const at{.step = 3, .steps = 10, .time = 400};
    auto const check = [&](auto make, std::vector<double> const& want) {
        CHECK(guided(ab::varying{make}, at, 3, c, u) == want);
    };
    check([](ab::guidance_point const& p) { return ab::classifier_free{static_cast<double>(p.step)}; },
          guided(ab::classifier_free{3.0}, 3, c, u));
    check([](ab::guidance_point const& p) { return ab::tangential{p.time / 100}; },
          guided(ab::tangential{4.0}, 3, c, u));
    check([](ab::guidance_point const& p) { return ab::classifier_free{1.0 + static_cast<double>(p.row)}; },
          guided(ab::classifier_free{std::vector<double>{1, 2, 3}}, 3, c, u));
}
