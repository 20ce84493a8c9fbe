// SPDX-License-Identifier: MIT
// Elements between memory and arithmetic: the 16-bit types are stored, formulas compute in float.
#pragma once

#include <alphabar/core/host_device.hpp>
#include <alphabar/core/tensor.hpp>

#include <bit>
#include <cmath>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <tuple>
#include <type_traits>
#include <utility>

/// Compiles a function for processors with AVX2 and F16C, but without FMA, so that no sum is contracted. Its callers
/// ask detail::has_avx2() first. Elsewhere it is not defined, and there are no such functions.
#if defined(__x86_64__) && (defined(__GNUC__) || defined(__clang__)) && !defined(__CUDACC__)
#define ALPHABAR_AVX2 __attribute__((target("avx2,f16c")))
#include <immintrin.h>
#endif

/// Defined where the compiler has _Float16 for this target.
#if defined(__FLT16_MANT_DIG__) && !defined(__CUDACC__) &&                                                             \
    (!defined(__clang__) || __clang_major__ >= 15 || defined(__AVX512FP16__) || defined(__aarch64__))
#define ALPHABAR_HAS_FLOAT16 1
#endif

/// Before a loop of at most 64 turns that vanishes: what it writes stays in registers.
#if defined(__GNUC__) && !defined(__CUDACC__)
#define ALPHABAR_UNROLL _Pragma("GCC unroll 64")
#else
#define ALPHABAR_UNROLL
#endif

#if defined(__GNUC__)
#define ALPHABAR_INLINE __attribute__((always_inline)) inline
/// The same, behind the parameters of a lambda.
#define ALPHABAR_INLINE_LAMBDA __attribute__((always_inline))
/// A function into which all that it calls is inlined: a loop is vectorised only when its formula is.
#define ALPHABAR_FLATTEN __attribute__((flatten))
#else
#define ALPHABAR_INLINE inline
#define ALPHABAR_INLINE_LAMBDA
#define ALPHABAR_FLATTEN
#endif

