// SPDX-License-Identifier: MIT
#include <alphabar/guidance/frequency_decoupled.hpp>

#include <support/guided.hpp>

#include <doctest/doctest.h>

#include <stdexcept>

namespace ab = alphabar;
using support::prediction, support::error, support::mixed;

namespace {

ab::shape const images{2, 3, 16, 8};

template <class Rule>
std::vector<double> of_images(Rule const& rule, std::vector<double> const& c, std::vector<double> const& u,
                              ab::guidance_point const& at = {})
{
    std::vector<double> out(c.size());
    ab::guide(rule, at, ab::view(out, images), ab::view(c, images), ab::view(u, images));
    return out;
}

} // namespace

TEST_CASE("equal scales are classifier-free guidance")
{
    auto const c = prediction(0, 2, 384), u = prediction(1, 2, 384);
    for (std::size_t levels = 1; levels <= 4; ++levels) {
        ab::frequency_decoupled const rule{std::vector<ab::frequency_level>(levels, {.scale = 4.0})};
        CHECK(error(of_images(rule, c, u), support::guided(ab::classifier_free{4.0}, 2, c, u)) < 1e-13);
        ab::frequency_decoupled const none{std::vector<ab::frequency_level>(levels, {.scale = 1.0})};
        CHECK(error(of_images(none, c, u), c) < 1e-14);
    }
}

TEST_CASE("a constant difference has the last level's scale")
{
    auto const c = prediction(0, 2, 384), u = mixed(1, c, -1, std::vector<double>(768, 0.5));
    ab::frequency_decoupled rule{{{.scale = 9.0}, {.scale = 7.0}, {.scale = 3.0}}};
    CHECK(error(of_images(rule, c, u), support::guided(ab::classifier_free{3.0}, 2, c, u)) < 1e-13);
    // a level outside its steps is c's, the others go on
    rule.levels[2].window = {0.5, 1};
    CHECK(error(of_images(rule, c, u, {.step = 0, .steps = 2}), c) < 1e-13);
    CHECK(error(of_images(rule, c, u, {.step = 1, .steps = 2}), support::guided(ab::classifier_free{3.0}, 2, c, u)) <
          1e-13);
}

TEST_CASE("scales for each sample, rescaling, in place, float")
{
    auto const c = prediction(0, 2, 384), u = prediction(1, 2, 384);
    std::vector<double> const scales{1.0, 4.0};
    ab::frequency_decoupled rule{{{.scale = scales}, {.scale = scales}}};
    auto const got = of_images(rule, c, u),
               all = of_images(ab::frequency_decoupled{{{.scale = 4.0}, {.scale = 4.0}}}, c, u);
    CHECK(error({got.begin(), got.begin() + 384}, {c.begin(), c.begin() + 384}) < 1e-14);
    CHECK(std::equal(got.begin() + 384, got.end(), all.begin() + 384));

    rule.levels[0].rescale = 1.0;
    auto const rescaled = of_images(rule, c, u);
    CHECK(support::deviation({rescaled.begin() + 384, rescaled.end()}) ==
          doctest::Approx(support::deviation({c.begin() + 384, c.end()})).epsilon(1e-12));
    auto in_place = u;
    ab::guide(rule, ab::view(in_place, images), ab::view(c, images), ab::view(in_place, images));
    CHECK(in_place == rescaled);

    std::vector<float> const cs(c.begin(), c.end()), us(u.begin(), u.end());
    std::vector<float> out(768);
    ab::guide(rule, ab::view(out, images), ab::view(cs, images), ab::view(us, images));
    CHECK(error({out.begin(), out.end()}, rescaled) < 1e-5);
}

TEST_CASE("in a window, outside it another rule")
{
    auto const c = prediction(0, 2, 384), u = prediction(1, 2, 384);
    ab::frequency_decoupled const rule{{{.scale = 3.0}, {.scale = 6.0}}};
    ab::guidance_point const early{.step = 0, .steps = 2}, late{.step = 1, .steps = 2};
    CHECK(of_images(ab::within{rule, ab::step_window{0.5, 1}}, c, u, early) == c);
    CHECK(of_images(ab::within{rule, ab::step_window{0.5, 1}}, c, u, late) == of_images(rule, c, u));
    ab::within const other{rule, ab::step_window{0, 0.5}, ab::classifier_free{2.0}};
    CHECK(of_images(other, c, u, early) == of_images(rule, c, u));
    CHECK(of_images(other, c, u, late) == support::guided(ab::classifier_free{2.0}, 2, c, u));
    CHECK(of_images(ab::varying{[](auto const& p) {
                        return ab::frequency_decoupled{{{.scale = 3.0}, {.scale = 6.0 * static_cast<double>(p.step)}}};
                    }},
                    c, u, late) == of_images(rule, c, u));
}

TEST_CASE("bad images and levels")
{
    auto const c = prediction(0, 2, 384);
    std::vector<double> out(768, 5.0);
    auto const bad = [&](ab::frequency_decoupled const& rule, ab::shape const& s) {
        CHECK_THROWS_AS(ab::guide(rule, ab::view(out, s), ab::view(c, s), ab::view(c, s)), std::invalid_argument);
    };
    std::vector<ab::frequency_level> const two(2), five(5);
    bad({{}}, images);
    bad({five}, images);
    bad({two}, {2, 384});
    bad({two}, {2, 3, 128, 1});
    bad({{{.scale = std::numeric_limits<double>::quiet_NaN()}}}, images);
    CHECK(out == std::vector<double>(768, 5.0));
    std::vector<double> none;
    ab::guide(ab::frequency_decoupled{two}, ab::view(none, {0, 3, 4, 4}), ab::view(none, {0, 3, 4, 4}),
              ab::view(none, {0, 3, 4, 4}));
}
