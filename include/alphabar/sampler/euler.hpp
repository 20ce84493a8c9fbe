// SPDX-License-Identifier: MIT
//
// Euler, with churn, and the ancestral sampler.
#pragma once

#include <alphabar/core/error.hpp>
#include <alphabar/grid/grid.hpp>
#include <alphabar/sampler/ddim.hpp>
#include <alphabar/sampler/network_form.hpp>
#include <alphabar/sampler/plan.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <numbers>
#include <optional>
#include <utility>
#include <vector>

namespace alphabar {

/// Churn: before a call the noise ratio sigma / alpha is raised by the factor 1 + gamma, gamma =
/// min(amount / N, sqrt(2) - 1), where it lies in [low, high]. Source: Karras et al. 2022, arXiv
/// 2206.00364, algorithm 2.
struct churn_options {
    double amount = 0.0;                                   ///< S_churn
    double low = 0.0;                                      ///< S_tmin
    double high = std::numeric_limits<double>::infinity(); ///< S_tmax
    double noise_scale = 1.0;                              ///< S_noise
};

/// A step with what comes before its call; `step.from` and `step.time` are those of the raised
/// level.
struct churned_step {
    grid_step step;
    std::optional<stage::churn_map> churn;
    double end_time; ///< the time of step.to
};

/// The steps of a grid without churn.
inline std::vector<churned_step> without_churn(grid const& g)
{
    std::vector<churned_step> steps;
    steps.reserve(g.steps());
    for (grid_step const& step : steps_of(g))
        steps.push_back({step, {}, steps.size() + 1 < g.steps() ? g.times[steps.size() + 1] : g.end_time});
    return steps;
}

/// The steps of a grid with their churn. A step from alpha = 0 has none. Throws
/// std::invalid_argument unless the amount and the window are not negative.
template <noise_path Path>
std::vector<churned_step> churned_steps(Path const& path, grid const& g, churn_options const& o)
{
    require(o.amount >= 0.0 && std::isfinite(o.amount), "churn", "amount", o.amount, "it must not be negative");
    require(o.low >= 0.0 && o.low <= o.high, "churn", "low", o.low, "it must lie in [0, high]");
    std::vector<churned_step> steps = without_churn(g);
    double const gamma = std::min(o.amount / static_cast<double>(g.steps()), std::numbers::sqrt2 - 1.0);
    for (auto& [step, churn, end_time] : steps) {
        auto const [alpha, sigma] = step.from;
        double const ratio = sigma / alpha;
        if (gamma == 0.0 || alpha == 0.0 || ratio < o.low || ratio > o.high)
            continue;
        grid_point const raised = point_at_ratio(path, ratio * (1.0 + gamma));
        double const added = raised.level.alpha * ratio * std::sqrt(gamma * (2.0 + gamma));
        step = {raised.time, raised.level, step.to};
        churn = {raised.level.alpha / alpha, o.noise_scale * added};
    }
    return steps;
}

struct euler_options {
    network_form network{};
    churn_options churn{};
    bool churn_after_call = false; ///< the network is called before the noise is added (diffusers):
                                   ///< its output belongs to another x
};

/// Euler's method: x' = x + (sigma' - sigma) (x - x_0) / sigma where alpha = 1, x' = x + (t' - t) F
/// on rectified flow; on every path it is DDIM of eta = 0 (Song et al. 2021, (14)). Throws as
/// `ddim` does.
inline plan euler(grid const& g, euler_options const& o = {})
{
    require(o.churn.amount == 0.0, "euler", "churn", o.churn.amount,
            "churn needs the path: euler(path, grid, options)");
    return ddim(g, {.network = o.network});
}

/// Euler's method with churn. Throws as `ddim` and `churned_steps` do.
template <noise_path Path, grid_for<Path> Spec>
plan euler(Path const& path, Spec const& spec, euler_options const& o = {})
{
    using namespace slots;
    grid const g = make_grid(path, spec);
    network_form const network = settled(o.network, g.usual);
    plan p = ddim(g, {.network = network});
    std::vector<churned_step> const steps = churned_steps(path, g, o.churn);
    for (std::size_t i = 0; i < steps.size(); ++i) {
        auto const& [step, churn, end_time] = steps[i];
        if (!churn)
            continue;
        if (!o.churn_after_call) {
            p.stages[i] = ddim_stage(network, step);
            p.stages[i].churn = churn;
            continue;
        }
        // with x^ = keep x + add z: x_0 = p x^ + q F, x' = (sigma' / sigma^) x^ + (alpha' - alpha^
        // sigma' / sigma^) x_0
        bool const of_raised = network.predicts == prediction::epsilon || network.input >= network_input::edm;
        pair_map const x_0 = maps_at(network, of_raised ? step.from : g.levels[i]).x_0;
        double const kept = step.to.sigma / step.from.sigma, clean = step.to.alpha - step.from.alpha * kept;
        double const scale = kept + clean * x_0.x;
        p.stages[i].x = (scale * churn->keep) * x + (clean * x_0.other) * F() + (scale * churn->add) * z;
    }
    for (stage& s : p.stages)
        s.noise = s.churn_noise = stage::automatic;
    number_draws(p);
    return p;
}

struct euler_ancestral_options {
    network_form network{};
    double eta = 1.0;
    double noise_scale = 1.0;
};

/// The ancestral Euler sampler: down to sqrt(sigma'^2 - up^2), then up again by noise, up =
/// min(sigma', eta sigma' sqrt(1 - (sigma' / sigma)^2)) where alpha = 1. On every path it is DDIM
/// with this eta. Throws as `ddim` does. Source: k-diffusion, sample_euler_ancestral.
inline plan euler_ancestral(grid const& g, euler_ancestral_options const& o = {})
{
    return ddim(g, {.network = o.network, .eta = o.eta, .noise_scale = o.noise_scale});
}
template <noise_path Path, grid_for<Path> Spec>
plan euler_ancestral(Path const& path, Spec const& spec, euler_ancestral_options const& o = {})
{
    return euler_ancestral(make_grid(path, spec), o);
}

/// The ancestral sampler of rectified flow, eta in [0, 1]: down along the ODE to sigma_d = sigma' (1 + eta (sigma' / sigma - 1)),
/// then scaled and made noisy up to the next level, x' = (alpha' / alpha_d) x_d + sqrt(sigma'^2 - (sigma_d alpha' /
/// alpha_d)^2) z. Throws std::invalid_argument unless alpha + sigma = 1, and as `ddim` does. Source: the WebUI's
/// sample_euler_ancestral_RF, LTX-Video.
inline plan euler_ancestral_flow(grid const& g, euler_ancestral_options const& o = {})
{
    check(g, "euler_ancestral_flow");
    require(o.eta >= 0.0 && o.eta <= 1.0, "euler_ancestral_flow", "eta", o.eta, "it must lie in [0, 1]");
    network_form const network = settled(o.network, g.usual);
    plan p = ddim(g, {.network = network});
    for (std::size_t i = 0; i < g.steps(); ++i) {
        auto const [from, to] = std::pair(g.levels[i], g.levels[i + 1]);
        require(std::abs(from.alpha + from.sigma - 1.0) < 1e-9, "euler_ancestral_flow", "alpha + sigma",
                from.alpha + from.sigma, "it must be 1: the levels of rectified flow");
        double const rest = 1.0 + o.eta * (to.sigma / from.sigma - 1.0); // sigma_d / sigma'
        double const kept = rest == 1.0 ? 1.0 : rest * to.alpha / (1.0 - rest * to.sigma);
        p.stages[i] = ancestral_stage(
            network, {g.times[i], from, to},
            {{to.alpha, kept * to.sigma}, o.noise_scale * to.sigma * std::sqrt((1.0 - kept) * (1.0 + kept))});
    }
    number_draws(p);
    return p;
}
template <noise_path Path, grid_for<Path> Spec>
plan euler_ancestral_flow(Path const& path, Spec const& spec, euler_ancestral_options const& o = {})
{
    return euler_ancestral_flow(make_grid(path, spec), o);
}

} // namespace alphabar
