// SPDX-License-Identifier: MIT
#include <alphabar/sampler/consistency.hpp>

#include <alphabar/grid/sigmas.hpp>
#include <alphabar/grid/spacing.hpp>
#include <alphabar/schedule/continuous.hpp>
#include <alphabar/schedule/paths.hpp>
#include <doctest/doctest.h>
#include <support/normal_data.hpp>

#include <cmath>
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
