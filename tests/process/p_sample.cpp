// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <alphabar/backends/span.hpp>
#include <alphabar/guidance/classifier.hpp>
#include <alphabar/process/p_sample.hpp>
#include <alphabar/process/posterior.hpp>
#include <alphabar/schedule/rescale.hpp>

#include <array>
#include <cmath>
#include <cstddef>
#include <stdexcept>
#include <tuple>
#include <vector>

namespace ab = alphabar;
using ab::prediction;
using ab::variance_type;

namespace {

ab::shape const batch{4, 2, 2, 3};

std::vector<double> wave(double scale, double frequency, double phase)
{
    std::vector<double> out(48);
    for (std::size_t i = 0; i < 48; ++i)
        out[i] = scale * std::sin(frequency * static_cast<double>(i + 1) + phase);
    return out;
}
auto seen(std::vector<double> const& v) { return ab::view(v, batch); }
auto seen(std::vector<double>& v) { return ab::view(v, batch); }

/// The batch of the conformance cases: state, prediction (0.6 tanh x + 0.2 x t / 1000), variance half (sin(x + t /
/// 1000)), noise.
struct example {
    ab::gaussian_diffusion diffusion{ab::linear_betas_scaled(1000)};
    std::vector<int> t{0, 1, 500, 999};
    std::vector<double> x = wave(std::sqrt(2.0), 1.1, 0.5), F = x, v = x, z = wave(std::sqrt(2.0), 1.7, 2.3);
    example()
    {
        for (std::size_t i = 0; i < 48; ++i) {
            double const time = t[i / 12];
            F[i] = 0.6 * std::tanh(x[i]) + 0.2 * x[i] * time / 1000.0;
            v[i] = std::sin(x[i] + time / 1000.0);
        }
    }
};

} // namespace

static_assert(ab::parse_variance_type("learned_range") == variance_type::learned_range);

TEST_CASE("the values of guided-diffusion, learned range, clipped")
{
    // conformance: gaussian/p_sample/linear_openai,T=1000/mean=epsilon/var=learned_range/clip=1
    example e;
    std::vector<double> sample(48), x_0(48);
    auto const F = seen(e.F), v = seen(e.v);
    auto s = seen(sample), clean = seen(x_0);
    ab::p_sample(e.diffusion, ab::reverse_model<>{.variance = variance_type::learned_range}, seen(e.x), e.t,
                 std::tie(F, v), seen(e.z), std::tie(s, clean));
    for (auto [i, want, want_x_0] : {std::tuple{0u, 1.0000000000001101, 1.0},
                                     {1u, 0.6011954174938268, 0.6011954174937606},
                                     {12u, 1.0420272303894194, 1.0},
                                     {13u, -0.25871500103800715, -0.26759850239088034},
                                     {26u, -1.446129837672758, -1.0},
                                     {47u, 0.3092303975098806, 1.0}}) {
        CHECK(sample[i] == doctest::Approx(want).epsilon(5e-12));
        CHECK(x_0[i] == doctest::Approx(want_x_0).epsilon(5e-12));
    }
    // the sample alone, in place, has the same bits
    auto x = e.x;
    ab::p_sample(e.diffusion, ab::reverse_model<>{.variance = variance_type::learned_range}, seen(x), e.t,
                 std::tie(F, v), seen(e.z), seen(x));
    CHECK(x == sample);
}

TEST_CASE("every prediction of the same x_0 gives the same distribution")
{
    example e;
    std::vector<double> x_0 = wave(0.8, 0.37, 0.0), eps = wave(1.0, 2.0, 0.0), x(48), posterior_mean(48);
    ab::q_sample(e.diffusion, seen(x_0), e.t, seen(eps), seen(x));
    ab::q_posterior(e.diffusion, seen(x_0), seen(x), e.t, seen(posterior_mean));
    for (prediction kind : {prediction::epsilon, prediction::x_0, prediction::v, prediction::flow, prediction::score,
                            prediction::previous_x}) {
        std::vector<double> F(48), mean(48), clean(48);
        if (kind == prediction::previous_x)
            F = posterior_mean;
        else
            ab::convert_prediction(e.diffusion, prediction::epsilon, kind, seen(x), e.t, seen(eps), seen(F));
        ab::p_mean_variance(e.diffusion, ab::reverse_model<>{.predicts = kind, .clip_denoised = false}, seen(x), e.t,
                            seen(F), seen(mean), seen(clean));
        for (std::size_t i = 0; i < 48; ++i) {
            CHECK(mean[i] == doctest::Approx(posterior_mean[i]).epsilon(1e-8));
            CHECK(clean[i] == doctest::Approx(x_0[i]).epsilon(1e-8));
        }
    }
}

