// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <alphabar/core/double_double.hpp>

#include <boost/math/constants/constants.hpp>
#include <boost/multiprecision/cpp_dec_float.hpp>

#include <cmath>
#include <cstdint>
#include <random>

namespace ab = alphabar;
using ab::double_double;
using exact = boost::multiprecision::cpp_dec_float_50;

namespace {

exact number(double_double a) { return exact(a.high) + exact(a.low); }

double relative_error(double_double got, exact const& want)
{
    return std::abs(static_cast<double>((number(got) - want) / want));
}

/// Doubles and low halves to them; the same on every machine.
struct numbers {
    std::mt19937_64 engine{2024};
    double unit() { return static_cast<double>(engine() >> 11) * 0x1p-53; }
    double_double in(double from, double to)
    {
        double const x = from + (to - from) * unit();
        return double_double::ordered_sum(x, x * (unit() - 0.5) * 0x1p-53);
    }
};

constexpr double tiny = 2e-30;

} // namespace

// In constant expressions: exact squares, exact ends, values of the literature to 31 digits.
static_assert(sqrt(double_double(9.0)) == double_double(3.0));
static_assert(exp(double_double(0.0)) == double_double(1.0));
static_assert(log(double_double(1.0)) == double_double(0.0));
static_assert(ab::sin_half_pi(1.0) == double_double(1.0) && ab::cos_half_pi(1.0) == double_double(0.0));
static_assert((double_double(1.0) / double_double(3.0) * double_double(3.0)).high == 1.0);
static_assert(exp(double_double(1.0)).high == 2.718281828459045 &&
              exp(double_double(1.0)).low == 1.4456468917292502e-16);

TEST_CASE("arithmetic and functions have 30 digits")
{
    numbers n;
    auto const half_pi = boost::math::constants::half_pi<exact>();
    for (int i = 0; i < 400; ++i) {
        double_double const a = n.in(1e-20, 1e-3 * (i + 1)), b = n.in(0.1, 2.0), x = n.in(-30.0, 30.0),
                            u = n.in(0.0, 1.0);
        double_double const small = scaled(u, -(i % 60));
        CHECK(relative_error(a + b, number(a) + number(b)) < tiny);
        CHECK(relative_error(a * b, number(a) * number(b)) < tiny);
        CHECK(relative_error(a / b, number(a) / number(b)) < tiny);
        CHECK(relative_error(sqrt(a), sqrt(number(a))) < tiny);
        CHECK(relative_error(log(a), log(number(a))) < tiny);
        CHECK(relative_error(exp(x), exp(number(x))) < tiny);
        CHECK(relative_error(pow(b, u), pow(number(b), number(u))) < tiny);
        CHECK(relative_error(ab::sin_half_pi(u), sin(number(u) * half_pi)) < tiny);
        CHECK(relative_error(ab::cos_half_pi(u), cos(number(u) * half_pi)) < tiny);
        CHECK(relative_error(ab::atan_over_half_pi(b), atan(number(b)) / half_pi) < tiny);
        // near 0 and 1 relative to the small result
        CHECK(relative_error(log1p(small), log(1 + exact(number(small)))) < tiny * std::max(1.0, 1e-18 / small.high));
        CHECK(relative_error(expm1(small), exp(number(small)) - 1) < tiny * std::max(1.0, 1e-18 / small.high));
    }
}

TEST_CASE("run time and constant evaluation have the same bits")
{
    constexpr double_double at_compile_time =
        log(double_double(0.7)) * exp(double_double(-0.3)) / sqrt(double_double(0.11));
    double volatile a = 0.7, b = -0.3, c = 0.11;
    double_double const at_run_time = log(double_double(a)) * exp(double_double(b)) / sqrt(double_double(c));
    CHECK(at_run_time == at_compile_time);
}

TEST_CASE("ends are exact")
{
    CHECK(exp(double_double(-800.0)) == double_double());
    CHECK(exp(double_double(800.0)).high == std::numeric_limits<double>::infinity());
    CHECK(log(double_double()).high == -std::numeric_limits<double>::infinity());
    CHECK(log(double_double(std::numeric_limits<double>::infinity())).high == std::numeric_limits<double>::infinity());
    CHECK(std::isnan(log(double_double(std::numeric_limits<double>::quiet_NaN())).high));
    CHECK(std::isnan(log(double_double(-1.0)).high));
    CHECK(sqrt(double_double()) == double_double());
    CHECK(ab::sin_half_pi(2.0) == double_double());
    CHECK(ab::cos_half_pi(-2.0) == double_double(-1.0));
}
