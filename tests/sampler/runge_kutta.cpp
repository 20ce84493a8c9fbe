// SPDX-License-Identifier: MIT
#include <alphabar/sampler/runge_kutta.hpp>

#include <alphabar/grid/sigmas.hpp>
#include <alphabar/grid/spacing.hpp>
#include <alphabar/sampler/ddim.hpp>
#include <alphabar/sampler/two_stage.hpp>
#include <support/solver_test.hpp>

#include <cmath>
#include <stdexcept>
#include <vector>

TEST_CASE("the classical tableaus where K = 0")
{
    transition const unit{1.0, 1.0, 0.0, 0.0, 1.0, 1.0};
    auto const b = [&](runge_kutta_method const& method) {
        std::vector<double> nodes(method.c.rbegin(), method.c.rend());
        node_values const w = method.weights(unit, nodes, true);
        return std::vector<double>(w.begin(), w.begin() + static_cast<std::ptrdiff_t>(nodes.size()));
    };
    auto const near = [](std::vector<double> const& got, std::vector<double> const& want) {
        for (std::size_t i = 0; i < want.size(); ++i)
            CHECK(got[i] == Approx(want[i]).epsilon(1e-14));
    };
    near(b(rk_4()), {1.0 / 6, 1.0 / 3, 1.0 / 3, 1.0 / 6});
    near(b(rk_38()), {0.125, 0.375, 0.375, 0.125});
    near(b(res_2s(0.5)), {1.0, 0.0});
    near(b(res_2s(1.0)), {0.5, 0.5});
    near(b(res_2s(2.0 / 3)), {0.75, 0.25});
    near(b(dpm_3s()), {0.75, 0.0, 0.25});
    // the third row of the classical rule is the second slope alone
    transition const half{1.0, 1.0, 0.0, 0.0, 0.5, 1.0};
    near({rk_4().weights(half, std::vector{0.5, 0.0}, false)[0], rk_4().weights(half, std::vector{0.5, 0.0}, false)[1]},
         {0.5, 0.0});
}

TEST_CASE("what it has in common with others")
{
    variance_exploding const path;
    grid const g = make_grid(path, karras_grid(12));
    auto const same = [&](plan const& got, plan const& want) {
        state const start(10, 40.0), end = support::interpret(got, start, [](auto const& v, double) { return v; });
        state const other = support::interpret(want, start, [](auto const& v, double) { return v; });
        for (std::size_t i = 0; i < end.size(); ++i)
            CHECK(end[i] == Approx(other[i]).epsilon(1e-11));
    };
    network_form const network{.predicts = prediction::x_0};
    same(runge_kutta(path, g, {.network = network, .methods = {res_2s(1.0)}, .form = memory_form::rho}),
         heun(path, g, {.network = network}));
    same(runge_kutta(path, g, {.network = network, .methods = {res_2s(1.0)}, .in_time = true}),
         heun(path, g, {.network = network}));
    same(runge_kutta(path, g, {.network = network, .methods = {rk_1()}}), ddim(path, g, {.network = network}));
    plan const churned = runge_kutta(path, g, {.network = network, .form = memory_form::rho, .churn = {.amount = 5}});
    CHECK(churned.initial_scale == 80.0);
    CHECK(churned.stages[0].churn == heun(path, g, {.network = network, .churn = {.amount = 5}}).stages[0].churn);
}

