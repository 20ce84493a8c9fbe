// SPDX-License-Identifier: MIT
#include <alphabar/sampler/log_density.hpp>

#include <alphabar/sampler/ddim.hpp>
#include <alphabar/sampler/dpm_multistep.hpp>
#include <alphabar/sampler/runge_kutta.hpp>
#include <doctest/doctest.h>
#include <support/convergence.hpp>
#include <support/lambda_path.hpp>

#include <cmath>
#include <numbers>
#include <stdexcept>
#include <vector>

using namespace alphabar;
using doctest::Approx;
using support::path_kind;

namespace {

/// log density of the mixture at a level, of one point.
double log_density(support::gaussian_mixture const& mixture, double x, double y, noise_level level)
{
    double sum = 0;
    for (auto const& c : mixture.components) {
        double const v = std::pow(level.alpha * c.width, 2) + level.sigma * level.sigma;
        double const square = std::pow(x - level.alpha * c.mean[0], 2) + std::pow(y - level.alpha * c.mean[1], 2);
        sum += c.share * std::exp(-square / (2 * v)) / (2 * std::numbers::pi * v);
    }
    return std::log(sum);
}

/// The largest error of log p at the clean end, from that at the noisy end along the plan of a reversed grid.
template <class Solver>
double error_of(Solver const& solver, path_kind kind, std::size_t n)
{
    support::gaussian_mixture const mixture;
    grid const down = support::lambda_grid(kind, n, true), up = reversed(down);
    plan const p = solver(up);
    log_density_change const change = change_of_log_density(p);
    CHECK(change.weights.size() == p.stages.size());
    std::size_t const points = support::start.size() / 2;
    std::vector<double> log_p(points, 2 * change.per_element);
    std::size_t call = 0;
    auto const exact = support::exact_network(kind);
    auto const network = [&](support::state const& input, double time) {
        support::state x = input;
        for (double& v : x)
            v /= p.stages[call].input_scale;
        double const h = 1e-4 * p.stages[call].input_scale;
        for (std::size_t d = 0; d < 2; ++d) { // the trace, element by element
            support::state above = x, below = x;
            for (std::size_t i = d; i < x.size(); i += 2)
                above[i] += 1e-4, below[i] -= 1e-4;
            above = exact(above, time), below = exact(below, time);
            for (std::size_t i = 0; i < points; ++i)
                log_p[i] += change.weights[call] * (above[2 * i + d] - below[2 * i + d]) / (2 * h);
        }
        ++call;
        return exact(x, time);
    };
    support::state const end = support::interpret(p, support::start, network);
    double worst = 0;
    for (std::size_t i = 0; i < points; ++i) {
        log_p[i] += log_density(mixture, end[2 * i], end[2 * i + 1], down.levels.front());
        worst = std::max(worst, std::abs(log_p[i] - log_density(mixture, support::start[2 * i],
                                                                support::start[2 * i + 1], down.levels.back())));
    }
    return worst;
}

template <class Solver>
double order_of(Solver const& solver, path_kind kind, std::size_t n)
{
    return std::log2(error_of(solver, kind, n) / error_of(solver, kind, 2 * n));
}

/// The network sees x / sqrt(alpha^2 + sigma^2): the Jacobian is by that input.
constexpr network_form clean{.predicts = prediction::x_0, .input = network_input::variance_preserving};

} // namespace

TEST_CASE("the density of a mixture along any solver, to the solver's order")
{
    for (path_kind const kind : support::all_paths) {
        auto const first = [](grid const& g) { return ddim(g, {.network = clean}); };
        auto const second = [](grid const& g) { return dpm_multistep(g, {.network = clean, .order = 2}); };
        CHECK(order_of(first, kind, 192) == Approx(1.0).epsilon(0.1));
        CHECK(order_of(second, kind, 192) == Approx(2.0).epsilon(0.15));
        CHECK(error_of(second, kind, 384) < 2e-3);
    }
}

TEST_CASE("Runge-Kutta methods in the path's time keep their order, too")
{
    for (path_kind const kind : support::all_paths) {
        support::lambda_path const path{kind};
        auto const by = [&](runge_kutta_method const& method) {
            return [&, method](grid const& g) {
                return runge_kutta(path, g, {.network = clean, .methods = {method}, .in_time = true});
            };
        };
        CHECK(order_of(by(res_2s()), kind, 96) == Approx(2.0).epsilon(0.1));
        CHECK(order_of(by(rk_4()), kind, 24) == Approx(4.0).epsilon(0.1));
    }
}

TEST_CASE("the same step written in other ways has the same change")
{
    using namespace slots;
    struct {
        plan p;
        double weight;
    } const alike[] = {
        // x' = 2 x + 3 F(x)
        {{.stages = {{.x = 2.0 * x + 3.0 * F()}}}, 1.5},
        {{.stages = {{.x = 1.5 * x + 1.0 * m(), .memory = {0.5, 3.0}}}}, 1.5},
        {{.stages = {{.x = row(m()), .memory = {1.0, 1.0}, .recall = {-1.0, 3.0}}}}, 1.5},
        // x' = 2 x + 3 F(x / 2)
        {{.stages = {{.x = 2.0 * x + 3.0 * F(), .input_scale = 0.5}}}, 0.75},
        {{.stages = {{.x = 4.0 * x + 3.0 * F(), .churn = stage::churn_map{0.5, 0.0}}}}, 0.75},
        {{.stages = {{.x = 0.5 * x, .y = row(x), .calls = false}, {.x = 1.0 * y + 2.0 * x + 3.0 * F()}}}, 0.75},
    };
    for (auto const& [p, weight] : alike) {
        log_density_change const change = change_of_log_density(p);
        CHECK(change.per_element == Approx(std::log(2.0)));
        REQUIRE(change.weights.size() == 1);
        CHECK(change.weights[0] == Approx(weight));
    }
    // what a later stage makes of an earlier memory: x'' = 2 x + 3 F_0 + 5 (m(0) of x / 2 + F_1) + 7 m(1)
    plan const two{
        .stages = {{.x = 2.0 * x + 3.0 * m()}, {.x = 1.0 * x + 5.0 * m() + 7.0 * m(1), .memory = {0.5, 1.0}}}};
    log_density_change const change = change_of_log_density(two);
    CHECK(change.per_element == Approx(std::log(7.0)));
    CHECK(change.weights[0] == Approx((3.0 * 3.5 + 7.0) / 7.0));
    CHECK(change.weights[1] == Approx(5.0 * 2.0 / 7.0));
}

TEST_CASE("plans that have no density are refused")
{
    grid const g = support::lambda_grid(path_kind::variance_preserving, 4, false);
    CHECK_THROWS_AS((void)change_of_log_density(ddim(g, {.network = clean, .eta = 1.0})), std::invalid_argument);
    network_form clipped = clean;
    clipped.operation = {.what = x0_operation::kind::clip};
    CHECK_THROWS_AS((void)change_of_log_density(ddim(g, {.network = clipped})), std::invalid_argument);
    grid to_zero = support::grid_to_zero(path_kind::variance_preserving, 4, -2.0);
    CHECK_THROWS_AS((void)change_of_log_density(ddim(to_zero, {.network = clean})), std::invalid_argument);
    plan noisy{.stages = {{.x = row(slots::x), .churn = stage::churn_map{1.0, 0.1}}}};
    CHECK_THROWS_AS((void)change_of_log_density(noisy), std::invalid_argument);
}
