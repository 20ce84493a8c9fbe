// SPDX-License-Identifier: MIT
// The random numbers of PyTorch on a CPU.
#pragma once

#include <alphabar/core/element.hpp>
#include <alphabar/core/error.hpp>
#include <alphabar/noise/drawn_noise.hpp>
#include <alphabar/noise/normals.hpp>

#include <array>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <numbers>
#include <numeric>
#include <optional>
#include <random>
#include <span>
#include <type_traits>
#include <utility>
#include <vector>

namespace alphabar {

namespace detail {

// log, sine and cosine of Moshier's Cephes library (single precision), in the order of operations of torch's build with
// vectors and FMA. Every product that is not fused stands alone, so that no compiler can fuse it.

/// ln x, x in [2^-24, 1].
ALPHABAR_INLINE float torch_log(float x)
{
    std::uint32_t const bits = std::bit_cast<std::uint32_t>(x);
    float m = std::bit_cast<float>((bits & 0x007fffffu) | 0x3f000000u); // x = m 2^e
    bool const small = m < 0.707106781186547524f;
    float const e = static_cast<float>(static_cast<int>(bits >> 23) - (small ? 127 : 126));
    m = (m - 1) + (small ? m : 0);
    float p = 7.0376836292e-2f;
    for (float c : {-1.1514610310e-1f, 1.1676998740e-1f, -1.2420140846e-1f, 1.4249322787e-1f, -1.6668057665e-1f,
                    2.0000714765e-1f, -2.4999993993e-1f, 3.3333331174e-1f})
        p = std::fma(p, m, c);
    float const square = m * m;
    p = std::fma(p * m, square, e * -2.12194440e-4f);
    p = std::fma(square, -0.5f, p);
    return std::fma(e, 0.693359375f, m + p);
}

/// sin x and cos x, x in [0, 2 pi].
ALPHABAR_INLINE void torch_sin_cos(float x, float& sine, float& cosine)
{
    int const octant = (static_cast<int>(x * 1.27323954473516f) + 1) & ~1;
    for (float c : {-0.78515625f, -2.4187564849853515625e-4f, -3.77489497744594108e-8f}) // pi / 4 in three parts
        x = std::fma(static_cast<float>(octant), c, x);
    float const z = x * x;
    float c = std::fma(2.443315711809948e-5f, z, -1.388731625493765e-3f);
    c = std::fma(c, z, 4.166664568298827e-2f);
    c = std::fma(c * z, z, z * -0.5f) + 1;
    float s = std::fma(-1.9515295891e-4f, z, 8.3321608736e-3f);
    s = std::fma(s, z, -1.6666654611e-1f);
    s = std::fma(s * z, x, x);
    bool const swapped = octant & 2;
    sine = (octant & 4 ? -1.0f : 1.0f) * (swapped ? c : s);
    cosine = ((octant + 2) & 4 ? -1.0f : 1.0f) * (swapped ? s : c);
}

inline constexpr std::size_t torch_block_size = 16;

/// Box-Muller in place of 16 uniforms: element j pairs with j + 8.
template <class C>
ALPHABAR_INLINE void torch_block(std::array<C, torch_block_size>& d, C mean, C deviation)
{
    for (std::size_t j = 0; j < 8; ++j) {
        C const angle = 2 * std::numbers::pi_v<C> * d[j + 8];
        C log, sine, cosine;
        if constexpr (std::is_same_v<C, float>)
            log = torch_log(1 - d[j]), torch_sin_cos(angle, sine, cosine);
        else
            log = std::log(1 - d[j]), sine = std::sin(angle), cosine = std::cos(angle);
        C const radius = std::sqrt(-2 * log);
        d[j] = std::fma(radius * cosine, deviation, mean);
        d[j + 8] = std::fma(radius * sine, deviation, mean);
    }
}

#if defined(ALPHABAR_X86_DISPATCH)
/// The same bits, without a function call for each fused operation.
__attribute__((target("avx2,fma"))) inline void torch_block_fma(std::array<float, torch_block_size>& d, float mean,
                                                                float deviation)
{
    torch_block(d, mean, deviation);
}
#endif

inline void torch_normals(std::array<double, torch_block_size>& d, double mean, double deviation)
{
    torch_block(d, mean, deviation);
}
inline void torch_normals(std::array<float, torch_block_size>& d, float mean, float deviation)
{
#if defined(ALPHABAR_X86_DISPATCH)
    if (best_isa() != isa::plain)
        return torch_block_fma(d, mean, deviation);
#endif
    torch_block(d, mean, deviation);
}

} // namespace detail

/// torch.Generator("cpu").manual_seed(seed) and what torch draws from it (checked with torch 2.13): MT19937, of whose
/// seed torch uses the low 32 bits. Element types: float, double and 16-bit ones. Each function is torch's of the same
/// name with `out` as a new contiguous tensor; the elements come in memory order.
///
/// Bits: equal to torch's. Where torch itself differs between its builds, with float and 16-bit normals of 16 elements
/// and more, they are those of x86 processors with AVX2; and normals in double follow the C library's log, sin and cos.
class torch_cpu_generator {
public:
    explicit torch_cpu_generator(std::uint64_t seed) { manual_seed(seed); }
    void manual_seed(std::uint64_t seed)
    {
        engine_.seed(static_cast<std::uint32_t>(seed));
        kept_.reset();
    }

