// SPDX-License-Identifier: MIT
//
// Scales for the frames of a video: where frames are the samples of a batch they are the scales of any rule.
#pragma once

#include <alphabar/core/error.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <vector>

namespace alphabar {

namespace detail {

/// low + (high - low) shape(i / (n - 1)) for i < n; one frame is the start.
template <class Shape>
std::vector<double> frame_scales(std::size_t n, double low, double high, Shape const& shape)
{
    std::vector<double> scales(n);
    for (std::size_t i = 0; i < n; ++i)
        scales[i] = low + (high - low) * shape(n > 1 ? static_cast<double>(i) / static_cast<double>(n - 1) : 0.0);
    return scales;
}

} // namespace detail

/// From `low` at the first of n frames to `high` at the last. Blattmann et al. 2023 (Stable Video Diffusion), arXiv 2311.15127, D.3.
inline std::vector<double> linear_frame_scales(std::size_t n, double low, double high)
{
    return detail::frame_scales(n, low, high, [](double u) { return u; });
}

/// `low` at the first frame, up to `high` and down again in each `period` > 0 of the video.     Voleti et al. 2024 (SV3D), 2403.12008
inline std::vector<double> triangle_frame_scales(std::size_t n, double low, double high, double period = 1.0)
{
    require(period > 0, "triangle_frame_scales", "period", period, "it must be positive");
    return detail::frame_scales(n, low, high,
                                [=](double u) { return 2 * std::abs(u / period - std::floor(u / period + 0.5)); });
}

/// Up from `low` to `high` over the first floor(edge n) frames, down over as many at the end, edge in [0, 1/2]. (Stability AI's code
/// writes 1 for `high` between the edges.)
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
