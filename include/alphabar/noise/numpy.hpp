// SPDX-License-Identifier: MIT
// The random numbers of NumPy: SeedSequence, the bit generators, Generator, and the legacy RandomState.
#pragma once

#include <alphabar/core/double_double.hpp>
#include <alphabar/core/error.hpp>
#include <alphabar/noise/counter_engines.hpp>
#include <alphabar/noise/drawn_noise.hpp>
#include <alphabar/noise/mersenne_twister.hpp>

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <random>
#include <span>
#include <type_traits>
#include <utility>
#include <vector>

namespace alphabar::numpy {

/// numpy.random.SeedSequence: O'Neill's randutils mixer (2015) of any number of 32-bit words.
class seed_sequence {
public:
    /// SeedSequence(seed).
    explicit seed_sequence(std::uint64_t seed)
        : seed_sequence(std::array{static_cast<std::uint32_t>(seed), static_cast<std::uint32_t>(seed >> 32)})
    {
    }
    /// SeedSequence of a list of words, or of one integer of any size, the lowest word first; leading zeros of an
    /// integer of at most 128 bits make no difference.
    explicit seed_sequence(std::span<std::uint32_t const> entropy) : entropy_(entropy.begin(), entropy.end())
    {
        std::uint32_t constant = 0x43b0d7e5;
        auto const hashed = [&](std::uint32_t x) {
            x ^= constant;
            constant *= 0x931e8875;
            x *= constant;
            return x ^ x >> 16;
        };
        auto const stir = [&](std::uint32_t& into, std::uint32_t x) {
            into = 0xca01f9dd * into - 0x4973f715 * hashed(x);
            into ^= into >> 16;
        };
        for (std::size_t i = 0; i < pool_.size(); ++i)
            pool_[i] = hashed(i < entropy.size() ? entropy[i] : 0);
        for (std::size_t from = 0; from < pool_.size(); ++from)
            for (std::size_t to = 0; to < pool_.size(); ++to)
                if (from != to)
                    stir(pool_[to], pool_[from]);
        for (std::size_t i = pool_.size(); i < entropy.size(); ++i)
            for (std::uint32_t& word : pool_)
                stir(word, entropy[i]);
    }

    /// spawn(...)[number].
    seed_sequence child(std::uint32_t number) const
    {
        std::vector<std::uint32_t> entropy = entropy_;
        entropy.resize(std::max(entropy.size(), pool_.size()));
        entropy.push_back(number);
        return seed_sequence(entropy);
    }

    /// generate_state(n, numpy.uint32).
    std::vector<std::uint32_t> generate_state(std::size_t n) const
    {
        std::vector<std::uint32_t> state(n);
        std::uint32_t constant = 0x8b51f9dd;
        for (std::size_t i = 0; i < n; ++i) {
            std::uint32_t x = pool_[i % pool_.size()] ^ constant;
            constant *= 0x58f38ded;
            x *= constant;
            state[i] = x ^ x >> 16;
        }
        return state;
    }
    /// generate_state(N, numpy.uint64).
    template <std::size_t N>
    std::array<std::uint64_t, N> words_64() const
    {
        auto const halves = generate_state(2 * N);
        std::array<std::uint64_t, N> words;
        for (std::size_t i = 0; i < N; ++i)
            words[i] = halves[2 * i] | std::uint64_t{halves[2 * i + 1]} << 32;
        return words;
    }

private:
    std::vector<std::uint32_t> entropy_;
    std::array<std::uint32_t, 4> pool_{};
};

/// PCG64: O'Neill 2014, "PCG: a family of simple fast space-efficient statistically good algorithms for random number
/// generation", XSL-RR 128/64; or PCG64DXSM, with another output and a multiplier of 64 bits.
template <bool Dxsm>
class pcg {
public:
    explicit pcg(seed_sequence const& seed)
    {
        auto const s = seed.words_64<4>();
        state_ = increment_ = {s[2] << 1 | s[3] >> 63, s[3] << 1 | 1};
        add({s[0], s[1]});
        advance(long_multiplier); // NumPy seeds both in the same way
    }
    std::uint64_t operator()()
    {
        if constexpr (Dxsm) {
            std::uint64_t const low = state_.low | 1;
            std::uint64_t high = state_.high ^ state_.high >> 32;
            high *= multiplier.low;
            high ^= high >> 48;
            advance();
            return high * low;
        } else {
            advance();
            return std::rotr(state_.high ^ state_.low, static_cast<int>(state_.high >> 58));
        }
    }

private:
    using number = detail::whole_product<std::uint64_t>;
    static constexpr number long_multiplier{0x2360ed051fc65da4, 0x4385df649fccf645},
        multiplier = Dxsm ? number{0, 0xda942042e4dd58b5} : long_multiplier;

