// SPDX-License-Identifier: MIT
// ER-SDE: extended reverse-time SDEs, whose noise any function of sigma / alpha may set.
#pragma once

#include <alphabar/sampler/adams.hpp>

namespace alphabar {

struct er_sde_options {
    network_form network{};
    unsigned order = 3;
    /// phi(rho), rho = sigma / alpha: at least as steep as rho, which is the ODE; rho^2 is the reverse SDE of eta = 1.
    std::function<double(double)> noise = [](double rho) { return rho * (std::exp(std::pow(rho, 0.3)) + 10.0); };
    double noise_scale = 1.0;
    bool shipped = false; ///< integrals as sums of 200 points, and the second difference of order 3 as if at rho
};

/// ER-SDE-Solver of order 1 to 3. With r = phi(rho') / phi(rho) and x_0 a polynomial in rho of the last `order` calls,
///
///     x' = (alpha' / alpha) r x + alpha' phi(rho') integral_rho'^rho phi'(v) / phi(v)^2 x_0(v) dv
///        + alpha' sqrt(rho'^2 - r^2 rho^2) z
///
/// exactly; published code and ComfyUI are `shipped`. The drift is of order 2 at most: the first step, of order 1,
/// costs O(h^2). A step to sigma = 0 or from alpha = 0 has order 1. Throws std::invalid_argument unless order is 1, 2
/// or 3, where phi is not as steep as it must be, and as `rising_orders`, `weights` and `network_call` do. Source: Cui
/// et al. 2023, arXiv 2309.06169, (15) and algorithm 3.
inline constexpr solver_function er_sde("er_sde", [](grid const& g, er_sde_options const& o) {
    using namespace slots;
    require(o.order >= 1 && o.order <= 3, "er_sde", "order", o.order, "it must be 1, 2 or 3");
    std::vector<unsigned> const orders = rising_orders(g, o.order);
    return plan_of(o.network, steps_of(g), "er_sde", [&](grid_step const& step, std::size_t i) {
        auto const& [time, from, to] = step;
        double const s = std::min(sigma_ratio(from), 1e150), t = sigma_ratio(to), phi_t = t > 0.0 ? o.noise(t) : 0.0,
                     r = phi_t / o.noise(s), kept = r * s;
        require(r >= 0.0 && kept <= t * (1.0 + 1e-14), "er_sde", "phi(rho') / phi(rho)", r,
                "it must lie in [0, rho' / rho]");
        double const fresh = t - kept; // 0 for the ODE, but for rounding
        node_values nodes{}, I{1.0 - r};
        unsigned const order = std::min(orders[i], static_cast<unsigned>(i) + (g.levels[0].alpha > 0.0 || i == 0));
        for (unsigned k = 1; k < order; ++k) {
            nodes[k] = sigma_ratio(g.levels[i - k]) - s;
            I[k] = std::pow(t - s, k);
        }
        auto const add = [&](double v, double dv) { // I_k += k phi(t) integral u^(k-1) / phi dv with u = v - s
            double part = phi_t * dv / o.noise(v);
            for (unsigned k = 1; k < order; ++k, part *= v - s)
                I[k] += k * part;
        };
        for (int j = 0; o.shipped && order > 1 && j < 200; ++j)
            add(t + (s - t) * j / 200, (s - t) / 200);
        if (!o.shipped && order > 1) // in log v
            for_gauss_points(0.0, std::log(s / t), 4, [&](double log_v, double weight) {
                add(t * std::exp(log_v), weight * t * std::exp(log_v));
            });
        I[2] += o.shipped ? nodes[1] * I[1] : 0.0;
        node_values const w = weights(std::span(nodes).first(order), std::span(I).first(order));
        stage now = network_call(o.network, time, from);
        now.x = (to.alpha * kept / from.sigma) * x;
        for (unsigned k = 0; k < order; ++k)
            now.x += to.alpha * w[k] * m(k);
        now.x += (o.noise_scale * to.alpha * (fresh > 1e-14 * t ? std::sqrt(fresh * (t + kept)) : 0.0)) * z;
        now.x = now.x.pruned();
        return now;
    });
});

} // namespace alphabar
