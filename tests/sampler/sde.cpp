// SPDX-License-Identifier: MIT
#include <alphabar/sampler/sde.hpp>

#include <alphabar/grid/spacing.hpp>
#include <alphabar/sampler/euler.hpp>
#include <alphabar/schedule/continuous.hpp>
#include <alphabar/schedule/paths.hpp>
#include <doctest/doctest.h>
#include <support/convergence.hpp>

#include <cmath>
#include <limits>
#include <random>
#include <stdexcept>
#include <utility>

using namespace alphabar;
using namespace alphabar::slots;
using doctest::Approx;

namespace {

grid even_grid(auto const& path, double from, double to, std::size_t n)
{
    grid g{.times = {}, .levels = {}, .end_time = to};
    for (std::size_t i = 0; i <= n; ++i) {
        g.times.push_back(from + (to - from) * static_cast<double>(i) / static_cast<double>(n));
        g.levels.push_back(path.level(g.times.back()));
    }
    g.times.pop_back();
    return g;
}

template <class Path>
auto denoiser(Path const& path)
{
    return [path, mixture = support::gaussian_mixture{}](support::state const& v, double t) {
        return mixture.denoise(v, path.level(t));
    };
}

constexpr network_form clean{.predicts = prediction::x_0};

/// The measured order of a Runge-Kutta method in the time of the path: errors at n and 2 n steps against 16 n.
template <class Path>
double order_of(runge_kutta_method const& method, Path const& path, double from, double to, std::size_t n)
{
    auto const end = [&](runge_kutta_method const& by, std::size_t steps) {
        return support::interpret(
            runge_kutta(path, even_grid(path, from, to, steps), {.network = clean, .methods = {by}, .in_time = true}),
            support::start, denoiser(path));
    };
    support::state const best = end(rk_4(), 32 * n), a = end(method, n), b = end(method, 2 * n);
    double coarse = 0, fine = 0;
    for (std::size_t i = 0; i < best.size(); ++i)
        coarse = std::max(coarse, std::abs(a[i] - best[i])), fine = std::max(fine, std::abs(b[i] - best[i]));
    return std::log2(coarse / fine);
}

/// The stage of dx/dt at time t of a path.
template <class Path>
stage slope_at(Path const& path, network_form const& network, double t, double w = 0.0, double epsilon_scale = 1.0)
{
    return slope_call(network, t, path.level(t), slope_terms_at(path, t, w, epsilon_scale));
}

} // namespace

TEST_CASE("the methods have the orders that they promise, on paths of every kind")
{
    std::pair<runge_kutta_method, double> const methods[] = {{rk_1(), 1},   {res_2s(), 2}, {res_2s(1.0), 2},
                                                             {dpm_3s(), 3}, {rk_4(), 4},   {rk_38(), 4}};
    for (auto const& [method, order] : methods) {
        CHECK(order_of(method, rectified_flow{}, 0.95, 0.1, 64) == Approx(order).epsilon(0.1));
        CHECK(order_of(method, trigonometric_path{}, 0.95, 0.1, 64) == Approx(order).epsilon(0.1));
        CHECK(order_of(method, vp_sde{0.1, 6.0}, 1.0, 0.1, 64) == Approx(order).epsilon(0.1));
    }
}

