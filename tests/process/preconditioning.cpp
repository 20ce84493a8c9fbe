// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <alphabar/process/preconditioning.hpp>

#include <alphabar/backends/span.hpp>

#include <cmath>
#include <initializer_list>
#include <limits>
#include <stdexcept>
#include <vector>

namespace ab = alphabar;

TEST_CASE("the requirements that define the coefficients")
{
    // Karras et al. 2022, appendix B.6: unit variance of the input and of the target, and the least c_out
    for (double sigma : {0.002, 0.1, 0.5, 1.0, 80.0}) {
        auto const c = ab::edm_preconditioning(sigma, 0.5);
        CHECK(c.c_in * c.c_in * (sigma * sigma + 0.25) == doctest::Approx(1.0).epsilon(1e-14));
        CHECK(c.c_out * c.c_out ==
              doctest::Approx((1 - c.c_skip) * (1 - c.c_skip) * 0.25 + c.c_skip * c.c_skip * sigma * sigma)
                  .epsilon(1e-13));
        CHECK(c.c_noise == doctest::Approx(0.25 * std::log(sigma)).epsilon(1e-14));
        CHECK(ab::edm_loss_weight(sigma, 0.5) ==
              doctest::Approx((sigma * sigma + 0.25) / (sigma * sigma * 0.25)).epsilon(1e-13));
    }
    auto const clean = ab::edm_preconditioning(0.0);
    CHECK(clean.c_skip == 1.0);
    CHECK(clean.c_out == 0.0);
}

TEST_CASE("a batch, in place")
{
    ab::shape const s{2, 1};
    std::vector<double> x{2.0, 3.0}, F{1.0, -1.0};
    std::vector<double> const sigmas{0.5, 2.0};
    ab::edm_denoised(ab::view(x, s), sigmas, ab::view(F, s), ab::view(x, s));
    CHECK(x[0] == doctest::Approx(0.5 * 2.0 + std::sqrt(0.5) * 0.5).epsilon(1e-14));
    CHECK(x[1] == doctest::Approx(0.25 / 4.25 * 3.0 - 1.0 / std::sqrt(4.25)).epsilon(1e-14));
}

TEST_CASE("bad sigmas are refused")
{
    for (double bad : {-1.0, std::numeric_limits<double>::quiet_NaN(), std::numeric_limits<double>::infinity()})
        CHECK_THROWS_AS(ab::edm_preconditioning(bad), std::invalid_argument);
    CHECK_THROWS_AS(ab::edm_preconditioning(1.0, 0.0), std::invalid_argument);
    CHECK_THROWS_AS(ab::edm_loss_weight(0.0), std::invalid_argument);
}
