// SPDX-License-Identifier: MIT
#include <alphabar/core/element.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <tuple>
#include <vector>

namespace ab = alphabar;

namespace {

/// Two types that are stored only, as a user's library may have them.
struct half {
    std::uint16_t bits;
};
struct brain {
    std::uint16_t bits;
};

/// The value of a 16-bit number by the standard's definition: exponent bits, fraction bits.
double defined(std::uint16_t bits, int exponent_bits, int fraction_bits)
{
    int const bias = (1 << (exponent_bits - 1)) - 1;
    int const exponent = (bits >> fraction_bits) & ((1 << exponent_bits) - 1);
    double const fraction = (bits & ((1 << fraction_bits) - 1)) / std::ldexp(1.0, fraction_bits);
    double const sign = bits & 0x8000 ? -1 : 1;
    if (exponent == (1 << exponent_bits) - 1)
        return fraction != 0 ? std::numeric_limits<double>::quiet_NaN()
                             : sign * std::numeric_limits<double>::infinity();
    return sign * (exponent == 0 ? std::ldexp(fraction, 1 - bias) : std::ldexp(1 + fraction, exponent - bias));
}

/// Floats around every rounding boundary of a 16-bit format, and some more.
template <class T>
std::vector<float> boundaries()
{
    std::vector<float> values;
    for (std::uint32_t b = 0; b < 0x10000; ++b) {
        float const here = ab::widen(std::bit_cast<T>(static_cast<std::uint16_t>(b)));
        if (!std::isfinite(here))
            continue;
        std::uint32_t const u = std::bit_cast<std::uint32_t>(here);
        std::uint32_t const half_way = std::bit_cast<std::uint32_t>(
            here +
            0.5f * (ab::widen(std::bit_cast<T>(static_cast<std::uint16_t>((b & 0x7fff) < 0x7bff ? b + 1 : b))) - here));
        for (std::uint32_t const v : {u - 1, u, u + 1, half_way - 1, half_way, half_way + 1})
            values.push_back(std::bit_cast<float>(v));
    }
    for (float const v : {65504.0f, 65519.99f, 65520.0f, 1e30f, 3.4e38f, std::numeric_limits<float>::infinity(),
                          std::numeric_limits<float>::quiet_NaN(), 1e-40f, 1e-45f})
        for (float const s : {v, -v})
            values.push_back(s);
    return values;
}

/// The nearest number of the format, ties to even, by search over all of them.
template <class T>
std::uint16_t nearest(float x, int exponent_bits, int fraction_bits)
{
    std::uint16_t const sign = std::signbit(x) ? 0x8000 : 0;
    double const size = std::abs(static_cast<double>(x));
    int low = 0, high = ((1 << exponent_bits) - 1) << fraction_bits; // high is infinity
    while (high - low > 1) {
        int const middle = (low + high) / 2;
        (defined(static_cast<std::uint16_t>(middle), exponent_bits, fraction_bits) <= size ? low : high) = middle;
    }
    double const below = defined(static_cast<std::uint16_t>(low), exponent_bits, fraction_bits);
    // infinity stands where the next number would
    double const step = below - defined(static_cast<std::uint16_t>(low - 1), exponent_bits, fraction_bits);
    bool const last = high == ((1 << exponent_bits) - 1) << fraction_bits;
    double const above = last ? below + step : defined(static_cast<std::uint16_t>(high), exponent_bits, fraction_bits);
    bool const up = size - below > above - size || (size - below == above - size && low % 2 == 1);
    return static_cast<std::uint16_t>((up ? high : low) | sign);
}

} // namespace

template <>
inline constexpr ab::element_format ab::format_of<half> = ab::element_format::binary16;
template <>
inline constexpr ab::element_format ab::format_of<brain> = ab::element_format::bfloat16;