TEST_CASE("variances of the fixed types")
{
    example e;
    std::vector<double> mean(48), clean(48);
    auto const run = [&](ab::reverse_model<> const& m) {
        return ab::p_mean_variance(e.diffusion, m, seen(e.x), e.t, seen(e.F), seen(mean), seen(clean));
    };
    auto const small = run({.variance = variance_type::fixed_small});
    CHECK(small[0].variance == 0.0);
    CHECK(small[0].log_variance == small[1].log_variance); // clipped
    CHECK(small[2].log_variance == doctest::Approx(std::log(small[2].variance)).epsilon(1e-14));
    auto const large = run({.variance = variance_type::fixed_large});
    CHECK(large[0].variance == small[1].variance);
    CHECK(large[3].variance == 0.02);
    CHECK(large[3].log_variance == doctest::Approx(std::log(0.02)).epsilon(1e-15));
    CHECK(run({.variance_floor = 1e-20})[0].log_variance == doctest::Approx(std::log(1e-20)).epsilon(1e-15));
}

TEST_CASE("learned variances: v is the log variance, or a mix of the two bounds")
{
    example e;
    std::vector<double> mean(48), clean(48), variance(48), log_variance(48);
    ab::p_mean_variance(e.diffusion, ab::reverse_model<>{.variance = variance_type::learned}, seen(e.x), e.t, seen(e.F),
                        seen(e.v), seen(mean), seen(clean), seen(variance), seen(log_variance));
    CHECK(log_variance == e.v);
    CHECK(variance[5] == doctest::Approx(std::exp(e.v[5])).epsilon(1e-14));
    for (double end : {-1.0, 1.0}) {
        std::vector<double> const v(48, end);
        ab::p_mean_variance(e.diffusion, ab::reverse_model<>{.variance = variance_type::learned_range}, seen(e.x), e.t,
                            seen(e.F), seen(v), seen(mean), seen(clean), seen(variance), seen(log_variance));
        CHECK(variance[30] ==
              doctest::Approx(end < 0 ? e.diffusion.posterior_variance(500) : e.diffusion.beta(500)).epsilon(1e-13));
    }
}

TEST_CASE("denoised_fn comes before the clip")
{
    example e;
    std::vector<double> plain(48), hooked(48);
    ab::predict_x_0(e.diffusion, ab::reverse_model<>{.clip_denoised = false}, seen(e.x), e.t, seen(e.F), seen(plain));
    auto const model = ab::with_denoised_fn({}, [](double x) { return 0.9 * x; });
    ab::predict_x_0(e.diffusion, model, seen(e.x), e.t, seen(e.F), seen(hooked));
    for (std::size_t i = 0; i < 48; ++i)
        CHECK(hooked[i] == std::min(1.0, std::max(-1.0, 0.9 * plain[i])));
}

TEST_CASE("a classifier moves the mean by variance times gradient")
{
    example e;
    auto const g = wave(0.1, 0.9, 1.0);
    std::vector<double> mean(48), clean(48), sample(48), guided(48);
    ab::reverse_model<> const model{.variance = variance_type::fixed_large};
    auto const of = ab::p_mean_variance(e.diffusion, model, seen(e.x), e.t, seen(e.F), seen(mean), seen(clean));
    ab::p_sample(e.diffusion, model, seen(e.x), e.t, seen(e.F), seen(e.z), seen(sample));
    ab::p_sample(e.diffusion, model, seen(e.x), e.t, seen(e.F), seen(e.z), seen(guided), seen(g));
    for (std::size_t i = 0; i < 48; ++i)
        CHECK(guided[i] - sample[i] == doctest::Approx(of[i / 12].variance * g[i]).epsilon(1e-9));
    // the score form is exact: with eps' = eps - sigma g, x = alpha x_0' + sigma eps'
    std::vector<double> shifted(48);
    ab::classifier_guide(e.diffusion, ab::prediction::x_0, 1.0, e.t, seen(clean), seen(g), seen(shifted));
    for (std::size_t i = 0; i < 48; ++i) {
        auto const [alpha, sigma] = e.diffusion.level(e.t[i / 12]);
        double const eps = (e.x[i] - alpha * clean[i]) / sigma - sigma * g[i];
        CHECK(alpha * shifted[i] + sigma * eps == doctest::Approx(e.x[i]).epsilon(1e-9));
    }
    std::vector<double> conditioned(48);
    ab::condition_mean(seen(mean), of, seen(g), seen(conditioned));
    CHECK(conditioned[20] == doctest::Approx(mean[20] + of[1].variance * g[20]).epsilon(1e-15));
}

