// SPDX-License-Identifier: MIT
#include <alphabar/core/quadrature.hpp>

#include <doctest/doctest.h>

#include <cmath>
#include <numbers>
#include <span>
#include <stdexcept>
#include <vector>

using namespace alphabar;
using doctest::Approx;

TEST_CASE("weights of the rules in the books")
{
    auto const moments = [](std::size_t n) { // of [0, 1]
        std::vector<double> I;
        for (std::size_t k = 0; k < n; ++k)
            I.push_back(1.0 / static_cast<double>(k + 1));
        return I;
    };
    auto const check = [&](std::vector<double> const& nodes, std::vector<double> const& want) {
        node_values const w = weights(nodes, moments(nodes.size()));
        for (std::size_t j = 0; j < want.size(); ++j)
            CHECK(w[j] == Approx(want[j]).epsilon(1e-14));
    };
    check({0.3}, {1.0});
    check({0.0, 1.0}, {0.5, 0.5});
    check({0.0, 0.5, 1.0}, {1.0 / 6, 4.0 / 6, 1.0 / 6});                                       // Simpson
    check({1.0, 0.0, 0.5}, {1.0 / 6, 1.0 / 6, 4.0 / 6});                                       // in any order
    check({0.0, 0.25, 0.5, 0.75, 1.0}, {7.0 / 90, 32.0 / 90, 12.0 / 90, 32.0 / 90, 7.0 / 90}); // Boole
    check({0.0, -1.0, -2.0, -3.0}, {55.0 / 24, -59.0 / 24, 37.0 / 24, -9.0 / 24});             // Adams-Bashforth
    check({1.0, 0.0, -1.0, -2.0}, {9.0 / 24, 19.0 / 24, -5.0 / 24, 1.0 / 24});                 // Adams-Moulton
    CHECK_THROWS_AS((void)weights(std::vector{0.5, 0.5}, moments(2)), std::invalid_argument);
}

TEST_CASE("Gauss's rule of 8 points has degree 15, and parts make it converge")
{
    auto const integral = [](double a, double b, int parts, auto const& f) {
        double sum = 0.0;
        for_gauss_points(a, b, parts, [&](double x, double w) { sum += w * f(x); });
        return sum;
    };
    for (int k = 0; k <= 15; ++k)
        CHECK(integral(0.0, 1.0, 1, [k](double x) { return std::pow(x, k); }) == Approx(1.0 / (k + 1)).epsilon(1e-14));
    CHECK(std::abs(integral(-1.0, 1.0, 1, [](double x) { return std::pow(x, 16); }) - 2.0 / 17) > 1e-5);
    CHECK(integral(0.0, std::numbers::pi, 4, [](double x) { return std::sin(x); }) == Approx(2.0).epsilon(1e-15));
    CHECK(integral(3.0, 1.0, 8, [](double x) { return 1.0 / x; }) == Approx(-std::log(3.0)).epsilon(1e-13));
    CHECK(integral(0.0, 1.0, 0, [](double) { return 1.0; }) == 0.0);
}
