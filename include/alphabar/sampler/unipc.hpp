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

/// The corrector of `vary_coeff` as UniPC's repository writes it. With G_j = b I_j / h^j, r_1 ... r_k-1 the past nodes
/// / h and r_k = 1 the new one, the weights of the past are those that solve sum_n r_n^j w_n = G_j, j = 1 ... k, with 0
/// for G_k; that of the new one is G_k / k times the entry of the inverse for G_k-1 (for k = 1: G_1).
inline node_values vary_shipped_weights(transition const& step, std::span<double const> nodes, moment_rule)
{
    std::size_t const k = nodes.size() - 1;
    for (double u : nodes)
        require(std::isfinite(u), "vary_shipped_weights", "a node", u,
                "no step may come from or go to an end of the path");
    node_values const I = moments(step, k + 1);
    if (k == 0)
        return {step.b * I[0]};
    node_values r{}, G{}, below{}, w{};
    for (std::size_t j = 0; j < k; ++j) {
        G[j] = step.b * I[j + 1] / std::pow(step.h, static_cast<double>(j + 1));
        r[j] = j + 1 < k ? nodes[j + 2] / step.h : 1.0;
    }
    below[k >= 2 ? k - 2 : 0] = G[k - 1] / static_cast<double>(k);
    double sum = w[0] = weights(std::span(r).first(k), below)[k - 1];
    G[k - 1] = 0.0;
    node_values const past = weights(std::span(r).first(k), G);
    for (std::size_t n = 0; n + 1 < k; ++n)
        sum += w[n + 2] = past[n] / r[n];
    w[1] = step.b * I[0] - sum;
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
