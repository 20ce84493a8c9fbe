// SPDX-License-Identifier: MIT
#include <alphabar/grid/grid.hpp>

#include <doctest/doctest.h>
#include <support/table.hpp>

#include <limits>
#include <stdexcept>
#include <vector>

using namespace alphabar;

namespace {

grid three() { return {.times = {9, 5, 1}, .levels = {{0.1, 0.9}, {0.5, 0.5}, {0.9, 0.1}, {1, 0}}}; }

} // namespace

TEST_CASE("a spec is any function from a path to a grid")
{
    auto const mine = [](auto const& path) -> grid {
        return {.times = {path.final_time()}, .levels = {path.level(path.final_time()), {1.0, 0.0}}};
    };
    static_assert(grid_for<decltype(mine), rectified_flow> && grid_for<grid, rectified_flow> &&
                  !grid_for<int, rectified_flow>);
    CHECK(make_grid(variance_exploding{}, mine).levels.front() == noise_level{1.0, 80.0});
    CHECK(make_grid(variance_exploding{}, three()) == three());
}

TEST_CASE("a point at a noise ratio lies on its path")
{
    auto const path = support::table();
    for (double sigma : {0.02, 0.5, 7.3}) {
        grid_point const p = point_at_sigma(path, sigma);
        CHECK(sigma_ratio(p.level) == doctest::Approx(sigma).epsilon(1e-14));
        CHECK(sigma_ratio(path.level(p.time)) == doctest::Approx(sigma).epsilon(1e-12));
    }
    CHECK(point_at_sigma(path, 1e4).time == 999);
    CHECK(sigma_ratio(point_at_sigma(path, 1e4).level) == doctest::Approx(1e4));
    CHECK(point_at_sigma(rectified_flow{}, 0.25).level == noise_level{0.75, 0.25});
    CHECK(point_at_ratio(rectified_flow{}, 1.0).time == 0.5);
    CHECK(point_at_sigma(variance_exploding{}, 3.0).level == noise_level{1.0, 3.0});
}

TEST_CASE("a grid is turned round for inversion: each call at the time of its own level")
{
    grid g = three();
    g.end_time = 0.5;
    grid const up = reversed(g);
    CHECK(up.times == std::vector<double>{0.5, 1, 5});
    CHECK(up.levels.front() == noise_level{1, 0});
    CHECK(up.levels.back() == noise_level{0.1, 0.9});
    CHECK(up.end_time == 9);
    CHECK(up.direction == grid::course::up);
    check(up, "test");
    CHECK(reversed(up) == g);
}

TEST_CASE("the noise that a sampler starts from")
{
    CHECK(initial_scale(support::table().level(900)) == 1.0);
    CHECK(initial_scale({1.0, 80.0}) == 80.0);
    CHECK(initial_scale({0.0, 1.0}) == 1.0);
    CHECK(initial_scale({0.1, 0.9}) == 0.9);
}

TEST_CASE("grids that cannot be sampled on are rejected")
{
    auto const rejected = [](grid const& g) { CHECK_THROWS_AS(check(g, "test"), std::invalid_argument); };
    double const nan = std::numeric_limits<double>::quiet_NaN();
    grid g = three();
    g.levels.pop_back();
    rejected(g);
    rejected({});
    g = three(), g.times[1] = nan, rejected(g);
    g = three(), g.levels[1].alpha = nan, rejected(g);
    g = three(), g.levels[1].sigma = -0.1, rejected(g);
    g = three(), g.levels[3] = {0, 0}, rejected(g);
    g = three(), g.levels[2] = g.levels[1], rejected(g);
    g.direction = grid::course::as_given;
    check(g, "test");
    g = three(), g.direction = grid::course::up, rejected(g);
    g = three(), std::swap(g.levels[0], g.levels[1]);
    CHECK_THROWS_WITH_AS(check(g, "test"),
                         "alphabar::test: sigma / alpha of a level is 9; noise must fall from each "
                         "level to the next",
                         std::invalid_argument);
}

TEST_CASE("a grid from a step on")
{
    grid const g = three(), tail = grid_from(g, 2);
    CHECK(grid_from(g, 0) == g);
    CHECK(tail.times == std::vector{g.times[2]});
    CHECK(tail.levels == std::vector{g.levels[2], g.levels[3]});
    CHECK(tail.end_time == g.end_time);
    CHECK_THROWS_AS((void)grid_from(g, 3), std::invalid_argument);
    CHECK_THROWS_AS((void)grid_from({}, 0), std::invalid_argument);
}

TEST_CASE("a grid without levels is refused, not read")
{
    CHECK_THROWS_AS((void)reversed(grid{}), std::invalid_argument);
    grid g = three();
    g.levels.clear();
    CHECK_THROWS_AS((void)reversed(g), std::invalid_argument);
}

TEST_CASE("a plan's first noise has the deviation of its level")
{
    CHECK(initial_scale({1.0, 1e-3}) == 1e-3);
    CHECK(initial_scale({1.0, 80.0}) == 80.0);
    CHECK(initial_scale({0.6, 0.8}) == 1.0);
    CHECK(initial_scale({0.0, 1.0}) == 1.0);
    CHECK(initial_scale({1.0, 0.0}) == 1.0);
    for (double t : {1e-14, 1e-10, 1e-7, 1e-3, 0.5, 0.9}) { // near the data, too
        CHECK(initial_scale(rectified_flow{}.level(t)) == t);
        CHECK(initial_scale(polynomial_flow{2.0}.level(t)) == polynomial_flow{2.0}.level(t).sigma);
        CHECK(initial_scale(linear_vp{}.level(t)) == 1.0);
    }
    CHECK(initial_scale(support::table().level(0)) == 1.0);
    CHECK(initial_scale({0.06827f, 0.997667f}) == 1.0); // levels rounded to float
}

TEST_CASE("where image to image begins")
{
    CHECK(begin_of_strength(50, 0.8) == 10);
    CHECK(begin_of_strength(50, 1.0) == 0);
    CHECK(begin_of_strength(30, 0.75) == 8);       // floor(22.5) = 22 steps
    CHECK(begin_of_strength(30, 0.75, true) == 7); // flow pipelines: 23 steps
    CHECK_THROWS_AS(begin_of_strength(50, 0.0), std::invalid_argument);
    CHECK_THROWS_AS(begin_of_strength(50, 1.1), std::invalid_argument);
}
