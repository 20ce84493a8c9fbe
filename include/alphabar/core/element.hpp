// SPDX-License-Identifier: MIT
// Elements between memory and arithmetic: the 16-bit types are stored, formulas compute in float.
#pragma once

#include <alphabar/core/host_device.hpp>
#include <alphabar/core/tensor.hpp>

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <type_traits>

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

/// Before a loop whose turns are independent, however its arrays overlap; where the compiler listens.
#if defined(__GNUC__) && !defined(__clang__) && !defined(__CUDACC__)
#define ALPHABAR_INDEPENDENT_LOOP _Pragma("GCC ivdep")
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

} // namespace detail

/// One element, widened to the type in which formulas compute.
template <class T>
ALPHABAR_HOST_DEVICE constexpr compute_t<T> widen(T x)
{
    if constexpr (format_of<T> == element_format::binary16)
        return detail::from_binary16(std::bit_cast<std::uint16_t>(x));
    else if constexpr (format_of<T> == element_format::bfloat16)
        return detail::from_bfloat16(std::bit_cast<std::uint16_t>(x));
    else
        return static_cast<compute_t<T>>(x);
}

/// A result, rounded once to the element type T.
template <class T>
ALPHABAR_HOST_DEVICE constexpr T narrow(compute_t<T> x)
{
    if constexpr (format_of<T> == element_format::binary16)
        return std::bit_cast<T>(detail::to_binary16(x));
    else if constexpr (format_of<T> == element_format::bfloat16)
        return std::bit_cast<T>(detail::to_bfloat16(x));
    else
        return static_cast<T>(x);
}

namespace detail {

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

template <element_format Format>
ALPHABAR_INLINE void widen_block(bits16 const* in, float* out)
{
    // by way of a local array, so that the compiler need not ask whether the two overlap
    float widened[short_block];
    for (std::size_t k = 0; k < short_block; ++k)
        widened[k] = Format == element_format::binary16 ? from_binary16(in[k]) : from_bfloat16(in[k]);
    std::memcpy(out, widened, sizeof widened);
}

template <element_format Format>
ALPHABAR_INLINE void narrow_block(float const* in, bits16* out)
{
    std::uint16_t rounded[short_block];
    for (std::size_t k = 0; k < short_block; ++k)
        rounded[k] = Format == element_format::binary16 ? to_binary16(in[k]) : to_bfloat16(in[k]);
    std::memcpy(out, rounded, sizeof rounded);
}

#if defined(ALPHABAR_AVX2)
/// Whether this processor has AVX2; every one of these converts binary16 too.
inline bool has_avx2() { return __builtin_cpu_supports("avx2"); }

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

template <element_format Format>
ALPHABAR_AVX2 inline void widen_avx2(bits16 const* in, float* out, std::size_t blocks)
{
    for (std::size_t i = 0; i < blocks * short_block; i += 8)
        _mm256_storeu_ps(out + i, widen_8<Format>(in + i));
}

template <element_format Format>
ALPHABAR_AVX2 inline void narrow_avx2(float const* in, bits16* out, std::size_t blocks)
{
    for (std::size_t i = 0; i < blocks * short_block; i += 8)
        _mm_storeu_si128(reinterpret_cast<__m128i*>(out + i), narrow_8<Format>(_mm256_loadu_ps(in + i)));
}
#endif

} // namespace detail

/// out[i] = widen(in[i]) for i < n. The arrays lie apart.
template <class T>
void widen(T const* in, compute_t<T>* out, std::size_t n)
{
    std::size_t i = 0;
    if constexpr (format_of<T> != element_format::native) {
        auto const* const bits = reinterpret_cast<detail::bits16 const*>(in);
        std::size_t const whole = n / detail::short_block * detail::short_block;
#if defined(ALPHABAR_AVX2)
        if (detail::has_avx2()) {
            detail::widen_avx2<format_of<T>>(bits, out, n / detail::short_block);
            i = whole;
        }
#endif
        for (; i < whole; i += detail::short_block)
            detail::widen_block<format_of<T>>(bits + i, out + i);
    }
    for (; i < n; ++i)
        out[i] = widen(in[i]);
}

/// out[i] = narrow<T>(in[i]) for i < n. The arrays lie apart.
template <class T>
void narrow(compute_t<T> const* in, T* out, std::size_t n)
{
    std::size_t i = 0;
    if constexpr (format_of<T> != element_format::native) {
        auto* const bits = reinterpret_cast<detail::bits16*>(out);
        std::size_t const whole = n / detail::short_block * detail::short_block;
#if defined(ALPHABAR_AVX2)
        if (detail::has_avx2()) {
            detail::narrow_avx2<format_of<T>>(in, bits, n / detail::short_block);
            i = whole;
        }
#endif
        for (; i < whole; i += detail::short_block)
            detail::narrow_block<format_of<T>>(in + i, bits + i);
    }
    for (; i < n; ++i)
        out[i] = narrow<T>(in[i]);
}

} // namespace alphabar
