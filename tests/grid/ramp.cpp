// SPDX-License-Identifier: MIT
#include <alphabar/grid/ramp.hpp>
#include <alphabar/schedule/continuous.hpp>

#include <doctest/doctest.h>
#include <support/table.hpp>

#include <cmath>
#include <stdexcept>
#include <vector>

using namespace alphabar;
using doctest::Approx;

namespace {

auto const square = between([](double_double v) { return v * v; });

} // namespace

TEST_CASE("a law of sigma: both ways to cut, all N, ends pinned")
{
    sigma_range range{.sigma_min = 0.1, .sigma_max = 7.3};
    for (std::size_t n = 1; n <= 200; ++n)
        for (bool through_end : {false, true}) {
            range.through_end = through_end;
            grid const g = make_grid(variance_exploding{}, sigma_grid(n, range, square, "test"));
            REQUIRE(g.steps() == n);
            CHECK(g.levels[0].sigma == 7.3);
            CHECK(g.levels.back().sigma == 0.0);
            if (n > 1 && !through_end)
                CHECK(g.levels[n - 1].sigma == 0.1);
            double const intervals = static_cast<double>(through_end || n == 1 ? n : n - 1);
            for (std::size_t i = 1; i < n; ++i) {
                double const v = 1 - static_cast<double>(i) / intervals;
                CHECK(g.levels[i].sigma == Approx(0.1 + 7.2 * v * v).epsilon(1e-14));
            }
        }
}

TEST_CASE("the end: zero, or u = 1 where the grid goes through it, or the path's first level behind the last call")
{
    sigma_range range{.sigma_min = 0.1, .sigma_max = 7.3, .end = final_level::first, .through_end = true};
    CHECK(make_grid(variance_exploding{}, sigma_grid(4, range, square, "test")).levels.back().sigma == 0.1);
    range.through_end = false;
    CHECK(make_grid(variance_exploding{}, sigma_grid(4, range, square, "test")).levels.back().sigma == 0.002);
}

TEST_CASE("a law of time, rounded: calls that become equal are one")
{
    auto const path = support::table(10);
    grid const g = make_grid(path, time_grid(40, {.round_times = true, .through_end = true}, square, "test"));
    CHECK(g.times == std::vector<double>{9, 8, 7, 6, 5, 4, 3, 2, 1, 0});
    grid const plain = make_grid(path, time_grid(40, {.through_end = true}, square, "test"));
    CHECK(plain.steps() == 40);
    CHECK(plain.times[20] == Approx(9 * 0.25));
    CHECK(plain.levels[20] == path.level(plain.times[20]));
    // the ends as times of the levels given
    grid const inner = make_grid(vp_sde{}, time_grid(3, {.sigma_min = 0.5, .sigma_max = 2.0}, square, "test"));
    CHECK(sigma_ratio(inner.levels[0]) == Approx(2.0).epsilon(1e-14));
    CHECK(sigma_ratio(inner.levels[2]) == Approx(0.5).epsilon(1e-14));
}

TEST_CASE("bad ranges are said")
{
    CHECK_THROWS_WITH_AS(make_grid(rectified_flow{}, sigma_grid(3, {.sigma_min = 2.0}, square, "test")),
                         "alphabar::rectified_flow::level: t is 2; it must lie in [0, 1]", std::invalid_argument);
    CHECK_THROWS_AS(make_grid(variance_exploding{}, sigma_grid(3, {.sigma_min = 9, .sigma_max = 8}, square, "test")),
                    std::invalid_argument);
    CHECK_THROWS_AS(make_grid(variance_exploding{}, sigma_grid(0, {}, square, "test")), std::invalid_argument);
    CHECK_THROWS_AS(make_grid(variance_exploding{}, sigma_grid((1u << 20) + 1, {}, square, "test")),
                    std::invalid_argument);
    CHECK_THROWS_AS(make_grid(vp_sde{}, time_grid(0, {}, square, "test")), std::invalid_argument);
    // a table without noise at its end has no finite sigma
    CHECK_THROWS_AS(make_grid(log_snr_path<log_snr_cosine>{}, sigma_grid(3, {}, square, "test")),
                    std::invalid_argument);
}
