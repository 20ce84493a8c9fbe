// SPDX-License-Identifier: MIT
//
// DEIS in log rho.
#pragma once

#include <alphabar/sampler/adams.hpp>

#include <algorithm>
#include <cstddef>

namespace alphabar {

struct deis_options {
    network_form network{};
    unsigned order = 3;
    /// With fewer than 15 steps the last two have order 2 and 1 (diffusers).
    bool lower_order_final = false;
    std::size_t first = 0;
};

/// DEIS (log rho): epsilon is a polynomial in log(sigma / alpha) = -lambda, so it is exponential
/// Adams-Bashforth on epsilon. A step to sigma = 0 has order 1. Throws as `adams` does: among
/// others where the grid starts at alpha = 0. Source: Zhang & Chen 2022, arXiv 2204.13902, (13) to
/// (15).
inline plan deis(grid const& g, deis_options const& o = {})
{
    adams_options a{.predictor = rising_orders(g, o.order, o.first), .form = memory_form::epsilon, .first = o.first};
    std::size_t const n = g.steps();
    if (o.lower_order_final && n < 15)
        for (std::size_t left = 1; left <= std::min<std::size_t>(n, 2); ++left)
            a.predictor[n - left] = std::min(a.predictor[n - left], static_cast<unsigned>(left));
    return adams(g, o.network, a);
}
template <noise_path Path, grid_for<Path> Spec>
plan deis(Path const& path, Spec const& spec, deis_options const& o = {})
{
    return deis(make_grid(path, spec), o);
}

} // namespace alphabar
