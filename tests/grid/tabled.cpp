// SPDX-License-Identifier: MIT
#include <alphabar/grid/tabled.hpp>
#include <alphabar/schedule/continuous.hpp>

#include <doctest/doctest.h>
#include <support/table.hpp>

#include <algorithm>
#include <stdexcept>
#include <vector>

using namespace alphabar;
using doctest::Approx;

TEST_CASE("Align Your Steps in both conventions of its last entry")
{
    variance_exploding const path{};
    auto const list = values_of(level_list::ays_sd15);
    grid const ten = make_grid(path, list_grid(10, level_list::ays_sd15)); // the last entry becomes 0
    for (std::size_t i = 0; i < 10; ++i)
        CHECK(ten.levels[i].sigma == list[i]);
    CHECK(ten.levels[10].sigma == 0.0);
    grid const eleven = make_grid(path, list_grid(11, level_list::ays_sd15, {.through_end = false}));
    for (std::size_t i = 0; i < 11; ++i)
        CHECK(eleven.levels[i].sigma == list[i]);
    CHECK(eleven.levels[11].sigma == 0.0);
    // numpy: exp(interp(linspace(0, 1, 7), linspace(0, 1, 11), log(list)))
    std::vector<double> const seven{
        14.615, 4.58718714623849, 2.3938734813363096, 1.396, 0.7425182963215858, 0.2892431792187696, 0.029};
    grid const six = make_grid(path, list_grid(6, level_list::ays_sd15)),
               kept = make_grid(path, list_grid(7, level_list::ays_sd15, {.through_end = false}));
    for (std::size_t i = 0; i < 7; ++i) {
        CHECK(kept.levels[i].sigma == Approx(seven[i]).epsilon(1e-14));
        CHECK((i == 6 || six.levels[i] == kept.levels[i]));
    }
}

TEST_CASE("every published list falls, on every path, for every number of steps")
{
    auto const path = support::table();
    for (level_list which : {level_list::ays_sd15, level_list::ays_sdxl, level_list::ays_svd, level_list::ays32_sd15,
                             level_list::ays32_sdxl, level_list::gits_sd15, level_list::gits_sdxl}) {
        CHECK(std::ranges::is_sorted(values_of(which), std::ranges::greater{}));
        for (std::size_t n = 1; n <= 100; ++n)
            for (bool through_end : {false, true})
                CHECK(make_grid(path, list_grid(n, which, {.through_end = through_end})).steps() == n);
    }
    CHECK(values_of(level_list::ays_sdxl_times).size() == 10);
    CHECK(values_of(level_list::ays32_sd15).size() == 32);
}

TEST_CASE("EDM's grid of iDDPM's levels takes the nearest of equal positions")
{
    std::vector<double> ladder = iddpm_levels(10);
    ladder.pop_back();
    grid const g = make_grid(variance_exploding{}, list_grid(4, ladder, {.nearest = true, .through_end = false}));
    for (std::size_t i = 0; i < 4; ++i)
        CHECK(g.levels[i].sigma == ladder[3 * i]);
}

TEST_CASE("bad lists are said")
{
    CHECK_THROWS_AS(list_grid(3, std::vector<double>{1.0}), std::invalid_argument);
    CHECK_THROWS_AS(list_grid(3, std::vector<double>{1.0, 2.0}), std::invalid_argument);
    CHECK_THROWS_AS(list_grid(3, std::vector<double>{1.0, 0.0}), std::invalid_argument);
    CHECK_THROWS_AS(make_grid(variance_exploding{}, list_grid(0, level_list::ays_svd)), std::invalid_argument);
}
