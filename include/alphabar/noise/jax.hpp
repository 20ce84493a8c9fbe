// SPDX-License-Identifier: MIT
// The random numbers of JAX: jax.random with the default implementation, threefry2x32.
#pragma once

#include <alphabar/core/element.hpp>
#include <alphabar/core/error.hpp>
#include <alphabar/noise/counter_engines.hpp>
#include <alphabar/noise/drawn_noise.hpp>

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <numbers>
#include <numeric>
#include <span>
#include <type_traits>
#include <utility>
#include <vector>

namespace alphabar::detail {

/// The inverse of erf on (-1, 1): Giles, "Approximating the erfinv function" (GPU Computing Gems 2, 2010), in float; in
/// double steps of Halley's method follow. +-1 give +-infinity.
template <std::floating_point T>
T erf_inv(T u)
{
    auto const polynomial = [](auto const& coefficients, T w) {
        T p = 0;
        for (float c : coefficients)
            p = p * w + static_cast<T>(c);
        return p;
    };
    constexpr float centre[] = {2.81022636e-08f, 3.43273939e-07f, -3.5233877e-06f, -4.39150654e-06f, 0.00021858087f,
                                -0.00125372503f, -0.00417768164f, 0.246640727f,    1.50140941f},
                    tail[] = {-0.000200214257f, 0.000100950558f, 0.00134934322f, -0.00367342844f, 0.00573950773f,
                              -0.0076224613f,   0.00943887047f,  1.00167406f,    2.83297682f};
    T const magnitude = std::abs(u);
    if (magnitude == 1)
        return u * std::numeric_limits<T>::infinity();
    T const w = -std::log1p(-u * u);
    T x = magnitude * (w < 5 ? polynomial(centre, w - T(2.5)) : polynomial(tail, std::sqrt(w) - 3));
    if constexpr (std::is_same_v<T, double>) {
        if (w > 10) { // erfc(x) is about exp(-x^2) / (x sqrt(pi))
            double const l = -std::log1p(-magnitude);
            x = std::sqrt(l - std::log(std::numbers::pi * l) / 2);
        }
        for (int i = 0; i < 3; ++i) {
            double const error = magnitude < 0.5 ? std::erf(x) - magnitude : (1 - magnitude) - std::erfc(x);
            double const step = error / (2 * std::numbers::inv_sqrtpi * std::exp(-x * x));
            x -= step / (1 + x * step);
        }
    }
    return std::copysign(x, u);
}

} // namespace alphabar::detail

namespace alphabar::jax {

/// jax.random.key(seed). `partitionable` is JAX's jax_threefry_partitionable, true by default since JAX 0.5: which
/// words an array is made of; keys made of this one inherit it. Arrays are given flat, in row-major order.
struct key {
    std::array<std::uint32_t, 2> words{};
    bool partitionable = true;

    key() = default;
    explicit key(std::uint64_t seed, bool is_partitionable = true)
        : words{static_cast<std::uint32_t>(seed >> 32), static_cast<std::uint32_t>(seed)},
          partitionable(is_partitionable)
    {
    }
    key(std::array<std::uint32_t, 2> w, bool is_partitionable) : words(w), partitionable(is_partitionable) {}

