// SPDX-License-Identifier: MIT
#include <alphabar/sampler/consistency.hpp>

#include <alphabar/grid/sigmas.hpp>
#include <alphabar/grid/spacing.hpp>
#include <alphabar/schedule/paths.hpp>
#include <doctest/doctest.h>
#include <support/interpret.hpp>

#include <cmath>
#include <random>
#include <stdexcept>
#include <vector>

using namespace alphabar;
using namespace alphabar::slots;
using doctest::Approx;

namespace {

constexpr double mu = 0.7, deviation = 0.4; // data are normal: the consistency function is known

} // namespace

TEST_CASE(
    "with the exact consistency function of normal data, mean and variance are the data's after any number of steps")
{
    std::mt19937_64 engine(11);
    std::normal_distribution<double> normal;
    auto const draw = [&](std::uint32_t) {
        support::state values(40000);
        for (double& v : values)
            v = normal(engine);
        return values;
    };
    for (std::size_t steps : {1u, 2u, 5u}) {
        rectified_flow const path;
        std::vector<double> times;
        for (std::size_t i = 0; i < steps; ++i)
            times.push_back(1.0 - static_cast<double>(i) / static_cast<double>(steps));
        plan const p = consistency(path, times_grid(times), {.network = {.predicts = prediction::x_0}});
        CHECK(p.stages.size() == steps);
        CHECK(!draws_noise(p.stages.back()));
        auto const network = [&](support::state state, double t) {
            auto const [alpha, sigma] = path.level(t);
            for (double& v : state)
                v = mu + deviation / std::hypot(alpha * deviation, sigma) * (v - alpha * mu);
            return state;
        };
        support::state const got = support::interpret(p, draw(0), network, draw);
        double mean = 0, square = 0;
        for (double v : got)
            mean += v / 40000, square += (v - mu) * (v - mu) / 40000;
        CHECK(std::abs(mean - mu) < 4 * deviation / 200);
        CHECK(std::abs(square / (deviation * deviation) - 1) < 4 * std::sqrt(2.0) / 200);
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