    void add(number x)
    {
        state_.low += x.low;
        state_.high += x.high + (state_.low < x.low);
    }
    void advance(number factor = multiplier)
    {
        std::uint64_t const upper = state_.high * factor.low + state_.low * factor.high;
        state_ = detail::multiply(state_.low, factor.low);
        state_.high += upper;
        add(increment_);
    }
    number state_{}, increment_{};
};
using pcg64 = pcg<false>;
using pcg64_dxsm = pcg<true>;

/// Philox: Philox4x64-10; the counter is raised before each block.
class philox {
public:
    explicit philox(seed_sequence const& seed) : key_(seed.words_64<2>()) {}
    /// Philox(key=..., counter=...): integers, the lowest word first.
    explicit philox(std::array<std::uint64_t, 2> key, std::array<std::uint64_t, 4> counter = {})
        : key_(key), counter_(counter)
    {
    }
    std::uint64_t operator()()
    {
        if (used_ == 4) {
            for (std::uint64_t& digit : counter_)
                if (++digit != 0)
                    break;
            block_ = alphabar::philox<std::uint64_t, 4>(counter_, key_);
            used_ = 0;
        }
        return block_[used_++];
    }
    std::array<std::uint64_t, 2> const& key() const { return key_; }
    std::array<std::uint64_t, 4> const& counter() const { return counter_; }

private:
    std::array<std::uint64_t, 2> key_;
    std::array<std::uint64_t, 4> counter_{}, block_{};
    std::size_t used_ = 4;
};

/// SFC64: Doty-Humphrey's small fast counting generator (PractRand).
class sfc64 {
public:
    explicit sfc64(seed_sequence const& seed)
    {
        auto const s = seed.words_64<3>();
        state_ = {s[0], s[1], s[2], 1};
        for (int i = 0; i < 12; ++i)
            (*this)();
    }
    std::uint64_t operator()()
    {
        auto& [a, b, c, count] = state_;
        std::uint64_t const result = a + b + count++;
        a = b ^ b >> 11;
        b = c + (c << 3);
        c = std::rotl(c, 24) + result;
        return result;
    }

private:
    std::array<std::uint64_t, 4> state_{};
};

/// MT19937 of a SeedSequence. NumPy starts it at the last word of the state, so that one word comes before
/// std::mt19937's.
class mt19937 {
public:
    explicit mt19937(seed_sequence const& seed)
    {
        detail::twister_state s;
        std::ranges::copy(seed.generate_state(s.words.size()), s.words.begin());
        s.words[0] = 0x80000000;
        engine_.seed(s);
        std::uint32_t y = s.words.back();
        y ^= y >> 11;
        y ^= y << 7 & 0x9d2c5680;
        y ^= y << 15 & 0xefc60000;
        first_ = y ^ y >> 18;
    }
    std::uint32_t word_32()
    {
        return first_ ? *std::exchange(first_, std::nullopt) : static_cast<std::uint32_t>(engine_());
    }
    double unit()
    {
        double const a = word_32() >> 5, b = word_32() >> 6;
        return (a * 0x1p26 + b) * 0x1p-53;
    }
    std::uint64_t operator()()
    {
        std::uint64_t const high = word_32();
        return high << 32 | word_32();
    }

private:
    std::mt19937 engine_;
    std::optional<std::uint32_t> first_;
};

} // namespace alphabar::numpy

