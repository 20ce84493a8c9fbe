// SPDX-License-Identifier: MIT
//
// Laplacian pyramids of images.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <functional>
#include <utility>
#include <vector>

namespace alphabar {

namespace detail {

/// Output i of a linear map of a line: sum_t weight[t] in[index[t]].
template <class T>
struct line_taps {
    std::array<std::size_t, 10> index{};
    std::array<T, 10> weight{};
};

/// The binomial filter (1 4 6 4 1) / 16 with a border that reflects without repeating the edge, and a bilinear change of size with
/// half-pixel centres: from n to n / 2 the filter first, from n to 2 n (edges held) the filter last.
template <class T>
std::vector<line_taps<T>> pyramid_map(std::size_t n, bool up)
{
    constexpr std::array<double, 5> filter{1. / 16, 4. / 16, 6. / 16, 4. / 16, 1. / 16};
    std::vector<line_taps<T>> map(up ? 2 * n : n / 2);
    auto const filtered = [&](std::size_t at, std::size_t tap) {
        auto const last = static_cast<std::ptrdiff_t>(up ? 2 * n : n) - 1;
        std::ptrdiff_t i = static_cast<std::ptrdiff_t>(at + tap) - 2;
        while (i < 0 || i > last)
            i = last == 0 ? 0 : i < 0 ? -i : 2 * last - i;
        return static_cast<std::size_t>(i);
    };
    for (std::size_t i = 0; i < map.size(); ++i)
        for (std::size_t tap = 0; tap < 5; ++tap)
            for (std::size_t half = 0; half < 2; ++half) {
                std::size_t from = filtered(up ? i : 2 * i + half, tap);
                if (up) { // element j of the doubled line: 3/4 of element j / 2 and 1/4 of its other neighbour
                    std::size_t const near = from / 2, before = near == 0 ? 0 : near - 1;
                    from = half == 0 ? near : from % 2 == 0 ? before : std::min(near + 1, n - 1);
                }
                map[i].index[2 * tap + half] = from;
                map[i].weight[2 * tap + half] = static_cast<T>(filter[tap] * (up ? (half == 0 ? 0.75 : 0.25) : 0.5));
            }
    return map;
}

/// Planes of height x width half as large, or twice.
template <class T>
std::vector<T> resized(std::vector<T> const& in, std::size_t height, std::size_t width, bool up)
{
    auto const rows = pyramid_map<T>(height, up), columns = pyramid_map<T>(width, up);
    std::size_t const planes = height * width == 0 ? 0 : in.size() / (height * width), w = columns.size();
    std::vector<T> out(planes * rows.size() * w), lines(height * w);
    for (std::size_t plane = 0; plane < planes; ++plane) {
        T const* const from = in.data() + plane * height * width;
        T* const to = out.data() + plane * rows.size() * w;
        for (std::size_t y = 0; y < height; ++y)
            for (std::size_t x = 0; x < w; ++x) {
                T sum = 0;
                for (std::size_t t = 0; t < 10; ++t)
                    sum += columns[x].weight[t] * from[y * width + columns[x].index[t]];
                lines[y * w + x] = sum;
            }
        for (std::size_t y = 0; y < rows.size(); ++y)
            for (std::size_t t = 0; t < 10; ++t)
                for (std::size_t x = 0; x < w; ++x)
                    to[y * w + x] += rows[y].weight[t] * lines[rows[y].index[t] * w + x];
    }
    return out;
}

} // namespace detail

/// The Laplacian pyramid of planes [..., height, width], the finest level first: level l = G_l - up(G_{l+1}) with G_0 the image and
/// G_{l+1} = down(G_l); the last level is G itself. down filters with (1 4 6 4 1) / 16 along both axes (the border reflects) and halves,
/// up doubles and filters; both change the size bilinearly with half-pixel centres, as kornia does. Burt & Adelson 1983.
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