    /// The two words of a counter.
    std::array<std::uint32_t, 2> block(std::uint32_t high, std::uint32_t low) const
    {
        return threefry<std::uint32_t, 2>({high, low}, words);
    }
    friend bool operator==(key const&, key const&) = default;
};

namespace detail {

/// Word i of the n words that the layout before `partitionable` makes: counters i and i + n/2 (rounded up) share a
/// block.
inline std::uint32_t word_of(key const& k, std::size_t i, std::size_t n)
{
    std::size_t const half = (n + 1) / 2, first = i % half, second = first + half;
    return k.block(static_cast<std::uint32_t>(first), static_cast<std::uint32_t>(second < n ? second : 0))[i / half];
}

} // namespace detail

/// bits(k, (n,), dtype)[i] for unsigned integers of 8 to 64 bits.
template <std::unsigned_integral Word>
Word bits(key const& k, std::size_t i, std::size_t n)
{
    if (k.partitionable) {
        auto const [high, low] =
            k.block(static_cast<std::uint32_t>(std::uint64_t{i} >> 32), static_cast<std::uint32_t>(i));
        if constexpr (sizeof(Word) == 8)
            return std::uint64_t{high} << 32 | low;
        else
            return static_cast<Word>(high ^ low);
    }
    if constexpr (sizeof(Word) == 8) {
        return std::uint64_t{detail::word_of(k, i, 2 * n)} << 32 | detail::word_of(k, n + i, 2 * n);
    } else {
        constexpr std::size_t in_word = 4 / sizeof(Word);
        return static_cast<Word>(detail::word_of(k, i / in_word, (n + in_word - 1) / in_word) >>
                                 (8 * sizeof(Word) * (i % in_word)));
    }
}

/// split(k, n).
inline std::vector<key> split(key const& k, std::size_t n = 2)
{
    std::vector<key> keys;
    for (std::size_t i = 0; i < n; ++i) {
        auto const index = static_cast<std::uint32_t>(i);
        keys.emplace_back(k.partitionable
                              ? k.block(0, index)
                              : std::array{detail::word_of(k, 2 * i, 2 * n), detail::word_of(k, 2 * i + 1, 2 * n)},
                          k.partitionable);
    }
    return keys;
}

/// fold_in(k, data).
inline key fold_in(key const& k, std::uint32_t data) { return {k.block(0, data), k.partitionable}; }

/// uniform(k, (n,), dtype, low, high): in [low, high), in float, double or 16-bit elements; every operation is rounded
/// to the element type, and bfloat16 has 7 random bits.
template <class T>
void uniform(key const& k, std::span<T> out, compute_t<T> low = 0, compute_t<T> high = 1)
{
    using C = compute_t<T>;
    constexpr bool is_bfloat16 = format_of<T> == element_format::bfloat16;
    using word = std::conditional_t<sizeof(T) == 8, std::uint64_t,
                                    std::conditional_t<sizeof(T) == 4, std::uint32_t,
                                                       std::conditional_t<is_bfloat16, std::uint8_t, std::uint16_t>>>;
    constexpr int mantissa = sizeof(T) == 8 ? 52 : sizeof(T) == 4 ? 23 : is_bfloat16 ? 7 : 10;
    auto const rounded = [](C x) { return widen(narrow<T>(x)); };
    C const unit = static_cast<C>(std::ldexp(1.0, -mantissa)), range = rounded(high - low);
    for (std::size_t i = 0; i < out.size(); ++i) {
        word const drawn = bits<word>(k, i, out.size());
        C const u = static_cast<C>(drawn >> (8 * static_cast<int>(sizeof(word)) - mantissa)) * unit;
        out[i] = narrow<T>(std::max(low, rounded(u * range) + low));
    }
}

/// normal(k, (n,), dtype): sqrt(2) erfinv(u), u uniform in (-1, 1). Bits: JAX's erfinv is another polynomial in double
/// and is fused in another way; float and double agree to 1e-6 and 1e-14.
template <class T>
void normal(key const& k, std::span<T> out)
{
    using C = compute_t<T>;
    C const epsilon = static_cast<C>(sizeof(T) == 8                             ? 0x1p-53
                                     : sizeof(T) == 4                           ? 0x1p-24
                                     : format_of<T> == element_format::bfloat16 ? 0x1p-8
                                                                                : 0x1p-11);
    uniform(k, out, epsilon - 1, C(1)); // from the number after -1
    C const root = widen(narrow<T>(std::numbers::sqrt2_v<C>));
    for (T& x : out)
        x = narrow<T>(root * widen(narrow<T>(alphabar::detail::erf_inv(widen(x)))));
}

/// randint(k, (n,), low, high, dtype): in [low, high), for signed integers of 32 or 64 bits. Throws
/// std::invalid_argument where low >= high.
template <std::signed_integral Int>
void randint(key const& k, std::span<Int> out, Int low, Int high)
{
    using word = std::make_unsigned_t<Int>;
    alphabar::detail::integer_range const range("jax::randint", low, high);
    word const number = static_cast<word>(range.last + 1);
    word factor = static_cast<word>((word{1} << 4 * sizeof(word)) % number);
    factor = static_cast<word>(factor * factor % number);
    auto const keys = split(k);
    for (std::size_t i = 0; i < out.size(); ++i) {
        word const upper = bits<word>(keys[0], i, out.size()) % number,
                   lower = bits<word>(keys[1], i, out.size()) % number;
        out[i] = static_cast<Int>(range[static_cast<word>(upper * factor + lower) % number]);
    }
}

/// bernoulli(k, p, (n,)): whether a uniform number is below p. P is float; double with JAX's 64-bit mode on. Throws
/// std::invalid_argument where p is outside [0, 1].
template <std::floating_point P>
std::vector<bool> bernoulli(key const& k, P p, std::size_t n)
{
    require(p >= 0 && p <= 1, "jax::bernoulli", "p", p, "it must lie in [0, 1]");
    std::vector<P> u(n);
    uniform(k, std::span<P>(u));
    std::vector<bool> result(n);
    std::transform(u.begin(), u.end(), result.begin(), [p](P x) { return x < p; });
    return result;
}

/// permutation(k, n): 0 .. n - 1, sorted by random words, in as many rounds as make equal words unlikely.
inline std::vector<std::int64_t> permutation(key k, std::size_t n)
{
    std::vector<std::int64_t> order(n);
    std::iota(order.begin(), order.end(), std::int64_t{0});
    auto const rounds = std::ceil(3 * std::log(std::max<double>(1, static_cast<double>(n))) / std::log(4294967295.0));
    for (int round = 0; round < static_cast<int>(rounds); ++round) {
        auto const keys = split(k);
        k = keys[0];
        std::vector<std::pair<std::uint32_t, std::int64_t>> sorted;
        for (std::size_t i = 0; i < n; ++i)
            sorted.emplace_back(bits<std::uint32_t>(keys[1], i, n), order[i]);
        std::ranges::stable_sort(sorted, {}, [](auto const& pair) { return pair.first; });
        std::ranges::transform(sorted, order.begin(), [](auto const& pair) { return pair.second; });
    }
    return order;
}

/// Normals of one key after another, as JAX programs make them:
///
///     by_split     key, subkey = split(key); normal(subkey)
///     by_fold_in   normal(fold_in(key, k)) for draw k = 0, 1, ...
class generator {
public:
    enum class order { by_split, by_fold_in };
    explicit generator(key k, order how = order::by_split) : key_(k), how_(how) {}
    explicit generator(std::uint64_t seed) : generator(key(seed)) {}
    template <class T>
    void randn(std::span<T> out)
    {
        if (how_ == order::by_fold_in)
            return normal(fold_in(key_, count_++), out);
        auto const keys = split(key_);
        key_ = keys[0];
        normal(keys[1], out);
    }

private:
    key key_;
    order how_;
    std::uint32_t count_ = 0;
};

} // namespace alphabar::jax

namespace alphabar {

/// jax.random.normal(key, shape) of one key after another.
using jax_noise = drawn_noise<jax::generator>;

} // namespace alphabar
