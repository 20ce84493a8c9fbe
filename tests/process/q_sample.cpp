// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <alphabar/backends/span.hpp>
#include <alphabar/process/q_sample.hpp>
#include <alphabar/schedule/gaussian_diffusion.hpp>
#include <alphabar/schedule/paths.hpp>
#include <alphabar/schedule/rescale.hpp>

#include <cmath>
#include <cstddef>
#include <limits>
#include <stdexcept>
#include <vector>

namespace ab = alphabar;

namespace {

std::vector<double> wave(std::size_t n, double scale, double frequency, double phase)
{
    std::vector<double> out(n);
    for (std::size_t i = 0; i < n; ++i)
        out[i] = scale * std::sin(frequency * static_cast<double>(i + 1) + phase);
    return out;
}

} // namespace

TEST_CASE("the values of guided-diffusion")
{
    // conformance: gaussian/q_sample/linear,T=10/4x2x2x3/t=0,1,5,9
    ab::gaussian_diffusion const diffusion(ab::linear_betas(10));
    ab::shape const s{4, 2, 2, 3};
    auto const x_0 = wave(48, 0.8, 0.37, 0.0), z = wave(48, std::sqrt(2.0), 1.7, 0.0);
    std::vector<double> x_t(48);
    ab::q_sample(diffusion, ab::view(x_0, s), std::vector<int>{0, 1, 5, 9}, ab::view(z, s), ab::view(x_t, s));
    CHECK(x_t[0] == doctest::Approx(0.30330213883575696).epsilon(1e-14));
    CHECK(x_t[1] == doctest::Approx(0.5357894601894284).epsilon(1e-14));
    CHECK(x_t[2] == doctest::Approx(0.703430122900948).epsilon(1e-14));
}

TEST_CASE("a sample per time, in place, with one time for all, between times")
{
    ab::gaussian_diffusion const diffusion(ab::cosine_betas(100));
    ab::shape const s{3, 5};
    std::vector<float> x_0(15), z(15), x_t(15), once(15);
    for (std::size_t i = 0; i < 15; ++i)
        x_0[i] = static_cast<float>(i) / 7.0f, z[i] = 1.0f - static_cast<float>(i) / 5.0f;
    std::vector<double> const t{0.0, 42.5, 99.0};
    ab::q_sample(diffusion, ab::view(x_0, s), t, ab::view(z, s), ab::view(x_t, s));
    for (std::size_t i = 0; i < 15; ++i) {
        auto const level = diffusion.level(t[i / 5]);
        double const want = level.alpha * double{x_0[i]} + level.sigma * double{z[i]};
        CHECK(std::abs(double{x_t[i]} - want) <=
              1.5 * 0x1p-23 * (std::abs(level.alpha * double{x_0[i]}) + std::abs(level.sigma * double{z[i]})));
    }
    auto in_place = x_0;
    ab::q_sample(diffusion, ab::view(in_place, s), t, ab::view(z, s), ab::view(in_place, s));
    CHECK(in_place == x_t);
    ab::q_sample(diffusion, ab::view(x_0, s), 42.5, ab::view(z, s), ab::view(once, s));
    for (std::size_t i = 5; i < 10; ++i)
        CHECK(once[i] == x_t[i]);
}

TEST_CASE("the stream's noise is the stream's noise")
{
    ab::gaussian_diffusion const diffusion(ab::linear_betas(10));
    ab::shape const s{2, 700};
    std::vector<float> x_0(1400, 0.5f), z(1400), given(1400), made(1400), from_stream(1400);
    auto const field = ab::noise_stream{7}(ab::purpose::training, 0);
    for (std::size_t r = 0; r < 2; ++r)
        field.fill(r, 0, std::span<float>(z).subspan(700 * r, 700));
    std::vector<int> const t{2, 9};
    ab::q_sample(diffusion, ab::view(x_0, s), t, ab::view(z, s), ab::view(given, s));
    ab::q_sample(diffusion, ab::view(x_0, s), t, field, ab::view(made, s));
    ab::q_sample(diffusion, ab::view(x_0, s), t, ab::noise_stream{7}, ab::view(from_stream, s));
    CHECK(made == given);
    CHECK(from_stream == given);
}

TEST_CASE("the ends: pure noise at zero terminal SNR, data at sigma = 0")
{
    ab::gaussian_diffusion const diffusion(ab::zero_terminal_snr(ab::linear_betas(10)));
    std::vector<double> x_0{3.0}, z{-2.0}, x_t(1);
    ab::q_sample(diffusion, x_0, 9, z, x_t);
    CHECK(x_t[0] == -2.0);
    ab::q_sample(ab::rectified_flow{}, x_0, 0.0, z, x_t);
    CHECK(x_t[0] == 3.0);
}

TEST_CASE("mean and variance")
{
    ab::gaussian_diffusion const diffusion(ab::linear_betas(1000));
    ab::shape const s{2, 2};
    std::vector<double> const x_0{1.0, 2.0, 3.0, 4.0};
    std::vector<double> mean(4);
    auto const of = ab::q_mean_variance(diffusion, ab::view(x_0, s), std::vector<int>{0, 500}, ab::view(mean, s));
    CHECK(mean[1] == doctest::Approx(2.0 * std::sqrt(1.0 - 1e-4)).epsilon(1e-15));
    CHECK(of[0].variance == doctest::Approx(1e-4).epsilon(1e-14));
    CHECK(of[0].log_variance == doctest::Approx(std::log(1e-4)).epsilon(1e-14));
    CHECK(of[1].variance ==
          doctest::Approx(0.9222033416349761).epsilon(1e-13)); // conformance: gaussian/q_mean_variance/linear_openai
}

TEST_CASE("bad input is refused and nothing is written")
{
    ab::gaussian_diffusion const diffusion(ab::linear_betas(10));
    ab::shape const s{2, 2};
    std::vector<double> x_0(4, 1.0), z(4, 1.0), x_t(4, 7.0), small(2, 1.0);
    auto const sample = [&](std::vector<double> const& t) {
        ab::q_sample(diffusion, ab::view(x_0, s), t, ab::view(z, s), ab::view(x_t, s));
    };
    CHECK_THROWS_AS(sample({0.0, 10.0}), std::invalid_argument);
    CHECK_THROWS_AS(sample({0.0, -1.0}), std::invalid_argument);
    CHECK_THROWS_AS(sample({0.0, std::numeric_limits<double>::quiet_NaN()}), std::invalid_argument);
    CHECK_THROWS_AS(sample({0.0}), std::invalid_argument);
    CHECK_THROWS_AS(ab::q_sample(diffusion, ab::view(x_0, s), 1, small, ab::view(x_t, s)), std::invalid_argument);
    ab::tensor_view<double> const null{nullptr, s};
    CHECK_THROWS_AS(ab::q_sample(diffusion, null, 1, ab::view(z, s), ab::view(x_t, s)), std::invalid_argument);
    CHECK(x_t == std::vector<double>(4, 7.0));
    ab::shape const empty{0, 2};
    CHECK_NOTHROW(ab::q_sample(diffusion, ab::tensor_view<double>{nullptr, empty}, std::vector<int>{},
                               ab::tensor_view<double>{nullptr, empty}, ab::tensor_view<double>{nullptr, empty}));
}