    /// Uniform in [0, 1).
    template <class T>
    void rand(std::span<T> out)
    {
        for (T& x : out) {
            auto const u = uniform<compute_t<T>>();
            x = narrow<T>(u);
            if (sizeof(T) == 2 && widen(x) == 1) // rounded up
                x = narrow<T>(0);
        }
    }

    template <class T>
    void randn(std::span<T> out)
    {
        normal(out, 0, 1);
    }

    /// mean + deviation z. Below 16 elements Box-Muller one by one; from 16 on in blocks of 16, the last one drawn
    /// afresh over the last 16 places where their number is not a multiple of 16.
    template <class T>
    void normal(std::span<T> out, double mean, double deviation)
    {
        std::size_t const n = out.size();
        if (n < block)
            return normal_one_by_one(out, mean, deviation);
        using C = compute_t<T>;
        std::array<C, block> d{};
        if constexpr (std::is_same_v<C, T>) // all uniforms come first
            for (T& x : out)
                x = uniform<T>();
        for (std::size_t i = 0; i < n; i += block) {
            bool const fresh = i + block > n;
            std::size_t const at = fresh ? n - block : i;
            for (std::size_t j = 0; j < block; ++j)
                if constexpr (std::is_same_v<C, T>)
                    d[j] = fresh ? uniform<C>() : out[at + j];
                else
                    d[j] = uniform<C>();
            detail::torch_normals(d, static_cast<C>(mean), static_cast<C>(deviation));
            for (std::size_t j = 0; j < block; ++j)
                out[at + j] = narrow<T>(d[j]);
        }
    }

    /// What torch does below 16 elements, and to any number of them in a tensor that is not contiguous: in double, each
    /// pair of uniforms gives two normals, of which the second is kept for the next such call.
    template <class T>
    void normal_one_by_one(std::span<T> out, double mean, double deviation)
    {
        for (T& x : out) {
            double z;
            if (kept_) {
                z = *std::exchange(kept_, std::nullopt);
            } else {
                double const angle = 2 * std::numbers::pi * uniform<double>();
                double const radius = std::sqrt(-2 * std::log1p(-uniform<double>()));
                z = radius * std::cos(angle);
                kept_ = radius * std::sin(angle);
            }
            x = narrow<T>(static_cast<compute_t<T>>(z * deviation + mean));
        }
    }

    /// Integers in [low, high). Throws std::invalid_argument where low >= high.
    void randint(std::span<std::int64_t> out, std::int64_t low, std::int64_t high)
    {
        detail::integer_range const range("torch_cpu_generator::randint", low, high);
        std::uint64_t const n = range.last + 1;
        for (std::int64_t& x : out)
            x = range[(n < std::uint64_t{1} << 28 ? engine_() : word_64()) % n];
    }

    /// 0 .. n - 1 in random order. Throws std::invalid_argument where n is above 2^32 / 20 (torch's other rule is not
    /// here).
    std::vector<std::int64_t> randperm(std::size_t n)
    {
        require(n <= 0xffffffffu / 20, "torch_cpu_generator::randperm", "n", n, "it must be at most 214748364");
        std::vector<std::int64_t> order(n);
        std::iota(order.begin(), order.end(), std::int64_t{0});
        for (std::size_t i = 0; i + 1 < n; ++i)
            std::swap(order[i], order[i + engine_() % (n - i)]);
        return order;
    }

    /// torch's out.bernoulli_(p): 1 with probability p, else 0. Throws std::invalid_argument where p is outside [0, 1].
    template <class T>
    void bernoulli(std::span<T> out, double p)
    {
        require(p >= 0 && p <= 1, "torch_cpu_generator::bernoulli", "p", p, "it must lie in [0, 1]");
        for (T& x : out)
            x = narrow<T>(uniform<double>() < p ? 1 : 0);
    }

    /// torch's out.exponential_(rate): -log(1 - u) / rate. Throws std::invalid_argument where rate <= 0.
    template <class T>
    void exponential(std::span<T> out, double rate)
    {
        require(rate > 0, "torch_cpu_generator::exponential", "rate", rate, "it must be positive");
        for (T& x : out)
            x = narrow<T>(static_cast<compute_t<T>>(-std::log1p(-uniform<double>()) / rate));
    }

private:
    static constexpr std::size_t block = detail::torch_block_size;

    std::uint64_t word_64()
    {
        std::uint64_t const high = engine_();
        return high << 32 | engine_();
    }

    template <class C>
    C uniform()
    {
        if constexpr (std::is_same_v<C, double>)
            return static_cast<double>(word_64() & ((std::uint64_t{1} << 53) - 1)) * 0x1p-53;
        else
            return static_cast<float>(engine_() & ((1u << 24) - 1)) * 0x1p-24f;
    }

    std::mt19937 engine_;
    std::optional<double> kept_;
};

/// torch.randn(shape, generator=torch.Generator("cpu").manual_seed(seed)), draw after draw.
using torch_cpu_noise = drawn_noise<torch_cpu_generator>;

} // namespace alphabar
