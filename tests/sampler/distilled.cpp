// SPDX-License-Identifier: MIT
#include <alphabar/sampler/distilled.hpp>

#include <alphabar/grid/spacing.hpp>
#include <support/solver_test.hpp>

#include <cmath>
#include <stdexcept>

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
    plan const still = lcm_sampler({{0.0, {0.9, 0.4}, {1.0, 0.0}}});
    CHECK(still.stages[0].x[x] == 1.0);
    CHECK(still.stages[0].x[m(0)] == 0.0);
    CHECK(lcm_sampler(diffusion, trailing_grid(1), {.network = {.operation = {.what = x0_operation::kind::clip}}})
              .stages[0]
              .operation.what == x0_operation::kind::clip);
    CHECK_THROWS_AS(lcm_sampler(std::vector<grid_step>{}), std::invalid_argument);
}

TEST_CASE("TCD: DDIM at gamma = 0, and every gamma keeps mean and covariance")
{
    auto const diffusion = support::table();
    CHECK(tcd(diffusion, trailing_grid(5), {.gamma = 0.0}) == ddim(diffusion, trailing_grid(5)));
    for (path_kind kind : support::all_paths)
        for (double shift : {0.2, 0.6}) { // lambda of s is (1 - gamma) lambda'
            grid const g = support::grid_to_zero(kind, 400, -3.0, -0.5);
            plan const p = tcd(support::lambda_path{kind}, g, {.gamma = shift});
            CHECK(draws_noise(p.stages[100]));
            CHECK(!draws_noise(p.stages[399]));
        }
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

TEST_CASE("TCD with the exact network keeps mean and covariance on a fine grid")
{
    struct nearer { // the time of the test-bed, seen from data: (1 - gamma) t' is cleaner
        path_kind kind;
        noise_level level(double t) const { return support::level_at(kind, 4.0 - t); }
        double time(double ratio) const { return 4.0 + std::log(ratio); }
        double final_time() const { return 24.0; }
    };
    for (path_kind kind : support::all_paths) {
        grid g = support::grid_to_zero(kind, 300, -3.0);
        for (double& t : g.times)
            t = 4.0 - t;
        plan p = tcd(nearer{kind}, g, {.gamma = 0.05});
        for (stage& s : p.stages)
            s.time = 4.0 - s.time;
        CHECK(support::worst_deviation(p, kind, -3.0, 2000) < 4.0);
    }
}
