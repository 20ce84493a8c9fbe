// SPDX-License-Identifier: MIT
#include <alphabar/core/element.hpp>

#include <doctest/doctest.h>

#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
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
