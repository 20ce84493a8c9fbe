// SPDX-License-Identifier: MIT
// Double-double arithmetic: about 31 digits as the unevaluated sum of two doubles, in constant expressions and at run
// time.
#pragma once

#include <bit>
#include <cstdint>
#include <limits>
#include <type_traits>

namespace alphabar {

namespace detail {

#if !defined(__GNUC__)
inline double through_memory(double x)
{
    double volatile v = x;
    return v;
}
#endif

/// x, of which the compiler knows nothing: it neither contracts, reassociates nor replaces what x was computed from.
///
/// GCC contracts a * b + c to an FMA also in ISO mode and ignores the pragma against it; -Ofast cancels (a + b) - a. An
/// empty asm statement stops both, costs no instruction and works under every flag; constant expressions need nothing.
constexpr double opaque(double x)
{
    if (!std::is_constant_evaluated()) {
#if !defined(__GNUC__)
        x = through_memory(x);
#elif defined(__x86_64__)
        asm("" : "+x"(x));
#elif defined(__aarch64__)
        asm("" : "+w"(x));
#else
        asm("" : "+m"(x));
#endif
    }
    return x;
}

// One IEEE operation each, rounded to nearest.
constexpr double sum_of(double a, double b) { return opaque(a + b); }
constexpr double difference_of(double a, double b) { return opaque(a - b); }
constexpr double product_of(double a, double b) { return opaque(a * b); }
constexpr double quotient_of(double a, double b)
{
    if (!std::is_constant_evaluated()) {
        // volatile: were two divisors known to be equal, -freciprocal-math would divide once and multiply twice
#if !defined(__GNUC__)
        b = through_memory(b);
#elif defined(__x86_64__)
        asm volatile("" : "+x"(b));
#elif defined(__aarch64__)
        asm volatile("" : "+w"(b));
#else
        asm volatile("" : "+m"(b));
#endif
    }
    return opaque(opaque(a) / b);
}

/// Whether x is a NaN, also under -ffinite-math-only.
constexpr bool is_nan(double x) { return (std::bit_cast<std::uint64_t>(x) << 1) > 0xffe0000000000000u; }

/// Whether x is neither infinite nor a NaN, also under -ffinite-math-only.
constexpr bool is_finite(double x) { return (std::bit_cast<std::uint64_t>(x) << 1) < 0xffe0000000000000u; }

/// 2^e for -1022 <= e <= 1023.
constexpr double power_of_two(int e) { return std::bit_cast<double>(static_cast<std::uint64_t>(e + 1023) << 52); }

/// The product of p = a * b and its error, a * b - p, exactly. With FMA and without it the bits are the same.
constexpr double product_error(double a, double b, double p)
{
#if defined(__FMA__) || defined(__aarch64__)
    if (!std::is_constant_evaluated())
        return opaque(__builtin_fma(a, b, -p));
#endif
    // Dekker 1971, with Veltkamp's splitting into 26 bits each
    double const ta = product_of(134217729.0, a), tb = product_of(134217729.0, b);
    double const ah = difference_of(ta, difference_of(ta, a)), bh = difference_of(tb, difference_of(tb, b));
    double const al = difference_of(a, ah), bl = difference_of(b, bh);
    double const high = difference_of(product_of(ah, bh), p);
    return sum_of(sum_of(sum_of(high, product_of(ah, bl)), product_of(al, bh)), product_of(al, bl));
}

} // namespace detail

/// high + low, |low| at most half a unit in the last place of high: `high` is the value rounded to double.
///
/// Operations have a relative error below 2^-102 or so as long as nothing leaves the range 1e-290 to 1e290. The bits
/// are the same with every compiler, at every optimisation level, with -ffast-math, and in constant expressions.
/// Infinities and NaNs are not arithmetic here: test for zero before dividing.
struct double_double {
    double high = 0.0;
    double low = 0.0;

