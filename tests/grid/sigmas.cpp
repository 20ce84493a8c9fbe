// SPDX-License-Identifier: MIT
#include <alphabar/grid/sigmas.hpp>
#include <alphabar/grid/spacing.hpp>
#include <alphabar/schedule/ladders.hpp>

#include <doctest/doctest.h>
#include <support/table.hpp>

#include <algorithm>
#include <cmath>
#include <stdexcept>
#include <vector>

using namespace alphabar;
using doctest::Approx;

TEST_CASE("Karras et al.'s grid of 18 steps from 80 to 0.002")
{
    // its first levels, with 30 digits
    std::vector<double> const exact{80.0,
                                    57.58598472124816,
                                    40.78557379650796,
                                    28.374584604156837,
                                    19.35245298032522,
                                    12.910082380757316,
                                    8.400935309099822,
                                    5.3151945217963785};
    grid const g = make_grid(variance_exploding{}, karras_grid(18));
    for (std::size_t i = 0; i < exact.size(); ++i)
        CHECK(g.levels[i].sigma == Approx(exact[i]).epsilon(1e-14));
    CHECK(g.levels[0] == noise_level{1.0, 80.0});
    CHECK(g.levels[17] == noise_level{1.0, 0.002});
    CHECK(g.levels[18] == noise_level{1.0, 0.0});
    CHECK(g.times[3] == g.levels[3].sigma);
    CHECK(g.end_time == 0.0);
}

TEST_CASE("ends are pinned to their arguments and to the path's own ends")
{
    auto const path = support::table();
    auto const pinned = [&](auto const& spec) {
        grid const g = make_grid(path, spec);
        CHECK(g.times.front() == 999);
        CHECK(g.times.back() == 0);
        CHECK(g.levels.front() == path.level(999));
        CHECK(g.levels[g.steps() - 1] == path.level(0));
        return g;
    };
    pinned(karras_grid(13));
    pinned(exponential_grid(13));
    pinned(polyexponential_grid(13, {.rho = 1.5}));
    pinned(kl_optimal_grid(13));
    grid const g = make_grid(variance_exploding{}, exponential_grid(5, {.sigma_min = 0.3, .sigma_max = 7.7}));
    CHECK(g.levels[0].sigma == 7.7);
    CHECK(g.levels[4].sigma == 0.3);
    CHECK(make_grid(path, karras_grid(7, {.range = {.round_times = true}})).times[3] ==
          std::round(make_grid(path, karras_grid(7)).times[3]));
    CHECK(make_grid(path, karras_grid(7, {.range = {.end = final_level::first}})).levels.back() == path.level(0));
}

TEST_CASE("the formulas")
{
    grid const e = make_grid(variance_exploding{}, exponential_grid(9)),
               p = make_grid(variance_exploding{}, polyexponential_grid(9)),
               k = make_grid(variance_exploding{}, kl_optimal_grid(9));
    for (std::size_t i = 0; i + 2 < 9; ++i)
        CHECK(e.levels[i + 1].sigma / e.levels[i].sigma == Approx(e.levels[i + 2].sigma / e.levels[i + 1].sigma));
    for (std::size_t i = 0; i < 9; ++i) {
        CHECK(p.levels[i].sigma == Approx(e.levels[i].sigma));
        double const u = static_cast<double>(i) / 8;
        CHECK(std::atan(k.levels[i].sigma) == Approx(std::atan(80.0) + u * (std::atan(0.002) - std::atan(80.0))));
    }
    std::vector<double> const ramp = karras_levels({0, 0.25, 1}, 0.002, 80);
    CHECK(ramp[0] == Approx(80).epsilon(1e-15));
    CHECK(ramp[1] == Approx(make_grid(variance_exploding{}, karras_grid(9)).levels[2].sigma).epsilon(1e-15));
    CHECK(ramp[2] == Approx(0.002).epsilon(1e-15));
    // rho = 1 is linear
    CHECK(make_grid(variance_exploding{}, karras_grid(3, {.rho = 1})).levels[1].sigma == Approx(40.001));
}

TEST_CASE("through the end: N + 1 levels, the last one kept or replaced")
{
    sigma_range range{.sigma_min = 0.03, .sigma_max = 12.0, .end = final_level::first, .through_end = true};
    grid const kept = make_grid(variance_exploding{}, exponential_grid(6, range));
    CHECK(kept.levels.back() == noise_level{1.0, 0.03});
    CHECK(kept.end_time == 0.03);
    CHECK(kept.levels[3].sigma == Approx(std::sqrt(0.03 * 12.0)).epsilon(1e-15));
    range.end = final_level::zero;
    grid const replaced = make_grid(variance_exploding{}, exponential_grid(6, range));
    CHECK(replaced.levels.back() == noise_level{1.0, 0.0});
    CHECK(replaced.levels[5] == kept.levels[5]);
}

TEST_CASE("bong-tangent: RES4LYF's numbers")
{
    auto const sigmas = [](std::size_t n) {
        std::vector<double> s;
        for (noise_level level : make_grid(rectified_flow{}, bong_tangent_grid(n)).levels)
            s.push_back(level.sigma);
        return s;
    };
    std::vector<double> const eight{1.0,
                                    0.9713438781732046,
                                    0.9294229578684781,
                                    0.8628878668400675,
                                    0.7442997071528249,
                                    0.5,
                                    0.21312161793473747,
                                    0.06964603330644503,
                                    0.0};
    for (std::size_t i = 0; i <= 8; ++i)
        CHECK(sigmas(8)[i] == Approx(eight[i]).epsilon(1e-14));
    CHECK(sigmas(3)[1] == Approx(0.861992645089179).epsilon(1e-14));
    CHECK(sigmas(2)[1] == Approx(0.5).epsilon(1e-15));
    CHECK(sigmas(1) == std::vector<double>{1.0, 0.0});
    for (std::size_t n = 1; n <= 1000; ++n)
        CHECK(sigmas(n).size() == n + 1);
}

