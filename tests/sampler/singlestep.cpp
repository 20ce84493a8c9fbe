// SPDX-License-Identifier: MIT
#include <alphabar/sampler/singlestep.hpp>

#include <alphabar/grid/sigmas.hpp>
#include <alphabar/grid/spacing.hpp>
#include <support/solver_test.hpp>

#include <cmath>
#include <stdexcept>
#include <vector>

TEST_CASE("DPM-Solver-2 is algorithm 1 of its paper, with any r_1")
{
    grid const g = support::lambda_grid(path_kind::variance_preserving, 2, true);
    plan const p = dpm_singlestep(g, {.form = memory_form::epsilon});
    auto const lambda = [&](std::size_t i) { return std::log(g.levels[i].alpha / g.levels[i].sigma); };
    double const h = lambda(2) - lambda(0), r = (lambda(1) - lambda(0)) / h;
    REQUIRE(p.stages.size() == 2);
    CHECK(p.stages[0].x[m(0)] == Approx(-g.levels[1].sigma * std::expm1(r * h)).epsilon(1e-13));
    CHECK(p.stages[0].y == row(x));
    // x_t = (alpha_t/alpha_s) x - sigma_t (e^h - 1) e_0 - sigma_t/(2 r) (e^h - 1) (e_1 - e_0)
    double const b = -g.levels[2].sigma * std::expm1(h);
    CHECK(p.stages[1].x[y] == Approx(g.levels[2].alpha / g.levels[0].alpha).epsilon(1e-13));
    CHECK(p.stages[1].x[m(0)] == Approx(b / (2 * r)).epsilon(1e-13));
    CHECK(p.stages[1].x[m(1)] == Approx(b * (1 - 1 / (2 * r))).epsilon(1e-12));
    CHECK(!p.stages[0].ends_step);
    CHECK(p.stages[1].ends_step);
}

TEST_CASE("DPM-Solver-3 is algorithm 2 of its paper: r_1 = 1/3, r_2 = 2/3")
{
    grid const g = support::lambda_grid(path_kind::variance_preserving, 3, false);
    plan const p = dpm_singlestep(g, {.order = 3, .form = memory_form::epsilon, .rule = {.skip_middle = true}});
    double const h = std::log(g.levels[3].alpha / g.levels[3].sigma) - std::log(g.levels[0].alpha / g.levels[0].sigma);
    double const r1 = 1.0 / 3, r2 = 2.0 / 3;
    double const second = -g.levels[2].sigma * r2 / r1 * (std::expm1(r2 * h) / (r2 * h) - 1);
    CHECK(p.stages[1].x[m(0)] == Approx(second).epsilon(1e-12));
    CHECK(p.stages[1].x[m(1)] == Approx(-g.levels[2].sigma * std::expm1(r2 * h) - second).epsilon(1e-12));
    double const third = -g.levels[3].sigma / r2 * (std::expm1(h) / h - 1);
    CHECK(p.stages[2].x[m(0)] == Approx(third).epsilon(1e-12));
    CHECK(!p.stages[2].x.reads(m(1)));
    CHECK(p.stages[2].x[m(2)] == Approx(-g.levels[3].sigma * std::expm1(h) - third).epsilon(1e-12));
}

TEST_CASE("the orders of calls")
{
    using list = std::vector<unsigned>;
    auto const orders = [](std::size_t n, unsigned order, bool lower) {
        return singlestep_orders(support::lambda_grid(path_kind::variance_preserving, n, false), order, lower);
    };
    CHECK(orders(7, 3, false) == list{1, 2, 3, 1, 2, 3, 1});
    CHECK(orders(6, 3, false) == list{1, 2, 3, 1, 2, 3});
    CHECK(orders(6, 3, true) == list{1, 2, 3, 1, 2, 1});
    CHECK(orders(5, 3, true) == list{1, 2, 3, 1, 2});
    CHECK(orders(4, 2, true) == list{1, 2, 1, 1});
    CHECK(singlestep_orders(support::grid_to_zero(path_kind::variance_preserving, 5, -3.0), 3) == list{1, 2, 3, 1, 1});
    // begun inside a step, the orders are what the memories allow
    plan const p = dpm_singlestep(grid_from(support::lambda_grid(path_kind::variance_preserving, 6, false), 2),
                                  {.order = 3, .orders = {3, 1, 2, 3}});
    CHECK(p.stages.size() == 4);
    CHECK(p.stages[0].ends_step);
    CHECK(p.stages[3].x.reads(m(2)));
}

TEST_CASE("as users write it")
{
    auto const diffusion = support::table();
    CHECK(dpm_singlestep(diffusion, karras_grid(20)).stages.back().x == row(m(0)));
    CHECK(dpm_singlestep(rectified_flow{}, trailing_grid(5), {.order = 3}).stages.size() == 5);
    CHECK(dpm_singlestep(support::table(1), trailing_grid(1), {.order = 3}).stages.size() == 1);
    CHECK_THROWS_AS(dpm_singlestep(diffusion, karras_grid(20), {.order = 4}), std::invalid_argument);
    CHECK_THROWS_AS(dpm_singlestep(diffusion, karras_grid(20), {.eta = -1.0}), std::invalid_argument);
    CHECK_THROWS_AS(dpm_singlestep(diffusion, karras_grid(20), {.orders = {1}}), std::invalid_argument);
    CHECK_THROWS_AS(dpm_singlestep(diffusion, karras_grid(2), {.orders = {1, 0}}), std::invalid_argument);
    CHECK_THROWS_AS(singlestep({}, {}), std::invalid_argument);
    CHECK_THROWS_AS(singlestep({{.time = 1, .level = {0.6, 0.8}, .to = {0.8, 0.6}, .age = 1}}, {}),
                    std::invalid_argument);
}
