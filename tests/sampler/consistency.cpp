// SPDX-License-Identifier: MIT
#include <alphabar/sampler/consistency.hpp>

#include <alphabar/grid/sigmas.hpp>
#include <alphabar/grid/spacing.hpp>
#include <alphabar/schedule/continuous.hpp>
#include <alphabar/schedule/paths.hpp>
#include <doctest/doctest.h>
#include <support/normal_data.hpp>
#include <support/solver_test.hpp>

#include <algorithm>
#include <cmath>
#include <functional>
#include <stdexcept>
#include <vector>

using namespace alphabar;
using namespace alphabar::slots;
using doctest::Approx;

TEST_CASE(
    "with the exact consistency function of normal data, mean and variance are the data's after any number of steps")
{
    support::normal_data const data;
    for (std::size_t steps : {1u, 2u, 5u}) {
        std::vector<double> times;
        for (std::size_t i = 0; i < steps; ++i)
            times.push_back(1.0 - static_cast<double>(i) / static_cast<double>(steps));
        auto const check = [&](auto const& path, double last_time = 1.0, double noise = 1.0) {
            std::vector<double> own = times;
            for (double& t : own)
                t *= last_time;
            plan const p =
                consistency(path, times_grid(own), {.network = {.predicts = prediction::x_0}, .noise_scale = noise});
            CHECK(p.stages.size() == steps);
            CHECK(!draws_noise(p.stages.back()));
            auto const network = [&](support::state const& v, double t) {
                auto const [alpha, sigma] = path.level(t);
                return data.consistency(v, {alpha, noise * sigma});
            };
            // the start: x_T, whatever the path's first level has of the data
            auto const [alpha, sigma] = path.level(last_time);
            CHECK(data.deviation(p, {alpha, noise * sigma}, network) < 4.0);
            if (steps > 1)
                CHECK(data.deviation(support::with_noise(p, 1.5), {alpha, noise * sigma}, network) > 4.0);
        };
        check(rectified_flow{});
        check(variance_exploding{}, 80.0);
        check(vp_sde{}, 1.0);
        check(trigonometric_path{}, 1.0);
        check(trigonometric_path{}, 1.0, 0.5); // TrigFlow: the noise has the deviation of the data
    }
}

TEST_CASE("a step is alpha' x_0 + sigma' z; the noise scale, one step, what is refused")
{
    grid const g{.times = {1, 0.5}, .levels = {{0, 1}, {0.6, 0.8}, {1, 0}}, .usual = prediction::v};
    plan const p = consistency(g, {.noise_scale = 0.5});
    CHECK(p.stages[0].x == 0.6 * m(0) + 0.4 * z);
    CHECK(p.stages[1].x == row(m(0)));
    CHECK(p.initial_scale == 0.5);
    CHECK(consistency(variance_exploding{}, karras_grid(1)).stages[0].x == row(m(0)));
    CHECK_THROWS_AS(consistency(std::vector<grid_step>{}), std::invalid_argument);
    CHECK_THROWS_AS(consistency(g, {.network = {.predicts = prediction::epsilon}}), std::invalid_argument);
}

TEST_CASE("the boundary of consistency models: there the state is x_0, and steps go up from its noise")
{
    network_form const network{.input = network_input::edm, .boundary = 0.002};
    network_maps const there = maps_at(network, {1.0, 0.002});
    CHECK(there.x_0.x == Approx(1.0));
    CHECK(there.x_0.other == 0.0);
    // c_skip and c_out of Song et al. 2023, appendix C, at sigma = 2
    network_maps const maps = maps_at(network, {1.0, 2.0});
    CHECK(maps.x_0.x == Approx(0.25 / (1.998 * 1.998 + 0.25)));
    CHECK(maps.x_0.other == Approx(0.5 * 1.998 / std::sqrt(0.25 + 4)));
    CHECK(maps.input_scale == Approx(1 / std::sqrt(4.25)));
    // x = x_0 + sigma epsilon whatever the network says
    CHECK(maps.x_0.x + 2 * maps.epsilon.x == Approx(1.0));
    CHECK(maps.x_0.other + 2 * maps.epsilon.other == Approx(0.0));
    plan const p = consistency({{80, {1.0, 80}, {1.0, 2}}, {2, {1.0, 2}, {1.0, 0.002}}}, {.network = network});
    CHECK(p.stages[0].x[slots::z] == Approx(std::sqrt(4 - 0.002 * 0.002)));
    CHECK(p.stages[1].x == row(slots::m()));
}

