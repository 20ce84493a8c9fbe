// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <alphabar/schedule/gaussian_diffusion.hpp>
#include <alphabar/schedule/tables.hpp>

#include <boost/math/constants/constants.hpp>
#include <boost/multiprecision/cpp_dec_float.hpp>

#include <cmath>
#include <cstddef>
#include <functional>
#include <limits>
#include <stdexcept>
#include <vector>

namespace ab = alphabar;
using exact = boost::multiprecision::cpp_dec_float_50;

// At compile time; the literals are 40-digit values of the conformance cases, rounded.
static_assert(ab::static_table<20>(ab::table::alpha_bar, ab::linear_betas(20))[0] == 1.0 - 1e-4);
static_assert(ab::static_table<2>(ab::table::snr, ab::custom_betas(std::vector<double>{0.5, 1.0}))[1] == 0.0);
static_assert(ab::static_table<1>(ab::table::alpha_bar_next, ab::linear_betas(1))[0] == 0.0);

namespace {

/// The distance in units in the last place of `got` from the exact value.
double ulps(double got, exact const& want)
{
    double const near = static_cast<double>(want);
    double const unit = std::nextafter(std::abs(near), std::numeric_limits<double>::infinity()) - std::abs(near);
    return std::abs(static_cast<double>((exact(got) - want) / unit));
}

/// All tables of exact betas, by the definitions, in 50 digits.
void check_tables(ab::gaussian_diffusion const& diffusion, std::function<exact(std::size_t)> const& beta_of)
{
    std::size_t const T = diffusion.T();
    std::vector<exact> a(T), A(T);
    for (std::size_t i = 0; i < T; ++i) {
        a[i] = 1 - beta_of(i);
        A[i] = i ? exact(A[i - 1] * a[i]) : a[i];
    }
    double worst = 0.0;
    auto const expect = [&](ab::table which, std::size_t i, exact const& want) {
        double const error = want == 0 ? (diffusion[which][i] == 0.0 ? 0.0 : 1e9) : ulps(diffusion[which][i], want);
        if (error > worst)
            worst = error;
        if (!(error <= 0.51))
            FAIL_CHECK(ab::name_of(which).data() << " at " << i << ": " << error << " ulp");
    };
    for (std::size_t i = 0; i < T; i += T > 200 ? 7 : 1) {
        exact const beta = beta_of(i), P = i ? A[i - 1] : exact(1), N = 1 - A[i], M = 1 - P;
        exact const variance = beta * M / N;
        expect(ab::table::beta, i, beta);
        expect(ab::table::log_beta, i, log(beta));
        expect(ab::table::alpha, i, a[i]);
        expect(ab::table::sqrt_recip_alpha, i, 1 / sqrt(a[i]));
        expect(ab::table::alpha_bar, i, A[i]);
        expect(ab::table::alpha_bar_previous, i, P);
        expect(ab::table::alpha_bar_next, i, i + 1 < T ? A[i + 1] : exact(0));
        expect(ab::table::one_minus_alpha_bar, i, N);
        expect(ab::table::log_one_minus_alpha_bar, i, log(N));
        expect(ab::table::sqrt_alpha_bar, i, sqrt(A[i]));
        expect(ab::table::sqrt_one_minus_alpha_bar, i, sqrt(N));
        expect(ab::table::sqrt_recip_alpha_bar, i, 1 / sqrt(A[i]));
        expect(ab::table::sqrt_recipm1_alpha_bar, i, sqrt(1 / A[i] - 1));
        expect(ab::table::posterior_variance, i, variance);
        if (i > 0)
            expect(ab::table::posterior_log_variance_clipped, i, log(variance));
        expect(ab::table::posterior_mean_coef1, i, beta * sqrt(P) / N);
        expect(ab::table::posterior_mean_coef2, i, M * sqrt(a[i]) / N);
        expect(ab::table::remove_noise_coeff, i, beta / sqrt(N));
        expect(ab::table::snr, i, A[i] / N);
        expect(ab::table::log_snr, i, log(A[i] / N));
    }
    CHECK(worst <= 0.51);
    if (T > 1)
        CHECK(diffusion[ab::table::posterior_log_variance_clipped][0] ==
              diffusion[ab::table::posterior_log_variance_clipped][1]);
}

exact linspace(exact const& a, exact const& b, std::size_t n, std::size_t i)
{
    return n == 1 ? a : exact(a + (b - a) * i / (n - 1));
}

} // namespace

