// SPDX-License-Identifier: MIT
// Quadrature: the weights that fit given moments, and Gauss's rule.
#pragma once

#include <alphabar/core/error.hpp>

#include <array>
#include <cstddef>
#include <span>
#include <utility>

namespace alphabar {

/// The most nodes of a rule.
inline constexpr std::size_t max_nodes = 8;
using node_values = std::array<double, max_nodes>;

/// The w with sum_j w_j u_j^k = I_k for k < n, n the number of nodes u: Newton's form, no matrix
/// (Bjorck & Pereyra 1970).
///
/// Throws std::invalid_argument where two nodes coincide, and unless n is 1 to 8 with as many moments.
inline node_values weights(std::span<double const> nodes, std::span<double const> I)
{
    std::size_t const n = nodes.size();
    require(n >= 1 && n <= max_nodes && I.size() >= n, "weights", "the number of nodes", n,
            "it must lie in [1, 8], with as many moments");
    node_values u{}, w{}, sorted{};
    std::array<std::size_t, max_nodes> place{};
    for (std::size_t j = 0; j < n; ++j)
        place[j] = j;
    for (std::size_t j = 0; j + 1 < n; ++j) // the largest node last: then all the sums below are of positive terms
        if (nodes[place[j]] > nodes[place[n - 1]])
            std::swap(place[j], place[n - 1]);
    for (std::size_t j = 0; j < n; ++j)
        u[j] = nodes[place[j]], w[j] = I[j];
    for (std::size_t k = 0; k + 1 < n; ++k)
        for (std::size_t i = n - 1; i > k; --i)
            w[i] -= u[k] * w[i - 1];
    for (std::size_t k = n - 1; k-- > 0;) {
        for (std::size_t i = k + 1; i < n; ++i) {
            double const gap = u[i] - u[i - k - 1];
            require(gap != 0.0, "weights", "a node", u[i], "the levels that a step remembers must differ");
            w[i] /= gap;
        }
        for (std::size_t i = k; i + 1 < n; ++i)
            w[i] -= w[i + 1];
    }
    for (std::size_t j = 0; j < n; ++j)
        sorted[place[j]] = w[j];
    return sorted;
}

/// f(x, w) for the points x and weights w of Gauss's rule of 8 points on each of `parts` equal parts of [a, b].
template <class F>
void for_gauss_points(double a, double b, int parts, F const& f)
{
    static constexpr double at[] = {0.1834346424956498, 0.5255324099163290, 0.7966664774136267, 0.9602898564975363};
    static constexpr double weight[] = {0.3626837833783620, 0.3137066458778873, 0.2223810344533745, 0.1012285362903763};
    double const half = (b - a) / (2.0 * parts);
    for (int part = 0; part < parts; ++part)
        for (int j = 0; j < 4; ++j)
            for (double const place : {at[j], -at[j]})
                f(a + half * (2 * part + 1 + place), half * weight[j]);
}

} // namespace alphabar
