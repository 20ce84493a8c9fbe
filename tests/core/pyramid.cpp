// SPDX-License-Identifier: MIT
#include <alphabar/core/pyramid.hpp>

#include <support/formulas.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <vector>

namespace ab = alphabar;

namespace {

/// The image with a border of 2 that reflects, filtered plainly.
std::vector<double> blurred(std::vector<double> const& in, std::size_t h, std::size_t w)
{
    std::array<double, 5> const f{1, 4, 6, 4, 1};
    auto const reflect = [](std::ptrdiff_t i, std::size_t n) {
        std::ptrdiff_t const last = static_cast<std::ptrdiff_t>(n) - 1;
        return static_cast<std::size_t>(i < 0 ? -i : i > last ? 2 * last - i : i);
    };
    std::vector<double> out(h * w);
    for (std::size_t y = 0; y < h; ++y)
        for (std::size_t x = 0; x < w; ++x)
            for (std::size_t j = 0; j < 5; ++j)
                for (std::size_t i = 0; i < 5; ++i)
                    out[y * w + x] += f[j] * f[i] / 256 *
                                      in[reflect(static_cast<std::ptrdiff_t>(y + j) - 2, h) * w +
                                         reflect(static_cast<std::ptrdiff_t>(x + i) - 2, w)];
    return out;
}

} // namespace

TEST_CASE("down: the 5 x 5 filter, then the mean of 2 x 2")
{
    std::size_t const h = 8, w = 6;
    auto const image = support::wavy<double>(h * w);
    auto const smooth = blurred(image, h, w);
    auto const got = ab::detail::resized(image, h, w, false);
    REQUIRE(got.size() == h * w / 4);
    for (std::size_t y = 0; y < h / 2; ++y)
        for (std::size_t x = 0; x < w / 2; ++x) {
            double const* const at = smooth.data() + 2 * y * w + 2 * x;
            CHECK(got[y * w / 2 + x] == doctest::Approx((at[0] + at[1] + at[w] + at[w + 1]) / 4).epsilon(1e-14));
        }
}

TEST_CASE("up: twice as large by linear interpolation of pixel centres, then the filter")
{
    std::size_t const h = 4, w = 3;
    auto const image = support::wavy<double>(h * w);
    auto const at = [&](double y, double x) {
        y = std::clamp(y, 0.0, static_cast<double>(h - 1));
        x = std::clamp(x, 0.0, static_cast<double>(w - 1));
        std::size_t const y0 = std::min(static_cast<std::size_t>(y), h - 2),
                          x0 = std::min(static_cast<std::size_t>(x), w - 2);
        double const v = y - static_cast<double>(y0), u = x - static_cast<double>(x0);
        double const* const p = image.data() + y0 * w + x0;
        return (1 - v) * ((1 - u) * p[0] + u * p[1]) + v * ((1 - u) * p[w] + u * p[w + 1]);
    };
    std::vector<double> large;
    for (std::size_t y = 0; y < 2 * h; ++y)
        for (std::size_t x = 0; x < 2 * w; ++x)
            large.push_back(at((static_cast<double>(y) + 0.5) / 2 - 0.5, (static_cast<double>(x) + 0.5) / 2 - 0.5));
    auto const want = blurred(large, 2 * h, 2 * w), got = ab::detail::resized(image, h, w, true);
    REQUIRE(got.size() == want.size());
    for (std::size_t i = 0; i < want.size(); ++i)
        CHECK(got[i] == doctest::Approx(want[i]).epsilon(1e-14));
}

TEST_CASE("an image comes back from its pyramid; a constant lies in the last level alone")
{
    for (std::size_t const levels : support::lengths(1, 2, 4, 5)) {
        std::size_t const h = 16, w = 48;
        auto const image = support::wavy<float>(6 * h * w);
        auto const pyramid = ab::laplacian_pyramid(image, h, w, levels);
        REQUIRE(pyramid.size() == levels);
        CHECK(pyramid.back().size() == 6 * (h >> (levels - 1)) * (w >> (levels - 1)));
        auto const back = ab::from_laplacian_pyramid(pyramid, h, w);
        REQUIRE(back.size() == image.size());
        for (std::size_t i = 0; i < image.size(); ++i)
            REQUIRE(std::abs(back[i] - image[i]) < 2e-6f);
        auto const flat = ab::laplacian_pyramid(std::vector<double>(h * w, 3.0), h, w, levels);
        for (std::size_t l = 0; l < levels; ++l)
            for (double v : flat[l])
                REQUIRE(v == doctest::Approx(l + 1 == levels ? 3.0 : 0.0).epsilon(1e-14));
    }
    CHECK(ab::from_laplacian_pyramid(ab::laplacian_pyramid(std::vector<double>{}, 0, 4, 2), 0, 4).empty());
}
