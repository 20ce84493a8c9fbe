// SPDX-License-Identifier: MIT
#include <alphabar/guidance/per_frame.hpp>

#include <alphabar/guidance/classifier_free.hpp>
#include <support/guided.hpp>

#include <doctest/doctest.h>

#include <stdexcept>

namespace ab = alphabar;

namespace {

void check(std::vector<double> const& got, std::vector<double> const& want)
{
    REQUIRE(got.size() == want.size());
    for (std::size_t i = 0; i < got.size(); ++i)
        CHECK(got[i] == doctest::Approx(want[i]).epsilon(1e-14));
}

} // namespace

TEST_CASE("linear, triangle and trapezoid scales")
{
    check(ab::linear_frame_scales(5, 1, 3), {1, 1.5, 2, 2.5, 3});
    check(ab::triangle_frame_scales(5, 1, 3), {1, 2, 3, 2, 1});
    check(ab::triangle_frame_scales(5, 1, 3, 0.5), {1, 3, 1, 3, 1});
    check(ab::trapezoid_frame_scales(8, 1, 3, 0.25), {1, 3, 3, 3, 3, 3, 3, 1});
    check(ab::trapezoid_frame_scales(6, 1, 3, 0.5), {1, 2, 3, 3, 2, 1});
    check(ab::trapezoid_frame_scales(3, 1, 3, 0.1), {3, 3, 3});
    check(ab::linear_frame_scales(1, 1, 3), {1});
    check(ab::triangle_frame_scales(1, 1, 3), {1});
    CHECK(ab::linear_frame_scales(0, 1, 3).empty());
    CHECK_THROWS_AS(ab::triangle_frame_scales(5, 1, 3, 0), std::invalid_argument);
    CHECK_THROWS_AS(ab::trapezoid_frame_scales(5, 1, 3, 0.6), std::invalid_argument);
}

TEST_CASE("frames are samples")
{
    auto const c = support::prediction(0, 4, 6), u = support::prediction(1, 4, 6);
    auto const scales = ab::linear_frame_scales(4, 1, 4);
    ab::classifier_free const rule{ab::linear_frame_scales(4, 1, 4)}; // of a temporary
    auto const got = support::guided(rule, 4, c, u);
    for (std::size_t i = 0; i < got.size(); ++i)
        CHECK(got[i] == doctest::Approx(u[i] + scales[i / 6] * (c[i] - u[i])).epsilon(1e-13));
}
