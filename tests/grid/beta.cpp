// SPDX-License-Identifier: MIT
#include <alphabar/grid/beta.hpp>

#include <doctest/doctest.h>
#include <support/table.hpp>

#include <cmath>
#include <stdexcept>
#include <vector>

using namespace alphabar;

TEST_CASE("Beta(1, 1) is uniform, and the ends are pinned")
{
    auto const path = support::table();
    grid const g = make_grid(path, beta_grid(9));
    CHECK(g.levels.front() == path.level(999));
    CHECK(g.levels[8] == path.level(0));
    grid const uniform = make_grid(variance_exploding{}, beta_grid(3, {.alpha = 1, .beta = 1}));
    CHECK(uniform.levels[1].sigma == doctest::Approx(40.001));
}

TEST_CASE("of the time: SciPy's quantiles, ComfyUI's rounding, repetitions dropped")
{
    using times = std::vector<double>;
    auto const path = support::table();
    auto const rounded = [&](std::size_t n) {
        return make_grid(path, beta_time_grid(n, {.range = {.round_times = true}}));
    };
    CHECK(rounded(8).times == times{999, 942, 823, 670, 500, 329, 176, 57});
    CHECK(rounded(20).times ==
          times{999, 986, 959, 922, 876, 823, 765, 703, 637, 569, 500, 430, 362, 296, 234, 176, 123, 77, 40, 13});
    CHECK(rounded(200).steps() == 199);
    grid const g = make_grid(path, beta_time_grid(8));
    for (std::size_t i = 0; i < 8; ++i)
        CHECK(std::abs(g.times[i] - rounded(8).times[i]) <= 0.5);
    CHECK(make_grid(rectified_flow{}, beta_time_grid(5, {.alpha = 1, .beta = 1})).times[2] ==
          doctest::Approx(0.001 + 0.999 * 0.6));
}

TEST_CASE("bad parameters are said")
{
    CHECK_THROWS_AS(make_grid(variance_exploding{}, beta_grid(9, {.alpha = 0})), std::invalid_argument);
    CHECK_THROWS_AS(beta_quantile(1, 1, 1.5), std::invalid_argument);
}
