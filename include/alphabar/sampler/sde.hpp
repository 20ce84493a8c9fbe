// SPDX-License-Identifier: MIT
//
// Solvers in the path's own time: Runge-Kutta methods for the ODE, Euler-Maruyama and stochastic Heun for the SDE.
#pragma once

#include <alphabar/core/error.hpp>
#include <alphabar/grid/grid.hpp>
#include <alphabar/sampler/network_form.hpp>
#include <alphabar/sampler/plan.hpp>
#include <alphabar/schedule/noise_level.hpp>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <numeric>
#include <vector>

namespace alphabar {

/// An explicit Runge-Kutta method by its rows: row i has the i + 1 weights of the slopes so far with which the state goes on
/// from the start of the step to call i + 1, the last row those with which the step ends. The sum of a row is the place of
/// that call in the step.
using runge_kutta_method = std::vector<std::vector<double>>;

namespace runge_kutta {
inline runge_kutta_method const euler{{1.0}};
inline runge_kutta_method const midpoint{{0.5}, {0.0, 1.0}};
inline runge_kutta_method const heun2{{1.0}, {0.5, 0.5}};
inline runge_kutta_method const heun3{{1.0 / 3}, {0.0, 2.0 / 3}, {0.25, 0.0, 0.75}};
inline runge_kutta_method const classic4{{0.5}, {0.0, 0.5}, {0.0, 0.0, 1.0}, {1.0 / 6, 1.0 / 3, 1.0 / 3, 1.0 / 6}};
/// Kutta's 3/8 rule: torchdiffeq's rk4.
inline runge_kutta_method const three_eighths{
    {1.0 / 3}, {-1.0 / 3, 1.0}, {1.0, -1.0, 1.0}, {0.125, 0.375, 0.375, 0.125}};
} // namespace runge_kutta

/// How the last step of `sde` is made: to x_0 (Tweedie's formula); by an Euler step of the SDE's drift without its noise; by
/// one of the ODE; or as the others.
enum class sde_end : std::uint8_t { denoise, mean, ode, noisy };

struct sde_options {
    network_form network{};
    runge_kutta_method method = runge_kutta::euler;
    /// w(t), the squared diffusion of the reverse process; without it g^2 of the path's forward SDE. Every w >= 0 keeps the
    /// path's marginals; 0 is the ODE.
    std::function<double(double)> diffusion{};
    /// A factor of epsilon, that is of the score: above 1 it sharpens the density (Proteina's low temperature).
    std::function<double(double)> epsilon_scale{};
    double noise_scale = 1.0;
    sde_end end = sde_end::denoise;
};

/// g^2 of the path's forward SDE, dx = f x dt + g dW, f = alpha' / alpha: 2 sigma (sigma' - f sigma), or the path's own.
template <differentiable_path Path>
double squared_diffusion(Path const& path, double t)
{
    if constexpr (requires { path.squared_diffusion(t); }) {
        return path.squared_diffusion(t);
    } else {
        auto const [alpha, sigma] = path.level(t);
        level_slope const slope = path.slope(t);
        return 2.0 * sigma * (slope.sigma - slope.alpha / alpha * sigma);
    }
}

/// The maps of one call at time t of the path: as `maps_at`, and of a velocity prediction.
template <differentiable_path Path>
network_maps maps_at(Path const& path, network_form const& network, double t)
{
    if (network.predicts != prediction::velocity)
        return maps_at(network, path.level(t));
    auto const [alpha, sigma] = path.level(t);
    level_slope const slope = path.slope(t);
    double const out = network.output_scale, d = alpha * slope.sigma - slope.alpha * sigma;
    return {1.0, {slope.sigma / d, -out * sigma / d}, {-slope.alpha / d, out * alpha / d}};
}

/// A stage that calls the network at time t of the path and remembers the slope dx/dt of the reverse process with squared
/// diffusion w; its rows are still empty:
///
///     m(0) = alpha' x_0 + (sigma' + w / (2 sigma)) epsilon = f x - (g^2 + w) / 2 score
///
/// `epsilon_scale` multiplies epsilon; x_0 is then that of the new epsilon. Throws std::invalid_argument where alpha or sigma
/// is 0 and the prediction does not determine m(0).
template <differentiable_path Path>
stage slope_call(Path const& path, network_form const& network, double t, double w = 0.0, double epsilon_scale = 1.0)
{
    level_slope const slope = path.slope(t);
    auto const [alpha, sigma] = path.level(t);
    bool const velocity = network.predicts == prediction::velocity;
    network_maps maps = maps_at(path, network, t);
    stage s{.time = network_time(network, t, {alpha, sigma}), .input_scale = maps.input_scale};
    bool const bounded = network.operation.what != x0_operation::kind::none;
    if (epsilon_scale != 1.0) {
        require(!bounded, "slope_call", "epsilon_scale", epsilon_scale, "it must be 1 where x_0 is clipped");
        maps.epsilon = {epsilon_scale * maps.epsilon.x, epsilon_scale * maps.epsilon.other};
        maps.x_0 = {(1.0 - sigma * maps.epsilon.x) / alpha, -sigma * maps.epsilon.other / alpha};
    }
    double const part = slope.sigma + (w == 0.0 ? 0.0 : w / (2.0 * sigma));
    if (bounded) {
        s.memory = maps.x_0;
        s.operation = network.operation;
        s.recall = {part / sigma, slope.alpha - part * alpha / sigma};
    } else if (velocity && w == 0.0 && epsilon_scale == 1.0) {
        s.memory = {0.0, network.output_scale};
    } else if (!std::isfinite(part) && network.predicts == prediction::score) { // sigma = 0: epsilon = -sigma score
        s.memory = {slope.alpha / alpha,
                    -0.5 * (squared_diffusion(path, t) + w) * epsilon_scale * network.output_scale};
    } else {
        s.memory = {slope.alpha * maps.x_0.x + part * maps.epsilon.x,
                    slope.alpha * maps.x_0.other + part * maps.epsilon.other};
    }
    require(std::isfinite(s.memory.x) && std::isfinite(s.memory.other) && std::isfinite(s.recall.x), "slope_call", "t",
            t,
            "alpha or sigma is 0 there and the prediction does not determine the slope: begin or end inside the path");
    return s;
}

/// The stages of one step from t to t + h: x' = x + h slope by the Runge-Kutta method, and noise of variance w(t) |h|, drawn
/// after the call of a method with one call, before those of the others (stochastic Heun).
template <differentiable_path Path>
std::vector<stage> sde_step(Path const& path, double t, double h, sde_options const& o, bool noisy = true)
{
    using namespace slots;
    auto const w = [&](double at) { return o.diffusion ? o.diffusion(at) : squared_diffusion(path, at); };
    double const deviation = noisy ? o.noise_scale * std::sqrt(w(t) * std::abs(h)) : 0.0;
    require(std::isfinite(deviation), "sde", "the squared diffusion", w(t), "it must be finite and not negative");
    std::vector<stage> stages;
    double at = t;
    for (std::vector<double> const& weights : o.method) {
        std::size_t const i = stages.size();
        require(weights.size() == i + 1, "sde", "the number of weights in a row of the method", weights.size(),
                "row i has i + 1 of them");
        stage s = slope_call(path, o.network, at, w(at), o.epsilon_scale ? o.epsilon_scale(at) : 1.0);
        s.x = i == 0 ? x : y;
        for (std::size_t j = 0; j <= i; ++j)
            s.x += (h * weights[j]) * m(i - j);
        if (i == 0 && o.method.size() > 1)
            s.y = x;
        s.ends_step = i + 1 == o.method.size();
        s.x = s.x.pruned();
        stages.push_back(s);
        at = t + h * std::accumulate(weights.begin(), weights.end(), 0.0);
    }
    require(!stages.empty(), "sde", "the method", "empty", "it has at least one row");
    if (deviation != 0.0 && o.method.size() > 1)
        stages.front().churn = stage::churn_map{1.0, deviation};
    else if (deviation != 0.0)
        stages.front().x += deviation * z;
    return stages;
}

/// The reverse SDE of any path, from time to time of the grid, which must be times of the path:
///
///     dx = (alpha' x_0 + sigma' epsilon + w / (2 sigma) epsilon) dt + sqrt(w) dW,   t falling
///
/// Throws as `slope_call` and `check` do. Source: Song et al. 2021, arXiv 2011.13456, (6); for any w Ma et al. 2024 (SiT),
/// arXiv 2401.08740, (4) and (6).
template <differentiable_path Path, grid_for<Path> Spec>
plan sde(Path const& path, Spec const& spec, sde_options o = {})
{
    using namespace slots;
    grid const g = make_grid(path, spec);
    o.network = settled(o.network, g.usual);
    plan p{
        .stages = {}, .initial_scale = initial_scale(g.levels.front()), .heads = o.network.predicts_variance ? 2u : 1u};
    for (std::size_t i = 0; i < g.steps(); ++i) {
        bool const last = i + 1 == g.steps();
        double const t = g.times[i], h = (last ? g.end_time : g.times[i + 1]) - t;
        if (last && o.end == sde_end::denoise) {
            network_maps const maps = maps_at(path, o.network, t);
            p.stages.push_back({.time = network_time(o.network, t, path.level(t)),
                                .x = row(m(0)),
                                .memory = maps.x_0,
                                .input_scale = maps.input_scale,
                                .operation = o.network.operation});
            continue;
        }
        if (last && o.end != sde_end::noisy)
            o.method = runge_kutta::euler;
        if (last && o.end == sde_end::ode)
            o.diffusion = [](double) { return 0.0; };
        for (stage const& s : sde_step(path, t, h, o, !last || o.end == sde_end::noisy))
            p.stages.push_back(s);
    }
    number_draws(p);
    return p;
}

struct ode_options {
    network_form network{};
    runge_kutta_method method = runge_kutta::midpoint;
};

/// The probability-flow ODE dx/dt = alpha' x_0 + sigma' epsilon in the path's own time, which is what flow networks predict,
/// by a Runge-Kutta method; the grid may go up (inversion). Throws as `sde` does. Source: Lipman et al. 2024, arXiv
/// 2412.06264, section 3.2.
template <differentiable_path Path, grid_for<Path> Spec>
plan ode(Path const& path, Spec const& spec, ode_options const& o = {})
{
    return sde(
        path, spec,
        {.network = o.network, .method = o.method, .diffusion = [](double) { return 0.0; }, .end = sde_end::noisy});
}

} // namespace alphabar
