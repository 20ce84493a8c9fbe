// SPDX-License-Identifier: MIT
#include <alphabar/grid/shift.hpp>

#include <alphabar/grid/spacing.hpp>
#include <doctest/doctest.h>

#include <cmath>
#include <stdexcept>
#include <vector>

using namespace alphabar;

TEST_CASE("a shift multiplies the noise ratio, and the ends stay")
{
    grid const plain = make_grid(rectified_flow{}, trailing_grid(8)),
               g = make_grid(rectified_flow{}, shifted_grid(trailing_grid(8), 3.0));
    CHECK(g.levels.front() == noise_level{0.0, 1.0});
    CHECK(g.levels.back() == noise_level{1.0, 0.0});
    for (std::size_t i = 1; i < 8; ++i) {
        CHECK(sigma_ratio(g.levels[i]) == doctest::Approx(3.0 * sigma_ratio(plain.levels[i])));
        CHECK(g.times[i] == g.levels[i].sigma);
    }
    CHECK(make_grid(rectified_flow{}, shifted_grid(trailing_grid(8), 1.0)) == plain);
    // shifts compose
    CHECK(make_grid(rectified_flow{}, shifted_grid(shifted_grid(trailing_grid(2), 2.0), 3.0)).times[1] ==
          doctest::Approx(6.0 / 7.0));
}

TEST_CASE("flow grids: the shift of diffusers' time_shift, and composed shifts agree")
{
    // numpy: e^mu / (e^mu + (1 / t - 1)^1.5), mu = 0.7
    std::vector<double> const want{1.0, 0.9127686312545282, 0.6681877721681662, 0.27930363452937823};
    grid const g = make_grid(rectified_flow{}, flow_grid(4, {.shift = exponential_shift(0.7), .power = 1.5}));
    for (std::size_t i = 0; i < 4; ++i)
        CHECK(g.times[i] == doctest::Approx(want[i]).epsilon(1e-15));
    for (std::size_t n = 1; n <= 1000; ++n) {
        grid const flow = make_grid(rectified_flow{}, flow_grid(n, {.shift = 3.0})),
                   composed = make_grid(rectified_flow{}, shifted_grid(trailing_grid(n), 3.0));
        bool ok = flow.steps() == n && flow.times[0] == 1.0;
        for (std::size_t i = 0; i < n; ++i)
            ok = ok && std::abs(flow.times[i] - composed.times[i]) <= 4e-16;
        if (!ok)
            FAIL("N " << n);
    }
    // linspace(1, 1 / T, N)
    grid const l = make_grid(rectified_flow{}, flow_grid(5, {.last = 1e-3}));
    CHECK(l.times[4] == 1e-3);
    CHECK(l.times[2] == doctest::Approx(0.5005).epsilon(1e-15));
}

TEST_CASE("the stretch brings the last call to its terminal; one step stays at 1")
{
    std::vector<double> const want{1.0, 0.8788461538461539, 0.7136363636363634, 0.4750000000000002, 0.1};
    grid const g = make_grid(rectified_flow{}, flow_grid(5, {.shift = 3.0, .terminal = 0.1}));
    for (std::size_t i = 0; i < 5; ++i)
        CHECK(g.times[i] == doctest::Approx(want[i]).epsilon(1e-14));
    CHECK(make_grid(rectified_flow{}, flow_grid(1, {.shift = 3.0, .terminal = 0.1})).times == std::vector<double>{1.0});
}

TEST_CASE("mu of the published token counts")
{
    CHECK(flux_mu(256) == doctest::Approx(0.5).epsilon(1e-15));
    CHECK(flux_mu(4096) == doctest::Approx(1.15).epsilon(1e-15));
    CHECK(flux_mu(1024, 1024, 4096, 0.95, 2.05) == doctest::Approx(0.95).epsilon(1e-15));
    CHECK(flux2_mu(5000, 7) == doctest::Approx(1.6927e-4 * 5000 + 0.45666666).epsilon(1e-15));
    CHECK(flux2_mu(1000, 10) == doctest::Approx(8.73809524e-5 * 1000 + 1.89833333).epsilon(1e-15));
}

TEST_CASE("logit-normal: quantiles to 40 digits")
{
    // mean = log(4) / 2: 4096 tokens
    std::vector<double> const want{0.9998766054240138, 0.9373949408311879, 0.8668632271877241,  0.7774324429547995,
                                   0.6666666666666666, 0.5338303065585327, 0.38055106799839133, 0.21082424388695883};
    grid const g = make_grid(rectified_flow{}, logit_normal_grid(8, {.mean = 0.5 * std::log(4.0)}));
    for (std::size_t i = 0; i < 8; ++i)
        CHECK(g.times[i] == doctest::Approx(want[i]).epsilon(1e-14));
    CHECK(g.levels.back() == noise_level{1.0, 0.0});
    for (std::size_t n = 1; n <= 1000; ++n)
        CHECK(make_grid(rectified_flow{}, logit_normal_grid(n)).steps() == n);
}

TEST_CASE("bad options are said")
{
    CHECK_THROWS_AS(shifted_grid(trailing_grid(8), 0.0), std::invalid_argument);
    CHECK_THROWS_AS(flow_grid(8, {.shift = -1.0}), std::invalid_argument);
    CHECK_THROWS_AS(flow_grid(8, {.power = 0.0}), std::invalid_argument);
    CHECK_THROWS_AS(flow_grid(8, {.last = 1.0}), std::invalid_argument);
    CHECK_THROWS_AS(flow_grid(8, {.terminal = 1.0}), std::invalid_argument);
    CHECK_THROWS_AS(make_grid(rectified_flow{}, flow_grid(0)), std::invalid_argument);
    CHECK_THROWS_AS(logit_normal_grid(8, {.deviation = 0.0}), std::invalid_argument);
}
