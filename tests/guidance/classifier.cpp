// SPDX-License-Identifier: MIT
#include <alphabar/guidance/classifier.hpp>

#include <alphabar/backends/span.hpp>
#include <alphabar/schedule/gaussian_diffusion.hpp>
#include <alphabar/schedule/paths.hpp>
#include <support/guided.hpp>

#include <doctest/doctest.h>

#include <stdexcept>

namespace ab = alphabar;
using support::prediction, support::error;

TEST_CASE("every kind of prediction means the same guided epsilon")
{
    auto const diffusion = ab::gaussian_diffusion(ab::cosine_betas(100));
    ab::shape const s{2, 10};
    auto const x = prediction(0, 2, 10), eps = prediction(1, 2, 10), gradient = prediction(2, 2, 10);
    std::vector<std::size_t> const t{20, 70};
    std::vector<double> const scales{2.0, 3.0};
    std::vector<double> guided(20);
    using enum ab::prediction;
    ab::classifier_guide(diffusion, epsilon, scales, t, ab::view(eps, s), ab::view(gradient, s), ab::view(guided, s));
    for (std::size_t i = 0; i < 20; ++i)
        CHECK(guided[i] ==
              doctest::Approx(eps[i] -
                              scales[i / 10] * diffusion.level(static_cast<double>(t[i / 10])).sigma * gradient[i])
                  .epsilon(1e-14));
    for (auto const kind : {x_0, v, flow, score}) {
        std::vector<double> F(20), want(20);
        ab::convert_prediction(diffusion, epsilon, kind, ab::view(x, s), t, ab::view(eps, s), ab::view(F, s));
        ab::convert_prediction(diffusion, epsilon, kind, ab::view(x, s), t, ab::view(guided, s), ab::view(want, s));
        ab::classifier_guide(diffusion, kind, scales, t, ab::view(F, s), ab::view(gradient, s), ab::view(F, s));
        CHECK(error(F, want) < 1e-12);
    }
}

TEST_CASE("for a Gaussian and a Gaussian class the guided score is the posterior's")
{
    // data N(0, 1), class p(y | x_0) = N(y; x_0, 1) seen through the noise: x_t given y is Gaussian with known mean and
    // variance
    ab::rectified_flow const path;
    double const t = 0.4, y = 1.3, x = 0.7;
    auto const [alpha, sigma] = path.level(t);
    double const variance = alpha * alpha + sigma * sigma, share = alpha / variance; // E[x_0 | x_t] = share x_t
    double const rest = sigma * sigma / variance;                                    // Var[x_0 | x_t]
    std::vector<double> F{sigma * x / variance};                                     // E[eps | x_t]
    std::vector<double> const gradient{share * (y - share * x) / (1 + rest)};        // of log N(y; share x_t, 1 + rest)
    ab::classifier_guide(path, ab::prediction::epsilon, 1.0, t, F, gradient, F);
    // with y: x_0 ~ N(y / 2, 1/2), so x_t ~ N(alpha y / 2, alpha^2 / 2 + sigma^2) and eps = -sigma score
    CHECK(F[0] == doctest::Approx(sigma * (x - alpha * y / 2) / (alpha * alpha / 2 + sigma * sigma)).epsilon(1e-14));
}

TEST_CASE("bad input")
{
    ab::rectified_flow const path;
    std::vector<double> F{1, 2}, out{5, 5};
    CHECK_THROWS_AS(ab::classifier_guide(path, ab::prediction::x_0, 1.0, 1.0, F, F, out), std::invalid_argument);
    CHECK_THROWS_AS(ab::classifier_guide(path, ab::prediction::epsilon, 1.0, 2.0, F, F, out), std::invalid_argument);
    CHECK_THROWS_AS(ab::classifier_guide(path, ab::prediction::epsilon, std::vector<double>{1, 2}, 0.5, F, F, out),
                    std::invalid_argument);
    CHECK_THROWS_WITH_AS(ab::classifier_guide(path, ab::prediction::epsilon, std::nan(""), 0.5, F, F, out),
                         "alphabar::classifier_guide: scale is NaN; it must be finite", std::invalid_argument);
    CHECK(out == std::vector<double>{5, 5});
    ab::classifier_guide(path, ab::prediction::epsilon, 1.0, 1.0, F, F, out); // pure noise is fine for epsilon
    CHECK(out == std::vector<double>{0, 0});
}
