// SPDX-License-Identifier: MIT
//
// ER-SDE: extended reverse-time SDEs, whose noise any function of sigma / alpha may set.
#pragma once

#include <alphabar/core/error.hpp>
#include <alphabar/grid/grid.hpp>
#include <alphabar/sampler/adams.hpp>
#include <alphabar/sampler/exponential.hpp>
#include <alphabar/sampler/network_form.hpp>
#include <alphabar/sampler/plan.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <functional>
#include <span>
#include <vector>

namespace alphabar {

struct er_sde_options {
    network_form network{};
    unsigned order = 3;
    /// phi(rho), rho = sigma / alpha: at least as steep as rho, which is the ODE; rho^2 is the reverse SDE of eta = 1.
    std::function<double(double)> noise = [](double rho) { return rho * (std::exp(std::pow(rho, 0.3)) + 10.0); };
    double noise_scale = 1.0;
};

/// ER-SDE-Solver of order 1 to 3. With r = phi(rho') / phi(rho) and x_0 the polynomial in rho through the last `order`
/// calls,
///
///     x' = (alpha' / alpha) r x + alpha' phi(rho') integral_rho'^rho phi'(v) / phi(v)^2 x_0(v) dv
///        + alpha' sqrt(rho'^2 - r^2 rho^2) z
///
/// exactly; published code takes the second difference of order 3 as if at rho. A step to sigma = 0 has order 1. Throws
/// std::invalid_argument unless order is 1, 2 or 3, where phi is not as steep as it must be or the grid starts at alpha
/// = 0, and as `rising_orders`, `weights` and `network_call` do. Source: Cui et al. 2023, arXiv 2309.06169, (15) and
/// algorithm 3.
inline plan er_sde(grid const& g, er_sde_options const& o = {})
{
    using namespace slots;
    require(o.order >= 1 && o.order <= 3, "er_sde", "order", o.order, "it must be 1, 2 or 3");
    std::vector<unsigned> const orders = rising_orders(g, o.order);
    network_form const network = settled(o.network, g.usual);
    plan p{
        .stages = {}, .initial_scale = initial_scale(g.levels.front()), .heads = network.predicts_variance ? 2u : 1u};
    for (std::size_t i = 0; i < g.steps(); ++i) {
        noise_level const from = g.levels[i], to = g.levels[i + 1];
        require(from.alpha > 0.0, "er_sde", "alpha", from.alpha, "a step cannot start at alpha = 0");
        double const s = sigma_ratio(from), t = sigma_ratio(to), phi_t = t > 0.0 ? o.noise(t) : 0.0,
                     r = phi_t / o.noise(s);
        require(r >= 0.0 && r * s <= t * (1.0 + 1e-14), "er_sde", "phi(rho') / phi(rho)", r,
                "it must lie in [0, rho' / rho]");
        double const fresh = t - r * s; // 0 for the ODE, but for rounding
        // phi(t) integral u^(k-1) / phi dv with u = v - s, in log v by Gauss's rule of 8 points on 4 parts
        auto const integral_of = [&](unsigned k) {
            static constexpr double at[] = {0.1834346424956498, 0.5255324099163290, 0.7966664774136267,
                                            0.9602898564975363};
            static constexpr double weight[] = {0.3626837833783620, 0.3137066458778873, 0.2223810344533745,
                                                0.1012285362903763};
            double const half = std::log(s / t) / 8.0;
            double sum = 0.0;
            for (int part = 0; part < 4; ++part)
                for (int j = 0; j < 8; ++j) {
                    double const v = t * std::exp(half * (2 * part + 1 + (j < 4 ? at[j] : -at[j - 4])));
                    sum += half * weight[j % 4] * v / o.noise(v) * std::pow(v - s, k - 1.0);
                }
            return phi_t * sum;
        };
        unsigned const order = orders[i];
        node_values nodes{}, I{1.0 - r};
        for (unsigned k = 1; k < order; ++k) {
            nodes[k] = sigma_ratio(g.levels[i - k]) - s;
            I[k] = std::pow(t - s, k) + k * integral_of(k);
        }
        node_values const w = weights(std::span(nodes).first(order), std::span(I).first(order));
        stage now = network_call(network, g.times[i], from);
        now.x = (to.alpha / from.alpha * r) * x;
        for (unsigned k = 0; k < order; ++k)
            now.x += to.alpha * w[k] * m(k);
        now.x += (o.noise_scale * to.alpha * (fresh > 1e-14 * t ? std::sqrt(fresh * (t + r * s)) : 0.0)) * z;
        now.x = now.x.pruned();
        p.stages.push_back(now);
    }
    number_draws(p);
    return p;
}
template <noise_path Path, grid_for<Path> Spec>
plan er_sde(Path const& path, Spec const& spec, er_sde_options const& o = {})
{
    return er_sde(make_grid(path, spec), o);
}

} // namespace alphabar