    constexpr double_double() = default;
    constexpr double_double(double h) : high(h) {}
    constexpr double_double(double h, double l) : high(h), low(l) {}

    /// The nearest double.
    constexpr explicit operator double() const { return high; }

    /// a + b exactly, as a double and its error. Knuth.
    static constexpr double_double exact_sum(double a, double b)
    {
        using namespace detail;
        double const s = sum_of(a, b), t = difference_of(s, a);
        return {s, sum_of(difference_of(a, difference_of(s, t)), difference_of(b, t))};
    }
    /// As exact_sum, where |a| >= |b| or a = 0. Dekker.
    static constexpr double_double ordered_sum(double a, double b)
    {
        using namespace detail;
        double const s = sum_of(a, b);
        return {s, difference_of(b, difference_of(s, a))};
    }
    /// a * b exactly.
    static constexpr double_double exact_product(double a, double b)
    {
        double const p = detail::product_of(a, b);
        return {p, detail::product_error(a, b, p)};
    }

    constexpr double_double operator-() const { return {-high, -low}; }

    friend constexpr double_double operator+(double_double a, double_double b)
    {
        double_double s = exact_sum(a.high, b.high);
        double_double const t = exact_sum(a.low, b.low);
        s = ordered_sum(s.high, detail::sum_of(s.low, t.high));
        return ordered_sum(s.high, detail::sum_of(s.low, t.low));
    }
    friend constexpr double_double operator-(double_double a, double_double b) { return a + -b; }
    friend constexpr double_double operator*(double_double a, double_double b)
    {
        using namespace detail;
        double_double const p = exact_product(a.high, b.high);
        return ordered_sum(p.high, sum_of(p.low, sum_of(product_of(a.high, b.low), product_of(a.low, b.high))));
    }
    friend constexpr double_double operator/(double_double a, double_double b)
    {
        using namespace detail;
        double const q1 = quotient_of(a.high, b.high);
        double_double r = a - double_double(q1) * b;
        double const q2 = quotient_of(r.high, b.high);
        r = r - double_double(q2) * b;
        return ordered_sum(q1, q2) + double_double(quotient_of(r.high, b.high));
    }

