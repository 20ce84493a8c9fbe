// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <alphabar/backends/span.hpp>
#include <alphabar/process/ddim_sample.hpp>
#include <alphabar/process/posterior.hpp>

#include <cmath>
#include <cstddef>
#include <limits>
#include <stdexcept>
#include <vector>

namespace ab = alphabar;

TEST_CASE("eta = 1 is the DDPM posterior, of which eta = 0 keeps the data and the noise")
{
    ab::gaussian_diffusion const diffusion(ab::linear_betas(1000));
    std::vector<double> const x_0{0.3, -0.8}, x{1.0, 0.5}, z{0.7, -1.1};
    std::vector<double> out(2), mean(2);
    for (int t : {0, 1, 500, 999}) {
        ab::ddim_sample(diffusion, x, t, x_0, 1.0, z, out);
        auto const p = ab::q_posterior(diffusion, x_0, x, t, mean).front();
        for (std::size_t i = 0; i < 2; ++i)
            CHECK(out[i] == doctest::Approx(mean[i] + std::sqrt(p.variance) * z[i]).epsilon(1e-9));
        ab::ddim_sample(diffusion, x, t, x_0, 0.0, z, out);
        auto const level = diffusion.level(t), next = t == 0 ? ab::noise_level{1.0, 0.0} : diffusion.level(t - 1);
        for (std::size_t i = 0; i < 2; ++i) // Song et al. 2021, (12)
            CHECK(out[i] ==
                  doctest::Approx(next.alpha * x_0[i] + next.sigma * (x[i] - level.alpha * x_0[i]) / level.sigma)
                      .epsilon(1e-12));
    }
}

TEST_CASE("the reverse step undoes the step")
{
    ab::gaussian_diffusion const diffusion(ab::cosine_betas(50));
    std::vector<double> const x_0{0.3, -0.8}, x{1.0, 0.5}, z(2);
    std::vector<double> up(2), back(2);
    for (int t : {0, 10, 48}) {
        ab::ddim_reverse_sample(diffusion, x, t, x_0, up);
        ab::ddim_sample(diffusion, up, t + 1, x_0, 0.0, z, back);
        for (std::size_t i = 0; i < 2; ++i)
            CHECK(back[i] == doctest::Approx(x[i]).epsilon(1e-12));
    }
    ab::ddim_reverse_sample(diffusion, x, 49, x_0, up); // beyond the last time: the noise alone
    auto const level = diffusion.level(49.0);
    CHECK(up[0] == doctest::Approx((x[0] - level.alpha * x_0[0]) / level.sigma).epsilon(1e-14));
}

TEST_CASE("bad input is refused and nothing is written")
{
    ab::gaussian_diffusion const diffusion(ab::linear_betas(10));
    std::vector<double> const x(2);
    std::vector<double> out(2, 7.0);
    for (double eta : {-0.1, 1.1, std::numeric_limits<double>::quiet_NaN()})
        CHECK_THROWS_AS(ab::ddim_sample(diffusion, x, 1, x, eta, x, out), std::invalid_argument);
    CHECK_THROWS_AS(ab::ddim_sample(diffusion, x, 10, x, 0.0, x, out), std::invalid_argument);
    CHECK_THROWS_AS(ab::ddim_reverse_sample(diffusion, x, -1, x, out), std::invalid_argument);
    CHECK(out == std::vector<double>(2, 7.0));
}
