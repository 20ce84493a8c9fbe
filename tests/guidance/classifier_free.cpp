// SPDX-License-Identifier: MIT
#include <alphabar/guidance/classifier_free.hpp>

#include <alphabar/schedule/gaussian_diffusion.hpp>
#include <support/guided.hpp>

#include <doctest/doctest.h>

#include <stdexcept>

namespace ab = alphabar;
using support::guided, support::prediction;

TEST_CASE("both forms, and the scales that change nothing")
{
    auto const c = prediction(0, 1, 50), u = prediction(1, 1, 50);
    auto const got = guided(ab::classifier_free{7.5}, 1, c, u);
    auto const more = guided(ab::classifier_free{6.5, ab::guidance_form::excess}, 1, c, u);
    for (std::size_t i = 0; i < c.size(); ++i) {
        CHECK(got[i] == doctest::Approx(u[i] + 7.5 * (c[i] - u[i])).epsilon(1e-13));
        CHECK(more[i] == got[i]);
    }
    CHECK(guided(ab::classifier_free{1.0}, 1, c, u) == c);
    CHECK(guided(ab::classifier_free{0.0, ab::guidance_form::excess}, 1, c, u) == c);
    CHECK(support::error(guided(ab::classifier_free{0.0}, 1, c, u), u) < 1e-15);
    CHECK(guided(ab::autoguidance{2.0}, 1, c, u) == support::mixed(1, c, 1, support::mixed(1, c, -1, u)));
}

TEST_CASE("CFG++ is DDIM under plain guidance with its scale")
{
    auto const diffusion = ab::gaussian_diffusion(ab::linear_betas(1000));
    auto const c = prediction(0, 1, 30), u = prediction(1, 1, 30), x = prediction(2, 1, 30);
    double const lambda = 0.6;
    ab::noise_level const from = diffusion.level(600), to = diffusion.level(400);
    auto const e = guided(ab::classifier_free{lambda}, 1, c, u);
    auto const plain = guided(ab::classifier_free{ab::cfg_plus_plus_scale(lambda, from, to)}, 1, c, u);
    for (std::size_t i = 0; i < x.size(); ++i) {
        double const x_0 = (x[i] - from.sigma * e[i]) / from.alpha;
        double const ddim_x_0 = (x[i] - from.sigma * plain[i]) / from.alpha;
        CHECK(to.alpha * ddim_x_0 + to.sigma * plain[i] ==
              doctest::Approx(to.alpha * x_0 + to.sigma * u[i]).epsilon(1e-12));
    }
    CHECK(ab::cfg_plus_plus_scale(lambda, from, {1, 0}) == lambda);
    CHECK_THROWS_AS(ab::cfg_plus_plus_scale(1.5, from, to), std::invalid_argument);
    CHECK_THROWS_AS(ab::cfg_plus_plus_scale(0.5, to, from), std::invalid_argument);
    CHECK_THROWS_AS(ab::cfg_plus_plus_scale(0.5, from, from), std::invalid_argument);
}
