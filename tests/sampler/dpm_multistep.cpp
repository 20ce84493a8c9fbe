// SPDX-License-Identifier: MIT
#include <alphabar/sampler/dpm_multistep.hpp>

#include <alphabar/backends/span.hpp>
#include <alphabar/grid/sigmas.hpp>
#include <alphabar/grid/spacing.hpp>
#include <alphabar/noise/stream.hpp>
#include <alphabar/sampler/sample.hpp>
#include <support/solver_test.hpp>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <span>
#include <stdexcept>
#include <vector>

namespace {

struct step_of_grid {
    double alpha, sigma, sigma_before, alpha_before, h, h_0, h_1;
};

step_of_grid step_at(grid const& g, std::size_t i)
{
    auto const lambda = [&](std::size_t k) { return std::log(g.levels[k].alpha) - std::log(g.levels[k].sigma); };
    return {g.levels[i + 1].alpha,
            g.levels[i + 1].sigma,
            g.levels[i].sigma,
            g.levels[i].alpha,
            lambda(i + 1) - lambda(i),
            i ? lambda(i) - lambda(i - 1) : 0.0,
            i > 1 ? lambda(i - 1) - lambda(i - 2) : 0.0};
}

} // namespace

TEST_CASE("DPM-Solver++(2M) is algorithm 2 of its paper")
{
    grid const g = support::lambda_grid(path_kind::variance_preserving, 9, true);
    plan const p = dpmpp_2m(g);
    for (std::size_t i = 1; i < 9; ++i) {
        auto const [alpha, sigma, sigma_before, alpha_before, h, h_0, h_1] = step_at(g, i);
        double const r = h_0 / h, b = -alpha * (std::exp(-h) - 1.0);
        CHECK(p.stages[i].x[x] == Approx(sigma / sigma_before).epsilon(1e-14));
        CHECK(p.stages[i].x[m(0)] == Approx(b * (1 + 1 / (2 * r))).epsilon(1e-13));
        CHECK(p.stages[i].x[m(1)] == Approx(-b / (2 * r)).epsilon(1e-13));
    }
    CHECK(p.stages[0].x[m(0)] == Approx(-step_at(g, 0).alpha * std::expm1(-step_at(g, 0).h)));
}

TEST_CASE("res_multistep has the weights phi_1 + phi_2 / r and -phi_2 / r")
{
    grid const g = support::lambda_grid(path_kind::variance_preserving, 5, true);
    auto const [alpha, sigma, sigma_before, alpha_before, h, h_0, h_1] = step_at(g, 3);
    double const phi_1 = -std::expm1(-h) / h, phi_2 = (phi_1 - 1) / -h, r = h_0 / h;
    plan const p = res_multistep(g);
    CHECK(p.stages[3].x[m(0)] == Approx(alpha * h * (phi_1 + phi_2 / r)).epsilon(1e-12));
    CHECK(p.stages[3].x[m(1)] == Approx(-alpha * h * phi_2 / r).epsilon(1e-12));
}

TEST_CASE("DPM-Solver multistep is (4.1) of its paper in epsilon")
{
    grid const g = support::lambda_grid(path_kind::variance_preserving, 5, true);
    plan const p = dpm_solver(g);
    auto const [alpha, sigma, sigma_before, alpha_before, h, h_0, h_1] = step_at(g, 3);
    double const r = h_0 / h, b = -sigma * (std::exp(h) - 1.0);
    CHECK(p.stages[3].x[x] == Approx(alpha / alpha_before));
    CHECK(p.stages[3].x[m(0)] == Approx(b * (1 + 0.5 / r)));
    CHECK(p.stages[3].x[m(1)] == Approx(-b * 0.5 / r));
}

TEST_CASE("SDE-DPM-Solver++(2M) is k-diffusion's sample_dpmpp_2m_sde, both solver types")
{
    grid const g = support::lambda_grid(path_kind::variance_exploding, 5, true);
    double const eta = 0.6;
    for (bool heun : {false, true}) {
        plan const p =
            dpmpp_2m_sde(g, {.eta = eta,
                             .rule = heun ? moment_rule{} : moment_rule{.two = moment_rule::two_nodes::midpoint},
                             .noise_scale = 1.1});
        auto const [alpha, sigma, sigma_before, alpha_before, h, h_last, h_1] = step_at(g, 3);
        double const r = h_last / h, eta_h = eta * h, D = -std::expm1(-h - eta_h);
        double const difference =
            heun ? (-std::expm1(-h - eta_h) / (-h - eta_h) + 1) / r : 0.5 * -std::expm1(-h - eta_h) / r;
        CHECK(p.stages[3].x[x] == Approx(sigma / sigma_before * std::exp(-eta_h)));
        CHECK(p.stages[3].x[m(0)] == Approx(D + difference));
        CHECK(p.stages[3].x[m(1)] == Approx(-difference));
        CHECK(p.stages[3].x[z] == Approx(sigma * std::sqrt(-std::expm1(-2 * eta_h)) * 1.1));
    }
}

