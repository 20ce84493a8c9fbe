// SPDX-License-Identifier: MIT
#include <alphabar/core/step_control.hpp>

#include <doctest/doctest.h>

#include <array>
#include <cmath>

using namespace alphabar;
using doctest::Approx;

TEST_CASE("the power law: an error of 1 is accepted, and the step that would have had it is found")
{
    step_control const control{.what = step_control::kind::power, .safety = 0.9};
    std::array<double, 3> history{};
    CHECK(control(1.0, 3.0, history).accepted);
    CHECK(!control(1.0 + 1e-12, 3.0, history).accepted);
    for (double h : {0.1, 2.0}) // the error of order 3 is h^3
        CHECK(h * control(h * h * h, 3.0, history).factor == Approx(0.9));
    CHECK(history == std::array<double, 3>{});
}

TEST_CASE("the PID controller")
{
    // with the integral part alone it looks at the last error only
    step_control const integral{};
    std::array<double, 3> history{};
    auto const first = integral(8.0, 3.0, history);
    CHECK(first.factor == Approx(1.0 + std::atan(0.5 - 1.0)));
    CHECK(!first.accepted);
    CHECK(history == std::array{1.0 / (8.0 + 1e-8), 1.0 / (8.0 + 1e-8), 1.0 / (8.0 + 1e-8)}); // the first fills it
    auto const second = integral(1.0, 3.0, history);
    CHECK(second.factor == Approx(1.0));
    CHECK(second.accepted);
    CHECK(history[1] == history[0]); // accepted errors move up
    CHECK(history[2] == 1.0 / (8.0 + 1e-8));
    // E_1 = 1/16, E_2 = 2, E_3 = 4 and order 2: b = (0.7, -0.4, 0.1)
    history = {0.0, 0.5, 0.25};
    step_control const all{.p = 0.4, .i = 0.8, .d = 0.2};
    double const product = std::pow(16.0, 0.7) * std::pow(0.5, -0.4) * std::pow(0.25, 0.1);
    CHECK(all(0.0625, 2.0, history).factor == Approx(1.0 + std::atan(product - 1.0)));
    CHECK(integral(0.0, 3.0, history).factor < 1.0 + 1.5708); // no error: at most 1 + pi / 2
}
