// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <alphabar/schedule/betas.hpp>

#include <array>
#include <cmath>
#include <limits>
#include <stdexcept>
#include <vector>

namespace ab = alphabar;

static_assert(ab::linear_betas(11, 0.1, 0.2)[10] == ab::double_double(0.2));

TEST_CASE("betas of the published schedules")
{
    // conformance, maths/tables: squaredcos_cap_v2, T = 1000
    ab::beta_schedule const cosine = ab::cosine_betas(1000);
    CHECK(cosine[0].high == 0.00004128422482177780258033989614722182457220);
    CHECK(cosine[998].high == 0.7499993929011602930522794361868489171933);
    CHECK(cosine[999].high == 0.999);
    // ends, as the literals
    CHECK(ab::linear_betas(1000)[0].high == 1e-4);
    CHECK(ab::linear_betas(1000)[999].high == 0.02);
    CHECK(ab::linear_betas_scaled(1000) == ab::linear_betas(1000));
    CHECK(ab::scaled_linear_betas(1000)[0].high == 0.00085);
    CHECK(ab::scaled_linear_betas(1000)[999].high == 0.012);
    CHECK(ab::simple_cosine_betas(10, 0.5)[9].high == 0.5);
    CHECK(ab::simple_cosine_betas(10, 0.5)[4].high == 0.25);
    CHECK(ab::jsd_betas(4)[3].high == 1.0);
    CHECK(ab::warmup_betas(10, 0.1, 0.2, 0.5)[2].high == doctest::Approx(0.15).epsilon(1e-15));
    CHECK(ab::warmup_betas(10, 0.1, 0.2, 0.5)[5].high == 0.2);
    CHECK(ab::exp_betas(100)[50].high == doctest::Approx(1.0 - std::exp(-0.12)).epsilon(1e-14));
    CHECK(ab::vp_sde_betas(1000)[999].high == 0.02);
}

TEST_CASE("one time is the first of the schedule")
{
    CHECK(ab::linear_betas(1, 0.1, 0.2)[0].high == 0.1);
    CHECK(ab::scaled_linear_betas(1)[0].high == 0.00085);
    CHECK(ab::cosine_betas(1)[0].high == 0.999);
    CHECK(ab::jsd_betas(1)[0].high == 1.0);
}

TEST_CASE("a cosine of one's own is the shipped one")
{
    auto const own = ab::alpha_bar_betas(50, [](ab::double_double t) {
        auto const c = ab::cos_half_pi((t + ab::double_double(0.008)) / ab::double_double(1.008));
        return c * c;
    });
    for (std::size_t i = 0; i < 50; ++i)
        CHECK(own[i].high == doctest::Approx(ab::cosine_betas(50)[i].high).epsilon(1e-15));
}

TEST_CASE("bad schedules are refused, with function, argument, value and rule")
{
    CHECK_THROWS_WITH_AS(ab::linear_betas(0), "alphabar::linear_betas: T is 0; it must lie in [1, 10000]",
                         std::invalid_argument);
    CHECK_THROWS_WITH_AS(ab::linear_betas(10, 0.0), "alphabar::linear_betas: start is 0; it must lie in (0, 1]",
                         std::invalid_argument);
    CHECK_THROWS_WITH_AS(ab::linear_betas(10, 1e-4, std::numeric_limits<double>::quiet_NaN()),
                         "alphabar::linear_betas: end is NaN; it must lie in (0, 1]", std::invalid_argument);
    double const nan = std::numeric_limits<double>::quiet_NaN(), inf = std::numeric_limits<double>::infinity();
    for (double bad : {0.0, -0.1, 1.5, nan, inf})
        CHECK_THROWS_AS(ab::custom_betas(std::vector<double>{0.1, bad, 0.2}), std::invalid_argument);
    CHECK_THROWS_AS(ab::custom_betas(std::vector<double>{}), std::invalid_argument);
    CHECK_THROWS_AS(ab::linear_betas(10001), std::invalid_argument);
    CHECK_THROWS_AS(ab::linear_betas_scaled(19), std::invalid_argument); // its last beta would be 1.05
    CHECK_THROWS_AS(ab::linear_betas_scaled(0), std::invalid_argument);
    CHECK_THROWS_AS(ab::cosine_betas(0), std::invalid_argument);
    CHECK_THROWS_AS(ab::cosine_betas(10, 0.0), std::invalid_argument);
    CHECK_THROWS_AS(ab::cosine_betas_normalised(10, nan), std::invalid_argument);
    CHECK_THROWS_AS(ab::sigmoid_alpha_bar_betas(10, 3.0, -3.0), std::invalid_argument);
    CHECK_THROWS_AS(ab::warmup_betas(10, 0.1, 0.2, 1.5), std::invalid_argument);
    CHECK_THROWS_AS(ab::exp_betas(0), std::invalid_argument);
    CHECK_THROWS_AS(ab::vp_sde_betas(0), std::invalid_argument);
    CHECK_NOTHROW(ab::custom_betas(std::vector<double>{1.0}));
}
