// SPDX-License-Identifier: MIT
#include <alphabar/sampler/pndm.hpp>

#include <alphabar/grid/sigmas.hpp>
#include <alphabar/grid/spacing.hpp>
#include <support/solver_test.hpp>

#include <cmath>
#include <numeric>
#include <stdexcept>

namespace {

// On the variance-exploding path with equal steps of sigma the outputs are taken at equal distances.
grid sigma_grid(std::size_t n, bool alternating = false)
{
    grid g;
    for (std::size_t i = 0; i <= n; ++i) {
        double const moved = alternating && i % 2 ? 0.4 : 0.0; // every other step is 1.4 times as long
        double const sigma = 1.0 + (0.2 - 1.0) * (static_cast<double>(i) + moved) / static_cast<double>(n);
        g.levels.push_back({1.0, sigma});
        (i < n ? g.times.emplace_back() : g.end_time) = sigma;
    }
    return g;
}

double order_in_sigma(support::grid_solver const& solver, std::size_t n)
{
    auto const end = [&](plan const& p) { return support::interpret(p, support::start, support::epsilon_network); };
    static state const exact = end(pndm(variance_exploding{}, sigma_grid(4000), {.runge_kutta = true}));
    auto const error = [&](std::size_t steps) {
        state const got = end(solver(sigma_grid(steps)));
        double worst = 0;
        for (std::size_t i = 0; i < got.size(); ++i)
            worst = std::max(worst, std::abs(got[i] - exact[i]));
        return worst;
    };
    return std::log2(error(n) / error(2 * n));
}

} // namespace

TEST_CASE("the weights of Adams-Bashforth integrate polynomials")
{
    for (std::size_t n = 1; n <= 4; ++n)
        for (std::size_t power = 0; power < n; ++power) {
            double sum = 0;
            for (std::size_t j = 0; j < n; ++j)
                sum += adams_bashforth[n - 1][j] * std::pow(-static_cast<double>(j), static_cast<double>(power));
            CHECK(sum == Approx(1.0 / static_cast<double>(power + 1)));
        }
}

TEST_CASE("for equal steps of sigma / alpha the order is that of the start")
{
    variance_exploding const path;
    auto const order = [&](auto const& solver, auto const& options) {
        return order_in_sigma([&](grid const& g) { return solver(path, g, options); }, 200);
    };
    // the first step of iPNDM and LMS, of order 1, costs h^2 once
    CHECK(order(ipndm, multistep_options{.order = 1}) == Approx(1.0).epsilon(0.02));
    for (unsigned k : {2u, 3u, 4u})
        CHECK(order(ipndm, multistep_options{.order = k}) == Approx(2.0).epsilon(0.02));
    // corrected, h^3
    CHECK(order(pndm, pndm_options{}) == Approx(3.0).epsilon(0.02));
    CHECK(order(pndm, pndm_options{.runge_kutta = true}) == Approx(4.0).epsilon(0.02));
}

TEST_CASE("for unequal steps LMS is of order 2 where iPNDM is not; for equal ones they are the same")
{
    variance_exploding const path;
    plan const a = lms(path, sigma_grid(12)), b = ipndm(path, sigma_grid(12));
    for (std::size_t i = 0; i < 12; ++i)
        for (std::size_t j = 0; j < std::min<std::size_t>(i + 1, 4); ++j)
            CHECK(a.stages[i].x[m(j)] == Approx(b.stages[i].x[m(j)]).epsilon(1e-9));
    auto const uneven = [&](auto const& solver) {
        return order_in_sigma([&](grid const& g) { return solver(sigma_grid(g.steps(), true)); }, 200);
    };
    CHECK(uneven([&](grid const& g) { return lms(path, g, {.order = 2}); }) == Approx(2.0).epsilon(0.05));
    CHECK(uneven([&](grid const& g) { return ipndm(path, g, {.order = 2}); }) == Approx(1.0).epsilon(0.1));
}