namespace alphabar::detail {

/// The 256 layers of NumPy's ziggurat for the normal distribution, for distances of `Bits` random bits: Marsaglia and
/// Tsang, "The ziggurat method for generating random variables" (2000). All layers have the area v; the lowest one
/// holds the tail beyond r. The recursion runs in double, as the one behind NumPy's printed tables did, and gives them
/// bit by bit.
template <class T, class Word, int Bits>
struct ziggurat {
    static constexpr double r = 3.6541528853610088, v = 0.004928673233974652;
    std::array<Word, 256> inside{}; ///< below it the point lies inside the next layer
    std::array<T, 256> width{}, height{};

    ziggurat()
    {
        auto const put = [&](std::size_t i, double x, double inner, double density) {
            width[i] = static_cast<T>(x * power_of_two(-Bits));
            inside[i] = static_cast<Word>(std::nearbyint(inner * power_of_two(Bits)));
            height[i] = static_cast<T>(density);
        };
        auto const density_at = [](double x) { return static_cast<double>(exp(double_double(-0.5 * x * x))); };
        double x = r, density = density_at(r);
        put(0, v / density, r * density / v, 1);
        for (std::size_t i = 255; i > 1; --i) {
            double const above = std::sqrt(-2 * static_cast<double>(log(double_double(v / x + density))));
            put(i, x, above / x, density);
            x = above, density = density_at(x);
            if (i == 39) // this one entry of the printed table is a rounding too large, and with it what follows
                density = std::nextafter(density, 1.0);
        }
        put(1, x, 0, density);
    }
};

} // namespace alphabar::detail

namespace alphabar::numpy {

/// numpy.random.Generator over a bit generator, bit by bit as NumPy 2.4 draws; the tail of the normals (1 in 4000) as
/// far as the C library's log1p is the same.
template <class Engine = pcg64>
class generator {
public:
    explicit generator(Engine engine) : engine_(std::move(engine)) {}
    /// default_rng(seed), with PCG64.
    explicit generator(std::uint64_t seed) : engine_(seed_sequence(seed)) {}

    /// random(dtype): uniform in [0, 1).
    template <std::floating_point T>
    void random(std::span<T> out)
    {
        for (T& x : out)
            x = unit<T>();
    }
    /// standard_normal(dtype): float and double come from different random bits.
    template <std::floating_point T>
    void standard_normal(std::span<T> out)
    {
        for (T& x : out)
            x = normal<T>();
    }
    template <std::floating_point T>
    void randn(std::span<T> out)
    {
        standard_normal(out);
    }
    /// integers(low, high): in [low, high). Lemire, "Fast random integer generation in an interval" (2019). Throws
    /// std::invalid_argument where low >= high.
    void integers(std::span<std::int64_t> out, std::int64_t low, std::int64_t high)
    {
        alphabar::detail::integer_range const range("numpy::generator::integers", low, high);
        for (std::int64_t& x : out)
            x = range[range.last == 0 ? 0
                      : range.last <= 0xffffffff
                          ? below_or_at(static_cast<std::uint32_t>(range.last), [&] { return word_32(); })
                          : below_or_at(range.last, [&] { return word_64(); })];
    }
    std::uint64_t word_64() { return engine_(); }
    /// Half a word of 64 bits, the lower one first; the other is kept.
    std::uint32_t word_32()
    {
        if constexpr (requires { engine_.word_32(); })
            return engine_.word_32();
        if (half_)
            return *std::exchange(half_, std::nullopt);
        std::uint64_t const word = engine_();
        half_ = static_cast<std::uint32_t>(word >> 32);
        return static_cast<std::uint32_t>(word);
    }

private:
    template <class T>
    T unit()
    {
        if constexpr (std::is_same_v<T, float>)
            return static_cast<float>(word_32() >> 8) * 0x1p-24f;
        else if constexpr (requires { engine_.unit(); })
            return engine_.unit();
        else
            return static_cast<double>(word_64() >> 11) * 0x1p-53;
    }

    template <class Word, class Draw>
    static Word below_or_at(Word last, Draw const& draw)
    {
        Word const n = last + 1;
        if (n == 0)
            return draw();
        for (Word const rejected = (0 - n) % n;;) {
            auto const product = detail::multiply(draw(), n);
            if (product.low >= rejected)
                return product.high;
        }
    }

