// SPDX-License-Identifier: MIT
// The reverse SDE in the path's own time: Euler-Maruyama and stochastic Runge-Kutta methods.
#pragma once

#include <alphabar/sampler/runge_kutta.hpp>

#include <iterator>

namespace alphabar {

/// How the last step of `sde` is made: to x_0 (Tweedie's formula); by an Euler step of the SDE's drift without its
/// noise; by one of the ODE; or as the others.
enum class sde_end : std::uint8_t { denoise, mean, ode, noisy };

struct sde_options {
    network_form network{};
    runge_kutta_method method = rk_1();
    /// w(t), the squared diffusion of the reverse process; without it g^2 of the path's forward SDE. Every w >= 0 keeps
    /// the path's marginals; 0 is the ODE.
    std::function<double(double)> diffusion{};
    /// A factor of epsilon, that is of the score: above 1 it sharpens the density (Proteina's low temperature).
    std::function<double(double)> epsilon_scale{};
    double noise_scale = 1.0;
    sde_end end = sde_end::denoise;
};

/// g^2 of the path's forward SDE, dx = f x dt + g dW, f = alpha' / alpha: 2 sigma (sigma' - f sigma); or the path's.
template <sloped_path Path>
double squared_diffusion(Path const& path, double t)
{
    if constexpr (requires { path.squared_diffusion(t); }) {
        return path.squared_diffusion(t);
    } else {
        auto const [alpha, sigma] = path.level(t);
        path_slope const slope = path.slope(t);
        return 2.0 * sigma * (slope.sigma - slope.alpha / alpha * sigma);
    }
}

/// Forms of w(t) on paths whose time lies in [0, 1]:
///
///     path                   norm g^2, that of the path
///     constant               2 norm
///     sigma                  2 norm sigma
///     linear                 2 norm t
///     decreasing             (1 - norm cos(pi t))^2 / 2, which falls towards the data
///     increasing_decreasing  2 norm sin^2(pi t)
///
/// Source: SiT, Ma et al. 2024, arXiv 2401.08740, section 2.4 and its transport/path.py.
enum class diffusion_form : std::uint8_t { path, constant, sigma, linear, decreasing, increasing_decreasing };

template <sloped_path Path>
std::function<double(double)> diffusion_of(Path const& path, diffusion_form form, double norm = 1.0)
{
    return [=](double t) {
        double const turn = std::numbers::pi * t;
        switch (form) {
        case diffusion_form::constant: return 2.0 * norm;
        case diffusion_form::sigma: return 2.0 * norm * noise_level(path.level(t)).sigma;
        case diffusion_form::linear: return 2.0 * norm * t;
        case diffusion_form::decreasing: return 0.5 * std::pow(1.0 - norm * std::cos(turn), 2);
        case diffusion_form::increasing_decreasing: return 2.0 * norm * std::pow(std::sin(turn), 2);
        default: return norm * squared_diffusion(path, t);
        }
    };
}

/// What moves the state at time t of a path, for `slope_call`.
template <sloped_path Path>
slope_terms slope_terms_at(Path const& path, double t, double w = 0.0, double epsilon_scale = 1.0)
{
    path_slope const slope = path.slope(t);
    return {slope, w, std::isfinite(slope.sigma) ? 0.0 : squared_diffusion(path, t), epsilon_scale};
}

/// The stages of one step from t to t + h: x' = x + h slope by the Runge-Kutta method, and noise of variance w(t) |h|,
/// drawn after the call of a method with one call, before those of the others (stochastic Heun). Throws
/// std::invalid_argument unless w is finite and not negative and the method has 1 to 8 calls.
template <sloped_path Path>
std::vector<stage> sde_step(Path const& path, double t, double h, sde_options const& o, bool noisy = true)
{
    auto const w = [&](double at) { return o.diffusion ? o.diffusion(at) : squared_diffusion(path, at); };
    double const deviation = noisy ? o.noise_scale * std::sqrt(w(t) * std::abs(h)) : 0.0;
    require(std::isfinite(deviation), "sde", "the squared diffusion", w(t), "it must be finite and not negative");
    std::vector<double> const& c = o.method.c;
    require(!c.empty() && c.size() <= max_nodes, "sde", "the calls of the method", c.size(), "it has 1 to 8");
    std::vector<inner_call> calls;
    for (std::size_t i = 0; i < c.size(); ++i) {
        double const at = t + h * c[i], end = i + 1 < c.size() ? h * c[i + 1] : h;
        inner_call call{
            .time = at, .level = path.level(at), .age = static_cast<unsigned>(i), .weights = o.method.weights};
        call.along = {h * c[i], end, slope_terms_at(path, at, w(at), o.epsilon_scale ? o.epsilon_scale(at) : 1.0)};
        calls.push_back(std::move(call));
    }
    if (c.size() == 1)
        calls[0].noise = deviation;
    else if (deviation != 0.0)
        calls[0].churn = stage::churn_map{1.0, deviation};
    return singlestep_stages(calls, {.network = o.network});
}

/// The reverse SDE of any path, from time to time of the grid, which must be times of the path:
///
///     dx = (alpha' x_0 + sigma' epsilon + w / (2 sigma) epsilon) dt + sqrt(w) dW,   t falling
///
/// Throws as `slope_call` and `check` do. Source: Song et al. 2021, arXiv 2011.13456, (6); for any w Ma et al. 2024
/// (SiT), arXiv 2401.08740, (4) and (6).
template <sloped_path Path, grid_for<Path> Spec>
plan sde(Path const& path, Spec const& spec, sde_options o = {})
{
    grid const g = make_grid(path, spec);
    o.network = settled(o.network, g.usual);
    plan p = empty_plan(o.network, g.levels.front());
    for (std::size_t i = 0; i < g.steps(); ++i) {
        bool const last = i + 1 == g.steps();
        double const t = g.times[i], h = (last ? g.end_time : g.times[i + 1]) - t;
        if (last && o.end == sde_end::denoise) {
            network_maps const maps = maps_at(o.network, path.level(t), path.slope(t));
            p.stages.push_back({.time = network_time(o.network, t, path.level(t)),
                                .x = row(slots::m(0)),
                                .memory = maps.x_0,
                                .input_scale = maps.input_scale,
                                .operation = o.network.operation});
            continue;
        }
        if (last && o.end != sde_end::noisy)
            o.method = rk_1();
        if (last && o.end == sde_end::ode)
            o.diffusion = [](double) { return 0.0; };
        std::ranges::copy(sde_step(path, t, h, o, !last || o.end == sde_end::noisy), std::back_inserter(p.stages));
    }
    number_draws(p);
    return p;
}

} // namespace alphabar
