// SPDX-License-Identifier: MIT
// Laplacian pyramids of images.
#pragma once

#include <alphabar/core/transform.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <functional>
#include <utility>
#include <vector>

namespace alphabar {

namespace detail {

/// The sum of ten numbers with weights.
template <class T>
struct ten_taps {
    std::array<T, 10> weight{};
    template <class... In>
    constexpr T operator()(In... in) const
    {
        return [&]<std::size_t... I>(std::index_sequence<I...>) {
            return ((weight[I] * in) + ...);
        }(std::index_sequence_for<In...>{});
    }
};

/// Planes of height x width, half as high or twice, then transposed: width x (height / 2 or 2 height).
///
/// Along the height acts the binomial filter (1 4 6 4 1) / 16 with a border that reflects without repeating the edge,
/// and a linear change of size with half-pixel centres: to half the size the filter first, to twice (edges held) the
/// filter last.
template <class T>
std::vector<T> resized_across(std::vector<T> const& in, std::size_t height, std::size_t width, bool up)
{
    constexpr std::size_t tile = 16; // rows that are transposed together
    constexpr std::array<double, 5> filter{1. / 16, 4. / 16, 6. / 16, 4. / 16, 1. / 16};
    std::size_t const new_height = up ? 2 * height : height / 2;
    std::size_t const planes = height * width == 0 ? 0 : in.size() / (height * width);
    std::vector<T> out(planes * new_height * width), lines(tile * width);
    auto const filtered = [&](std::size_t at, std::size_t tap) {
        auto const last = static_cast<std::ptrdiff_t>(up ? new_height : height) - 1;
        std::ptrdiff_t i = static_cast<std::ptrdiff_t>(at + tap) - 2;
        while (i < 0 || i > last)
            i = last == 0 ? 0 : i < 0 ? -i : 2 * last - i;
        return static_cast<std::size_t>(i);
    };
    std::vector<std::array<std::size_t, 10>> from(new_height);
    std::vector<ten_taps<T>> taps(new_height);
    for (std::size_t y = 0; y < new_height; ++y)
        for (std::size_t i = 0; i < 10; ++i) {
            bool const second = i % 2 == 1;
            std::size_t row = filtered(up ? y : 2 * y + i % 2, i / 2);
            if (up) { // row j of twice the size: 3/4 of row j / 2 and 1/4 of its neighbour on the other side
                std::size_t const near = row / 2, before = near == 0 ? 0 : near - 1;
                row = !second ? near : row % 2 == 0 ? before : std::min(near + 1, height - 1);
            }
            from[y][i] = row * width;
            taps[y].weight[i] = static_cast<T>(filter[i / 2] * (up ? (second ? 0.25 : 0.75) : 0.5));
        }
    for (std::size_t plane = 0; plane < planes; ++plane)
        for (std::size_t y = 0; y < new_height; y += tile) {
            std::size_t const count = std::min(tile, new_height - y);
            for (std::size_t k = 0; k < count; ++k)
                [&]<std::size_t... I>(std::index_sequence<I...>) {
                    T const* const first = in.data() + plane * height * width;
                    T* const to = lines.data() + k * width;
                    apply(taps[y + k], std::tuple(to), width, (first + from[y + k][I])...);
                }(std::make_index_sequence<10>{});
            for (std::size_t x = 0; x < width; ++x)
                for (std::size_t k = 0; k < count; ++k)
                    out[(plane * width + x) * new_height + y + k] = lines[k * width + x];
        }
    return out;
}

/// Planes of height x width half as large, or twice.
template <class T>
std::vector<T> resized(std::vector<T> const& in, std::size_t height, std::size_t width, bool up)
{
    return resized_across(resized_across(in, height, width, up), width, up ? 2 * height : height / 2, up);
}

} // namespace detail

/// The Laplacian pyramid of planes [..., height, width], the finest level first: level l = G_l - up(G_{l+1}) with G_0
/// the image and G_{l+1} = down(G_l); the last level is G itself. down filters with (1 4 6 4 1) / 16 along both axes
/// (the border reflects) and halves, up doubles and filters; both change the size bilinearly with half-pixel centres,
/// as kornia does. Burt & Adelson 1983.
///
/// 2^(levels - 1) divides height and width, levels >= 1, which is not checked.
template <class T>
std::vector<std::vector<T>> laplacian_pyramid(std::vector<T> const& image, std::size_t height, std::size_t width,
                                              std::size_t levels)
{
    std::vector<std::vector<T>> pyramid{image};
    for (std::size_t l = 1; l < levels; ++l, height /= 2, width /= 2) {
        pyramid.push_back(detail::resized(pyramid.back(), height, width, false));
        auto const coarse = detail::resized(pyramid.back(), height / 2, width / 2, true);
        std::ranges::transform(pyramid[l - 1], coarse, pyramid[l - 1].begin(), std::minus{});
    }
    return pyramid;
}

/// The image whose pyramid this is.
template <class T>
std::vector<T> from_laplacian_pyramid(std::vector<std::vector<T>> pyramid, std::size_t height, std::size_t width)
{
    for (std::size_t l = pyramid.size(); l-- > 1;) {
        auto const coarse = detail::resized(pyramid[l], height >> l, width >> l, true);
        std::ranges::transform(pyramid[l - 1], coarse, pyramid[l - 1].begin(), std::plus{});
    }
    return std::move(pyramid[0]);
}

} // namespace alphabar
