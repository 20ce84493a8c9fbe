// SPDX-License-Identifier: MIT
#include <alphabar/grid/sigmas.hpp>
#include <alphabar/grid/spacing.hpp>

#include <doctest/doctest.h>
#include <support/table.hpp>

#include <cmath>
#include <cstdint>
#include <limits>
#include <stdexcept>
#include <tuple>
#include <vector>

using namespace alphabar;
using times = std::vector<double>;

namespace {

bool falls_strictly(times const& t)
{
    for (std::size_t i = 1; i < t.size(); ++i)
        if (!(t[i] < t[i - 1]))
            return false;
    return true;
}

} // namespace

TEST_CASE("the times that papers and software name")
{
    // diffusers, Stable Diffusion's scheduler: leading, offset 1
    CHECK(leading_times(1000, 10, {.steps_offset = 1}) == times{901, 801, 701, 601, 501, 401, 301, 201, 101, 1});
    // Lin et al. 2024, table 2, T = 1000, 10 steps, there counted from 1
    CHECK(leading_times(1000, 10) == times{900, 800, 700, 600, 500, 400, 300, 200, 100, 0});
    CHECK(linspace_times(1000, 10) == times{999, 888, 777, 666, 555, 444, 333, 222, 111, 0});
    CHECK(trailing_times(1000, 10) == times{999, 899, 799, 699, 599, 499, 399, 299, 199, 99});
    // numpy.linspace(0, 999, 7)[::-1]
    CHECK(linspace_times(1000, 7, {.rounded = false}) == times{999.0, 832.5, 666.0, 499.5, 333.0, 166.5, 0.0});
    // DPM-Solver's software: one more, without the lowest
    CHECK(linspace_times(1000, 4, {.without_lowest = true}) == times{999, 749, 500, 250});
    CHECK(leading_times(1000, 4, {.without_lowest = true}) == times{800, 600, 400, 200});
    CHECK_THROWS_AS(leading_times(1000, static_cast<std::size_t>(-1), {.without_lowest = true}), std::invalid_argument);
}

TEST_CASE("every number of steps from 1 to T: N integer times, falling, pinned ends")
{
    for (std::size_t T : {1u, 2u, 7u, 50u, 1000u})
        for (std::size_t n = 1; n <= T; ++n) {
            times const leading = leading_times(T, n), trailing = trailing_times(T, n), linspace = linspace_times(T, n);
            double const last = static_cast<double>(T - 1);
            bool ok = leading.size() == n && trailing.size() == n && linspace.size() == n && falls_strictly(leading) &&
                      falls_strictly(trailing) && falls_strictly(linspace);
            ok = ok && leading.back() == 0 && trailing.front() == last && trailing.back() >= 0 &&
                 linspace.front() == last && (n == 1 || linspace.back() == 0);
            for (std::size_t i = 0; i < n; ++i) { // within half of the real number, halves to even
                double const t = static_cast<double>(T * (n - i)) - static_cast<double>(n) * (trailing[i] + 1);
                ok = ok && 2 * std::abs(t) <= static_cast<double>(n);
            }
            if (!ok)
                FAIL("T " << T << ", N " << n);
        }
    CHECK(true);
}

TEST_CASE("NumPy's arithmetic is reproduced for every N, extra steps and double rounding included")
{
    // hashes of numpy.arange(T, 0, -T / N).round() - 1 and numpy.linspace(0, T - 1,
    // N).round()[::-1] over N = 1 ... T, NumPy 2
    auto const hash = [](std::size_t T, auto make) {
        std::uint64_t h = 0;
        for (std::size_t n = 1; n <= T; ++n)
            for (double t : make(T, n, spacing_options{.rounding = arithmetic::numpy}))
                h = h * 31 + static_cast<std::uint64_t>(t + 2);
        return h;
    };
    CHECK(hash(1000, trailing_times) == 15149111413170649528u);
    CHECK(hash(1000, linspace_times) == 9511481193701519413u);
    CHECK(hash(50, trailing_times) == 15171789656647749544u);
    CHECK(hash(50, linspace_times) == 7331360426096979504u);
    CHECK(trailing_times(1000, 61, {.rounding = arithmetic::numpy}).size() == 62);
    CHECK(linspace_times(1000, 1, {.rounding = arithmetic::numpy}) == times{0});
    CHECK(linspace_times(1000, 1) == times{999});
}

TEST_CASE("a grid has the table's own levels and ends where it is told")
{
    auto const path = support::table();
    grid const g = make_grid(path, trailing_grid(7));
    CHECK(g.times.front() == 999);
    for (std::size_t i = 0; i < 7; ++i)
        CHECK(g.levels[i] == path.level(g.times[i]));
    CHECK(g.levels.back() == noise_level{1.0, 0.0});
    CHECK(make_grid(path, leading_grid(5, {.steps_offset = 1, .end = final_level::first})).levels.back() ==
          path.level(0));
    CHECK(g.usual == prediction::epsilon);
    CHECK(g.direction == grid::course::down);
}

