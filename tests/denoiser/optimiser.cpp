// SPDX-License-Identifier: MIT
#include <alphabar/denoiser/optimiser.hpp>

#include <doctest/doctest.h>

#include <cmath>
#include <vector>

using namespace alphabar;
using doctest::Approx;

TEST_CASE("Adam is the weighted means of all past gradients, written out")
{
    recipe const r{.steps = 100, .peak_rate = 0.01, .constant_rate = true, .clip = 1e9};
    std::vector<double> const gradients{0.5, -2, 0.25, 3, 1e-3, -0.7, 0};
    double p = 1, m = 0, v = 0, average = 1;
    std::vector<double> parameters{1};
    for (std::size_t t = 0; t < gradients.size(); ++t) {
        auto const step = make_adam_step<double>(r, static_cast<std::uint32_t>(t), 1);
        step(1, &gradients[t], &p, &m, &v, &average);

        // Kingma, Ba (2015), section 3: means of g and g^2 with weights beta^(t - s), which add up to 1
        double mean = 0, square = 0, weight_1 = 0, weight_2 = 0;
        for (std::size_t s = 0; s <= t; ++s) {
            double const age = static_cast<double>(t - s);
            mean += std::pow(0.9, age) * gradients[s], weight_1 += std::pow(0.9, age);
            square += std::pow(0.95, age) * gradients[s] * gradients[s], weight_2 += std::pow(0.95, age);
        }
        parameters.push_back(parameters.back() - 0.01 * (mean / weight_1) / (std::sqrt(square / weight_2) + 1e-8));
        CHECK(p == Approx(parameters.back()).epsilon(1e-13));
    }
    // the average: each step's parameter with its weight, the decays being 0.1, 2/11, 3/12, ...
    double wanted = parameters[0];
    for (std::size_t t = 1; t < parameters.size(); ++t) {
        double const decay = static_cast<double>(t) / static_cast<double>(t + 9);
        wanted = decay * wanted + (1 - decay) * parameters[t];
    }
    CHECK(average == Approx(wanted).epsilon(1e-13));
}

TEST_CASE("floats follow doubles, tails included")
{
    recipe const r{.steps = 100};
    for (std::size_t const count : {1u, 15u, 16u, 53u}) {
        std::vector<double> g(count), p(count, 1), m(count), v(count), a(count);
        std::vector<float> fp(count, 1), fm(count), fv(count), fa(count);
        for (std::uint32_t t = 0; t < 5; ++t) {
            for (std::size_t i = 0; i < count; ++i)
                g[i] = std::sin(static_cast<double>(i + t * count));
            std::vector<float> const fg(g.begin(), g.end());
            make_adam_step<double>(r, t, 2.5)(count, g.data(), p.data(), m.data(), v.data(), a.data());
            make_adam_step<float>(r, t, 2.5)(count, fg.data(), fp.data(), fm.data(), fv.data(), fa.data());
        }
        for (std::size_t i = 0; i < count; ++i) {
            CHECK(double{fp[i]} == Approx(p[i]).epsilon(2e-6));
            CHECK(double{fa[i]} == Approx(a[i]).epsilon(2e-6));
        }
    }
}

TEST_CASE("rate, average and clipping")
{
    recipe const r{.steps = 1000};
    CHECK(learning_rate(r, 0) == Approx(7e-3 / 30));
    CHECK(learning_rate(r, 29) == Approx(7e-3));
    CHECK(learning_rate(r, 515) == Approx(7e-3 / 2));
    CHECK(learning_rate(r, 999) == Approx(7e-3 / 970));
    CHECK(learning_rate(r, 1000) == 0);
    CHECK(learning_rate({.steps = 1}, 0) == Approx(7e-3));
    CHECK(learning_rate({.steps = 9, .peak_rate = 2, .constant_rate = true}, 8) == 2);
    CHECK(average_decay(r, 0) == Approx(0.1));
    CHECK(average_decay(r, 100000) == 0.995);
    CHECK(clip_factor(0.5, 1) == 1);
    CHECK(clip_factor(4, 1) == 0.25);
    CHECK(clip_factor(0, 1) == 1);
    CHECK(make_adam_step<double>(r, 0, 4).clip == 0.25);
    std::vector<float> const x{3, 4, 12, 0, 0, 0, 0, 0, 84};
    CHECK(std::sqrt(sum_of_squares(x.size(), x.data())) == 85);
}