TEST_CASE("LCM: the boundary scalings of the paper, then back up by noise")
{
    auto const diffusion = support::table();
    plan const p = lcm_sampler(diffusion, trailing_grid(4));
    for (std::size_t i = 0; i < 4; ++i) {
        stage const& s = p.stages[i];
        double const u = 10 * s.time, deviation = 0.5, root = std::hypot(u, deviation);
        noise_level const to = i < 3 ? diffusion.level(p.stages[i + 1].time) : noise_level{1.0, 0.0};
        CHECK(s.x[m(0)] == Approx(to.alpha * u / root));
        CHECK(s.x[x] == Approx(to.alpha * deviation * deviation / (root * root)));
        CHECK(s.x[z] == Approx(to.sigma));
    }
    CHECK(!draws_noise(p.stages[3]));
    // at time 0 the network does not matter: the state is the data
    plan const still = lcm_sampler({{0.0, {0.6, 0.8}, {1.0, 0.0}}});
    CHECK(still.stages[0].x[x] == 1.0);
    CHECK(still.stages[0].x[m(0)] == 0.0);
    CHECK(lcm_sampler(diffusion, trailing_grid(1), {.network = {.operation = {.what = x0_operation::kind::clip}}})
              .stages[0]
              .operation.what == x0_operation::kind::clip);
    stage const unscaled = lcm_sampler({{0.1, {0.6, 0.8}, {0.8, 0.6}}}, {.unscaled_skip = true}).stages[0];
    CHECK(unscaled.x[x] == Approx(0.8 * 0.25 / 1.25 / 0.6));
    CHECK(unscaled.x[m(0)] == Approx(0.8 / std::sqrt(1.25)));
    CHECK(lcm_sampler({{0.0, {0.0, 1.0}, {1.0, 0.0}}}, {.network = {.predicts = prediction::v}}).stages[0].x[x] == 1.0);
    CHECK_THROWS_AS(
        lcm_sampler({{0.0, {0.0, 1.0}, {1.0, 0.0}}}, {.network = {.predicts = prediction::v}, .unscaled_skip = true}),
        std::invalid_argument);
    CHECK_THROWS_AS(lcm_sampler(std::vector<grid_step>{}), std::invalid_argument);
    CHECK_THROWS_AS(lcm_sampler(rectified_flow{}, trailing_grid(4)), std::invalid_argument);
}

TEST_CASE("TCD: DDIM at gamma = 0; a step, written out")
{
    auto const diffusion = support::table();
    CHECK(tcd(diffusion, trailing_grid(5), {.gamma = 0.0}) == ddim(diffusion, trailing_grid(5)));
    // one step, written out: to s by DDIM, up to t' by the forward process
    plan const p = tcd(diffusion, trailing_grid(4), {.gamma = 0.4});
    double const t_next = p.stages[1].time;
    noise_level const from = diffusion.level(p.stages[0].time), s = diffusion.level(0.6 * t_next),
                      to = diffusion.level(t_next);
    double const x_t = 0.7, eps = -1.2, z_t = 0.3;
    double const x_0 = (x_t - from.sigma * eps) / from.alpha, x_s = s.alpha * x_0 + s.sigma * eps;
    double const ratio = to.alpha / s.alpha, want = ratio * x_s + std::sqrt(1 - ratio * ratio) * z_t;
    stage const& first = p.stages[0];
    CHECK(first.x[m(0)] * x_0 + first.x[x] * x_t + first.x[F()] * eps + first.x[z] * z_t == Approx(want));
    CHECK(p.stages[3].x == row(m(0)));
    CHECK_THROWS_AS(tcd(diffusion, trailing_grid(4), {.gamma = 1.1}), std::invalid_argument);
    CHECK_THROWS_AS(tcd_stage({}, {3, {0.6, 0.8}, {0.8, 0.6}}, {0.9, std::sqrt(0.19)}), std::invalid_argument);
}

TEST_CASE(
    "with the perfect network of normal data LCM and TCD keep mean and variance in few steps, TCD for every gamma")
{
    support::normal_data const data;
    auto const check = [&](plan const& p, noise_level first, auto const& network) {
        CHECK(data.deviation(p, first, network) < 4.0);
        if (draws_noise(p.stages[0]))
            CHECK(data.deviation(support::with_noise(p, 1.5), first, network) > 4.0);
    };
    auto const on = [&](auto const& path, std::vector<double> const& times) {
        grid const g = make_grid(path, times_grid(times));
        network_form const clean{.predicts = prediction::x_0};
        double const scaling = 2.0 / times.front(); // c_skip must not be small
        bool const preserves = std::abs(std::hypot(g.levels[1].alpha, g.levels[1].sigma) - 1.0) < 1e-9;
        if (preserves)
            check(lcm_sampler(g, {.network = clean, .timestep_scaling = scaling}), g.levels[0],
                  [&](state const& v, double t) { // D = c_skip x + c_out x_0 is the consistency function
                      double const u = scaling * t, skip = 0.25 / (u * u + 0.25), out = u / std::sqrt(u * u + 0.25);
                      state want = data.consistency(v, path.level(t));
                      for (std::size_t i = 0; i < v.size(); ++i)
                          want[i] = (want[i] - skip * v[i]) / out;
                      return want;
                  });
        for (double gamma : {0.0, 0.3, 1.0})
            check(tcd(path, g, {.network = clean, .gamma = gamma}), g.levels[0], [&](state const& v, double t) {
                // x_0 that DDIM takes to where the ODE is at s
                auto const next = std::ranges::upper_bound(times, t, std::greater{});
                noise_level const from = path.level(t);
                noise_level const s =
                    next == times.end() ? g.levels.back() : noise_level(path.level((1 - gamma) * *next));
                state want = data.moved(v, from, s);
                double const kept = s.sigma / from.sigma;
                for (std::size_t i = 0; i < v.size(); ++i)
                    want[i] = (want[i] - kept * v[i]) / (s.alpha - kept * from.alpha);
                return want;
            });
    };
    on(vp_sde{}, {1.0, 0.7, 0.4, 0.15});
    on(variance_exploding{}, {40.0, 10.0, 2.0, 0.5});
    on(rectified_flow{}, {0.99, 0.7, 0.4, 0.15});
    on(trigonometric_path{}, {0.99, 0.7, 0.4, 0.15});
}