TEST_CASE("the SDE's steps, SEEDS: the noises of a step are one path's")
{
    for (path_kind kind : support::all_paths) {
        support::lambda_path const path{kind};
        auto const seeds = [&](runge_kutta_method const& method, double tau) {
            return [&, method, tau](grid const& g) { return runge_kutta(path, g, {.methods = {method}, .tau = tau}); };
        };
        // two calls: moments of order 2, where noises of their own have order 1
        auto const orders = [&](auto const& made) { return support::variance_order(made, kind, 40); };
        CHECK(orders(seeds(rk_1(), 1.0)) == Approx(1.0).epsilon(0.1));
        CHECK(orders(seeds(dpm_2s(), 1.0)) == Approx(2.0).epsilon(0.05));
        CHECK(orders(seeds(dpm_2s(), 0.6)) == Approx(2.0).epsilon(0.05));
        CHECK(orders(seeds(res_2s(1.0), 1.0)) == Approx(2.0).epsilon(0.06));
        CHECK(orders(seeds(rk_4(), 1.0)) == Approx(2.0).epsilon(0.05));
        CHECK(orders([&](grid const& g) { return dpmpp_sde(path, g); }) < 1.1);
        grid const g = support::grid_to_zero(kind, 40, -3.0);
        CHECK(support::worst_deviation(seeds(dpm_2s(), 1.0)(g), kind, -3.0, 4000) < 4.0);
        CHECK(support::worst_deviation(seeds(dpm_3s(), 1.0)(g), kind, -3.0, 4000) < 4.0);
        CHECK(support::worst_deviation(seeds(res_2s(1.0), 0.7)(g), kind, -3.0, 4000) < 4.0);
        // z of a step of one path: the same step in one, its noise in parts
        plan const p = seeds(dpm_3s(), 0.8)(support::lambda_grid(kind, 1, false, 0.0, 0.9));
        transition const whole = make_transition(path.level(0.0), path.level(0.9), memory_form::x_0, 0.8);
        double const last = p.stages[2].x[y], both = last * (*p.stages[1].y)[y];
        CHECK(both * (*p.stages[0].y)[x] == Approx(whole.a));
        CHECK(std::hypot(both * (*p.stages[0].y)[z], last * (*p.stages[1].y)[z], p.stages[2].x[z]) == Approx(whole.c));
        CHECK((*p.stages[0].y)[z] == p.stages[0].x[z]);
    }
    // the last call of Heun's step is at its end: nothing is left to draw there
    plan const ends = runge_kutta(support::table(), karras_grid(4), {.methods = {res_2s(1.0)}, .tau = 1.0});
    CHECK(draws_noise(ends.stages[0]));
    CHECK(!draws_noise(ends.stages[1]));
}

TEST_CASE("as users write it, and what is refused")
{
    auto const diffusion = support::table();
    CHECK(runge_kutta(diffusion, karras_grid(5)).stages.size() == 9); // the step to sigma = 0 has one call
    CHECK(runge_kutta(diffusion, karras_grid(5)).stages.back().x == row(m(0)));
    CHECK(runge_kutta(diffusion, karras_grid(3), {.methods = {rk_4(), dpm_3s(), rk_1()}}).stages.size() == 8);
    CHECK(runge_kutta(rectified_flow{}, trailing_grid(4), {.methods = {rk_38()}, .form = memory_form::velocity})
              .stages.size() == 16);
    CHECK(runge_kutta(rectified_flow{}, trailing_grid(4), {.in_time = true}).stages.front().x[m(0)] == Approx(-0.125));
    CHECK_THROWS_AS(runge_kutta(diffusion, karras_grid(3), {.methods = {rk_1(), rk_1()}}), std::invalid_argument);
    CHECK_THROWS_AS(runge_kutta(diffusion, karras_grid(3), {.in_time = true}), std::invalid_argument);
    CHECK_THROWS_AS(runge_kutta(diffusion, karras_grid(3), {.eta = -0.5}), std::invalid_argument);
    for (runge_kutta_options const& bad :
         {runge_kutta_options{.tau = -1.0}, runge_kutta_options{.tau = 1.0, .eta = 1.0},
          runge_kutta_options{.methods = {tableau({0.0, 0.9, 0.5}, {{{1.0}}, {{1.0}, {}}, {{1.0}, {}, {}}})},
                              .tau = 1.0},
          runge_kutta_options{.form = memory_form::rho, .tau = 1.0}})
        CHECK_THROWS_AS(runge_kutta(diffusion, karras_grid(3), bad), std::invalid_argument);
    CHECK_THROWS_AS(runge_kutta(rectified_flow{}, trailing_grid(3), {.in_time = true, .tau = 1.0}),
                    std::invalid_argument);
    CHECK_THROWS_AS(tableau({0.0, 0.0}, {{{1.0}}, {{1.0}, {1.0}}}), std::invalid_argument);
    CHECK_THROWS_AS(butcher({0.5}, {{1.0}}), std::invalid_argument);
    CHECK_THROWS_AS(butcher({0.0, 0.5}, {{1.0}, {1.0}}), std::invalid_argument);
}
