// SPDX-License-Identifier: MIT
#include <alphabar/sampler/sa_solver.hpp>

#include <alphabar/grid/sigmas.hpp>
#include <alphabar/grid/spacing.hpp>
#include <support/solver_test.hpp>

#include <cmath>
#include <stdexcept>
#include <vector>

TEST_CASE("the coefficients are the integrals of the paper, by quadrature")
{
    grid const g = support::lambda_grid(path_kind::variance_preserving, 8, true);
    double const tau = 0.8, strength = 1 + tau * tau;
    plan const p = sa_solver(g, {.predictor_order = 3, .corrector_order = 0, .tau = tau, .lower_order_final = false});
    auto const lambda = [&](std::size_t i) { return std::log(g.levels[i].alpha / g.levels[i].sigma); };
    for (std::size_t i = 2; i < 8; ++i) {
        double const low = lambda(i), high = lambda(i + 1), h = high - low, sigma = g.levels[i + 1].sigma;
        CHECK(p.stages[i].x[x] == Approx(sigma / g.levels[i].sigma * std::exp(-tau * tau * h)));
        CHECK(p.stages[i].x[z] == Approx(sigma * std::sqrt(1 - std::exp(-2 * tau * tau * h))));
        for (std::size_t j = 0; j < 3; ++j) {
            // (1 + tau^2) sigma_t e^(-tau^2 lambda_t) integral e^((1 + tau^2) lambda) l_j(lambda) dlambda
            auto const integrand = [&](double u) {
                double value = std::exp(strength * (u - high) + high);
                for (std::size_t k = 0; k < 3; ++k)
                    if (k != j)
                        value *= (u - lambda(i - k)) / (lambda(i - j) - lambda(i - k));
                return value;
            };
            int const n = 1000; // Simpson's rule
            double sum = integrand(low) + integrand(high);
            for (int k = 1; k < n; ++k)
                sum += (k % 2 ? 4.0 : 2.0) * integrand(low + h * k / n);
            CHECK(p.stages[i].x[m(j)] == Approx(strength * sigma * sum * h / n / 3.0).epsilon(1e-10));
        }
    }
}

TEST_CASE("PECE: the corrected state is called again, and that call is what later steps read")
{
    auto const solver = [](unsigned predictor, unsigned corrector) {
        return [=](grid const& g) {
            return sa_solver(g, {.predictor_order = predictor,
                                 .corrector_order = corrector,
                                 .tau = 0.0,
                                 .lower_order_final = false,
                                 .pece = true});
        };
    };
    for (path_kind kind : {path_kind::variance_preserving, path_kind::variance_exploding, path_kind::rectified_flow}) {
        CHECK(support::measured_order(solver(1, 2), kind, true) == Approx(2.0).epsilon(0.05));
        CHECK(support::measured_order(solver(2, 3), kind, true) == Approx(3.0).epsilon(0.05));
        grid const g = support::grid_to_zero(kind, 80, -3.0);
        for (double tau : {1.0, 0.5})
            CHECK(support::worst_deviation(
                      sa_solver(g, {.predictor_order = 3, .corrector_order = 4, .tau = tau, .pece = true}), kind, -3.0,
                      4000) < 4.0);
    }
    plan const p = solver(3, 3)(support::lambda_grid(path_kind::variance_preserving, 6, true));
    CHECK(p.stages.size() == 11);                            // the first step has no corrector
    stage const &called = p.stages[7], &again = p.stages[8]; // at time 4
    CHECK(called.time == again.time);
    CHECK(!called.ends_step);
    for (unsigned j : {0u, 1u, 3u}) // the new one, and the second calls at times 3 and 2
        CHECK(called.x.reads(m(j)));
    CHECK(!called.x.reads(m(2)));
    for (unsigned j : {0u, 2u, 4u})
        CHECK(again.x.reads(m(j)));
    CHECK(!again.x.reads(m(1)));
}

TEST_CASE("tau stands inside its window, or is given for every step")
{
    grid const g = support::lambda_grid(path_kind::variance_exploding, 6, false); // sigma from 7.4 to 0.08
    plan const window = sa_solver(g, {.low = 0.2, .high = 2.0});
    for (std::size_t i = 0; i < 6; ++i)
        CHECK(draws_noise(window.stages[i]) == (g.levels[i].sigma >= 0.2 && g.levels[i].sigma <= 2.0));
    plan const given = sa_solver(g, {.taus = {0, 1, 0, 0, 0, 0}});
    for (std::size_t i = 0; i < 6; ++i)
        CHECK(draws_noise(given.stages[i]) == (i == 1));
}

TEST_CASE("as users write it, and the ends")
{
    auto const diffusion = support::table();
    CHECK(sa_solver(diffusion, karras_grid(20)).stages.size() == 20);
    CHECK(sa_solver(diffusion, karras_grid(20), {.lower_order_final = false}).stages.back().x == row(m(0)));
    CHECK(sa_solver(rectified_flow{}, trailing_grid(5)).stages.size() == 5); // starts at alpha = 0
    CHECK(sa_solver(diffusion, trailing_grid(1)).stages.size() == 1);
    CHECK_THROWS_AS(sa_solver(diffusion, karras_grid(20), {.predictor_order = 0}), std::invalid_argument);
    CHECK_THROWS_AS(sa_solver(diffusion, karras_grid(20), {.corrector_order = 9}), std::invalid_argument);
    CHECK_THROWS_AS(sa_solver(diffusion, karras_grid(20), {.tau = -1.0}), std::invalid_argument);
    CHECK_THROWS_AS(sa_solver(diffusion, karras_grid(20), {.taus = {1.0}}), std::invalid_argument);
}
