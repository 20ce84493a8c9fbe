// SPDX-License-Identifier: MIT
// Scales for the frames of a video: where frames are the samples of a batch, they are the scales of any rule.
#pragma once

#include <alphabar/core/error.hpp>

#include <algorithm>
#include <cstddef>
#include <vector>

namespace alphabar {

/// From `low` at the first of n frames to `high` at the last. Source: Blattmann et al. 2023, arXiv 2311.15127.
inline std::vector<double> linear_frame_scales(std::size_t n, double low, double high)
{
    std::vector<double> scales(n, low);
    for (std::size_t i = 1; i < n; ++i)
        scales[i] += (high - low) * static_cast<double>(i) / static_cast<double>(n - 1);
    return scales;
}

/// From `low` up to `high` and down again in each `period` > 0 of the video. Voleti et al. 2024, arXiv 2403.12008.
inline std::vector<double> triangle_frame_scales(std::size_t n, double low, double high, double period = 1.0)
{
    require(period > 0, "triangle_frame_scales", "period", period, "it must be positive");
    std::vector<double> scales = linear_frame_scales(n, 0, 1 / period);
    for (double& u : scales)
        u = low + (high - low) * 2 * std::abs(u - std::floor(u + 0.5));
    return scales;
}

/// Up from `low` to `high` over the first floor(edge n) frames, down over as many at the end, edge in [0, 1/2].
/// (Stability AI's code has 1 for `high` in between.)
inline std::vector<double> trapezoid_frame_scales(std::size_t n, double low, double high, double edge = 0.1)
{
    require(edge >= 0 && edge <= 0.5, "trapezoid_frame_scales", "edge", edge, "it must lie in [0, 1/2]");
    auto const rise = linear_frame_scales(static_cast<std::size_t>(edge * static_cast<double>(n)), low, high);
    std::vector<double> scales(n, high);
    std::ranges::copy(rise, scales.begin());
    std::ranges::copy(rise, scales.rbegin());
    return scales;
}

} // namespace alphabar
