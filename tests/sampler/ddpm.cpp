// SPDX-License-Identifier: MIT
#include <alphabar/sampler/ddpm.hpp>

#include <alphabar/grid/spacing.hpp>
#include <alphabar/schedule/continuous.hpp>
#include <support/solver_test.hpp>

#include <cmath>
#include <stdexcept>

TEST_CASE("a step of the table is the posterior (6), (7) of Ho et al.")
{
    auto const diffusion = support::table();
    plan const p = ddpm(diffusion, leading_grid(1000));
    for (std::size_t t : {999u, 500u, 1u}) {
        double bar = 1, bar_before = 1, beta = 0;
        for (std::size_t i = 0; i <= t; ++i) {
            bar_before = bar;
            beta = 1e-4 + (0.02 - 1e-4) * static_cast<double>(i) / 999;
            bar *= 1 - beta;
        }
        stage const& s = p.stages[999 - t];
        CHECK(s.time == static_cast<double>(t));
        CHECK(s.x[m(0)] == Approx(std::sqrt(bar_before) * beta / (1 - bar)).epsilon(1e-10));
        CHECK(s.x[x] == Approx(std::sqrt(1 - beta) * (1 - bar_before) / (1 - bar)).epsilon(1e-10));
        CHECK(s.x[z] == Approx(std::sqrt((1 - bar_before) / (1 - bar) * beta)).epsilon(1e-10));
        CHECK(s.noise == noise_index(static_cast<std::uint32_t>(1000 - t), 0));
    }
    CHECK(p.stages.back().x == row(m(0)));
    CHECK(ddpm(diffusion, leading_grid(1000), {.variance = ddpm_variance::fixed_large}).stages[0].x[z] ==
          Approx(std::sqrt(0.02)).epsilon(1e-10));
}

TEST_CASE("variances of the network's second head")
{
    auto const diffusion = support::table();
    plan const range = ddpm(diffusion, leading_grid(10), {.variance = ddpm_variance::learned_range});
    double const bar = diffusion.alpha_bar(900), bar_after = diffusion.alpha_bar(800), beta = 1 - bar / bar_after;
    double const variance = (1 - bar_after) / (1 - bar) * beta;
    CHECK(range.heads == 2);
    CHECK(range.stages[0].spread->what == noise_spread::kind::range);
    CHECK(range.stages[0].spread->log_min == Approx(std::log(variance)));
    CHECK(range.stages[0].spread->log_max == Approx(std::log(beta)));
    CHECK(range.stages[0].x[z] == 1.0);
    CHECK(!range.stages.back().spread);
    CHECK(ddpm(diffusion, leading_grid(10), {.variance = ddpm_variance::learned}).stages[0].spread->what ==
          noise_spread::kind::variance);
    CHECK(ddpm(diffusion, leading_grid(10), {.variance = ddpm_variance::learned_log}).stages[0].spread->what ==
          noise_spread::kind::log_variance);
    CHECK(ddpm(diffusion, leading_grid(10)).heads == 1);
    CHECK(ddpm(diffusion, leading_grid(10), {.network = {.predicts_variance = true}}).heads == 2);
}

TEST_CASE("a head that says the posterior's own variance, -1 of the range, is fixed_small")
{
    grid const g = support::grid_to_zero(path_kind::variance_preserving, 100);
    plan const learned = ddpm(g, {.variance = ddpm_variance::learned_range}), fixed = ddpm(g);
    auto const two_heads = [network = support::exact_network(path_kind::variance_preserving)](state const& v,
                                                                                              double t) {
        state f = network(v, t);
        f.resize(2 * f.size(), -1.0);
        return f;
    };
    auto const noise = [](std::uint32_t) { return state(10, 0.3); };
    auto const a = support::interpret(learned, support::start, two_heads, noise),
               b = support::interpret(fixed, support::start, support::exact_network(path_kind::variance_preserving),
                                      noise);
    for (std::size_t i = 0; i < a.size(); ++i)
        CHECK(a[i] == Approx(b[i]).epsilon(1e-12));
}

TEST_CASE("from alpha = 0, over one step, and what is refused")
{
    grid const g{.times = {1, 0.5}, .levels = {{0, 1}, {0.6, 0.8}, {1, 0}}, .usual = prediction::v};
    CHECK(ddpm(g).stages[0].x == 0.6 * m(0) + 0.8 * z);
    CHECK(ddpm(support::table(1), leading_grid(1)).stages[0].x == row(m(0)));
    CHECK_THROWS_AS(ddpm(std::vector<grid_step>{}), std::invalid_argument);
    CHECK_THROWS_AS(ddpm(std::vector<grid_step>{{1, {0.8, 0.6}, {0.6, 0.8}}}), std::invalid_argument);
    CHECK_THROWS_AS(ddpm(g, {.noisy = {true}}), std::invalid_argument);
    CHECK(draws_noise(ddpm(g, {.noisy = {false, true}}).stages[1]));
}

TEST_CASE("variational diffusion models: (32) of Kingma et al. and its variance, by gamma alone")
{
    log_snr_path<vdm_fixed_linear> const path;
    plan const p = ddpm(path, times_grid({0.9, 0.6, 0.25}), {.network = {.predicts = prediction::epsilon}});
    double const times[] = {0.9, 0.6, 0.25};
    for (std::size_t i = 0; i < 2; ++i) {
        double const gamma_t = -13.3 + 18.3 * times[i], gamma_s = -13.3 + 18.3 * times[i + 1];
        auto const alpha = [](double gamma) { return std::sqrt(1 / (1 + std::exp(gamma))); };
        auto const sigma = [](double gamma) { return std::sqrt(1 / (1 + std::exp(-gamma))); };
        double const c = -std::expm1(gamma_s - gamma_t), x_t = 0.83, eps = -1.21;
        double const mean = alpha(gamma_s) / alpha(gamma_t) * (x_t - c * sigma(gamma_t) * eps);
        stage const& s = p.stages[i];
        CHECK(s.x[x] * x_t + s.x[m(0)] * (s.memory.x * x_t + s.memory.other * eps) == Approx(mean).epsilon(1e-12));
        CHECK(s.x[z] == Approx(sigma(gamma_s) * std::sqrt(c)).epsilon(1e-12));
    }
}
