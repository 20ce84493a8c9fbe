// SPDX-License-Identifier: MIT
#include <alphabar/process/vdm.hpp>

#include <doctest/doctest.h>

#include <cmath>
#include <stdexcept>
#include <vector>

namespace ab = alphabar;
using doctest::Approx;

TEST_CASE("bins tile [-1, 1], their probabilities sum to 1, and with little noise the value is certain")
{
    CHECK(ab::bin_centre(0, 2) == -0.5);
    CHECK(ab::bin_centre(255, 256) == Approx(1 - 1.0 / 256));
    for (double gamma : {-2.0, -6.0, 3.0}) {
        double sum = 0;
        for (std::size_t v = 0; v < 16; ++v)
            sum += std::exp(ab::bin_log_probability(0.3, v, gamma, 16));
        CHECK(sum == Approx(1).epsilon(1e-13));
    }
    CHECK(ab::bin_log_probability(ab::bin_centre(7, 256), 7, -20.0) > -1e-12);
    CHECK(ab::bin_log_probability(-1e3, 255, -13.3) < -1e9); // far off, and finite
    CHECK(std::isfinite(ab::bin_log_probability(-1e3, 255, -13.3)));
    CHECK_THROWS_AS(ab::bin_centre(8, 8), std::invalid_argument);
}

TEST_CASE("the learned gamma rises, and its derivative is its derivative")
{
    ab::monotone_gamma const gamma{18.3, -13.3, {0.9, -0.5, 1.7}, {0.2, -0.1, 0.4}, {-1.6, 2.0, 1.3}};
    for (double t = 0; t <= 1; t += 0.125) {
        double const h = 1e-4;
        CHECK((gamma(t + h).value - gamma(t - h).value) / (2 * h) == Approx(gamma(t).derivative).epsilon(1e-7));
        CHECK(gamma(t).derivative > 18.3);
    }
    CHECK(ab::monotone_gamma{}(1).value == Approx(5));
    CHECK_THROWS_AS((ab::monotone_gamma{1, 0, {1}, {}, {1}})(0), std::invalid_argument);
}

TEST_CASE("the embedding: sines, cosines, a zero")
{
    std::vector<double> e(5), flat(4);
    ab::sinusoidal_embedding(0.5, e);
    CHECK(e[0] == Approx(std::sin(0.5)));
    CHECK(e[1] == Approx(std::sin(0.5e-4)));
    CHECK(e[3] == Approx(std::cos(0.5e-4)));
    CHECK(e[4] == 0);
    ab::sinusoidal_embedding(0.0, flat);
    CHECK(flat == std::vector<double>{0, 0, 1, 1});
    CHECK_THROWS_AS(ab::sinusoidal_embedding(0.5, std::span(e).first(3)), std::invalid_argument);
}