TEST_CASE("linear: every table within 0.51 ulp")
{
    for (std::size_t T : {1u, 2u, 10u, 1000u})
        check_tables(ab::gaussian_diffusion(ab::linear_betas(T)),
                     [=](std::size_t i) { return linspace(exact(1e-4), exact(0.02), T, i); });
}

TEST_CASE("scaled linear, 10000 times: every table within 0.51 ulp")
{
    std::size_t const T = 10000;
    check_tables(ab::gaussian_diffusion(ab::scaled_linear_betas(T)), [=](std::size_t i) {
        exact const root = linspace(sqrt(exact(0.00085)), sqrt(exact(0.012)), T, i);
        return exact(root * root);
    });
}

TEST_CASE("cosine: every table within 0.51 ulp")
{
    std::size_t const T = 1000;
    auto const f = [=](std::size_t i) {
        exact const c = cos((exact(i) / T + exact(0.008)) / exact(1.008) * boost::math::constants::half_pi<exact>());
        return exact(c * c);
    };
    check_tables(ab::gaussian_diffusion(ab::cosine_betas(T)), [=](std::size_t i) {
        exact const beta = 1 - f(i + 1) / f(i);
        return beta > exact(0.999) ? exact(0.999) : beta;
    });
}

TEST_CASE("the ends are exact")
{
    ab::gaussian_diffusion const diffusion(ab::custom_betas(std::vector<double>{0.5, 0.25, 1.0}));
    double const infinity = std::numeric_limits<double>::infinity();
    CHECK(diffusion.posterior_variance(0) == 0.0);
    CHECK(diffusion[ab::table::posterior_mean_coef1][0] == 1.0);
    CHECK(diffusion[ab::table::posterior_mean_coef2][0] == 0.0);
    CHECK(diffusion.alpha_bar(2) == 0.0);
    CHECK(diffusion.snr(2) == 0.0);
    CHECK(diffusion.log_snr(2) == -infinity);
    CHECK(diffusion[ab::table::sqrt_recip_alpha_bar][2] == infinity);
    CHECK(diffusion[ab::table::one_minus_alpha_bar][2] == 1.0);
    CHECK(diffusion[ab::table::log_one_minus_alpha_bar][2] == 0.0);
    ab::gaussian_diffusion const one(ab::custom_betas(std::vector<double>{0.5}));
    CHECK(one[ab::table::posterior_log_variance_clipped][0] == doctest::Approx(std::log(0.5)));
}

TEST_CASE("alpha-bar far below the doubles leaves its logarithm right")
{
    ab::gaussian_diffusion const diffusion(ab::constant_betas(2000, 0.75)); // alpha_bar = 2^(-2 (t + 1)), exactly
    CHECK(diffusion.alpha_bar(510) == std::ldexp(1.0, -1022));
    CHECK(diffusion.alpha_bar(1999) == 0.0);
    CHECK(diffusion[ab::table::sqrt_alpha_bar][999] == std::ldexp(1.0, -1000));
    CHECK(diffusion[ab::table::sqrt_recip_alpha_bar][999] == std::ldexp(1.0, 1000));
    CHECK(diffusion.log_snr(1999) == doctest::Approx(-4000.0 * std::log(2.0)).epsilon(1e-15));
}

TEST_CASE("tables are found by our names and by the field's")
{
    CHECK(ab::parse_table("alpha_bar") == ab::table::alpha_bar);
    CHECK(ab::parse_table("alphas_cumprod") == ab::table::alpha_bar);
    for (std::size_t i = 0; i < ab::table_count; ++i)
        CHECK(ab::parse_table(ab::name_of(static_cast<ab::table>(i))) == static_cast<ab::table>(i));
    CHECK_THROWS_AS(ab::parse_table(""), std::invalid_argument);
    CHECK_THROWS_AS(ab::parse_table("alphabars"), std::invalid_argument);
}