TEST_CASE("gradient estimation is x' = x + (2 d - d before) (sigma' - sigma); the first and the last step are Euler's")
{
    variance_exploding const path;
    grid const g = make_grid(path, karras_grid(6));
    plan const p = gradient_estimation(path, g);
    for (std::size_t i = 0; i < 6; ++i) {
        double const step = g.levels[i + 1].sigma - g.levels[i].sigma;
        bool const plain = i == 0 || i == 5;
        CHECK(p.stages[i].x[x] == Approx(1.0));
        CHECK(p.stages[i].x[m(0)] == Approx(plain ? step : 2 * step));
        CHECK(p.stages[i].x[m(1)] == Approx(plain ? 0.0 : -step));
    }
    CHECK(!gradient_estimation(path, g, {.gamma = 1.0}).stages[3].x.reads(m(1))); // Euler's method
    plan const flow = gradient_estimation(rectified_flow{}, trailing_grid(4));
    CHECK(flow.stages[1].x == x - 0.5 * m(0) + 0.25 * m(1));
}

TEST_CASE("PNDM in the paper's transfer, by hand")
{
    auto const diffusion = support::table();
    plan const p = pndm(diffusion, leading_grid(6));
    CHECK(p.stages.size() == 7); // the second time twice
    CHECK(p.stages[1].time == p.stages[2].time);
    double const bar = std::pow(diffusion.level(p.stages[3].time).alpha, 2),
                 after = std::pow(diffusion.level(p.stages[4].time).alpha, 2);
    stage const& s = p.stages[3]; // (11) of Liu et al.
    CHECK(s.x[x] == Approx(std::sqrt(after / bar)));
    double const move =
        -(after - bar) / (std::sqrt(bar) * (std::sqrt((1 - after) * bar) + std::sqrt((1 - bar) * after)));
    CHECK(s.x[m(0)] == Approx(move * 23 / 12));
    CHECK(s.x[m(1)] == Approx(-move * 16 / 12));
    CHECK(s.x[m(2)] == 0.0); // the corrected call is not one of the history
    CHECK(s.x[m(3)] == Approx(move * 5 / 12));
    CHECK(!p.stages[0].ends_step);
    plan const prk = pndm(diffusion, leading_grid(6), {.runge_kutta = true});
    CHECK(prk.stages.size() == 15);
    CHECK(prk.stages[3].x[m(2)] / prk.stages[3].x[m(0)] == Approx(2.0));
    CHECK(prk.stages[12].x[m(12)] == Approx(prk.stages[12].x[m(0)] * -9 / 55));
}

TEST_CASE("ends: zero terminal SNR, one step, few steps, what is refused")
{
    auto const diffusion = support::table();
    grid const g{.times = {2, 1}, .levels = {{0, 1}, {0.6, 0.8}, {1, 0}}, .end_time = 0, .usual = prediction::v};
    plan const p = pndm(diffusion, g);
    CHECK(p.stages[0].x == 0.8 * x - 0.6 * m(0)); // v = -x_0 at alpha = 0
    CHECK(p.stages[2].x[x] == Approx(0.6));
    CHECK_THROWS_AS(pndm(diffusion, g, {.network = {.predicts = prediction::epsilon}}), std::invalid_argument);
    CHECK(pndm(diffusion, trailing_grid(1)).stages.size() == 1);
    CHECK(pndm(diffusion, trailing_grid(1), {.runge_kutta = true}).stages.size() == 1);
    CHECK(pndm(diffusion, trailing_grid(2), {.runge_kutta = true}).stages.size() == 5);
    CHECK(ipndm(diffusion, trailing_grid(1)).stages.size() == 1);
    CHECK(!lms(diffusion, karras_grid(5), {.euler_at_zero = true}).stages.back().x.reads(m(1)));
    CHECK(lms(diffusion, karras_grid(5)).stages.back().x.reads(m(3)));
    plan const flow = ipndm(rectified_flow{}, trailing_grid(4)); // in t, from alpha = 0 as well
    CHECK(flow.stages[1].x[x] == 1.0);
    CHECK(flow.stages[1].x[m(1)] == Approx(0.125));
    CHECK_THROWS_AS(ipndm(diffusion, trailing_grid(5), {.order = 5}), std::invalid_argument);
    CHECK_THROWS_AS(ipndm(diffusion, trailing_grid(5), {.order = 0}), std::invalid_argument);
    CHECK_THROWS_AS(lms(diffusion, trailing_grid(5), {.order = 0}), std::invalid_argument);
}