TEST_CASE_TEMPLATE("all 65,536 numbers widen to what the standard defines, alone and in arrays", T, half, brain)
{
    int const exponent_bits = ab::format_of<T> == ab::element_format::binary16 ? 5 : 8;
    std::vector<T> all(65536);
    std::vector<float> wide(65536);
    for (std::uint32_t b = 0; b < all.size(); ++b)
        all[b].bits = static_cast<std::uint16_t>(b);
    ab::widen(all.data(), wide.data(), all.size());
    std::size_t wrong = 0;
    for (std::uint32_t b = 0; b < all.size(); ++b) {
        double const want = defined(all[b].bits, exponent_bits, 15 - exponent_bits);
        float const alone = ab::widen(all[b]);
        if (std::isnan(want))
            wrong += !std::isnan(alone) || !std::isnan(wide[b]);
        else
            wrong += static_cast<double>(alone) != want || std::signbit(alone) != std::signbit(want);
        if (ab::format_of<T> == ab::element_format::binary16 || !std::isnan(want)) // bits of a NaN too
            wrong += std::bit_cast<std::uint32_t>(alone) != std::bit_cast<std::uint32_t>(wide[b]);
    }
    CHECK(wrong == 0);
}

TEST_CASE_TEMPLATE("floats are rounded once, to nearest, ties to even", T, half, brain)
{
    int const exponent_bits = ab::format_of<T> == ab::element_format::binary16 ? 5 : 8;
    auto const values = boundaries<T>();
    std::vector<T> narrowed(values.size());
    ab::narrow(values.data(), narrowed.data(), values.size());
    std::size_t wrong = 0, differ = 0;
    for (std::size_t i = 0; i < values.size(); ++i) {
        T const alone = ab::narrow<T>(values[i]);
        differ += alone.bits != narrowed[i].bits;
        if (std::isnan(values[i]))
            wrong += !std::isnan(ab::widen(alone));
        else
            wrong += alone.bits != nearest<T>(values[i], exponent_bits, 15 - exponent_bits);
    }
    CHECK(wrong == 0);
    CHECK(differ == 0);
}

TEST_CASE("arrays of every length convert whole, and not one element more")
{
    for (std::size_t n = 0; n < 70; ++n) {
        std::vector<float> const in(n, 1.5f);
        std::vector<half> out(n + 1, half{0x1234});
        ab::narrow(in.data(), out.data(), n);
        for (std::size_t i = 0; i <= n; ++i)
            CHECK(out[i].bits == (i < n ? 0x3e00 : 0x1234));
        std::vector<float> back(n + 1, 7.0f);
        ab::widen(out.data(), back.data(), n);
        for (std::size_t i = 0; i <= n; ++i)
            CHECK(back[i] == (i < n ? 1.5f : 7.0f));
    }
}

#if defined(ALPHABAR_HAS_FLOAT16)
TEST_CASE("the compiler's own _Float16 agrees")
{
    std::size_t wrong = 0;
    for (float const x : boundaries<_Float16>())
        if (!std::isnan(x))
            wrong += ab::narrow<_Float16>(x) != static_cast<_Float16>(x);
    CHECK(wrong == 0);
}
#endif

TEST_CASE("the float exponential")
{
    double worst = 0;
    for (double v = -87.0; v < 88.7; v += 0.00137) {
        auto const f = static_cast<float>(v);
        double const exact = std::exp(static_cast<double>(f));
        worst = std::max(worst, std::fabs(static_cast<double>(ab::exp_of(f)) / exact - 1));
    }
    CHECK(worst < 8.2e-8);
    for (double v = -110.0; v < -87.0; v += 0.00137) { // subnormal: in units of their last place
        double const exact = std::exp(static_cast<double>(static_cast<float>(v)));
        CHECK(std::fabs(static_cast<double>(ab::exp_of(static_cast<float>(v))) - exact) <=
              0.76 * 1.4012984643248171e-45);
    }
    static_assert(ab::exp_of(0.0f) == 1.0f);
    CHECK(ab::exp_of(-104.5f) == 0.0f);
    CHECK(ab::exp_of(-std::numeric_limits<float>::infinity()) == 0.0f);
    for (float const x : {88.73f, 200.0f, 3e38f, std::numeric_limits<float>::infinity()})
        CHECK(std::isinf(ab::exp_of(x)));
    CHECK(std::isnan(ab::exp_of(std::numeric_limits<float>::quiet_NaN())));
    CHECK(std::isnan(ab::exp_of(-std::numeric_limits<float>::quiet_NaN())));
}

