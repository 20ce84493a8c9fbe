// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <alphabar/schedule/gaussian_diffusion.hpp>
#include <alphabar/schedule/rescale.hpp>

#include <cmath>
#include <cstddef>
#include <limits>
#include <stdexcept>

namespace ab = alphabar;

namespace {

/// k-diffusion's sigma_to_t, written out: interpolation of the index in log sigma.
double k_diffusion_time(ab::gaussian_diffusion const& diffusion, double sigma)
{
    auto const table = diffusion[ab::table::sqrt_recipm1_alpha_bar];
    std::size_t low = 0;
    while (low + 2 < table.size() && table[low + 1] <= sigma)
        ++low;
    double const a = std::log(table[low]), b = std::log(table[low + 1]);
    double const w = std::min(1.0, std::max(0.0, (a - std::log(sigma)) / (a - b)));
    return (1.0 - w) * static_cast<double>(low) + w * static_cast<double>(low + 1);
}

} // namespace

TEST_CASE("levels are the tables at integers, and time is their inverse")
{
    for (auto const& betas :
         {ab::linear_betas(1000), ab::cosine_betas(1000), ab::scaled_linear_betas(4000), ab::linear_betas(1)}) {
        ab::gaussian_diffusion const diffusion(betas);
        for (std::size_t t = 0; t < diffusion.T(); ++t) {
            auto const level = diffusion.level(static_cast<double>(t));
            CHECK(level.alpha == diffusion[ab::table::sqrt_alpha_bar][t]);
            CHECK(level.sigma == diffusion[ab::table::sqrt_one_minus_alpha_bar][t]);
            CHECK(diffusion.time(level) == static_cast<double>(t));
            CHECK(diffusion.time(diffusion[ab::table::sqrt_recipm1_alpha_bar][t]) == static_cast<double>(t));
        }
    }
}

TEST_CASE("between integers the map is k-diffusion's, and rises")
{
    ab::gaussian_diffusion const diffusion(ab::scaled_linear_betas(1000));
    double before = 0.0;
    for (double t = 0.0; t <= 999.0; t += 0.37) {
        double const ratio = ab::sigma_ratio(diffusion.level(t));
        CHECK(diffusion.time(ratio) == doctest::Approx(t).epsilon(1e-11));
        CHECK(k_diffusion_time(diffusion, ratio) == doctest::Approx(t).epsilon(1e-11));
        CHECK(ratio > before);
        before = ratio;
    }
    CHECK(diffusion.time(0.0) == 0.0);
    CHECK(diffusion.time(1e9) == 999.0);
    CHECK(diffusion.time(std::numeric_limits<double>::infinity()) == 999.0);
}

TEST_CASE("zero terminal SNR is a path to its end")
{
    ab::gaussian_diffusion const diffusion(ab::zero_terminal_snr(ab::scaled_linear_betas(1000)));
    CHECK(diffusion.level(999.0) == ab::noise_level{0.0, 1.0});
    CHECK(diffusion.time(std::numeric_limits<double>::infinity()) == 999.0);
    double before = 0.0;
    for (double t : {997.0, 998.0, 998.25, 998.5, 998.999, 999.0}) {
        double const ratio = ab::sigma_ratio(diffusion.level(t));
        CHECK(ratio > before);
        CHECK(diffusion.time(ratio) == doctest::Approx(t).epsilon(1e-12));
        before = ratio;
    }
}

TEST_CASE("the posterior of any two times is that of the respaced process")
{
    ab::gaussian_diffusion const diffusion(ab::linear_betas(1000));
    for (std::size_t t : {1u, 500u, 999u}) { // neighbours: the tables
        auto const p = diffusion.posterior(t, t - 1), table = diffusion.posterior(t);
        CHECK(p.x_0 == table.x_0);
        CHECK(p.x_t == table.x_t);
        CHECK(p.variance == table.variance);
        CHECK(p.log_variance == table.log_variance);
    }
    std::size_t const kept[] = {100, 400, 999};
    ab::gaussian_diffusion const spaced(ab::respace(ab::linear_betas(1000), kept));
    CHECK(diffusion.posterior(999, 400).x_0 == doctest::Approx(spaced.posterior(2).x_0).epsilon(1e-15));
    CHECK(diffusion.posterior(999, 400).x_t == doctest::Approx(spaced.posterior(2).x_t).epsilon(1e-15));
    CHECK(diffusion.posterior(400, 100).variance == doctest::Approx(spaced.posterior(1).variance).epsilon(1e-15));
}

TEST_CASE("times outside are refused")
{
    ab::gaussian_diffusion const diffusion(ab::linear_betas(10));
    CHECK_THROWS_WITH_AS(diffusion.level(10.0), "alphabar::gaussian_diffusion::level: t is 10; it must lie in [0, 9]",
                         std::invalid_argument);
    CHECK_THROWS_AS(diffusion.level(-0.5), std::invalid_argument);
    CHECK_THROWS_AS(diffusion.level(std::numeric_limits<double>::quiet_NaN()), std::invalid_argument);
    CHECK_THROWS_AS(diffusion.time(-1.0), std::invalid_argument);
    CHECK_THROWS_AS(diffusion.alpha_bar(10), std::invalid_argument);
    CHECK_THROWS_AS(diffusion.posterior(3, 3), std::invalid_argument);
}