TEST_CASE("the shipped 3M is k-diffusion's sample_dpmpp_3m_sde")
{
    grid const g = support::lambda_grid(path_kind::variance_exploding, 6, true);
    double const eta = 1.0;
    plan const p = dpmpp_3m_sde(
        g, {.rule = moment_rule{.three = moment_rule::three_nodes::half_curvature}, .corrected_start = false});
    auto const [alpha, sigma, sigma_before, alpha_before, h, h_1, h_2] = step_at(g, 4);
    double const H = h * (eta + 1), r0 = h_1 / h, r1 = h_2 / h;
    double const phi_2 = std::expm1(-H) / H + 1, phi_3 = phi_2 / H - 0.5;
    // d1_0 = (m0 - m1)/r0, d1_1 = (m1 - m2)/r1, d1 = d1_0 + (d1_0 - d1_1) r0/(r0 + r1), d2 = (d1_0
    // - d1_1)/(r0 + r1)
    auto const row_of = [&](double m0, double m1, double m2) {
        double const d1_0 = (m0 - m1) / r0, d1_1 = (m1 - m2) / r1;
        double const d1 = d1_0 + (d1_0 - d1_1) * r0 / (r0 + r1), d2 = (d1_0 - d1_1) / (r0 + r1);
        return -std::expm1(-H) * m0 + phi_2 * d1 - phi_3 * d2;
    };
    CHECK(p.stages[4].x[m(0)] == Approx(row_of(1, 0, 0)).epsilon(1e-12));
    CHECK(p.stages[4].x[m(1)] == Approx(row_of(0, 1, 0)).epsilon(1e-12));
    CHECK(p.stages[4].x[m(2)] == Approx(row_of(0, 0, 1)).epsilon(1e-12));
    CHECK(dpmpp_3m_shipped(g).stages[4].x[m(2)] != Approx(dpmpp_3m(g).stages[4].x[m(2)]));
}

TEST_CASE("res_multistep ancestral")
{
    for (path_kind kind : support::all_paths) {
        grid const g = support::grid_to_zero(kind, 100, -3.0);
        CHECK(res_multistep_ancestral(g, {.eta = 0.0}) == res_multistep(g));
        for (double eta : {1.0, 0.6})
            CHECK(support::worst_deviation(res_multistep_ancestral(g, {.eta = eta}), kind, -3.0, 4000) < 4.0);
        auto const made = [](grid const& fine) { return res_multistep_ancestral(fine); };
        CHECK(support::variance_order(made, kind, 40) == Approx(2.0).epsilon(0.06));
    }
    // m(1) lies as far back as the step to its lower level was long
    grid const g = support::lambda_grid(path_kind::variance_exploding, 3, false, 0.0, 0.6);
    plan const p = res_multistep_ancestral(g, {.eta = 1.0});
    double const h = 0.4, phi_1 = std::expm1(-h) / -h, phi_2 = (phi_1 - 1) / -h; // eta = 1: twice as long
    CHECK(p.stages[1].x[m(1)] == Approx(-h * phi_2));
    CHECK(p.stages[1].x[m(0)] == Approx(h * (phi_1 + phi_2)));
    CHECK(p.stages[1].x[x] == Approx(std::exp(-h)));
    CHECK(p.stages[1].x[z] == Approx(std::exp(-0.4) * std::sqrt(1 - std::exp(-0.4))));
    CHECK_THROWS_AS(adams(g, {}, {.predictor = {1, 1, 1}, .tau = {1, 1, 1}, .eta = 1.0}), std::invalid_argument);
}

TEST_CASE("the software's final orders")
{
    grid const g = support::lambda_grid(path_kind::variance_preserving, 10, false);
    auto const memories = [](stage const& s) { return s.x.reads(m(2)) ? 3 : s.x.reads(m(1)) ? 2 : 1; };
    plan const p = dpmpp_3m(g, {.corrected_start = false, .lower_order_final = true});
    CHECK(memories(p.stages[7]) == 3);
    CHECK(memories(p.stages[8]) == 2);
    CHECK(memories(p.stages[9]) == 1);
    CHECK(memories(dpmpp_3m(g, {.euler_at_final = true}).stages[9]) == 1);
    CHECK(memories(dpmpp_3m(g, {.euler_at_final = true}).stages[8]) == 3);
    CHECK(memories(dpmpp_3m(g).stages[9]) == 3);
}