TEST_CASE_TEMPLATE("clamped: the nearest number of the range, with the sign; NaN passes", T, float, double)
{
    using ab::detail::clamped;
    T const infinity = std::numeric_limits<T>::infinity(), nan = std::numeric_limits<T>::quiet_NaN();
    for (T const bound : {T(0), T(0.5), T(3), infinity})
        for (T const x : {T(0), T(0.25), T(0.5), T(1), infinity})
            for (T const s : {T(1), T(-1)}) {
                CHECK(clamped(s * x, bound) == s * std::min(x, bound));
                CHECK(std::signbit(clamped(s * x, bound)) == (s < 0));
            }
    CHECK(std::isnan(clamped(nan, T(1))));
    CHECK(ab::detail::selected(true, T(1), nan) == T(1));
    CHECK(ab::detail::selected(false, nan, T(-2)) == T(-2));
}

namespace {

/// Two results, one of them by a choice.
struct two_results {
    template <class A, class B>
    constexpr auto operator()(A a, B b) const
    {
        using C = decltype(a + b);
        C const u = C(0.75) * a + C(1.5) * b;
        return std::array<C, 2>{u, u < C(0.1) ? C(0.1) : u};
    }
};

/// What the loops of every kind write, against one element after the other.
template <class A, class B, class P, class Q>
void compare_loops()
{
    for (std::size_t n : {0u, 1u, 3u, 4u, 7u, 8u, 15u, 16u, 31u, 64u, 100u, 163u}) {
        std::vector<A> a(n);
        std::vector<B> b(n);
        for (std::size_t i = 0; i < n; ++i) {
            a[i] = ab::narrow<A>(static_cast<ab::compute_t<A>>(std::sin(0.3 * static_cast<double>(i))));
            b[i] = ab::narrow<B>(static_cast<ab::compute_t<B>>(std::cos(0.7 * static_cast<double>(i))));
        }
        std::vector<P> p(n + 1), plain_p(n + 1);
        std::vector<Q> q(n + 1), plain_q(n + 1);
        ab::detail::apply(two_results{}, std::tuple(p.data(), q.data()), n, a.data(), b.data());
        ab::detail::apply_plain(two_results{}, std::tuple(plain_p.data(), plain_q.data()), n, a.data(), b.data());
        CHECK(std::memcmp(p.data(), plain_p.data(), (n + 1) * sizeof(P)) == 0);
        CHECK(std::memcmp(q.data(), plain_q.data(), (n + 1) * sizeof(Q)) == 0);
        for (std::size_t i = 0; i < n; ++i) {
            auto const both = two_results{}(ab::widen(a[i]), ab::widen(b[i]));
            P const first = ab::narrow<P>(static_cast<ab::compute_t<P>>(both[0]));
            Q const second = ab::narrow<Q>(static_cast<ab::compute_t<Q>>(both[1]));
            CHECK(std::memcmp(&p[i], &first, sizeof(P)) == 0);
            CHECK(std::memcmp(&q[i], &second, sizeof(Q)) == 0);
        }
    }
}

} // namespace

TEST_CASE("loops with AVX2 and without have the bits of their elements")
{
    compare_loops<float, float, float, float>();
    compare_loops<double, double, double, double>();
    compare_loops<float, double, double, double>();
    compare_loops<half, float, half, float>();
    compare_loops<brain, half, float, brain>();
    compare_loops<half, double, double, double>();
}