TEST_CASE("a chain of a perfect network ends at the data")
{
    ab::gaussian_diffusion const diffusion(ab::respace(ab::linear_betas(1000), ab::kept_times(1000, "ddim20")));
    std::vector<double> const data{0.5, -0.25, 0.9};
    std::vector<double> x{1.0, 2.0, -3.0};
    for (std::size_t t = diffusion.T(); t-- > 0;) {
        auto const field = ab::noise_stream{3}(ab::purpose::sampler, static_cast<std::uint32_t>(t));
        ab::p_sample(diffusion, ab::reverse_model<>{.predicts = prediction::x_0}, x, t, data, field, x);
    }
    for (std::size_t i = 0; i < 3; ++i)
        CHECK(x[i] == doctest::Approx(data[i]).epsilon(1e-14));
}

TEST_CASE("zero terminal SNR: v and x_0 work, a clipped epsilon has the right sign, an unclipped one is refused")
{
    ab::gaussian_diffusion const diffusion(ab::zero_terminal_snr(ab::linear_betas(10)));
    std::vector<double> const x{0.5}, F{-0.25};
    std::vector<double> x_0(1, 7.0);
    ab::predict_x_0(diffusion, ab::reverse_model<>{.predicts = prediction::v}, x, 9, F, x_0);
    CHECK(x_0[0] == 0.25);
    ab::predict_x_0(diffusion, ab::reverse_model<>{}, x, 9, F, x_0);
    CHECK(x_0[0] == 1.0);
    x_0[0] = 7.0;
    CHECK_THROWS_AS(ab::predict_x_0(diffusion, ab::reverse_model<>{.clip_denoised = false}, x, 9, F, x_0),
                    std::invalid_argument);
    CHECK(x_0[0] == 7.0);
}

TEST_CASE("the halves of an output")
{
    std::vector<float> const output{1, 2, 3, 4, 5, 6, 7, 8};
    std::vector<float> a(4), b(4);
    ab::split_output(ab::view(output, {2, 2, 2}), ab::view(a, {2, 1, 2}), ab::view(b, {2, 1, 2}));
    CHECK(a == std::vector<float>{1, 2, 5, 6});
    CHECK(b == std::vector<float>{3, 4, 7, 8});
    CHECK_THROWS_AS(ab::split_output(ab::view(output, {2, 4, 1}), ab::view(a, {2, 1, 2}), ab::view(b, {2, 1, 2})),
                    std::invalid_argument);
}

TEST_CASE("bad input is refused and nothing is written")
{
    example e;
    std::vector<double> sample(48, 7.0);
    auto const F = seen(e.F), v = seen(e.v);
    ab::reverse_model<> const fixed{}, learned{.variance = variance_type::learned};
    CHECK_THROWS_AS(ab::p_sample(e.diffusion, fixed, seen(e.x), 1000, F, seen(e.z), seen(sample)),
                    std::invalid_argument);
    CHECK_THROWS_AS(ab::p_sample(e.diffusion, fixed, seen(e.x), 0.5, F, seen(e.z), seen(sample)),
                    std::invalid_argument);
    CHECK_THROWS_AS(ab::p_sample(e.diffusion, fixed, seen(e.x), 1, std::tie(F, v), seen(e.z), seen(sample)),
                    std::invalid_argument);
    CHECK_THROWS_AS(ab::p_sample(e.diffusion, learned, seen(e.x), 1, F, seen(e.z), seen(sample)),
                    std::invalid_argument);
    CHECK_THROWS_AS(
        ab::p_sample(e.diffusion, ab::reverse_model<>{.bound = 0.0}, seen(e.x), 1, F, seen(e.z), seen(sample)),
        std::invalid_argument);
    CHECK_THROWS_AS(ab::p_sample(e.diffusion, fixed, seen(e.x), 1, std::vector<double>(48), seen(e.z), seen(sample)),
                    std::invalid_argument);
    CHECK(sample == std::vector<double>(48, 7.0));
    CHECK_THROWS_AS(ab::parse_variance_type("fixed"), std::invalid_argument);
}
