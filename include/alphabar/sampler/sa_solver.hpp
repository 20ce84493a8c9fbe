// SPDX-License-Identifier: MIT
// SA-Solver: stochastic Adams with predictor and corrector.
#pragma once

#include <alphabar/sampler/adams.hpp>

namespace alphabar {

struct sa_options {
    network_form network{};
    unsigned predictor_order = 2;
    /// Memories of the corrected step, the new one included; 0: no corrector.
    unsigned corrector_order = 2;
    /// Stochasticity of steps that start with sigma / alpha in [low, high]; 0 outside.
    double tau = 1.0;
    double low = 0.0;
    double high = std::numeric_limits<double>::infinity();
    std::vector<double> taus{}; ///< [i]: tau of step i, in place of the three above
    memory_form form = memory_form::x_0;
    moment_rule rule{};             ///< {.two = flat} with x_0 as it is shipped
    bool lower_order_final = false; ///< the last steps have order ..., 2, 1, as software has it
    bool pece = false;              ///< a corrected state is called as well, and that call is remembered
};

/// SA-Solver: exponential Adams on the SDE of strength tau. With tau = 0 it is Adams-Bashforth-Moulton on the ODE. The
/// drift is of order min(predictor_order + 1, corrector_order, 3), without corrector min(predictor_order, 2) (see
/// `adams`). A step to sigma = 0 has order 1.
///
/// Throws std::invalid_argument where an order is out of range, taus has not one entry a step or a
/// tau is negative, and as `adams` does. Source: Xue et al. 2023, arXiv 2309.05019, algorithm 1.
inline constexpr solver_function sa_solver("sa_solver", [](grid const& g, sa_options const& o) {
    std::size_t const n = g.steps();
    require(o.predictor_order >= 1 && o.predictor_order <= max_nodes, "sa_solver", "predictor_order", o.predictor_order,
            "it must lie in [1, 8]");
    require(o.corrector_order <= max_nodes, "sa_solver", "corrector_order", o.corrector_order, "it must lie in [0, 8]");
    adams_options a{.predictor = std::vector<unsigned>(n, 1),
                    .corrector = std::vector<unsigned>(n, 0),
                    .form = o.form,
                    .tau = o.taus,
                    .rule = o.rule,
                    .pece = o.pece};
    if (o.taus.empty())
        for (std::size_t i = 0; i < n; ++i) {
            double const ratio = sigma_ratio(g.levels[i]);
            a.tau.push_back(ratio >= o.low && ratio <= o.high ? o.tau : 0.0);
        }
    for (double tau : a.tau)
        require(tau >= 0.0 && std::isfinite(tau), "sa_solver", "tau", tau, "it must not be negative");
    std::size_t const ahead = std::max<std::size_t>(o.predictor_order, o.corrector_order ? o.corrector_order - 1 : 0);
    for (std::size_t i = 0; i < n; ++i) {
        std::size_t const left = o.lower_order_final ? n - i : n;
        if (!is_end(g.levels[i + 1]))
            a.predictor[i] =
                static_cast<unsigned>(std::min<std::size_t>({o.predictor_order, left, std::min(i, ahead) + 1}));
        if (i > 0)
            a.corrector[i] =
                static_cast<unsigned>(std::min<std::size_t>({o.corrector_order, left + 2, std::min(i - 1, ahead) + 2}));
    }
    return adams(g, o.network, a);
});

} // namespace alphabar