TEST_CASE("linear-quadratic: value and slope are continuous, every N falls")
{
    auto const t = make_grid(rectified_flow{}, linear_quadratic_grid(64)).times;
    CHECK(t[32] == Approx(0.975).epsilon(1e-14));
    CHECK(t[0] - t[1] == Approx(t[31] - t[32]).epsilon(1e-12));
    double const second = t[33] - 2 * t[34] + t[35];
    CHECK(t[31] - 2 * t[32] + t[33] == Approx(second / 2).epsilon(1e-10)); // half a parabola's bend at the joint
    CHECK(t[63] == Approx(-second + 2 * t[62] - t[61] + 2 * second).epsilon(1e-12));
    for (std::size_t n = 1; n <= 1000; ++n)
        CHECK(make_grid(rectified_flow{}, linear_quadratic_grid(n)).steps() == n);
    CHECK_THROWS_AS(linear_quadratic_grid(4, {.linear_steps = 4}), std::invalid_argument);
    CHECK_THROWS_AS(linear_quadratic_grid(4, {.threshold_noise = 1.0}), std::invalid_argument);
}

TEST_CASE("the VP grid of k-diffusion is the normal grid of EDM's VP path, in sigma")
{
    grid const g = make_grid(variance_exploding{}, vp_grid(10)), of_path = make_grid(edm_vp{}, normal_grid(10));
    for (std::size_t i = 0; i < 10; ++i)
        CHECK(g.levels[i].sigma == Approx(sigma_ratio(of_path.levels[i])).epsilon(1e-14));
    CHECK_THROWS_AS(vp_grid(10, {}, 1.0), std::invalid_argument);
}

TEST_CASE("one step is at sigma_max")
{
    CHECK(make_grid(variance_exploding{}, karras_grid(1)).levels[0].sigma == 80.0);
    CHECK(make_grid(support::table(1), karras_grid(1)).times == std::vector<double>{0});
    CHECK(make_grid(rectified_flow{}, exponential_grid(1)).levels[0] == noise_level{0.0, 1.0});
}

TEST_CASE("on rectified flow the grid is spaced in sigma = t")
{
    grid const g = make_grid(rectified_flow{}, karras_grid(10));
    CHECK(g.levels[0] == noise_level{0.0, 1.0});
    CHECK(g.times[9] == 0.001);
    CHECK(g.times[5] == g.levels[5].sigma);
}

TEST_CASE("bad ends are said")
{
    CHECK_THROWS_WITH_AS(make_grid(variance_exploding{}, karras_grid(5, {.range = {.sigma_min = 90}})),
                         "alphabar::karras_grid: sigma_min is 90; it must lie in (0, sigma_max)",
                         std::invalid_argument);
    CHECK_THROWS_AS(make_grid(variance_exploding{}, karras_grid(0)), std::invalid_argument);
    CHECK_THROWS_AS(make_grid(variance_exploding{}, karras_grid(5, {.range = {.sigma_min = 0}})),
                    std::invalid_argument);
    CHECK_THROWS_AS(karras_grid(5, {.rho = 0}), std::invalid_argument);
    CHECK_THROWS_AS(make_grid(variance_exploding{}, sigmas_grid({1.0, 2.0})), std::invalid_argument);
    CHECK_THROWS_AS(make_grid(variance_exploding{}, sigmas_grid({1.0, NAN})), std::invalid_argument);
}

TEST_CASE("Beta(1, 1) is uniform, and the ends are pinned")
{
    auto const path = support::table();
    grid const g = make_grid(path, beta_grid(9));
    CHECK(g.levels.front() == path.level(999));
    CHECK(g.levels[8] == path.level(0));
    grid const uniform = make_grid(variance_exploding{}, beta_grid(3, {.alpha = 1, .beta = 1}));
    CHECK(uniform.levels[1].sigma == Approx(40.001));
}

TEST_CASE("Beta of the time: SciPy's quantiles, ComfyUI's rounding, repetitions dropped")
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
          Approx(0.001 + 0.999 * 0.6));
}

TEST_CASE("bad parameters of a beta grid are said")
{
    CHECK_THROWS_AS(make_grid(variance_exploding{}, beta_grid(9, {.alpha = 0})), std::invalid_argument);
    CHECK_THROWS_AS(beta_quantile(1, 1, 1.5), std::invalid_argument);
}

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

TEST_CASE("lists of times: their times on a table, linear between them")
{
    auto const path = support::table();
    grid const ten = make_grid(path, list_grid(10, level_list::ays_sd15_times));
    CHECK(ten.times == std::vector<double>{999, 850, 736, 645, 545, 455, 343, 233, 124, 24});
    for (std::size_t i = 0; i < 10; ++i)
        CHECK(ten.levels[i] == path.level(ten.times[i]));
    CHECK(ten.levels[10].sigma == 0.0);
    CHECK(make_grid(path, list_grid(3, {900, 500, 300}, {.times = true})).times == std::vector<double>{900, 500, 300});
    CHECK(make_grid(path, list_grid(4, level_list::ays_sdxl_times)).times ==
          std::vector<double>{999, 587, 193, 13}); // numpy.interp at 0, 3, 6, 9
    CHECK(make_grid(path, list_grid(7, level_list::ays_sdxl_times)).times[1] == doctest::Approx(787.5));
    CHECK_THROWS_AS(make_grid(rectified_flow{}, list_grid(10, level_list::ays_sd15_times)), std::invalid_argument);
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
