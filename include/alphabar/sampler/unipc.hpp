// SPDX-License-Identifier: MIT
// UniPC: a predictor and a corrector that costs no call.
#pragma once

#include <alphabar/sampler/adams.hpp>

namespace alphabar {

/// The B(h) of UniPC; it matters only where two memories are used.
///
///     bh1           B(h) = h
///     bh2           B(h) = e^h - 1
///     vary          the varying coefficients, which are the exact moments
///     vary_shipped  the same as its repository writes it, whose corrector has order 1
enum class unipc_variant : std::uint8_t { bh1, bh2, vary, vary_shipped };

struct unipc_options {
    network_form network{};
    unsigned order = 2; ///< of the predictor; the corrector has one more
    memory_form form = memory_form::x_0;
    unipc_variant variant = unipc_variant::bh2;
    bool lower_order_final = false;               ///< the last steps have order ..., 2, 1, as software has it
    std::vector<std::size_t> disable_corrector{}; ///< steps that are not corrected
    bool split = false;                           ///< see adams_options
};

/// The corrector of `vary_coeff` as UniPC's repository writes it: the new memory enters the highest moment only, with a
/// row of the inverse that belongs to the moment below. `nodes` are h, 0 and past ones.
inline node_values vary_shipped_weights(transition const& step, std::span<double const> nodes, moment_rule)
{
    std::size_t const k = nodes.size() - 1;
    for (double u : nodes)
        require(std::isfinite(u), "vary_shipped_weights", "a node", u,
                "no step may come from or go to an end of the path");
    node_values const I = moments(step, k + 1);
    node_values r{}, g{}, w{};
    double factorial = 1.0;
    for (std::size_t j = 0; j <= k; ++j) { // g_j = b I_j / h^j / j!
        factorial *= j ? static_cast<double>(j) : 1.0;
        g[j] = step.b * I[j] / std::pow(step.h, static_cast<double>(j)) / factorial;
        r[j] = j + 1 < k ? nodes[j + 2] / step.h : 1.0;
    }
    // (j + 1)! times the coefficient of x^j in the n-th Lagrange polynomial of r_0 ... r_k-1
    auto const inverse = [&](std::size_t n) {
        node_values c{1.0};
        std::size_t degree = 0;
        for (std::size_t i = 0; i < k; ++i) {
            if (i == n)
                continue;
            require(r[i] != r[n], "vary_shipped_weights", "a node", r[n],
                    "the levels that a step remembers must differ");
            ++degree;
            for (std::size_t j = degree + 1; j-- > 0;)
                c[j] = ((j ? c[j - 1] : 0.0) - r[i] * (j < degree ? c[j] : 0.0)) / (r[n] - r[i]);
        }
        double scale = 1.0;
        for (std::size_t j = 0; j < k; ++j)
            c[j] *= scale *= static_cast<double>(j + 1);
        return c;
    };
    double sum = w[0] = g[k] * inverse(k - 1)[k >= 2 ? k - 2 : 0];
    for (std::size_t n = 0; n + 1 < k; ++n) {
        node_values const c = inverse(n);
        for (std::size_t j = 0; j + 1 < k; ++j)
            w[n + 2] += g[j + 1] * c[j] / r[n];
        sum += w[n + 2];
    }
    w[1] = g[0] - sum;
    return w;
}

/// UniPC: each step is predicted with `order` memories and corrected by the next call with one more. Its B(h) and
/// linear system are the moments of exponential.hpp with a rule for two memories. Of order 2 for order 1, and of order
/// 3 for all above: the first step, corrected with two memories, costs O(h^3). A step to sigma = 0 has order 1.
///
/// Throws std::invalid_argument where the order is not in [1, 7], and as `adams` does. Source: Zhao
/// et al. 2023, arXiv 2302.04867, (3), (9).
inline constexpr solver_function unipc("unipc", [](grid const& g, unipc_options const& o) {
    using two = moment_rule::two_nodes;
    require(o.order >= 1 && o.order < max_nodes, "unipc", "order", o.order, "it must lie in [1, 7]");
    std::size_t const n = g.steps();
    adams_options a{.predictor = rising_orders(g, o.order),
                    .corrector = std::vector<unsigned>(n, 0),
                    .form = o.form,
                    .rule = {.two = o.variant == unipc_variant::bh1   ? two::flat
                                    : o.variant == unipc_variant::bh2 ? two::midpoint
                                                                      : two::exact},
                    .split = o.split,
                    .correct = o.variant == unipc_variant::vary_shipped ? vary_shipped_weights : integral};
    if (o.lower_order_final)
        lower_final_orders(a.predictor);
    for (std::size_t i = 1; i < n; ++i)
        if (std::ranges::find(o.disable_corrector, i - 1) == o.disable_corrector.end())
            a.corrector[i] = a.predictor[i - 1] + 1;
    return adams(g, o.network, a);
});

} // namespace alphabar
