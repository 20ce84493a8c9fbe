// SPDX-License-Identifier: MIT
#include <alphabar/sampler/deis.hpp>

#include <alphabar/grid/sigmas.hpp>
#include <alphabar/grid/spacing.hpp>
#include <support/solver_test.hpp>

#include <cmath>
#include <stdexcept>
#include <vector>

TEST_CASE("coefficients are the integrals of Lagrange polynomials in log rho over rho, by quadrature")
{
    grid const g = support::lambda_grid(path_kind::variance_preserving, 8, true);
    plan const p = deis(g, {.order = 4});
    auto const rho = [&](std::size_t i) { return g.levels[i].sigma / g.levels[i].alpha; };
    for (std::size_t i = 3; i < 8; ++i) {
        double const alpha = g.levels[i + 1].alpha, low = rho(i), high = rho(i + 1);
        for (std::size_t j = 0; j < 4; ++j) {
            auto const lagrange = [&](double r) {
                double value = 1.0;
                for (std::size_t k = 0; k < 4; ++k)
                    if (k != j)
                        value *= std::log(r / rho(i - k)) / std::log(rho(i - j) / rho(i - k));
                return value;
            };
            int const n = 2000; // Simpson's rule
            double sum = lagrange(low) + lagrange(high);
            for (int k = 1; k < n; ++k)
                sum += (k % 2 ? 4.0 : 2.0) * lagrange(low + (high - low) * k / n);
            CHECK(p.stages[i].x[m(j)] == Approx(alpha * sum * (high - low) / n / 3.0).epsilon(1e-11));
        }
        CHECK(p.stages[i].x[x] == Approx(alpha / g.levels[i].alpha));
    }
}

TEST_CASE("measured orders of convergence")
{
    for (path_kind kind : {path_kind::variance_preserving, path_kind::variance_exploding, path_kind::rectified_flow})
        for (bool uneven : {false, true}) {
            auto const order = [&](unsigned k) {
                return support::measured_order([k](grid const& g) { return deis(g, {.order = k}); }, kind, uneven);
            };
            CHECK(order(1) == Approx(1.0).epsilon(0.05));
            CHECK(order(2) == Approx(2.0).epsilon(0.05));
            CHECK(order(3) > 1.9); // its single first-order step costs O(h^2)
        }
}

TEST_CASE("as users write it, and the ends")
{
    auto const diffusion = support::table();
    plan const p = deis(diffusion, karras_grid(20), {.lower_order_final = true});
    CHECK(p.stages.size() == 20);
    // the last step, to sigma = 0, is x_0
    double const alpha = diffusion.level(0).alpha, sigma = diffusion.level(0).sigma;
    CHECK(p.stages.back().x[x] == Approx(1 / alpha));
    CHECK(p.stages.back().x[m(0)] == Approx(-sigma / alpha));
    CHECK(!deis(diffusion, karras_grid(10), {.lower_order_final = true}).stages[8].x.reads(m(2)));
    CHECK(deis(diffusion, karras_grid(10)).stages[8].x.reads(m(2)));
    CHECK(deis(diffusion, trailing_grid(1)).stages.size() == 1);
    CHECK_THROWS_AS(deis(rectified_flow{}, trailing_grid(4)), std::invalid_argument); // alpha = 0
    CHECK_THROWS_AS(deis(diffusion, karras_grid(20), {.order = 0}), std::invalid_argument);
}
