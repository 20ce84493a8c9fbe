// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <alphabar/backends/span.hpp>
#include <alphabar/process/posterior.hpp>
#include <alphabar/schedule/paths.hpp>

#include <cmath>
#include <limits>
#include <stdexcept>
#include <vector>

namespace ab = alphabar;

TEST_CASE("between neighbours the level form is the table")
{
    ab::gaussian_diffusion const diffusion(ab::linear_betas(1000));
    for (std::size_t t : {1u, 10u, 500u, 999u}) {
        auto const table = diffusion.posterior(t);
        auto const p =
            ab::make_posterior(diffusion.level(static_cast<double>(t)), diffusion.level(static_cast<double>(t - 1)));
        CHECK(p.x_0 == doctest::Approx(table.x_0).epsilon(1e-11));
        CHECK(p.x_t == doctest::Approx(table.x_t).epsilon(1e-11));
        CHECK(p.variance == doctest::Approx(table.variance).epsilon(1e-11));
        CHECK(p.log_variance == doctest::Approx(table.log_variance).epsilon(1e-11));
    }
}

TEST_CASE("q(x_s | x_0) is what q(x_s | x_t, x_0) gives on average over x_t")
{
    ab::noise_level const t{0.3, 2.0}, s{0.9, 0.4};
    auto const p = ab::make_posterior(t, s);
    CHECK(p.x_0 + p.x_t * t.alpha == doctest::Approx(s.alpha).epsilon(1e-14));
    CHECK(p.x_t * p.x_t * t.sigma * t.sigma + p.variance == doctest::Approx(s.sigma * s.sigma).epsilon(1e-14));
}

TEST_CASE("from pure noise, and to data")
{
    CHECK(ab::make_posterior({0.0, 1.0}, {0.6, 0.8}) == ab::posterior{0.6, 0.0, 0.8 * 0.8, std::log(0.8 * 0.8)});
    auto const end = ab::make_posterior({0.6, 0.8}, {1.0, 0.0});
    CHECK(end.x_0 == 1.0);
    CHECK(end.x_t == 0.0);
    CHECK(end.log_variance == -std::numeric_limits<double>::infinity());
}

TEST_CASE("a batch, neighbours and any two times")
{
    ab::gaussian_diffusion const diffusion(ab::linear_betas(1000));
    ab::shape const s{2, 2};
    std::vector<double> const x_0{0.5, -0.5, 0.25, 1.0}, x{1.0, 2.0, -1.0, 0.0};
    std::vector<double> mean(4);
    auto const of =
        ab::q_posterior(diffusion, ab::view(x_0, s), ab::view(x, s), std::vector<int>{999, 3}, ab::view(mean, s));
    CHECK(of[0].variance == doctest::Approx(0.01999998352656061)
                                .epsilon(1e-12)); // conformance: gaussian/q_posterior_mean_variance/linear_openai
    CHECK(of[1].variance == doctest::Approx(0.0001106395223026602).epsilon(1e-12));
    CHECK(of[0].log_variance == doctest::Approx(-3.912023829100455).epsilon(1e-13));
    CHECK(mean[2] == doctest::Approx(of[1].x_0 * 0.25 - of[1].x_t).epsilon(1e-14));
    auto const far = ab::q_posterior(diffusion, ab::view(x_0, s), ab::view(x, s), std::vector<int>{999, 3},
                                     std::vector<int>{400, 0}, ab::view(mean, s));
    CHECK(far[0].x_0 == doctest::Approx(diffusion.posterior(999, 400).x_0).epsilon(1e-12));
    CHECK(mean[0] == doctest::Approx(far[0].x_0 * 0.5 + far[0].x_t).epsilon(1e-14));
}

TEST_CASE("bad input is refused and nothing is written")
{
    ab::gaussian_diffusion const diffusion(ab::linear_betas(10));
    std::vector<double> const x(4, 1.0);
    std::vector<double> mean(4, 7.0);
    CHECK_THROWS_AS(ab::make_posterior({0.9, 0.4}, {0.3, 2.0}), std::invalid_argument);
    CHECK_THROWS_AS(ab::make_posterior({0.9, 0.4}, {0.9, 0.4}), std::invalid_argument);
    CHECK_THROWS_AS(ab::q_posterior(diffusion, x, x, 10, mean), std::invalid_argument);
    CHECK_THROWS_AS(ab::q_posterior(diffusion, x, x, 0.5, mean), std::invalid_argument);
    CHECK_THROWS_AS(ab::q_posterior(diffusion, x, x, 3, 4, mean), std::invalid_argument);
    CHECK(mean == std::vector<double>(4, 7.0));
}
