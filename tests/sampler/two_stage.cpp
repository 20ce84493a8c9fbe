// SPDX-License-Identifier: MIT
#include <alphabar/sampler/two_stage.hpp>

#include <alphabar/grid/sigmas.hpp>
#include <alphabar/grid/spacing.hpp>
#include <support/solver_test.hpp>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <stdexcept>

TEST_CASE("in rho it is the second-order family of EDM; its middle 1 is Heun")
{
    auto const diffusion = support::table();
    CHECK(two_stage(diffusion, trailing_grid(9), {.middle = 1.0, .form = memory_form::rho}) ==
          heun(diffusion, trailing_grid(9)));
    // algorithm 3: t' = t + a h, weights 1 - 1/(2a) and 1/(2a)
    grid const g{.times = {4}, .levels = {{1, 4}, {1, 1}}, .end_time = 1};
    plan const p = two_stage(variance_exploding{}, g, {.middle = 0.75, .form = memory_form::rho});
    CHECK(p.stages[1].time == Approx(4 - 0.75 * 3));
    CHECK(p.stages[1].x[m(0)] == Approx(-3 / 1.5));
    CHECK(p.stages[1].x[m(1)] == Approx(-3 * (1 - 1 / 1.5)));
}

TEST_CASE("DPM-Solver++(2S) ancestral, step by step")
{
    variance_exploding const path;
    grid const g = make_grid(path, karras_grid(7));
    support::gaussian_mixture const mixture;
    auto const denoiser = [&](state const& v, double sigma) { return mixture.denoise(v, {1.0, sigma}); };
    plan const p =
        dpmpp_2s_ancestral(path, g, {.network = {.predicts = prediction::x_0}, .eta = 0.8, .noise_scale = 1.007});
    state v = support::start;
    for (double& e : v)
        e *= 80;
    auto const noise = [&](std::uint32_t index) { return support::sine_noise(index, v.size()); };
    state const got = support::interpret(p, v, denoiser, noise);
    std::uint32_t calls = 0;
    for (std::size_t i = 0; i < 7; ++i) {
        double const sigma = g.levels[i].sigma, after = g.levels[i + 1].sigma;
        double const up = std::min(after,
                                   0.8 * std::sqrt(after * after * (sigma * sigma - after * after) / (sigma * sigma))),
                     down = std::sqrt(after * after - up * up);
        state const D = denoiser(v, sigma);
        ++calls;
        state next = v;
        if (down == 0) {
            next = D;
        } else {
            double const h = std::log(sigma / down), middle = sigma * std::exp(-h / 2);
            for (std::size_t k = 0; k < v.size(); ++k)
                next[k] = middle / sigma * v[k] - std::expm1(-h / 2) * D[k];
            state const D_2 = denoiser(next, middle);
            ++calls;
            for (std::size_t k = 0; k < v.size(); ++k)
                next[k] = down / sigma * v[k] - std::expm1(-h) * D_2[k];
        }
        state const z_i = noise(noise_index(calls, 0));
        for (std::size_t k = 0; k < v.size(); ++k)
            v[k] = next[k] + 1.007 * up * z_i[k];
    }
    for (std::size_t k = 0; k < v.size(); ++k)
        CHECK(got[k] == Approx(v[k]).epsilon(1e-9));
}

TEST_CASE("with noise a step of rectified flow leaves its line, where a velocity would be wrong")
{
    rectified_flow const flow;
    CHECK(heun(flow, trailing_grid(6), {.eta = 1.0}) ==
          two_stage(flow, trailing_grid(6), {.eta = 1.0, .middle = 1.0, .form = memory_form::rho}));
    CHECK_THROWS_AS(heun(flow, trailing_grid(6), {.eta = 1.0, .form = memory_form::velocity}), std::invalid_argument);
}

TEST_CASE("ends, zero terminal SNR, the number of arrays, what is refused")
{
    auto const diffusion = support::table();
    CHECK(dpm_2(diffusion, trailing_grid(1)).stages.size() == 1);
    plan const p = dpmpp_sde(diffusion, trailing_grid(4));
    CHECK(p.stages.size() == 7);
    CHECK(p.stages[6].x == row(m(0)));
    CHECK(!p.stages[1].x.reads(m(1))); // the middle alone where r = 1/2
    CHECK(draws_noise(p.stages[0]));
    CHECK(!draws_noise(dpmpp_2s_ancestral(diffusion, trailing_grid(4)).stages[0]));
    CHECK(dpmpp_sde(diffusion, trailing_grid(4), {.middle = 0.3}).stages[1].x.reads(m(1)));
    grid const g{.times = {2, 1}, .levels = {{0, 1}, {0.6, 0.8}, {0.8, 0.6}}, .end_time = 0.5, .usual = prediction::v};
    for (plan const& from_noise : {dpm_2(diffusion, g), dpmpp_2s_ancestral(diffusion, g, {.eta = 0.0})}) {
        CHECK(from_noise.stages.size() == 3);
        CHECK(from_noise.stages[0].x == 0.6 * m(0) + 0.8 * x);
    }
    CHECK_THROWS_AS(dpm_2(diffusion, g, {.middle = 0.0}), std::invalid_argument);
    CHECK_THROWS_AS(dpm_2(diffusion, g, {.middle = 1.5}), std::invalid_argument);
    CHECK_THROWS_AS(dpm_2_ancestral(diffusion, g, {.eta = -1.0}), std::invalid_argument);
}

TEST_CASE("Heun is algorithm 2 of Karras et al.")
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

TEST_CASE("Heun on rectified flow is the trapezoid of F; ends, one step, and what is refused")
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

TEST_CASE("Heun++ looks two steps ahead")
{
    for (path_kind kind : support::all_paths) {
        auto const made = [&](grid const& g) { return heunpp2(support::lambda_path{kind}, g); };
        CHECK(support::measured_order(made, kind, true, 400) == Approx(1.0).epsilon(0.05));
    }
    variance_exploding const path;
    grid const g{.times = {9, 4, 2, 1}, .levels = {{1, 9}, {1, 4}, {1, 2}, {1, 1}, {1, 0.5}}, .end_time = 0.5};
    plan const p = heunpp2(path, g);
    REQUIRE(p.stages.size() == 3 + 3 + 2 + 1);
    CHECK(p.stages[0].x[m(0)] == Approx(4 - 9));
    CHECK(p.stages[1].x[m(0)] == Approx(2 - 4)); // Euler on from there
    CHECK(p.stages[1].x[m(1)] == Approx(4 - 9));
    CHECK(p.stages[2].x[m(0)] == Approx(-5 * 2 / 27.0));
    CHECK(p.stages[2].x[m(1)] == Approx(-5 * 4 / 27.0));
    CHECK(p.stages[2].x[m(2)] == Approx(-5 * 21 / 27.0));
    CHECK(p.stages[7].x[m(0)] == Approx(-1.0 * 1 / 18)); // the last step but one
    CHECK(p.stages[7].x[m(1)] == Approx(-1.0 * 17 / 18));
    auto const diffusion = support::table();
    plan const ends = heunpp2(diffusion, trailing_grid(2));
    CHECK(ends.stages.size() == 3);
    CHECK(ends.stages[1].time == 499); // the grid's own times
    CHECK(ends.stages.back().x == row(m(0)));
    CHECK(heunpp2(rectified_flow{}, trailing_grid(4)).stages.size() == 9);        // from alpha = 0, in t
    CHECK_THROWS_AS(heunpp2(g, {.churn = {.amount = 1}}), std::invalid_argument); // no path
}