TEST_CASE("Euler's method in t on rectified flow is euler; every prediction gives the same slope")
{
    grid const g = even_grid(rectified_flow{}, 1.0, 0.0, 5);
    plan const a = sde(rectified_flow{}, g,
                       {.network = {.predicts = prediction::flow},
                        .diffusion = [](double) { return 0.0; },
                        .end = sde_end::mean}),
               b = euler(g, {.network = {.predicts = prediction::flow}});
    auto const network = [](support::state const& v, double t) {
        support::state f = v;
        for (double& u : f)
            u = std::tanh(u) + t;
        return f;
    };
    auto const got = support::interpret(a, support::start, network),
               want = support::interpret(b, support::start, network);
    for (std::size_t i = 0; i < got.size(); ++i)
        CHECK(got[i] == Approx(want[i]).epsilon(1e-13));

    double const t = 0.4, x_0 = 0.7, eps = -1.3, w = 0.8;
    auto const check = [&](auto const& path) {
        auto const [alpha, sigma] = path.level(t);
        path_slope const slope = path.slope(t);
        double const state = alpha * x_0 + sigma * eps;
        double const want_slope = slope.alpha * x_0 + (slope.sigma + w / (2 * sigma)) * eps;
        std::pair<prediction, double> const outputs[] = {{prediction::epsilon, eps},
                                                         {prediction::x_0, x_0},
                                                         {prediction::v, alpha * eps - sigma * x_0},
                                                         {prediction::flow, eps - x_0},
                                                         {prediction::score, -eps / sigma},
                                                         {prediction::velocity, slope.alpha * x_0 + slope.sigma * eps}};
        for (auto const& [kind, output] : outputs)
            for (double sign : {1.0, -1.0}) {
                stage const s = slope_at(path, {.predicts = kind, .output_scale = sign}, t, w);
                CHECK(s.memory.x * state + s.memory.other * sign * output == Approx(want_slope).epsilon(1e-12));
            }
        // f x - (g^2 + w) / 2 score
        double const f = slope.alpha / alpha, score = -eps / sigma;
        CHECK(f * state - 0.5 * (squared_diffusion(path, t) + w) * score == Approx(want_slope).epsilon(1e-12));
    };
    check(rectified_flow{});
    check(variance_exploding{});
    check(trigonometric_path{});
    check(polynomial_flow{2.5});
    check(linear_vp{});
    check(vp_sde{});
    check(sub_vp_sde{});
    check(ve_sde{});
    check(log_snr_path<vdm_fixed_linear>{});
    check(log_snr_path<log_snr_simple_cosine>{{.noise_d = 32.0, .image_d = 64.0}});
    check(clipped(vp_sde{}, -1.0));
    check(clipped(sub_vp_sde{}, -1.0)); // whose g^2 is its own
    CHECK(squared_diffusion(clipped(sub_vp_sde{}, -1.0), t) == squared_diffusion(sub_vp_sde{}, t));
}

TEST_CASE("mean and covariance, for the paths' own SDEs and other diffusions, by Euler-Maruyama and stochastic Heun")
{
    std::uint64_t seed = 5;
    auto const check = [&](auto const& path, double from, double to, sde_options o, std::size_t n = 300) {
        o.network = clean;
        grid g = even_grid(path, from, to, n);
        g.times.push_back(g.end_time);
        g.levels.push_back({1.0, 0.0});
        g.end_time = 0.0;
        plan const p = sde(path, g, o);
        ++seed;
        INFO("seed " << seed);
        CHECK(support::worst_deviation(p, path.level(from), denoiser(path), 1500, seed) < 4.0);
        CHECK(support::worst_deviation(support::with_noise(p, 1.4), path.level(from), denoiser(path), 1500, seed) >
              4.0);
    };
    check(vp_sde{0.1, 8.0}, 1.0, 0.002, {});
    check(vp_sde{0.1, 8.0}, 1.0, 0.002, {.method = res_2s(1.0)});
    check(sub_vp_sde{{0.1, 8.0}}, 1.0, 0.002, {});
    check(ve_sde{.sigma_min = 0.01, .sigma_max = 20.0}, 1.0, 0.1, {});
    check(ve_sde{.sigma_min = 0.01, .sigma_max = 20.0}, 1.0, 0.1, {.method = res_2s(1.0)});
    check(log_snr_path<vdm_fixed_linear>{}, 1.0, 0.002, {});
    check(log_snr_path<log_snr_cosine>{}, 0.95, 0.002, {.method = res_2s(1.0)});
    check(clipped(vp_sde{0.1, 8.0}, -1.5), 0.8, 0.002, {});
    using enum diffusion_form;
    rectified_flow const flow;
    check(flow, 0.95, 0.002, {.diffusion = diffusion_of(flow, linear, 1.0)});
    check(flow, 0.95, 0.002, {.diffusion = diffusion_of(flow, linear, 0.5), .end = sde_end::mean});
    check(flow, 0.95, 0.002, {.diffusion = diffusion_of(flow, diffusion_form::path, 0.5)});
    check(flow, 0.95, 0.002, {.diffusion = diffusion_of(flow, decreasing, 0.7)});
    check(flow, 0.95, 0.002, {.diffusion = diffusion_of(flow, increasing_decreasing, 1.0)});
    check(trigonometric_path{}, 0.95, 0.002, {.method = res_2s(1.0), .diffusion = diffusion_of(flow, constant, 0.5)});
    check(linear_vp{}, 0.95, 0.002, {.diffusion = diffusion_of(linear_vp{}, sigma, 0.5), .end = sde_end::ode});
}