namespace alphabar {

/// How the bits of an element read: as the compiler's own number, as IEEE 754 binary16 or as bfloat16.
enum class element_format { native, binary16, bfloat16 };

/// The format of the element type T. A backend specialises it for its library's 16-bit types; any other type goes
/// through static_cast, element by element.
template <class T>
inline constexpr element_format format_of = element_format::native;
#if defined(ALPHABAR_HAS_FLOAT16)
template <>
inline constexpr element_format format_of<_Float16> = element_format::binary16;
#endif

namespace detail {

// Comparisons are of signed integers (bits without their sign), and there are no branches: vector units have nothing
// else.

/// All bits where a < b, else none.
ALPHABAR_HOST_DEVICE ALPHABAR_INLINE constexpr std::uint32_t less(std::uint32_t a, std::uint32_t b)
{
    return 0u - static_cast<std::uint32_t>(static_cast<std::int32_t>(a) < static_cast<std::int32_t>(b));
}

/// binary16 to binary32, exact; a NaN becomes quiet, as F16C does it.
ALPHABAR_HOST_DEVICE ALPHABAR_INLINE constexpr float from_binary16(std::uint16_t h)
{
    std::uint32_t const bits = h;
    std::uint32_t const magnitude = (bits & 0x7fffu) << 13;
    // 2^112 moves the exponent's bias; it makes the subnormals normal on the way.
    float const scaled = std::bit_cast<float>(magnitude) * 0x1p112f;
    std::uint32_t const special = less(0x0f7fffffu, magnitude) & 0x7f800000u;
    std::uint32_t const quiet = less(0x0f800000u, magnitude) & 0x00400000u;
    return std::bit_cast<float>(std::bit_cast<std::uint32_t>(scaled) | special | quiet | ((bits & 0x8000u) << 16));
}

/// binary32 to binary16, to nearest, ties to even; a NaN keeps its upper bits and becomes quiet, as F16C does it.
ALPHABAR_HOST_DEVICE ALPHABAR_INLINE constexpr std::uint16_t to_binary16(float x)
{
    std::uint32_t const bits = std::bit_cast<std::uint32_t>(x);
    std::uint32_t const u = bits & 0x7fffffffu;
    std::uint32_t const is_small = less(u, 0x38800000u), is_large = less(0x477fffffu, u), is_nan = less(0x7f800000u, u);
    // Below 2^-14 the sum with 0.5 rounds to a multiple of 2^-24.
    std::uint32_t const small = std::bit_cast<std::uint32_t>(std::bit_cast<float>(u & is_small) + 0.5f) - 0x3f000000u;
    std::uint32_t const normal = (u - 0x38000000u + 0xfffu + ((u >> 13) & 1u)) >> 13;
    std::uint32_t const large = 0x7c00u | (is_nan & (0x200u | ((u >> 13) & 0x3ffu)));
    std::uint32_t const magnitude = (small & is_small) | (large & is_large) | (normal & ~(is_small | is_large));
    return static_cast<std::uint16_t>(magnitude | ((bits >> 16) & 0x8000u));
}

ALPHABAR_HOST_DEVICE ALPHABAR_INLINE constexpr float from_bfloat16(std::uint16_t h)
{
    return std::bit_cast<float>(static_cast<std::uint32_t>(h) << 16);
}

/// binary32 to bfloat16, to nearest, ties to even; a NaN keeps its upper bits and becomes quiet.
ALPHABAR_HOST_DEVICE ALPHABAR_INLINE constexpr std::uint16_t to_bfloat16(float x)
{
    std::uint32_t const u = std::bit_cast<std::uint32_t>(x);
    std::uint32_t const is_nan = less(0x7f800000u, u & 0x7fffffffu);
    std::uint32_t const rounded = (u + 0x7fffu + ((u >> 16) & 1u)) >> 16;
    return static_cast<std::uint16_t>((rounded & ~is_nan) | (((u >> 16) | 0x40u) & is_nan));
}

// In formulas signs are set by bits, and a comparison chooses between numbers at hand, never between results: compilers
// make branches of everything else, and loops with branches are not vectorised.

template <class T>
using bits_of = std::conditional_t<sizeof(T) == 4, std::uint32_t, std::uint64_t>;

template <std::floating_point T>
ALPHABAR_HOST_DEVICE ALPHABAR_INLINE constexpr T magnitude(T x)
{
    using bits = bits_of<T>;
    return std::bit_cast<T>(static_cast<bits>(std::bit_cast<bits>(x) & (static_cast<bits>(-1) >> 1)));
}

/// x between -bound and bound, with x's sign; a NaN passes.
template <std::floating_point T>
ALPHABAR_HOST_DEVICE ALPHABAR_INLINE constexpr T clamped(T x, T bound)
{
    using bits = bits_of<T>;
    T const size = magnitude(x), inner = size > bound ? bound : size;
    bits const sign = static_cast<bits>(std::bit_cast<bits>(x) & ~(static_cast<bits>(-1) >> 1));
    return std::bit_cast<T>(static_cast<bits>(std::bit_cast<bits>(inner) | sign));
}

/// a or b, where both are results.
template <std::floating_point T>
ALPHABAR_HOST_DEVICE ALPHABAR_INLINE constexpr T selected(bool first, T a, T b)
{
    using bits = bits_of<T>;
    bits const mask = static_cast<bits>(0u - static_cast<bits>(first));
    return std::bit_cast<T>(static_cast<bits>((std::bit_cast<bits>(a) & mask) | (std::bit_cast<bits>(b) & ~mask)));
}

template <element_format Format>
ALPHABAR_HOST_DEVICE ALPHABAR_INLINE constexpr float widen_bits(std::uint16_t h)
{
    return Format == element_format::binary16 ? from_binary16(h) : from_bfloat16(h);
}
template <element_format Format>
ALPHABAR_HOST_DEVICE ALPHABAR_INLINE constexpr std::uint16_t narrow_bits(float x)
{
    return Format == element_format::binary16 ? to_binary16(x) : to_bfloat16(x);
}

} // namespace detail

/// One element, widened to the type in which formulas compute.
template <class T>
ALPHABAR_HOST_DEVICE constexpr compute_t<T> widen(T x)
{
    if constexpr (format_of<T> != element_format::native)
        return detail::widen_bits<format_of<T>>(std::bit_cast<std::uint16_t>(x));
    else
        return static_cast<compute_t<T>>(x);
}

/// A result, rounded once to the element type T.
template <class T>
ALPHABAR_HOST_DEVICE constexpr T narrow(compute_t<T> x)
{
    if constexpr (format_of<T> != element_format::native)
        return std::bit_cast<T>(detail::narrow_bits<format_of<T>>(x));
    else
        return static_cast<T>(x);
}

/// e^x within 8.2e-8 relative, 3/4 of the last place where it is subnormal; 0 below -104, infinity above 88.73, NaN of
/// NaN; the same bits everywhere. No table and no branch, so that compilers vectorise it.
ALPHABAR_HOST_DEVICE ALPHABAR_INLINE constexpr float exp_of(float x)
{
    float const inside = detail::clamped(x, 104.0f);
    float const rounded = inside * 1.44269504f + 12582912.0f, turns = rounded - 12582912.0f;
    float const r = (inside - turns * 0.693359375f) - turns * -2.12194440e-4f; // |r| <= log(2) / 2
    float p = 0x1.6a5052p-10f; // of (e^r - 1 - r) / r^2, minimax, within 3.2e-9 of e^r
    p = p * r + 0x1.123976p-7f;
    p = p * r + 0x1.5558acp-5f;
    p = p * r + 0x1.555492p-3f;
    p = p * r + 0x1.fffffcp-2f;
    p = p * (r * r) + r + 1.0f;
    // 2^turns in two factors, so that neither overflows nor vanishes before the product does. turns are the low bits of
    // `rounded`.
    std::uint32_t const n = std::bit_cast<std::uint32_t>(rounded), half = n >> 1;
    auto const power = [](std::uint32_t k) { return std::bit_cast<float>((k << 23) + 0x3f800000u); };
    return p * power(half) * power(n - half);
}

namespace detail {

/// e^x in the precision of C: exp_of, or the C library's where C is double.
template <std::floating_point C>
ALPHABAR_HOST_DEVICE ALPHABAR_INLINE C e_to_the(C x)
{
    if constexpr (std::is_same_v<C, float>)
        return exp_of(x);
    else
        return std::exp(x);
}

/// The smallest number of turns that compilers still vectorise in every mode, for every element type.
inline constexpr std::size_t short_block = 16;
/// The turns of a loop whose count is known: GCC 12 vectorises such a loop at plain -O2, and no other.
inline constexpr std::size_t long_block = 64;

/// f.template operator()<N>(first) for blocks that cover [0, n): as many of 64 as fit, then of 16, then of 1.
template <class F>
ALPHABAR_INLINE void for_blocks(std::size_t n, F&& f)
{
    std::size_t i = 0;
    for (; i + long_block <= n; i += long_block)
        f(i, std::integral_constant<std::size_t, long_block>{});
    for (; i + short_block <= n; i += short_block)
        f(i, std::integral_constant<std::size_t, short_block>{});
    for (; i < n; ++i)
        f(i, std::integral_constant<std::size_t, 1>{});
}

/// The bits of 16-bit elements of any type.
#if defined(__GNUC__)
typedef std::uint16_t bits16 __attribute__((may_alias));
#else
using bits16 = std::uint16_t;
#endif

#if defined(ALPHABAR_AVX2)
/// Whether this processor has AVX2; every one of these converts binary16 too.
inline bool has_avx2() { return __builtin_cpu_supports("avx2"); }

template <class F>
ALPHABAR_AVX2 ALPHABAR_FLATTEN inline void call_avx2(F const& f)
{
    f();
}

template <element_format Format>
ALPHABAR_AVX2 ALPHABAR_INLINE __m256 widen_8(bits16 const* in)
{
    __m128i const bits = _mm_loadu_si128(reinterpret_cast<__m128i const*>(in));
    if constexpr (Format == element_format::binary16)
        return _mm256_cvtph_ps(bits);
    else
        return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(bits), 16));
}