    friend constexpr bool operator==(double_double a, double_double b) { return a.high == b.high && a.low == b.low; }
    friend constexpr bool operator<(double_double a, double_double b)
    {
        return a.high < b.high || (a.high == b.high && a.low < b.low);
    }
    friend constexpr bool operator>(double_double a, double_double b) { return b < a; }
    friend constexpr bool operator<=(double_double a, double_double b) { return !(b < a); }
    friend constexpr bool operator>=(double_double a, double_double b) { return !(a < b); }
};

/// a 2^e, -1022 <= e <= 1023; exact while nothing underflows.
constexpr double_double scaled(double_double a, int e)
{
    double const f = detail::power_of_two(e);
    return {detail::product_of(a.high, f), detail::product_of(a.low, f)};
}

namespace detail {

inline constexpr double_double log_2{0x1.62e42fefa39efp-1, 0x1.abc9e3b39803fp-56};
inline constexpr double_double half_pi{0x1.921fb54442d18p+0, 0x1.1a62633145c07p-54};

/// log(j / 16), j = 11 ... 23.
inline constexpr double_double log_of_sixteenths[] = {
    {-0x1.7fafa3bd8151cp-2, 0x1.219024acd3b77p-58},  {-0x1.269621134db92p-2, -0x1.e0efadd9db02bp-56},
    {-0x1.a93ed3c8ad9e3p-3, -0x1.bcafa9de97203p-57}, {-0x1.1178e8227e47cp-3, 0x1.0e63a5f01c691p-58},
    {-0x1.08598b59e3a07p-4, 0x1.dd7009902bf32p-58},  {0.0, 0.0},
    {0x1.f0a30c01162a6p-5, 0x1.85f325c5bbacdp-59},   {0x1.e27076e2af2e6p-4, -0x1.61578001e0162p-60},
    {0x1.5ff3070a793d4p-3, -0x1.bc60efafc6f6ep-58},  {0x1.c8ff7c79a9a22p-3, -0x1.4f689f8434012p-57},
    {0x1.1675cababa60ep-2, 0x1.ce63eab883717p-61},   {0x1.4618bc21c5ec2p-2, 0x1.f42decdeccf1dp-56},
    {0x1.739d7f6bbd007p-2, -0x1.8c76ceb014b04p-56}};

/// 1/1, 1/3, 1/5, ..., 1/27.
inline constexpr auto odd_reciprocals = [] {
    struct {
        double_double at[14];
    } r{};
    for (int n = 0; n < 14; ++n)
        r.at[n] = double_double(1.0) / double_double(2.0 * n + 1.0);
    return r;
}();

/// 1/0!, 1/1!, ..., 1/30!.
inline constexpr auto factorial_reciprocals = [] {
    struct {
        double_double at[31];
    } r{};
    r.at[0] = 1.0;
    for (int n = 1; n < 31; ++n)
        r.at[n] = r.at[n - 1] / double_double(n);
    return r;
}();

/// log(1 + d) for |d| <= 1/16, relative to its own size: 2 atanh(d / (2 + d)).
constexpr double_double log1p_series(double_double d)
{
    double_double const s = d / (double_double(2.0) + d), square = s * s;
    double_double sum = odd_reciprocals.at[11];
    for (int n = 11; n-- > 0;)
        sum = sum * square + odd_reciprocals.at[n];
    return scaled(s * sum, 1);
}

/// e^r - 1 for |r| <= 0.35, relative to its own size: Taylor on r / 512, squared nine times.
constexpr double_double expm1_series(double_double r)
{
    double_double const x = scaled(r, -9);
    double_double sum = factorial_reciprocals.at[10];
    for (int n = 10; n-- > 1;)
        sum = sum * x + factorial_reciprocals.at[n];
    double_double p = sum * x;
    for (int i = 0; i < 9; ++i)
        p = scaled(p, 1) + p * p;
    return p;
}

/// sin x for |x| <= pi / 4, relative to its own size.
constexpr double_double sin_series(double_double x)
{
    double_double const square = x * x;
    double_double sum = factorial_reciprocals.at[29];
    for (int n = 27; n > 0; n -= 2)
        sum = factorial_reciprocals.at[n] - sum * square;
    return sum * x;
}

/// cos x for |x| <= pi / 4.
constexpr double_double cos_series(double_double x)
{
    double_double const square = x * x;
    double_double sum = factorial_reciprocals.at[28];
    for (int n = 26; n >= 0; n -= 2)
        sum = factorial_reciprocals.at[n] - sum * square;
    return sum;
}

/// The nearest integer of a number below 2^31 in absolute value.
constexpr int nearest_int(double x) { return static_cast<int>(x < 0.0 ? x - 0.5 : x + 0.5); }

} // namespace detail

/// The square root of a >= 0.
constexpr double_double sqrt(double_double a)
{
    using namespace detail;
    if (a.high == 0.0)
        return 0.0;
    double const x = a.high;
    double r = std::bit_cast<double>(0x5fe6eb50c7b537a9u - (std::bit_cast<std::uint64_t>(x) >> 1)); // 1 / sqrt x, 3 %
    double const half = product_of(0.5, x);
    for (int i = 0; i < 4; ++i)
        r = product_of(r, difference_of(1.5, product_of(product_of(half, r), r)));
    double const y = product_of(x, r);
    double_double const rest = a - double_double::exact_product(y, y);
    double_double const root = double_double::ordered_sum(y, product_of(rest.high, product_of(0.5, r)));
    double_double const again = a - root * root; // the last bits, also of exact squares
    return root + double_double(product_of(again.high, product_of(0.5, r)));
}

/// The natural logarithm of a > 0, relative to its own size also near 1; -infinity of 0, NaN of what is below.
constexpr double_double log(double_double a)
{
    using namespace detail;
    if (a.high == 0.0)
        return -std::numeric_limits<double>::infinity();
    int e = static_cast<int>(std::bit_cast<std::uint64_t>(a.high) >> 52) - 1023;
    if (e > 1023) // infinite, NaN, or with a sign
        return e == 1024 ? a.high : std::numeric_limits<double>::quiet_NaN();
    if (e == -1023) // a subnormal number
        return log(scaled(a, 64)) - double_double(64.0) * log_2;
    double_double m = e == 1023 ? scaled(scaled(a, -1022), -1) : scaled(a, -e);
    if (m.high > 1.42) {
        m = scaled(m, -1);
        ++e;
    }
    int const j = nearest_int(16.0 * m.high);
    double_double const c = static_cast<double>(j) / 16.0;
    double_double const rest = log1p_series((m - c) / c);
    return (double_double(e) * log_2 + log_of_sixteenths[j - 11]) + rest;
}

/// log(1 + d), relative to its own size; d >= -1.
constexpr double_double log1p(double_double d)
{
    return d.high < 0.0625 && d.high > -0.0625 ? detail::log1p_series(d) : log(double_double(1.0) + d);
}

/// e^x; 0 below -745, infinity above 710.
constexpr double_double exp(double_double x)
{
    using namespace detail;
    if (x.high < -745.5)
        return 0.0;
    if (x.high > 710.0)
        return std::numeric_limits<double>::infinity();
    int const k = nearest_int(product_of(x.high, 1.4426950408889634));
    double_double const m = double_double(1.0) + expm1_series(x - double_double(k) * log_2);
    int const first = k / 2;
    return scaled(scaled(m, first), k - first);
}

/// e^x - 1, relative to its own size.
constexpr double_double expm1(double_double x)
{
    return x.high < 0.34 && x.high > -0.34 ? detail::expm1_series(x) : exp(x) - double_double(1.0);
}

/// 1 / (1 + e^-x), relative to its own size.
constexpr double_double logistic(double_double x)
{
    double_double const one(1.0);
    return x.high > 0.0 ? one / (one + exp(-x)) : exp(x) / (one + exp(x));
}

/// a^b for a > 0.
constexpr double_double pow(double_double a, double_double b) { return exp(b * log(a)); }

/// The sine and the cosine of x pi / 2, |x| < 2^20; exact where x is an integer, never -0.
struct sine_and_cosine {
    double_double sine;
    double_double cosine;
};
constexpr sine_and_cosine sin_cos_half_pi(double_double x)
{
    int const quadrant = detail::nearest_int(x.high);
    double_double const angle = (x - double_double(quadrant)) * detail::half_pi;
    double_double const s = detail::sin_series(angle), c = detail::cos_series(angle);
    switch (quadrant & 3) {
    case 0: return {s, c};
    case 1: return {c, 0.0 - s};
    case 2: return {0.0 - s, -c};
    default: return {-c, s};
    }
}
constexpr double_double sin_half_pi(double_double x) { return sin_cos_half_pi(x).sine; }
constexpr double_double cos_half_pi(double_double x) { return sin_cos_half_pi(x).cosine; }

/// The arc tangent of x >= 0 in units of pi / 2: 0 to 1. Newton's iteration with the sine and cosine.
constexpr double_double atan_over_half_pi(double_double x)
{
    if (x.high > 1.0)
        return double_double(1.0) - atan_over_half_pi(double_double(1.0) / x);
    double_double y = x * double_double(0.5);
    for (int i = 0; i < 5; ++i) {
        auto const [s, c] = sin_cos_half_pi(y);
        double_double const t = (x * c - s) / (c + x * s); // tan(atan x - angle of y)
        y = y + t * (double_double(1.0) - t * t * detail::odd_reciprocals.at[1]) / detail::half_pi;
    }
    return y;
}

} // namespace alphabar