    template <class T>
    T normal()
    {
        constexpr bool single = std::is_same_v<T, float>;
        using word = std::conditional_t<single, std::uint32_t, std::uint64_t>;
        constexpr int bits = single ? 23 : 52;
        static detail::ziggurat<T, word, bits> const layers;
        for (;;) {
            word drawn;
            if constexpr (single)
                drawn = word_32();
            else
                drawn = word_64();
            std::size_t const i = drawn & 0xff;
            word const distance = drawn >> 9 & ((word{1} << bits) - 1);
            T const x = static_cast<T>(distance) * layers.width[i], signed_x = drawn & 0x100 ? -x : x;
            if (distance < layers.inside[i])
                return signed_x;
            if (i == 0) {
                constexpr T r = static_cast<T>(3.6541528853610088);
                for (;;) {
                    T const beyond = -(1 / r) * std::log1p(-unit<T>()), other = -std::log1p(-unit<T>());
                    if (other + other > beyond * beyond)
                        return distance & 0x100 ? -(r + beyond) : r + beyond;
                }
            }
            T const y = (layers.height[i - 1] - layers.height[i]) * unit<T>() + layers.height[i];
            if (y < std::exp(-0.5 * x * x))
                return signed_x;
        }
    }

    Engine engine_;
    std::optional<std::uint32_t> half_;
};

/// numpy.random.RandomState: the legacy generator, MT19937 with Marsaglia's polar method; numpy.random.seed and .randn
/// are one of these. Bits: NumPy's, but that log is the C library's.
class random_state {
public:
    explicit random_state(std::uint32_t seed) : engine_(seed) {}
    /// RandomState of a list of integers. Throws std::invalid_argument where it is empty.
    explicit random_state(std::span<std::uint32_t const> seeds) : engine_(checked(seeds)) {}

    std::uint32_t word() { return static_cast<std::uint32_t>(engine_()); }
    /// random_sample(): uniform in [0, 1).
    void random_sample(std::span<double> out)
    {
        for (double& x : out)
            x = detail::twister_double(engine_);
    }
    /// randn() or standard_normal(); in float the doubles are rounded, as .astype(float32) does it.
    template <std::floating_point T>
    void randn(std::span<T> out)
    {
        for (T& x : out)
            x = static_cast<T>(kept_ ? *std::exchange(kept_, std::nullopt) : polar());
    }
    /// randint(low, high): in [low, high). Throws std::invalid_argument where low >= high.
    void randint(std::span<std::int64_t> out, std::int64_t low, std::int64_t high)
    {
        alphabar::detail::integer_range const range("numpy::random_state::randint", low, high);
        std::uint64_t const last = range.last;
        std::uint64_t const mask = last == 0 ? 0 : ~std::uint64_t{0} >> std::countl_zero(last);
        for (std::int64_t& x : out) {
            std::uint64_t drawn = 0;
            if (last > 0)
                do {
                    drawn = word();
                    if (last > 0xffffffff)
                        drawn = drawn << 32 | word();
                    drawn &= mask;
                } while (drawn > last);
            x = range[drawn];
        }
    }

private:
    static std::mt19937 checked(std::span<std::uint32_t const> seeds)
    {
        require(!seeds.empty(), "numpy::random_state", "the number of seeds", 0, "there must be at least one");
        return detail::twister_by_array(seeds);
    }
    double polar()
    {
        for (;;) {
            double const x = 2 * detail::twister_double(engine_) - 1, y = 2 * detail::twister_double(engine_) - 1;
            double const square = detail::product_of(x, x) + detail::product_of(y, y); // not fused
            if (square >= 1 || square == 0)
                continue;
            double const radius = std::sqrt(-2 * std::log(square) / square);
            kept_ = radius * x;
            return radius * y;
        }
    }
    std::mt19937 engine_;
    std::optional<double> kept_;
};

} // namespace alphabar::numpy

namespace alphabar {

/// numpy.random.default_rng(seed).standard_normal(shape, dtype=float32), draw after draw.
using numpy_noise = drawn_noise<numpy::generator<>>;
/// numpy.random.RandomState(seed).randn(*shape).astype(float32), draw after draw.
using numpy_legacy_noise = drawn_noise<numpy::random_state>;

} // namespace alphabar