template <element_format Format>
ALPHABAR_AVX2 ALPHABAR_INLINE __m128i narrow_8(__m256 x)
{
    if constexpr (Format == element_format::binary16) {
        return _mm256_cvtps_ph(x, _MM_FROUND_TO_NEAREST_INT);
    } else {
        __m256i const u = _mm256_castps_si256(x), upper = _mm256_srli_epi32(u, 16);
        __m256i const up = _mm256_add_epi32(_mm256_and_si256(upper, _mm256_set1_epi32(1)), _mm256_set1_epi32(0x7fff));
        __m256i const rounded = _mm256_srli_epi32(_mm256_add_epi32(u, up), 16);
        __m256i const quiet = _mm256_or_si256(upper, _mm256_set1_epi32(0x40));
        __m256i const is_nan = _mm256_castps_si256(_mm256_cmp_ps(x, x, _CMP_UNORD_Q));
        __m256i const result = _mm256_blendv_epi8(rounded, quiet, is_nan);
        return _mm_packus_epi32(_mm256_castsi256_si128(result), _mm256_extracti128_si256(result, 1));
    }
}
#endif

/// f() where f's loops are compiled for AVX2 too, and so run where this processor has it. f is inlined by force.
template <class F>
inline void vectorised(F const& f)
{
#if defined(ALPHABAR_AVX2)
    if (has_avx2())
        return call_avx2(f);
#endif
    f();
}