TEST_CASE("continuous paths are cut into equal intervals")
{
    grid const g = make_grid(rectified_flow{}, trailing_grid(4));
    CHECK(g.times == times{1.0, 0.75, 0.5, 0.25});
    CHECK(g.levels[0] == noise_level{0.0, 1.0});
    CHECK(g.levels.back() == noise_level{1.0, 0.0});
    CHECK(g.usual == prediction::flow);
    CHECK(make_grid(rectified_flow{}, linspace_grid(1)).times == times{1.0});
    // linspace visits both ends, as on a table: diffusers' FlowMatchEuler has linspace(1, 0.001, 4)
    grid const both = make_grid(rectified_flow{}, linspace_grid(4));
    for (std::size_t i = 0; i < 4; ++i)
        CHECK(both.times[i] == doctest::Approx(1.0 - 0.333 * static_cast<double>(i)).epsilon(1e-15));
    CHECK(both.levels[4] == noise_level{1.0, 0.0});
    CHECK(make_grid(vp_sde{}, linspace_grid(3, {.end = final_level::first})).levels.back() == vp_sde{}.level(0.001));
}

TEST_CASE("one step, and one time, work")
{
    CHECK(make_grid(support::table(1), leading_grid(1)).times == times{0});
    CHECK(make_grid(support::table(1), trailing_grid(1)).times == times{0});
    CHECK(make_grid(support::table(1), linspace_grid(1)).times == times{0});
    CHECK(make_grid(support::table(1), linspace_grid(1, {.without_lowest = true})).times == times{0});
}

TEST_CASE("grids known by name, every N: NumPy's numbers, and the exact ones beside them")
{
    for (auto const& [T, simple, legacy, uniform, lcm] :
         {std::tuple(1000u, 17933979257447489297u, 773718429289215079u, 7113004362284315567u, 8221390933412568789u),
          std::tuple(50u, 688258596248086554u, 1099012004797119605u, 755420835900205222u, 688258596248086554u)}) {
        auto const path = support::table(T);
        auto const hash = [&](std::size_t last, auto make) {
            std::uint64_t h = 0;
            for (std::size_t n = 1; n <= last; ++n)
                for (double t : make_grid(path, make(n)).times)
                    h = h * 31 + static_cast<std::uint64_t>(t + 2);
            return h;
        };
        CHECK(hash(T, [](std::size_t n) { return simple_grid(n, arithmetic::numpy); }) == simple);
        CHECK(hash(T - 1, [](std::size_t n) { return legacy_ddpm_grid(n, arithmetic::numpy); }) == legacy);
        CHECK(hash(T, [](std::size_t n) { return ddim_uniform_grid(n); }) == uniform);
        CHECK(hash(50, [](std::size_t n) { return lcm_grid(n); }) == lcm);
        for (std::size_t n = 1; n <= T; ++n) {
            times const exact = make_grid(path, simple_grid(n)).times,
                        numpy = make_grid(path, simple_grid(n, arithmetic::numpy)).times;
            bool ok = exact.size() == n && exact.front() == T - 1;
            for (std::size_t i = 0; i < n; ++i)
                ok = ok && std::abs(exact[i] - numpy[i]) <= 1 && exact[i] == static_cast<double>(T - 1 - i * T / n);
            ok = ok && make_grid(path, legacy_ddpm_grid(n)).steps() == n &&
                 make_grid(path, sgm_uniform_grid(n)).steps() == n && make_grid(path, normal_grid(n)).steps() == n &&
                 make_grid(path, smoothstep_grid(n)).steps() == n;
            if (!ok)
                FAIL("T " << T << ", N " << n);
        }
    }
    auto const path = support::table();
    CHECK(make_grid(path, ddim_quad_grid(10, {.rounding = arithmetic::numpy})).times ==
          times{800, 632, 483, 355, 246, 158, 88, 39, 9, 0});
    CHECK(make_grid(path, ddim_quad_grid(20, {.steps_offset = 1, .rounding = arithmetic::numpy})).times ==
          times{801, 719, 641, 568, 499, 435, 375, 320, 269, 222, 180, 142, 109, 80, 56, 36, 20, 9, 3, 1});
    CHECK(make_grid(path, smoothstep_grid(9, {.round_times = true})).times ==
          times{999, 965, 873, 740, 582, 417, 259, 126, 34});
    CHECK(make_grid(path, lcm_grid(4)).times == times{999, 759, 499, 259}); // diffusers, 4 steps of 50
    CHECK(make_grid(path, respaced_grid("ddim5")).times == times{800, 600, 400, 200, 0});
    CHECK(make_grid(path, respaced_grid("1,1")).times == times{500, 0});
    CHECK(make_grid(path, normal_grid(7)).times == linspace_times(1000, 7, {.rounded = false}));
    CHECK(make_grid(path, sgm_uniform_grid(4)).times == times{999, 749.25, 499.5, 249.75});
}

