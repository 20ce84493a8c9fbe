// SPDX-License-Identifier: MIT
// Restart: an ODE sampler that goes back up to more noise and down again, several times.
#pragma once

#include <alphabar/grid/sigmas.hpp>
#include <alphabar/sampler/runge_kutta.hpp>

namespace alphabar {

/// When the level nearest to `low` is reached, `times` times: noise up to `high`, then `steps` Karras steps (rho = 7)
/// down again. Levels are sigma_of the path.
struct restart_interval {
    double low;
    double high;
    std::size_t steps = 5;
    std::size_t times = 1;
};

struct restart_options {
    network_form network{};
    runge_kutta_method method = res_2s(1.0); ///< with `form` rho Heun's
    memory_form form = memory_form::rho;
    churn_options churn{};
    double noise_scale = 1.0;
};

/// Restart sampling: Heun's method on a grid, or another one, with these intervals in it. Throws std::invalid_argument
/// unless each goes up, and as `runge_kutta_along`, `churned_steps` do. Xu et al. 2023, arXiv 2306.14878, algorithm 1.
template <noise_path Path, grid_for<Path> Spec>
plan restart(Path const& path, Spec const& spec, std::vector<restart_interval> const& intervals,
             restart_options const& o = {})
{
    grid const g = make_grid(path, spec);
    std::vector<churned_step> steps = churned_steps(path, g, o.churn, "restart");
    for (restart_interval const& r : intervals) {
        auto const distance = [&](churned_step const& s) { return std::abs(sigma_of(path, s.step.to) - r.low); };
        auto const at = std::ranges::min_element(steps, {}, distance);
        noise_level const low = at->step.to;
        require(low.sigma > 0.0 && r.high > sigma_of(path, low), "restart", "high", r.high,
                "it must be above the level that restarts, and that above 0");
        grid inner = make_grid(path, karras_grid(r.steps, {.range = {.sigma_min = sigma_of(path, low),
                                                                     .sigma_max = r.high,
                                                                     .end = final_level::first,
                                                                     .through_end = true}}));
        inner.levels.back() = low;
        std::vector<churned_step> again = churned_steps(path, inner, {});
        noise_level const high = inner.levels.front();
        again.front().churn = make_forward_step(low, high);
        again.front().churn->add *= o.noise_scale;
        auto const place = at - steps.begin() + 1;
        for (std::size_t k = 0; k < r.times; ++k)
            steps.insert(steps.begin() + place, again.begin(), again.end());
    }
    return runge_kutta_along(
        path, g, steps, {.network = o.network, .methods = {o.method}, .form = o.form, .noise_scale = o.noise_scale});
}

} // namespace alphabar
