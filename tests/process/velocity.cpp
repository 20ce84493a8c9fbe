// SPDX-License-Identifier: MIT
#include <alphabar/process/velocity.hpp>

#include <alphabar/schedule/continuous.hpp>
#include <alphabar/schedule/paths.hpp>

#include <doctest/doctest.h>

#include <cmath>

namespace ab = alphabar;
using doctest::Approx;

TEST_CASE("x_0 and eps come back from their velocity")
{
    double const x_0 = 0.7, epsilon = -1.3;
    for (double t : {0.1, 0.5, 0.93}) {
        ab::noise_level const level{1.0 - t * t, std::sin(t)};
        ab::path_slope const slope{-2 * t, std::cos(t)};
        double const x = level.alpha * x_0 + level.sigma * epsilon, u = slope.alpha * x_0 + slope.sigma * epsilon;
        auto const map = ab::from_velocity(level, slope);
        CHECK(map.x_0.x * x + map.x_0.other * u == Approx(x_0).epsilon(1e-13));
        CHECK(map.epsilon.x * x + map.epsilon.other * u == Approx(epsilon).epsilon(1e-13));
        ab::pair_map const back = ab::to_velocity(map, slope);
        CHECK(std::abs(back.x) < 1e-15);
        CHECK(back.other == Approx(1).epsilon(1e-15));
    }
    // on rectified flow the velocity is `flow`
    ab::noise_level const level = ab::rectified_flow{}.level(0.3);
    CHECK(ab::from_velocity(level, ab::rectified_flow{}.slope(0.3)) ==
          ab::to_x_0_and_epsilon(ab::prediction::flow, level));
}

TEST_CASE("a network sees its own path's state at the same noise ratio")
{
    ab::rectified_flow const flow{};
    ab::vp_sde const vp{};
    for (double t : {0.001, 0.2, 0.6, 1.0}) {
        ab::noise_level const level = vp.level(t);
        ab::transformed_call const c = ab::schedule_transform(flow, level);
        CHECK(c.input_scale * level.alpha == Approx(c.seen.alpha).epsilon(1e-13));
        CHECK(c.input_scale * level.sigma == Approx(c.seen.sigma).epsilon(1e-13));
        CHECK(flow.level(c.time) == c.seen);
    }
    ab::transformed_call const pure = ab::schedule_transform(vp, {0.0, 1.0}); // further than vp goes: its end
    CHECK(pure.time == 1.0);
    CHECK(pure.input_scale == vp.level(1.0).sigma);
    CHECK(ab::schedule_transform(vp, {1.0, 0.0}).time == 0.0);
}