/// Count elements of an input as a formula sees them: the memory itself, or what was widened from it.
template <std::size_t Count, class T>
struct elements {
    compute_t<T> values[Count];
    ALPHABAR_INLINE explicit elements(T const* from)
    {
        for (std::size_t k = 0; k < Count; ++k)
            if constexpr (format_of<T> != element_format::native)
                values[k] = widen_bits<format_of<T>>(reinterpret_cast<bits16 const*>(from)[k]);
            else
                values[k] = widen(from[k]);
    }
};
template <std::size_t Count, class T>
    requires std::is_same_v<T, compute_t<T>>
struct elements<Count, T> {
    T const* values;
    ALPHABAR_INLINE explicit elements(T const* from) : values(from) {}
};

/// Count results on their way to memory.
template <std::size_t Count, class T>
ALPHABAR_INLINE void store_block(compute_t<T> const* results, T* to)
{
    if constexpr (std::is_same_v<T, compute_t<T>>) {
        std::memcpy(to, results, Count * sizeof(T));
    } else if constexpr (format_of<T> != element_format::native) {
        std::uint16_t rounded[Count];
        for (std::size_t k = 0; k < Count; ++k)
            rounded[k] = narrow_bits<format_of<T>>(results[k]);
        std::memcpy(reinterpret_cast<bits16*>(to), rounded, sizeof rounded);
    } else {
        for (std::size_t k = 0; k < Count; ++k)
            to[k] = narrow<T>(results[k]);
    }
}

/// results[j][k] = result j of f(in[k]...). Results lie apart from the inputs, so that compilers vectorise it.
template <class F, class C, std::size_t N, std::size_t Count, class... Argument>
ALPHABAR_INLINE void evaluate(F const& f, C (&results)[N][Count], Argument const*... in)
{
    for (std::size_t k = 0; k < Count; ++k) {
        auto const result = f(in[k]...);
        if constexpr (N == 1 && !requires { result[0]; })
            results[0][k] = static_cast<C>(result);
        else
            [&]<std::size_t... J>(std::index_sequence<J...>) ALPHABAR_INLINE_LAMBDA {
                ((results[J][k] = static_cast<C>(result[J])), ...);
            }(std::make_index_sequence<N>{});
    }
}

/// `apply` for the processor that the caller is compiled for: Count elements at `i`.
template <std::size_t Count, class F, class... T, class... In>
ALPHABAR_INLINE void apply_block(F const& f, std::tuple<T*...> const& out, std::size_t i, In const*... in)
{
    using C = compute_t<std::tuple_element_t<0, std::tuple<T...>>>;
    C results[sizeof...(T)][Count];
    evaluate(f, results, elements<Count, In>(in + i).values...);
    [&]<std::size_t... J>(std::index_sequence<J...>) ALPHABAR_INLINE_LAMBDA {
        (store_block<Count>(results[J], std::get<J>(out) + i), ...);
    }(std::index_sequence_for<T...>{});
}

/// `apply` for the processor that the build is for.
template <class F, class... T, class... In>
ALPHABAR_FLATTEN inline void apply_plain(F const& formula, std::tuple<T*...> const& outputs, std::size_t n,
                                         In const*... in)
{
    F const f = formula; // the compiler sees that no store changes its members
    auto const out = outputs;
    for_blocks(n, [&](std::size_t i, auto count)
                      ALPHABAR_INLINE_LAMBDA { apply_block<decltype(count)::value>(f, out, i, in...); });
}

