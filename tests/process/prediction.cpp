// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <alphabar/backends/span.hpp>
#include <alphabar/process/prediction.hpp>
#include <alphabar/schedule/gaussian_diffusion.hpp>
#include <alphabar/schedule/paths.hpp>
#include <alphabar/schedule/rescale.hpp>
#include <support/predictions.hpp>

#include <cmath>
#include <stdexcept>
#include <vector>

namespace ab = alphabar;
using ab::prediction;

static_assert(ab::convert_prediction(prediction::v, prediction::x_0, {0.0, 1.0}) == ab::pair_map{0.0, -1.0});
static_assert(ab::to_x_0_and_epsilon(prediction::flow, {0.75, 0.25}).x_0 == ab::pair_map{1.0, -0.25});
static_assert(ab::parse_prediction("score") == prediction::score);

TEST_CASE("any prediction becomes any other")
{
    double const x_0 = 0.7, eps = -1.3;
    for (ab::noise_level level : {ab::noise_level{0.6, 0.8}, {0.75, 0.25}, {1.0, 14.6}, {0.999, 0.01}})
        for (prediction from : support::prediction_kinds)
            for (prediction to : support::prediction_kinds) {
                double const x = level.alpha * x_0 + level.sigma * eps;
                auto const map = ab::convert_prediction(from, to, level);
                CHECK(map.x * x + map.other * support::perfect_output(from, level, x_0, eps) ==
                      doctest::Approx(support::perfect_output(to, level, x_0, eps)).epsilon(1e-10));
            }
}

TEST_CASE("what the state does not say is infinite, what it says is exact")
{
    CHECK(std::isinf(ab::to_x_0_and_epsilon(prediction::epsilon, {0.0, 1.0}).x_0.x));
    CHECK(std::isinf(ab::to_x_0_and_epsilon(prediction::x_0, {1.0, 0.0}).epsilon.x));
    CHECK(ab::to_x_0_and_epsilon(prediction::flow, {0.0, 1.0}).x_0 == ab::pair_map{1.0, -1.0});
    for (prediction kind : support::prediction_kinds)
        CHECK(ab::convert_prediction(kind, kind, {0.0, 1.0}) == ab::pair_map{0.0, 1.0});
}

TEST_CASE("a batch converts with a time for each sample, in place too")
{
    ab::gaussian_diffusion const diffusion(ab::linear_betas(100));
    ab::shape const s{2, 2};
    std::vector<double> x{0.1, -0.2, 0.3, 0.4}, F{1.0, 0.5, -0.5, 2.0}, out(4);
    std::vector<int> const t{3, 97};
    ab::convert_prediction(diffusion, prediction::v, prediction::epsilon, ab::view(x, s), t, ab::view(F, s),
                           ab::view(out, s));
    for (std::size_t i = 0; i < 4; ++i) {
        auto const [alpha, sigma] = diffusion.level(t[i / 2]);
        CHECK(out[i] == doctest::Approx(alpha * F[i] + sigma * x[i]).epsilon(1e-14)); // Salimans & Ho 2022, appendix D
    }
    ab::convert_prediction(diffusion, prediction::v, prediction::epsilon, ab::view(x, s), t, ab::view(F, s),
                           ab::view(F, s));
    CHECK(F == out);
}

TEST_CASE("bad input is refused and nothing is written")
{
    ab::gaussian_diffusion const diffusion(ab::zero_terminal_snr(ab::linear_betas(10)));
    ab::shape const s{2, 2};
    std::vector<double> x(4, 1.0), F(4, 1.0), out(4, 7.0);
    auto const convert = [&](prediction from, std::vector<int> const& t) {
        ab::convert_prediction(diffusion, from, prediction::x_0, ab::view(x, s), t, ab::view(F, s), ab::view(out, s));
    };
    CHECK_THROWS_AS(convert(prediction::epsilon, {0, 9}), std::invalid_argument);
    CHECK_NOTHROW(convert(prediction::v, {0, 9}));
    out.assign(4, 7.0);
    CHECK_THROWS_AS(convert(prediction::v, {0, 10}), std::invalid_argument);
    CHECK_THROWS_AS(convert(prediction::v, {0}), std::invalid_argument);
    CHECK_THROWS_AS(convert(prediction::previous_x, {0, 1}), std::invalid_argument);
    CHECK(out == std::vector<double>(4, 7.0));
    CHECK_THROWS_AS(ab::parse_prediction("eps"), std::invalid_argument);
}
