// SPDX-License-Identifier: MIT
#include <alphabar/sampler/distilled.hpp>

#include <alphabar/grid/spacing.hpp>
#include <alphabar/schedule/continuous.hpp>
#include <support/normal_data.hpp>
#include <support/solver_test.hpp>

#include <algorithm>
#include <cmath>
#include <functional>
#include <stdexcept>
#include <vector>

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
