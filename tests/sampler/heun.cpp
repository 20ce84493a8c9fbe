// SPDX-License-Identifier: MIT
#include <alphabar/sampler/heun.hpp>

#include <alphabar/grid/sigmas.hpp>
#include <alphabar/grid/spacing.hpp>
#include <support/solver_test.hpp>

#include <cmath>
#include <stdexcept>

TEST_CASE("it is algorithm 2 of Karras et al.")
{
    variance_exploding const path;
    grid const g = make_grid(path, karras_grid(10));
    churn_options const churn{.amount = 4, .low = 0.05, .high = 50, .noise_scale = 1.007};
    support::gaussian_mixture const mixture;
    auto const denoiser = [&](state const& v, double sigma) { return mixture.denoise(v, {1.0, sigma}); };
    auto const noise = [](std::uint32_t index) { return state(10, std::sin(1.0 + index)); };
    plan const p = heun(path, g, {.network = {.predicts = prediction::x_0}, .churn = churn});
    CHECK(p.stages.size() == 19);

    state v = support::start;
    for (double& e : v)
        e *= 80;
    state const got = support::interpret(p, v, denoiser, noise);
    std::uint32_t calls = 0;
    for (std::size_t i = 0; i < 10; ++i) {
        double const t = g.levels[i].sigma, after = g.levels[i + 1].sigma;
        double const gamma = t >= churn.low && t <= churn.high ? std::min(churn.amount / 10, std::sqrt(2.0) - 1) : 0.0,
                     hat = t + gamma * t;
        state const z_i = noise(noise_index(calls, 0));
        for (std::size_t k = 0; k < v.size(); ++k)
            v[k] += std::sqrt(hat * hat - t * t) * churn.noise_scale * z_i[k];
        state const D = denoiser(v, hat);
        state next = v, slope = v;
        for (std::size_t k = 0; k < v.size(); ++k)
            slope[k] = (v[k] - D[k]) / hat, next[k] = v[k] + (after - hat) * slope[k];
        ++calls;
        if (after != 0) {
            state const D_2 = denoiser(next, after);
            for (std::size_t k = 0; k < v.size(); ++k)
                next[k] = v[k] + (after - hat) * (0.5 * slope[k] + 0.5 * (next[k] - D_2[k]) / after);
            ++calls;
        }
        v = next;
    }
    for (std::size_t k = 0; k < v.size(); ++k)
        CHECK(got[k] == Approx(v[k]).epsilon(1e-9));
}

TEST_CASE("measured order of convergence is 2 in rho on every path, and in t on rectified flow")
{
    auto const solver = [](memory_form form) { return [form](grid const& g) { return heun(g, {.form = form}); }; };
    for (path_kind kind : {path_kind::variance_preserving, path_kind::variance_exploding, path_kind::rectified_flow})
        for (bool uneven : {false, true})
            CHECK(support::measured_order(solver(memory_form::rho), kind, uneven) == Approx(2.0).epsilon(0.05));
    CHECK(support::measured_order(solver(memory_form::velocity), path_kind::rectified_flow, true) ==
          Approx(2.0).epsilon(0.05));
}

TEST_CASE("churn keeps mean and covariance")
{
    variance_exploding const path;
    grid g = support::grid_to_zero(path_kind::variance_exploding, 150, -3.0);
    for (std::size_t i = 0; i < g.steps(); ++i)
        g.times[i] = g.levels[i].sigma;
    plan p = heun(path, g, {.churn = {.amount = 30}});
    for (stage& s : p.stages)
        s.time = -std::log(s.time);
    CHECK(support::worst_deviation(p, path_kind::variance_exploding, -3.0, 3000) < 4.0);
}

TEST_CASE("on rectified flow it is the trapezoid of F; ends, one step, and what is refused")
{
    plan const p = heun(rectified_flow{}, trailing_grid(4));
    CHECK(p.stages.size() == 7);
    CHECK(p.stages[1].x[y] == 1.0);
    CHECK(p.stages[1].x[m(0)] == Approx(-0.125));
    CHECK(p.stages[1].x[m(1)] == Approx(-0.125));
    CHECK(p.stages[0].memory.x == Approx(0.0));
    CHECK(p.stages[0].memory.other == Approx(1.0));
    CHECK(!p.stages[0].ends_step);
    CHECK(p.stages[1].ends_step);
    CHECK(p.stages[6].x == row(m(0)));
    auto const diffusion = support::table();
    CHECK(heun(diffusion, trailing_grid(1)).stages.size() == 1);
    // zero terminal SNR: the first step is Euler's
    grid const g{.times = {2, 1}, .levels = {{0, 1}, {0.6, 0.8}, {0.8, 0.6}}, .end_time = 0.5, .usual = prediction::v};
    plan const from_noise = heun(g);
    CHECK(from_noise.stages.size() == 3);
    CHECK(from_noise.stages[0].x == 0.6 * m(0) + 0.8 * x);
    CHECK(from_noise.stages[2].time == 0.5);
    CHECK_THROWS_AS(heun(g, {.churn = {.amount = 1}}), std::invalid_argument);
}