TEST_CASE("dpm-solver's grids of time end at the path's first time")
{
    vp_sde const path{};
    grid const g = make_grid(path, time_quadratic_grid(4)),
               u = make_grid(path, sgm_uniform_grid(4, {.end = final_level::first}));
    times const want{1.0, 0.5744210412256314, 0.26606138830084197, 0.0749210412256314};
    for (std::size_t i = 0; i < 4; ++i) {
        CHECK(g.times[i] == doctest::Approx(want[i]).epsilon(1e-14));
        CHECK(u.times[i] == doctest::Approx(1.0 - 0.999 * static_cast<double>(i) / 4).epsilon(1e-15));
    }
    CHECK(g.levels.back() == path.level(1e-3));
    CHECK(g.end_time == 1e-3);
}

TEST_CASE("times mapped for the network, the levels as they were")
{
    grid const plain = make_grid(rectified_flow{}, trailing_grid(4)),
               g = make_grid(rectified_flow{}, with_times(trailing_grid(4), [](double t) { return 1000 * (1 - t); }));
    CHECK(g.times == times{0, 250, 500, 750});
    CHECK(g.end_time == 1000);
    CHECK(g.levels == plain.levels);
}

TEST_CASE("a path clipped at lambda")
{
    auto const path = gaussian_diffusion(cosine_betas(1000));
    auto const cut = clipped(path, -5.1);
    CHECK(half_log_snr(path.level(cut.final_time())) >= -5.1);
    CHECK(half_log_snr(path.level(cut.final_time() + 1)) < -5.1);
    CHECK(make_grid(cut, linspace_grid(5)).times == linspace_times(cut.T(), 5));
    CHECK(make_grid(cut, karras_grid(5)).times.front() == cut.final_time());
    auto const sde = clipped(vp_sde{}, -3.0);
    CHECK(half_log_snr(sde.level(sde.final_time())) == doctest::Approx(-3.0).epsilon(1e-14));
    CHECK(make_grid(sde, trailing_grid(3)).times.front() == sde.final_time());
    CHECK(clipped(vp_sde{}, -100.0).final_time() == 1.0);
    CHECK_THROWS_AS(clipped(path, 100.0), std::invalid_argument);
    CHECK(cut == clipped(path, -5.1));
    static_assert(sloped_path<clipped_path<vp_sde>> && !sloped_path<clipped_path<gaussian_diffusion>>);
}

TEST_CASE("bad numbers are said")
{
    auto const path = support::table();
    CHECK_THROWS_WITH_AS(make_grid(path, leading_grid(0)),
                         "alphabar::leading_grid: the number of steps is 0; it must lie in [1, T]",
                         std::invalid_argument);
    CHECK_THROWS_AS(make_grid(path, leading_grid(1001)), std::invalid_argument);
    CHECK_THROWS_WITH_AS(make_grid(path, leading_grid(1000, {.steps_offset = 1})),
                         "alphabar::leading_grid: steps_offset is 1; the first time must be at most T - 1",
                         std::invalid_argument);
    CHECK_THROWS_AS(make_grid(path, trailing_grid(1001)), std::invalid_argument);
    CHECK_THROWS_WITH_AS(make_grid(path, trailing_grid(5, {.steps_offset = 7})),
                         "alphabar::trailing_grid: steps_offset is given; this spacing does not read it",
                         std::invalid_argument);
    auto const refused = [&](auto const& spec, auto const& on) {
        CHECK_THROWS_WITH_AS(make_grid(on, spec), doctest::Contains("does not read it"), std::invalid_argument);
    };
    refused(trailing_grid(5, {.without_lowest = true}), path);
    refused(trailing_grid(5, {.rounded = false}), path);
    refused(linspace_grid(5, {.steps_offset = 1}), path);
    refused(leading_grid(5, {.rounded = false}), path);
    for (spacing_options const& o : {spacing_options{.steps_offset = 1}, spacing_options{.without_lowest = true}}) {
        refused(trailing_grid(5, o), rectified_flow{});
        refused(linspace_grid(5, o), rectified_flow{});
    }
    CHECK_THROWS_AS(ddim_quad_grid(5, {.without_lowest = true}), std::invalid_argument);
    CHECK_THROWS_AS(ddim_quad_grid(5, {.rounded = false}), std::invalid_argument);
    CHECK_THROWS_AS(leading_times(10, 10, {.without_lowest = true}), std::invalid_argument);
    CHECK(linspace_times(4, 7, {.rounded = false}).size() == 7); // more than T, not rounded
    CHECK_THROWS_AS(make_grid(path, linspace_grid(1000, {.without_lowest = true})), std::invalid_argument);
    CHECK_THROWS_AS(make_grid(rectified_flow{}, trailing_grid(0)), std::invalid_argument);
    CHECK_THROWS_AS(make_grid(path, times_grid({500, 700})), std::invalid_argument);
    CHECK_THROWS_AS(make_grid(path, times_grid({})), std::invalid_argument);
    CHECK_THROWS_AS(make_grid(path, times_grid({1000})), std::invalid_argument);
    CHECK_THROWS_AS(make_grid(path, times_grid({std::numeric_limits<double>::quiet_NaN()})), std::invalid_argument);
}