TEST_CASE("as users write it: paths, specs, options; one step and one time")
{
    auto const diffusion = support::table();
    CHECK(dpmpp_2m(diffusion, karras_grid(20)).stages.size() == 20);
    CHECK(dpmpp_2m(diffusion, karras_grid(20), {.network = {.predicts = prediction::v}}).stages.size() == 20);
    CHECK(dpmpp_2m(diffusion, make_grid(diffusion, karras_grid(20))) == dpmpp_2m(diffusion, karras_grid(20)));
    CHECK(dpmpp_3m_sde(variance_exploding{}, karras_grid(20, {.rho = 5})).initial_scale == 80.0);
    CHECK(dpmpp_2m(rectified_flow{}, trailing_grid(4)).stages.front().x[x] == Approx(0.75));
    CHECK(dpm_solver(diffusion, trailing_grid(1)).stages.size() == 1);
    CHECK(dpmpp_3m(support::table(1), trailing_grid(1)).stages.size() == 1);
    // a grid that ends at sigma = 0 ends at x_0
    CHECK(dpmpp_2m(diffusion, karras_grid(20)).stages.back().x == row(m(0)));
    CHECK_THROWS_AS(dpm_multistep(diffusion, karras_grid(20), {.order = 4}), std::invalid_argument);
    CHECK_THROWS_AS(dpmpp_2m_sde(diffusion, karras_grid(20), {.eta = -1.0}), std::invalid_argument);
}

TEST_CASE("the executor runs it as it is read")
{
    auto const diffusion = support::table();
    support::gaussian_mixture const mixture;
    noise_stream const noise{.seed = 42};
    plan const p = dpmpp_2m_sde(diffusion, karras_grid(12), {.network = {.predicts = prediction::x_0}});
    std::vector<double> v = support::start;
    sample(p, v, noise, [&](auto const& input, double time, auto& output) {
        std::span<double const> const in = traits_of<decltype(input)>::elements(input);
        std::vector<double> const x_0 = mixture.denoise({in.begin(), in.end()}, diffusion.level(time));
        std::ranges::copy(x_0, traits_of<decltype(output)>::elements(output).begin());
    });
    auto const network = [&](state const& in, double time) { return mixture.denoise(in, diffusion.level(time)); };
    auto const drawn = [&](std::uint32_t index) {
        std::vector<float> row(10);
        noise(purpose::sampler, index).fill(0, 0, row);
        return state(row.begin(), row.end());
    };
    state const want = support::interpret(p, support::start, network, drawn);
    for (std::size_t i = 0; i < want.size(); ++i)
        CHECK(v[i] == Approx(want[i]).epsilon(1e-12));
}

TEST_CASE("a plan of 50 steps is made quickly")
{
    auto const diffusion = support::table();
    double best = 1e9;
    for (int i = 0; i < 200; ++i) {
        auto const begin = std::chrono::steady_clock::now();
        plan const p = dpmpp_3m_sde(diffusion, karras_grid(50));
        std::chrono::duration<double, std::micro> const time = std::chrono::steady_clock::now() - begin;
        best = std::min(best, p.stages.empty() ? 0.0 : time.count());
    }
    MESSAGE("50 steps of dpmpp_3m_sde in " << best << " microseconds");
    CHECK(best > 0.0);
}

TEST_CASE("DEIS: coefficients are the integrals of Lagrange polynomials in log rho over rho, by quadrature")
{
    grid const g = support::lambda_grid(path_kind::variance_preserving, 8, true);
    plan const p = deis(g, {.order = 3});
    auto const rho = [&](std::size_t i) { return g.levels[i].sigma / g.levels[i].alpha; };
    for (std::size_t i = 2; i < 8; ++i) {
        double const alpha = g.levels[i + 1].alpha, low = rho(i), high = rho(i + 1);
        for (std::size_t j = 0; j < 3; ++j) {
            auto const lagrange = [&](double r) {
                double value = 1.0;
                for (std::size_t k = 0; k < 3; ++k)
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

TEST_CASE("DEIS: as users write it, and the ends")
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
    plan const flow = deis(rectified_flow{}, trailing_grid(4)); // its first step, from alpha = 0, is DDIM's
    CHECK(flow.stages[0] == dpm_multistep(rectified_flow{}, trailing_grid(4), {.order = 1}).stages[0]);
    CHECK(!flow.stages[1].x.reads(m(1)));
    CHECK_THROWS_AS(deis(diffusion, karras_grid(20), {.order = 0}), std::invalid_argument);
}
