// SPDX-License-Identifier: MIT
#include <alphabar/sampler/ddim.hpp>

#include <alphabar/grid/sigmas.hpp>
#include <alphabar/grid/spacing.hpp>
#include <alphabar/sampler/ddpm.hpp>
#include <support/solver_test.hpp>

#include <cmath>
#include <stdexcept>

TEST_CASE("one step is (12) of Song et al. for every eta")
{
    double const bar = 0.3, bar_after = 0.55; // the paper's alpha_t, alpha_t-1
    grid_step const step{7, {std::sqrt(bar), std::sqrt(1 - bar)}, {std::sqrt(bar_after), std::sqrt(1 - bar_after)}};
    for (double eta : {0.0, 0.4, 1.0}) {
        stage const s = ddim_stage({}, step, {.eta = eta});
        double const std = eta * std::sqrt((1 - bar_after) / (1 - bar)) * std::sqrt(1 - bar / bar_after);
        double const x_t = 0.83, eps = -1.21, z_t = 0.37;
        double const want = std::sqrt(bar_after) * (x_t - std::sqrt(1 - bar) * eps) / std::sqrt(bar) +
                            std::sqrt(1 - bar_after - std * std) * eps + std * z_t;
        double const x_0 = s.memory.x * x_t + s.memory.other * eps;
        CHECK(s.x[x] * x_t + s.x[F()] * eps + s.x[m(0)] * x_0 + s.x[z] * z_t == Approx(want).epsilon(1e-14));
        CHECK(draws_noise(s) == (eta > 0));
    }
}

TEST_CASE("the forward process to the same level adds nothing, at pure noise too; to a cleaner one there is none")
{
    for (noise_level level : {noise_level{0.0, 1.0}, noise_level{0.6, 0.8}, noise_level{1.0, 0.0}})
        CHECK(make_forward_step(level, level) == stage::churn_map{1.0, 0.0});
    CHECK(make_forward_step({0.6, 0.8}, {0.0, 1.0}) == stage::churn_map{0.0, 1.0});
    CHECK_THROWS_AS(make_forward_step({0.0, 1.0}, {0.6, 0.8}), std::invalid_argument);
}

TEST_CASE("eta = 1 is DDPM on every path")
{
    for (path_kind kind : {path_kind::variance_preserving, path_kind::variance_exploding, path_kind::rectified_flow}) {
        grid const g = support::grid_to_zero(kind, 9, -2.0);
        plan const a = ddim(g, {.eta = 1.0}), b = ddpm(g);
        state const drawn{0.3, -1.0, 0.7, 0.1, -0.4, 2.0, 0.9, -0.2, 0.5, -1.1};
        auto const noise = [&](std::uint32_t) { return drawn; };
        auto const got = support::interpret(a, support::start, support::exact_network(kind), noise),
                   want = support::interpret(b, support::start, support::exact_network(kind), noise);
        for (std::size_t i = 0; i < got.size(); ++i)
            CHECK(got[i] == Approx(want[i]).epsilon(1e-12));
    }
}

TEST_CASE("clipping: epsilon of the clipped x_0, or the network's own")
{
    grid_step const step{7, {0.6, 0.8}, {0.8, 0.6}};
    network_form const clipped{.operation = {.what = x0_operation::kind::clip, .bound = 1.0}};
    double const x_t = 2.0, eps = -1.0, x_0 = 1.0; // x_0 = (2 + 0.8) / 0.6, clipped to 1
    auto const value = [&](stage const& s) { return s.x[x] * x_t + s.x[F()] * eps + s.x[m(0)] * x_0; };
    CHECK(value(ddim_stage(clipped, step)) == Approx(0.8 * x_0 + 0.6 * (x_t - 0.6 * x_0) / 0.8));
    CHECK(value(ddim_stage(clipped, step, {.network_epsilon = true})) == Approx(0.8 * x_0 + 0.6 * eps));
}

TEST_CASE("inversion comes back to the start")
{
    for (path_kind kind : {path_kind::variance_preserving, path_kind::variance_exploding, path_kind::rectified_flow}) {
        auto const round_trip = [&](std::size_t n) {
            grid const g = support::lambda_grid(kind, n, true, -1.0, 2.0);
            auto const network = support::exact_network(kind);
            auto const back =
                support::interpret(ddim_inverse(g), support::interpret(ddim(g), support::start, network), network);
            double worst = 0;
            for (std::size_t i = 0; i < back.size(); ++i)
                worst = std::max(worst, std::abs(back[i] - support::start[i]));
            return worst;
        };
        CHECK(round_trip(800) < 0.1);
        CHECK(std::log2(round_trip(800) / round_trip(1600)) == Approx(1.0).epsilon(0.1));
    }
}

TEST_CASE("zero terminal SNR, sigma = 0, one step, one time")
{
    grid const g{.times = {1, 0.5}, .levels = {{0, 1}, {0.6, 0.8}, {1, 0}}, .usual = prediction::v};
    plan const p = ddim(g);
    CHECK(p.stages[0].memory == pair_map{0.0, -1.0}); // v = -x_0 at alpha = 0
    CHECK(p.stages[0].x == 0.6 * m(0) + 0.8 * x);
    CHECK(p.stages[1].x == row(m(0)));
    CHECK_THROWS_WITH_AS(ddim(g, {.network = {.predicts = prediction::epsilon}}),
                         "alphabar::network_call: alpha is 0; an epsilon or score prediction says "
                         "nothing of x_0 there: predict v, flow or x_0, "
                         "clip x_0, or start the grid below it",
                         std::invalid_argument);
    // clipped, its limit exists
    plan const limit =
        ddim(g, {.network = {.predicts = prediction::epsilon, .operation = {.what = x0_operation::kind::clip}}});
    CHECK(std::isfinite(limit.stages[0].memory.x));
    auto const diffusion = support::table();
    CHECK(ddim(diffusion, trailing_grid(1)).stages[0].x == row(m(0)));
    CHECK(ddim(support::table(1), leading_grid(1)).stages.size() == 1);
    CHECK(ddim_inverse(diffusion, leading_grid(10)).stages[3].time == 200);
    CHECK_THROWS_AS(ddim(diffusion, trailing_grid(5), {.eta = -0.1}), std::invalid_argument);
    CHECK_THROWS_AS(ddim_inverse(diffusion, trailing_grid(5), {.eta = 1.0}), std::invalid_argument);
    CHECK_THROWS_AS(ddim_inverse(diffusion, leading_grid(5), {.network = {.predicts = prediction::x_0}}),
                    std::invalid_argument);
}