TEST_CASE("the forms of w(t) at the ends and in the middle")
{
    vp_sde const path;
    auto const w = [&](diffusion_form form, double t, double norm = 1.0) { return diffusion_of(path, form, norm)(t); };
    for (double t : {0.0, 0.5, 1.0}) {
        CHECK(w(diffusion_form::path, t) == path.beta(t));
        CHECK(w(diffusion_form::path, t, 0.25) == Approx(0.25 * path.beta(t)));
        CHECK(w(diffusion_form::constant, t, 0.4) == 0.8);
        CHECK(w(diffusion_form::sigma, t) == 2 * path.level(t).sigma);
        CHECK(w(diffusion_form::linear, t) == 2 * t);
        CHECK(w(diffusion_form::decreasing, t) == Approx(2 * t * t)); // (1 - cos(pi t))^2 / 2 at these t
        CHECK(w(diffusion_form::increasing_decreasing, t) == Approx(t == 0.5 ? 2.0 : 0.0).epsilon(1e-15));
    }
    CHECK(w(diffusion_form::decreasing, 0.0, 0.4) == Approx(0.18));
}

TEST_CASE("a factor of epsilon above 1 sharpens; limits; what is refused")
{
    // with normal data N(0, s^2) on a flow: score = -x / (alpha^2 s^2 + sigma^2); the scaled one is r times it
    double const t = 0.3, r = 2.0, v = 1.7;
    stage const s = slope_at(rectified_flow{}, {.predicts = prediction::epsilon}, t, 0.5, r);
    double const eps = 0.9, scaled = r * eps, x_0 = (v - t * scaled) / (1 - t);
    CHECK(s.memory.x * v + s.memory.other * eps == Approx(scaled - x_0 + 0.5 / (2 * t) * scaled).epsilon(1e-13));

    // a score prediction at the clean end of the VP SDE, where epsilon is not determined
    stage const end = slope_at(vp_sde{}, {.predicts = prediction::score}, 0.0);
    CHECK(end.memory.x == Approx(-0.05));
    CHECK(end.memory.other == Approx(-0.05));
    // a clipped x_0
    stage const bounded = slope_at(variance_exploding{},
                                   {.predicts = prediction::x_0, .operation = {.what = x0_operation::kind::clip}}, 2.0);
    CHECK(bounded.recall == pair_map{0.5, -0.5}); // (x - x_0) / sigma
    CHECK(slope_at(rectified_flow{}, {.predicts = prediction::velocity}, 1.0).memory == pair_map{0.0, 1.0});
    CHECK_THROWS_AS(slope_at(rectified_flow{}, {.predicts = prediction::epsilon}, 1.0), std::invalid_argument);
    CHECK_THROWS_AS(slope_at(vp_sde{}, {.predicts = prediction::x_0}, 0.0), std::invalid_argument);
    grid const g = even_grid(vp_sde{}, 1.0, 0.1, 3);
    CHECK_THROWS_AS(sde(vp_sde{}, g, {.diffusion = [](double) { return -1.0; }}), std::invalid_argument);
    CHECK_THROWS_AS(sde(vp_sde{}, g, {.method = {}}), std::invalid_argument);
    // no noise where there is none: structural
    for (stage const& each : sde(vp_sde{}, g, {.network = clean, .diffusion = [](double) { return 0.0; }}).stages)
        CHECK((!each.churn && !draws_noise(each)));
    CHECK(!draws_noise(sde(vp_sde{}, g, {.network = clean}).stages.back()));
    CHECK(draws_noise(sde(vp_sde{}, g, {.network = clean, .end = sde_end::noisy}).stages.back()));
}

TEST_CASE("a velocity prediction drives Runge-Kutta methods in time, also from alpha = 0 and to sigma = 0")
{
    trigonometric_path const path;
    support::gaussian_mixture const mixture;
    auto const velocity = [&](support::state const& v, double t) {
        auto const [alpha, sigma] = path.level(t);
        path_slope const slope = path.slope(t);
        support::state out = mixture.denoise(v, {alpha, sigma});
        for (std::size_t i = 0; i < v.size(); ++i)
            out[i] = slope.alpha * out[i] + slope.sigma * (v[i] - alpha * out[i]) / sigma;
        return out;
    };
    grid const g = even_grid(path, 0.9, 0.2, 12);
    auto const by = [&](prediction kind, auto const& network) {
        return support::interpret(
            runge_kutta(path, g, {.network = {.predicts = kind}, .methods = {rk_38()}, .in_time = true}),
            support::start, network);
    };
    auto const got = by(prediction::velocity, velocity), want = by(prediction::x_0, denoiser(path));
    for (std::size_t i = 0; i < got.size(); ++i)
        CHECK(got[i] == Approx(want[i]).epsilon(1e-12));
    plan const whole = runge_kutta(path, even_grid(path, 1.0, 0.0, 3),
                                   {.network = {.predicts = prediction::velocity},
                                    .methods = {res_2s()},
                                    .form = memory_form::velocity,
                                    .in_time = true});
    CHECK(whole.stages.size() == 6);
    CHECK(whole.stages.front().memory == pair_map{0.0, 1.0});
}
