// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <alphabar/process/preconditioning.hpp>
#include <alphabar/schedule/ladders.hpp>

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

TEST_CASE("every preconditioning gives the x_0 of an exact network")
{
    // a network that knows epsilon and x_0: D must be x_0
    double const x_0 = 0.7, epsilon = -1.3;
    for (double sigma : {0.01, 0.4, 1.0, 30.0}) {
        double const x = x_0 + sigma * epsilon, root = std::hypot(sigma, 1.0), v = (epsilon - sigma * x_0) / root;
        auto const denoised = [x](ab::preconditioning const& c, double F) { return c.c_skip * x + c.c_out * F; };
        CHECK(denoised(ab::epsilon_preconditioning(sigma, 0), epsilon) == doctest::Approx(x_0).epsilon(1e-13));
        CHECK(denoised(ab::v_preconditioning(sigma, 0), v) == doctest::Approx(x_0).epsilon(1e-13));
        CHECK(denoised(ab::vp_preconditioning(sigma), epsilon) == doctest::Approx(x_0).epsilon(1e-13));
        CHECK(denoised(ab::ve_preconditioning(sigma), -epsilon) == doctest::Approx(x_0).epsilon(1e-13));
        ab::preconditioning const edm = ab::edm_preconditioning(sigma, 0.5);
        CHECK(denoised(edm, (x_0 - edm.c_skip * x) / edm.c_out) == doctest::Approx(x_0).epsilon(1e-13));
    }
}

TEST_CASE("the times that the networks are given")
{
    ab::edm_vp const path{};
    CHECK(ab::vp_preconditioning(path.sigma_ratio(0.3)).c_noise == doctest::Approx(999 * 0.3).epsilon(1e-12));
    auto const levels = ab::iddpm_levels();
    CHECK(levels.size() == 1001);
    CHECK(levels.back() == 0.0);
    CHECK(ab::iddpm_preconditioning(levels[0], levels).c_noise == 999);
    CHECK(ab::iddpm_preconditioning(levels[999], levels).c_noise == 0);
    CHECK(ab::iddpm_preconditioning(0.6 * levels[400] + 0.4 * levels[401], levels).c_noise == 599);
    CHECK(ab::nearest_level(levels, 1e9) == 0);
    CHECK_THROWS_AS(ab::nearest_level({}, 1.0), std::invalid_argument);
    CHECK_THROWS_AS(ab::iddpm_levels(0), std::invalid_argument);
    CHECK_THROWS_AS(ab::iddpm_levels(10, 1.0), std::invalid_argument);
}

TEST_CASE("a consistency model is the identity at sigma_min, and EDM's where sigma_min is 0")
{
    auto const c = ab::consistency_preconditioning(0.002);
    CHECK(c.c_skip == 1.0);
    CHECK(c.c_out == 0.0);
    auto const far = ab::consistency_preconditioning(3.0, 0.5, 0.0), edm = ab::edm_preconditioning(3.0, 0.5);
    CHECK(far.c_skip == doctest::Approx(edm.c_skip).epsilon(1e-15));
    CHECK(far.c_out == doctest::Approx(edm.c_out).epsilon(1e-15));
    CHECK(far.c_noise == doctest::Approx(250 * std::log(3.0)).epsilon(1e-15));
}

TEST_CASE("bad sigmas are refused")
{
    for (double bad : {-1.0, std::numeric_limits<double>::quiet_NaN(), std::numeric_limits<double>::infinity()})
        for (auto const of :
             {+[](double s) { return ab::edm_preconditioning(s); },
              +[](double s) { return ab::epsilon_preconditioning(s, 0); },
              +[](double s) { return ab::v_preconditioning(s, 0); },
              +[](double s) { return ab::vp_preconditioning(s); }, +[](double s) { return ab::ve_preconditioning(s); },
              +[](double s) { return ab::consistency_preconditioning(s); }})
            CHECK_THROWS_AS(of(bad), std::invalid_argument);
    CHECK_THROWS_AS(ab::edm_preconditioning(1.0, 0.0), std::invalid_argument);
    CHECK_THROWS_AS(ab::edm_loss_weight(0.0), std::invalid_argument);
}
