// SPDX-License-Identifier: MIT
#include <alphabar/sampler/euler.hpp>

#include <alphabar/grid/sigmas.hpp>
#include <alphabar/grid/spacing.hpp>
#include <support/solver_test.hpp>

#include <cmath>
#include <stdexcept>
#include <vector>

TEST_CASE("with churn it is algorithm 2 of Karras et al. without its correction")
{
    variance_exploding const path;
    grid const g = make_grid(path, karras_grid(12));
    churn_options const churn{.amount = 5, .low = 0.05, .high = 50, .noise_scale = 1.007};
    plan const p = euler(path, g, {.churn = churn});
    state v = support::start;
    for (double& e : v)
        e *= 80;
    state const got = support::interpret(p, v, support::epsilon_network,
                                         [&](std::uint32_t index) { return support::sine_noise(index, v.size()); });
    for (std::size_t i = 0; i < 12; ++i) {
        double const t = g.levels[i].sigma, after = g.levels[i + 1].sigma;
        double const gamma = t >= churn.low && t <= churn.high ? std::min(churn.amount / 12, std::sqrt(2.0) - 1) : 0.0,
                     hat = t + gamma * t;
        state const z_i = support::sine_noise(noise_index(static_cast<std::uint32_t>(i), 0), v.size());
        for (std::size_t k = 0; k < v.size(); ++k)
            v[k] += std::sqrt(hat * hat - t * t) * churn.noise_scale * z_i[k];
        state const slope = support::epsilon_network(v, hat);
        for (std::size_t k = 0; k < v.size(); ++k)
            v[k] += (after - hat) * slope[k];
        CHECK(p.stages[i].churn.has_value() == (gamma > 0));
    }
    for (std::size_t k = 0; k < v.size(); ++k)
        CHECK(got[k] == Approx(v[k]).epsilon(1e-10));
}

TEST_CASE("churn goes no higher than the path, and adds what the level reached has")
{
    ve_sde const path;
    grid const g = make_grid(path, karras_grid(8));
    std::vector<churned_step> const steps = churned_steps(path, g, {.amount = 2});
    CHECK(!steps[0].churn); // it starts at the end of the path
    for (std::size_t i = 1; i < 8; ++i) {
        REQUIRE(steps[i].churn);
        CHECK(steps[i].step.from.sigma == Approx(1.25 * g.levels[i].sigma));
        CHECK(std::hypot(g.levels[i].sigma, steps[i].churn->add) == Approx(steps[i].step.from.sigma));
    }
}

TEST_CASE("on rectified flow it is x + (t' - t) F; on any path DDIM")
{
    plan const p = euler(rectified_flow{}, trailing_grid(5));
    for (stage const& s : p.stages) { // m(0) = x - t F
        CHECK(s.x[x] + s.x[m(0)] == Approx(1.0));
        CHECK(s.x[F()] + s.x[m(0)] * s.memory.other == Approx(-0.2));
    }
    auto const diffusion = support::table();
    CHECK(euler(diffusion, karras_grid(8)) == ddim(diffusion, karras_grid(8)));
}

TEST_CASE("the ancestral step is k-diffusion's")
{
    grid const g = make_grid(variance_exploding{}, karras_grid(9));
    for (double eta : {0.5, 1.0, 3.0}) {
        plan const p = euler_ancestral(g, {.eta = eta, .noise_scale = 1.1});
        for (std::size_t i = 0; i < 8; ++i) {
            double const from = g.levels[i].sigma, to = g.levels[i + 1].sigma;
            double const up = std::min(to, eta * std::sqrt(to * to * (from * from - to * to) / (from * from)));
            double const down = std::sqrt(to * to - up * up);
            // x + (down - sigma) eps, with m(0) = x - sigma eps
            CHECK(p.stages[i].x[m(0)] + p.stages[i].x[x] == Approx(1.0));
            CHECK(p.stages[i].x[F()] - from * p.stages[i].x[m(0)] == Approx(down - from));
            CHECK(p.stages[i].x[z] == Approx(1.1 * up));
        }
        CHECK(!draws_noise(p.stages[8]));
    }
}

TEST_CASE("what is refused")
{
    grid const g = make_grid(variance_exploding{}, karras_grid(9));
    CHECK_THROWS_WITH_AS(
        euler(g, {.churn = {.amount = 1}}),
        "alphabar::euler: churn.amount is 1; it needs the path: call the solver as (path, grid, options)",
        std::invalid_argument);
    CHECK_THROWS_AS(euler(variance_exploding{}, g, {.churn = {.amount = -1}}), std::invalid_argument);
    CHECK_THROWS_AS(euler(variance_exploding{}, g, {.churn = {.amount = 1, .low = 2, .high = 1}}),
                    std::invalid_argument);
    CHECK_THROWS_AS(euler_ancestral(g, {.eta = NAN}), std::invalid_argument);
    // no churn at alpha = 0
    CHECK(!euler(rectified_flow{}, trailing_grid(3), {.churn = {.amount = 1}}).stages[0].churn);
    CHECK(euler(rectified_flow{}, trailing_grid(3), {.churn = {.amount = 1}}).stages[1].churn);
}

TEST_CASE("the ancestral sampler of rectified flow: LTX's formula, eta = 0 is Euler")
{
    grid const g{.times = {0.9, 0.6}, .levels = {{0.1, 0.9}, {0.4, 0.6}, {1, 0}}, .usual = prediction::flow};
    CHECK(euler_ancestral_flow(g, {.eta = 0.0}) == euler(g));
    double const a = 0.9, b = 0.6, eta = 0.7, x_t = 0.83, v = -1.21, z_t = 0.37;
    stage const s = euler_ancestral_flow(g, {.eta = eta, .noise_scale = 1.1}).stages[0];
    double const down = b * (1 + (b / a - 1) * eta), x_0 = x_t - a * v, x_d = down / a * x_t + (1 - down / a) * x_0;
    double const ratio = (1 - b) / (1 - down),
                 want = ratio * x_d + 1.1 * std::sqrt(b * b - down * down * ratio * ratio) * z_t;
    double const memory = s.memory.x * x_t + s.memory.other * v;
    CHECK(s.x[x] * x_t + s.x[F()] * v + s.x[m(0)] * memory + s.x[z] * z_t == Approx(want).epsilon(1e-14));
    CHECK_THROWS_AS(euler_ancestral_flow(variance_exploding{}, karras_grid(5)), std::invalid_argument);
    CHECK_THROWS_AS(euler_ancestral_flow(g, {.eta = 1.5}), std::invalid_argument);
}
