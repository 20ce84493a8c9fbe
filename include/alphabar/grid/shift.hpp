// SPDX-License-Identifier: MIT
//
// The shift of flow models: every noise ratio of a grid times a factor.
#pragma once

#include <alphabar/core/error.hpp>
#include <alphabar/grid/grid.hpp>

#include <cmath>
#include <vector>

namespace alphabar {

/// t -> shift t / (1 + (shift - 1) t) on rectified flow, that is sigma / alpha times `shift`. 0 and
/// 1 stay. Source: Esser et al. 2024 (Stable Diffusion 3), arXiv 2403.03206, (23).
constexpr double shifted_time(double t, double shift) { return shift * t / (1.0 + (shift - 1.0) * t); }

/// The grid of `spec` with every call at its shifted time, on rectified flow. The end stays.
///
/// Throws std::invalid_argument unless shift is positive and finite.
template <class Spec>
auto shifted_grid(Spec const& spec, double shift)
{
    require(shift > 0.0 && std::isfinite(shift), "shifted_grid", "shift", shift, "it must be positive");
    return [spec, shift](rectified_flow const& path) -> grid {
        grid g = make_grid(path, spec);
        for (std::size_t i = 0; i < g.steps(); ++i) {
            g.times[i] = shifted_time(g.times[i], shift);
            g.levels[i] = path.level(g.times[i]);
        }
        check(g, "shifted_grid");
        return g;
    };
}

} // namespace alphabar
