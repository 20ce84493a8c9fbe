// SPDX-License-Identifier: MIT
#include <alphabar/sampler/er_sde.hpp>

#include <alphabar/grid/sigmas.hpp>
#include <alphabar/sampler/ddim.hpp>
#include <alphabar/sampler/dpm_multistep.hpp>
#include <support/solver_test.hpp>

#include <cmath>
#include <stdexcept>

namespace {

double linear(double rho) { return rho; }
double square(double rho) { return rho * rho; }

} // namespace

TEST_CASE("phi = rho is the ODE, phi = rho^2 the reverse SDE: order 1 is DDIM's and SDE-DPM-Solver++'s")
{
    for (path_kind kind : support::all_paths) {
        grid const g = support::lambda_grid(kind, 9, true);
        plan const ode = er_sde(g, {.order = 1, .noise = linear}), sde = er_sde(g, {.order = 1, .noise = square});
        plan const want_ode = dpmpp_2m(g, {.order = 1}), want_sde = dpmpp_2m_sde(g, {.order = 1});
        for (std::size_t i = 0; i < 9; ++i) {
            for (slot s : {x, m(0), z}) {
                CHECK(ode.stages[i].x[s] == Approx(want_ode.stages[i].x[s]).epsilon(1e-12));
                CHECK(sde.stages[i].x[s] == Approx(want_sde.stages[i].x[s]).epsilon(1e-12));
            }
            CHECK(!ode.stages[i].x.reads(z));
        }
    }
}

TEST_CASE("the integrals where they are known")
{
    grid const g = support::lambda_grid(path_kind::variance_exploding, 5, true);
    auto const rho = [&](std::size_t i) { return g.levels[i].sigma; };
    double const s = rho(3), t = rho(4), gap = rho(2) - s, next = rho(1) - s;
    // phi = rho: I_1 = t - s + t log(s / t), I_2 = (t - s)^2 + 2 t ((s - t) - s log(s / t))
    double const one = t - s + t * std::log(s / t), two = (t - s) * (t - s) + 2 * t * (s - t - s * std::log(s / t));
    plan const second = er_sde(g, {.order = 2, .noise = linear});
    CHECK(second.stages[3].x[m(1)] == Approx(one / gap).epsilon(1e-12));
    CHECK(second.stages[3].x[m(0)] == Approx(1 - t / s - one / gap).epsilon(1e-12));
    plan const third = er_sde(g, {.order = 3, .noise = linear});
    CHECK(third.stages[3].x[m(2)] == Approx((two - gap * one) / (next * (next - gap))).epsilon(1e-11));
    CHECK(third.stages[3].x[m(1)] == Approx((two - next * one) / (gap * (gap - next))).epsilon(1e-11));
}

TEST_CASE("the published function: shipped it is ComfyUI's sample_er_sde, whose integrals are sums of 200 points")
{
    grid const g = support::lambda_grid(path_kind::variance_exploding, 20, false);
    auto const phi = [](double v) { return v * (std::exp(std::pow(v, 0.3)) + 10); };
    double const s = g.levels[7].sigma, t = g.levels[8].sigma, before = g.levels[6].sigma, r = phi(t) / phi(s);
    double sum = 0.0, width = (s - t) / 200;
    for (int i = 0; i < 200; ++i)
        sum += width / phi(t + i * width);
    double const difference = (t - s + sum * phi(t)) / (s - before);
    plan const p = er_sde(g, {.order = 2});
    CHECK(p.stages[7].x[x] == Approx(r).epsilon(1e-13));
    CHECK(p.stages[7].x[m(0)] == Approx(1 - r + difference).epsilon(1e-3));
    CHECK(p.stages[7].x[m(1)] == Approx(-difference).epsilon(2e-2));
    CHECK(p.stages[7].x[z] == Approx(std::sqrt(t * t - s * s * r * r)).epsilon(1e-12));
    plan const shipped = er_sde(g, {.order = 2, .shipped = true});
    CHECK(shipped.stages[7].x[m(0)] == Approx(1 - r + difference).epsilon(1e-13));
    CHECK(shipped.stages[7].x[m(1)] == Approx(-difference).epsilon(1e-12));
}

TEST_CASE("as users write it, and what is refused")
{
    auto const diffusion = support::table();
    CHECK(er_sde(diffusion, karras_grid(20)).stages.back().x == row(m(0)));
    CHECK(er_sde(diffusion, karras_grid(1)).stages.size() == 1);
    CHECK_THROWS_AS(er_sde(diffusion, karras_grid(20), {.order = 4}), std::invalid_argument);
    CHECK_THROWS_AS(er_sde(diffusion, karras_grid(20), {.noise = [](double rho) { return std::sqrt(rho); }}),
                    std::invalid_argument);
    grid g = support::lambda_grid(path_kind::rectified_flow, 4, false);
    g.levels[0] = {0.0, 1.0};
    // from pure noise a step has order 1, and draws all its noise afresh where phi is steep
    plan const p = er_sde(g), ode = er_sde(g, {.noise = [](double rho) { return rho; }});
    noise_level const to = g.levels[1];
    CHECK(p.stages[0].x[m(0)] == Approx(to.alpha));
    CHECK(p.stages[0].x[z] == Approx(to.sigma));
    CHECK(!p.stages[0].x.reads(x));
    CHECK(ode.stages[0].x[x] == Approx(to.sigma));
    CHECK(ode.stages[0].x[m(0)] == Approx(to.alpha));
    CHECK(p.stages[1].x[m(1)] == 0.0);
    CHECK(p.stages[2].x.reads(m(1)));
}
