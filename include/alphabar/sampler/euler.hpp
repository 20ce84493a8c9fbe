// SPDX-License-Identifier: MIT
// Euler, with churn, and the ancestral sampler.
#pragma once

#include <alphabar/sampler/ddim.hpp>

namespace alphabar {

/// Churn: before a call the noise ratio sigma / alpha is raised by the factor 1 + gamma, gamma = min(amount / N,
/// sqrt(2) - 1), where it lies in [low, high]. Source: Karras et al. 2022, arXiv 2206.00364, algorithm 2.
struct churn_options {
    double amount = 0.0;                                   ///< S_churn
    double low = 0.0;                                      ///< S_tmin
    double high = std::numeric_limits<double>::infinity(); ///< S_tmax
    double noise_scale = 1.0;                              ///< S_noise
};

/// A step with what comes before its call; `step.from` and `step.time` are those of the raised level.
struct churned_step {
    grid_step step;
    std::optional<stage::churn_map> churn;
    double end_time; ///< the time of step.to
};

/// The steps of a grid with their churn. A step from alpha = 0 has none. Throws std::invalid_argument unless the amount
/// and the window are not negative, and where there is no path for an amount.
inline std::vector<churned_step> churned_steps(path_view const& path, grid const& g, churn_options const& o = {},
                                               std::string_view function = "churned_steps")
{
    require(o.amount >= 0.0 && std::isfinite(o.amount), function, "churn.amount", o.amount, "it must not be negative");
    require(o.low >= 0.0 && o.low <= o.high, function, "churn.low", o.low, "it must lie in [0, churn.high]");
    require(o.amount == 0.0 || path.at_ratio, function, "churn.amount", o.amount, needs_path);
    double const gamma = std::min(o.amount / static_cast<double>(g.steps()), std::numbers::sqrt2 - 1.0);
    std::vector<churned_step> steps;
    steps.reserve(g.steps());
    for (auto const& [time, from, to] : steps_of(g)) {
        steps.push_back({{time, from, to}, {}, steps.size() + 1 < g.steps() ? g.times[steps.size() + 1] : g.end_time});
        double const ratio = sigma_ratio(from);
        if (gamma == 0.0 || from.alpha == 0.0 || ratio < o.low || ratio > o.high)
            continue;
        grid_point const raised = path.at_ratio(ratio * (1.0 + gamma));
        if (raised.level == from) // the path ends there
            continue;
        steps.back().step = {raised.time, raised.level, to};
        steps.back().churn = make_forward_step(from, raised.level);
        steps.back().churn->add *= o.noise_scale;
    }
    return steps;
}

struct euler_options {
    network_form network{};
    churn_options churn{};
};

/// Euler's method: x' = x + (sigma' - sigma) (x - x_0) / sigma where alpha = 1, x' = x + (t' - t) F on rectified flow;
/// on every path DDIM of eta = 0 (Song et al. 2021, (14)). Churn needs the path. Throws as `ddim` and `churned_steps`
/// do.
inline constexpr solver_function euler("euler", [](grid_on_path const& g, euler_options const& o) {
    using namespace slots;
    std::vector<churned_step> const steps = churned_steps(g.path, g, o.churn, "euler");
    return plan_of(o.network, steps_of(g), "euler", [&](grid_step const&, std::size_t i) {
        stage s = ddim_stage(o.network, steps[i].step);
        s.churn = steps[i].churn;
        return s;
    });
});

struct euler_ancestral_options {
    network_form network{};
    double eta = 1.0;
    double noise_scale = 1.0;
};

/// The ancestral Euler sampler: down to sqrt(sigma'^2 - up^2), then up again by noise, up = min(sigma', eta sigma'
/// sqrt(1 - (sigma' / sigma)^2)) where alpha = 1. On every path it is DDIM with this eta. Throws as `ddim` does.
/// Source: k-diffusion, sample_euler_ancestral.
inline constexpr solver_function euler_ancestral("euler_ancestral", [](grid const& g,
                                                                       euler_ancestral_options const& o) {
    return ddim(g, {.network = o.network, .eta = o.eta, .noise_scale = o.noise_scale});
});

/// The ancestral sampler of rectified flow, eta in [0, 1]: down along the ODE to sigma_d = sigma' (1 + eta (sigma' /
/// sigma - 1)), then scaled and made noisy up to the next level, x' = (alpha' / alpha_d) x_d + sqrt(sigma'^2 - (sigma_d
/// alpha' / alpha_d)^2) z. Throws std::invalid_argument unless alpha + sigma = 1, and as `ddim` does. Source: the
/// WebUI's sample_euler_ancestral_RF, LTX-Video.
inline constexpr solver_function euler_ancestral_flow("euler_ancestral_flow", [](grid const& g,
                                                                                 euler_ancestral_options const& o) {
    require(o.eta >= 0.0 && o.eta <= 1.0, "euler_ancestral_flow", "eta", o.eta, "it must lie in [0, 1]");
    return plan_of(o.network, steps_of(g), "euler_ancestral_flow", [&](grid_step const& step, std::size_t) {
        auto const& [time, from, to] = step;
        require(std::abs(from.alpha + from.sigma - 1.0) < 1e-9, "euler_ancestral_flow", "alpha + sigma",
                from.alpha + from.sigma, "it must be 1: the levels of rectified flow");
        require(o.eta == 0.0 || to.sigma <= from.sigma, "euler_ancestral_flow", "eta", o.eta,
                "a step to more noise has eta = 0");
        double const rest = 1.0 + o.eta * (to.sigma / from.sigma - 1.0); // sigma_d / sigma'
        double const kept = rest == 1.0 ? 1.0 : rest * to.alpha / (1.0 - rest * to.sigma);
        double const up = to.sigma * std::sqrt((1.0 - kept) * (1.0 + kept));
        return ancestral_stage(o.network, step, {{to.alpha, kept * to.sigma}, o.noise_scale * up});
    });
});

} // namespace alphabar