#if defined(ALPHABAR_AVX2)
/// Elements of an input on their way to a register of 32 bytes: 8, or 4 where formulas compute in double.
template <std::size_t Count, class T>
struct register_elements {
    compute_t<T> values[Count];
    ALPHABAR_AVX2 ALPHABAR_INLINE explicit register_elements(T const* from)
    {
        if constexpr (format_of<T> != element_format::native && Count == 8)
            _mm256_storeu_ps(values, widen_8<format_of<T>>(reinterpret_cast<bits16 const*>(from)));
        else if constexpr (std::is_same_v<T, float> && Count == 8)
            _mm256_storeu_ps(values, _mm256_loadu_ps(from));
        else if constexpr (std::is_same_v<T, double> && Count == 4)
            _mm256_storeu_pd(values, _mm256_loadu_pd(from));
        else
            for (std::size_t k = 0; k < Count; ++k)
                values[k] = widen(from[k]);
    }
};

/// Results on their way to memory.
template <std::size_t Count, class T>
ALPHABAR_AVX2 ALPHABAR_INLINE void store_register(compute_t<T> const* results, T* to)
{
    if constexpr (format_of<T> != element_format::native)
        _mm_storeu_si128(reinterpret_cast<__m128i*>(to), narrow_8<format_of<T>>(_mm256_loadu_ps(results)));
    else if constexpr (std::is_same_v<T, float>)
        _mm256_storeu_ps(to, _mm256_loadu_ps(results));
    else if constexpr (std::is_same_v<T, double>)
        _mm256_storeu_pd(to, _mm256_loadu_pd(results));
    else
        for (std::size_t k = 0; k < Count; ++k)
            to[k] = narrow<T>(results[k]);
}

/// `apply` compiled for AVX2, whatever the build is for. The compiler keeps the arrays in registers.
template <class F, class... T, class... In>
ALPHABAR_AVX2 ALPHABAR_FLATTEN inline void apply_avx2(F const& formula, std::tuple<T*...> const& outputs, std::size_t n,
                                                      In const*... in)
{
    using C = compute_t<std::tuple_element_t<0, std::tuple<T...>>>;
    constexpr std::size_t count = 32 / sizeof(C);
    F const f = formula;
    auto const out = outputs;
    std::size_t i = 0;
    for (std::size_t const whole = n / count * count; i < whole; i += count) {
        C results[sizeof...(T)][count];
        evaluate(f, results, register_elements<count, In>(in + i).values...);
        [&]<std::size_t... J>(std::index_sequence<J...>) ALPHABAR_AVX2 ALPHABAR_INLINE_LAMBDA {
            (store_register<count>(results[J], std::get<J>(out) + i), ...);
        }(std::index_sequence_for<T...>{});
    }
    for (; i < n; ++i)
        apply_block<1>(f, out, i, in...);
}
#endif

/// out[j][i] = result j of f(in[i]...) for i < n: widened, computed and rounded without a pass through a buffer.
/// Outputs may be inputs; otherwise arrays lie apart. By AVX2 where this processor has it, with the same bits.
template <class F, class... T, class... In>
inline void apply(F const& f, std::tuple<T*...> const& out, std::size_t n, In const*... in)
{
#if defined(ALPHABAR_AVX2)
    if (has_avx2())
        return apply_avx2(f, out, n, in...);
#endif
    apply_plain(f, out, n, in...);
}

struct identity {
    template <class C>
    ALPHABAR_HOST_DEVICE constexpr C operator()(C x) const
    {
        return x;
    }
};

} // namespace detail

/// out[i] = widen(in[i]) for i < n. The arrays lie apart.
template <class T>
void widen(T const* in, compute_t<T>* out, std::size_t n)
{
    detail::apply(detail::identity{}, std::tuple(out), n, in);
}

/// out[i] = narrow<T>(in[i]) for i < n. The arrays lie apart.
template <class T>
void narrow(compute_t<T> const* in, T* out, std::size_t n)
{
    detail::apply(detail::identity{}, std::tuple(out), n, in);
}

} // namespace alphabar
