// SPDX-License-Identifier: MIT
// Standard normals from Philox words: Box-Muller in float, with the same bits on every machine.
//
// The mathematics stands once, in box_muller.hpp. It is compiled here for plain numbers (host, device) and for vectors
// of 8 and 16 numbers, each as functions with a target attribute, so that a build for any x86 holds all of them and the
// machine it runs on decides. Every operation is exact, correctly rounded (IEEE 754) or an explicit fused multiply-add;
// no sum of a product is left to the compiler, so contraction cannot change a bit.
#pragma once

#include <alphabar/core/host_device.hpp>
#include <alphabar/core/philox.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>

#if (defined(__x86_64__) || defined(__i386__)) && defined(__GNUC__)
#define ALPHABAR_X86_DISPATCH 1
#include <immintrin.h>
#endif

namespace alphabar::detail {

/// Philox's counter words c1, c2, c3 and its key are constant over a sample, so that most of the first two rounds is,
/// too. What is left of round 1 is the product M0 * block; after it
///     c2 = high(M0 * block) ^ c2_1,  c3 = low(M0 * block)
/// and after round 2, with b = M1 * c2,
///     c0 = high(b) ^ c0_2,  c1 = low(b),  c2 = c3 ^ c2_2,  c3 = c3_2.
struct philox_start {
    std::uint32_t k0[10], k1[10]; // the keys of the ten rounds
    std::uint32_t c2_1, c0_2, c2_2, c3_2;
};

ALPHABAR_HOST_DEVICE constexpr philox_start make_philox_start(std::uint64_t seed, std::uint32_t c1, std::uint64_t c23)
{
    philox_start s{};
    s.k0[0] = static_cast<std::uint32_t>(seed);
    s.k1[0] = static_cast<std::uint32_t>(seed >> 32);
    for (int round = 1; round < 10; ++round) {
        s.k0[round] = s.k0[round - 1] + philox_w0;
        s.k1[round] = s.k1[round - 1] + philox_w1;
    }
    std::uint64_t const b = std::uint64_t{philox_m1} * static_cast<std::uint32_t>(c23);
    std::uint32_t const c0 = static_cast<std::uint32_t>(b >> 32) ^ c1 ^ s.k0[0];
    std::uint64_t const a = std::uint64_t{philox_m0} * c0;
    s.c2_1 = static_cast<std::uint32_t>(c23 >> 32) ^ s.k1[0];
    s.c0_2 = static_cast<std::uint32_t>(b) ^ s.k0[1];
    s.c2_2 = static_cast<std::uint32_t>(a >> 32) ^ s.k1[1];
    s.c3_2 = static_cast<std::uint32_t>(a);
    return s;
}

/// What a caller does before each group of numbers is written: call(context, where, how many). Memory is idle while
/// numbers are made, so there he asks for what he will read next. Not a template: the vectors' code stands once.
struct group_hook {
    void (*call)(void const* context, float const* at, std::size_t count) = nullptr;
    void const* context = nullptr;
    void operator()(float const* at, std::size_t count) const
    {
        if (call != nullptr)
            call(context, at, count);
    }
};

/// std::bit_cast, which device code may not call.
template <class To, class From>
ALPHABAR_HOST_DEVICE constexpr To bits_as(From from)
{
    return __builtin_bit_cast(To, from);
}

/// a * b + c, rounded once.
ALPHABAR_HOST_DEVICE inline float fused(float a, float b, float c)
{
#if defined(__CUDA_ARCH__)
    return __fmaf_rn(a, b, c);
#elif defined(__FP_FAST_FMAF) || defined(__FAST_MATH__) || !defined(__GNUC__)
    return __builtin_fmaf(a, b, c);
#else // without the instruction: the product is exact in double; its sum is rounded to odd, so that it rounds only once
    double const product = static_cast<double>(a) * static_cast<double>(b), addend = static_cast<double>(c);
    double const sum = product + addend, part = sum - product;
    double const error = (product - (sum - part)) + (addend - part);
    auto bits = bits_as<std::uint64_t>(sum);
    if (error != 0 && (bits & 1) == 0)
        bits += (error > 0) == (sum > 0) ? 1u : ~std::uint64_t{0};
    return static_cast<float>(bits_as<double>(bits));
#endif
}

/// The operations of box_muller.hpp on plain numbers.
namespace plain {
#define ALPHABAR_ISA ALPHABAR_HOST_DEVICE
using word = std::uint32_t;
using real = float;
using mask = bool;
ALPHABAR_ISA inline word words(std::uint32_t x) { return x; }
ALPHABAR_ISA inline real reals(float x) { return x; }
ALPHABAR_ISA inline real fma(real a, real b, real c) { return fused(a, b, c); }
ALPHABAR_ISA inline real mul(real a, real b)
{
#if defined(__CUDA_ARCH__)
    return __fmul_rn(a, b);
#elif defined(__GNUC__)
    real product = a * b;
#if defined(__SSE__)
    asm("" : "+x"(product)); // not to be fused with what a caller adds to it
#else
    asm("" : "+m"(product));
#endif
    return product;
#else
    return a * b;
#endif
}
ALPHABAR_ISA inline real square_root(real a)
{
#if defined(__CUDA_ARCH__)
    return __fsqrt_rn(a);
#else
    return __builtin_sqrtf(a);
#endif
}
ALPHABAR_ISA inline real from_signed(word a) { return static_cast<float>(static_cast<std::int32_t>(a)); }
ALPHABAR_ISA inline real exponent(real a)
{
    return static_cast<float>(static_cast<std::int32_t>(bits_as<std::uint32_t>(a) >> 23) - 127);
}
ALPHABAR_ISA inline real mantissa(real a)
{
    return bits_as<float>((bits_as<std::uint32_t>(a) & 0x007fffffu) | 0x3f800000u);
}
ALPHABAR_ISA inline word add(word a, word b) { return a + b; }
ALPHABAR_ISA inline word times_4_plus_2(word a) { return a << 2 | 2; }
ALPHABAR_ISA inline real add(real a, real b) { return a + b; }
ALPHABAR_ISA inline real scale(real a, int k) // a 2^k, a != 0
{
    return bits_as<float>(bits_as<std::uint32_t>(a) + (static_cast<std::uint32_t>(k) << 23));
}
ALPHABAR_ISA inline mask not_bit_31(word a) { return (a >> 31) == 0; }
ALPHABAR_ISA inline mask bit_30(word a) { return (a >> 30 & 1) != 0; }
ALPHABAR_ISA inline word invert_if_bit_31(word a) { return a >> 31 ? ~a : a; }
ALPHABAR_ISA inline real select(mask m, real a, real b) { return m ? a : b; }
ALPHABAR_ISA inline real select_negated(mask m, real a, real b) { return m ? -a : b; }
ALPHABAR_ISA inline real sub_if(mask m, real a, real b, real otherwise) { return m ? a - b : otherwise; }
ALPHABAR_ISA inline real exponent_if(mask m, real a) { return m ? exponent(a) : 0; }
ALPHABAR_ISA inline real negate_by_bit_31(real a, word sign)
{
    return bits_as<float>(bits_as<std::uint32_t>(a) ^ (sign & 0x80000000u));
}
#include <alphabar/noise/box_muller.hpp>
#undef ALPHABAR_ISA

struct blocks {
    static constexpr std::size_t group = 4;

    /// Writes the normals of blocks first, first + 1, ..., first + groups - 1; calls `between` before each block.
    static void generate(philox_start const& s, std::uint64_t first, float* out, std::size_t groups, group_hook between)
    {
        for (std::size_t i = 0; i < groups; ++i, out += 4) {
            between(out, group);
            std::uint64_t const product = philox_m0 * (first + i);
            std::uint64_t const b = std::uint64_t{philox_m1} * (static_cast<std::uint32_t>(product >> 32) ^ s.c2_1);
            std::uint32_t c[4] = {static_cast<std::uint32_t>(b >> 32) ^ s.c0_2, static_cast<std::uint32_t>(b),
                                  static_cast<std::uint32_t>(product) ^ s.c2_2, s.c3_2};
            philox4x32<8>(c, s.k0[2], s.k1[2]);
            box_muller(c[0], c[1], out[0], out[1]);
            box_muller(c[2], c[3], out[2], out[3]);
        }
    }
};

} // namespace plain

#if defined(ALPHABAR_X86_DISPATCH)

#if defined(__NVCC__) // whose front end passes GCC's unroll pragma on with a warning
#pragma nv_diagnostic push
#pragma nv_diag_suppress 1675
#endif

// clang-format off: one operation a line
// Each operation works on `ways` registers: so many independent chains hide the latency of each other's instructions.
#if defined(__clang__)
#define ALPHABAR_EACH(...) _Pragma("clang loop unroll(full)") for (int i = 0; i < ways; ++i) { __VA_ARGS__; }
#else
#define ALPHABAR_EACH(...) _Pragma("GCC unroll 8") for (int i = 0; i < ways; ++i) { __VA_ARGS__; }
#endif
#define ALPHABAR_MAP(result, ...) { result r; ALPHABAR_EACH(r.v[i] = __VA_ARGS__) return r; }

/// Registers of 8 numbers.
namespace avx2 {
#define ALPHABAR_ISA __attribute__((always_inline, target("avx2,fma")))
inline constexpr int ways = 2;
struct word { __m256i v[ways]; };
struct real { __m256 v[ways]; };
using mask = real; // the sign bits count
using wide = word; // as 64-bit lanes
ALPHABAR_ISA inline word words(std::uint32_t x) ALPHABAR_MAP(word, _mm256_set1_epi32(static_cast<int>(x)))
ALPHABAR_ISA inline real reals(float x) ALPHABAR_MAP(real, _mm256_set1_ps(x))
ALPHABAR_ISA inline real fma(real a, real b, real c) ALPHABAR_MAP(real, _mm256_fmadd_ps(a.v[i], b.v[i], c.v[i]))
ALPHABAR_ISA inline real mul(real a, real b) ALPHABAR_MAP(real, _mm256_mul_ps(a.v[i], b.v[i]))
ALPHABAR_ISA inline real square_root(real a) ALPHABAR_MAP(real, _mm256_sqrt_ps(a.v[i]))
ALPHABAR_ISA inline real from_signed(word a) ALPHABAR_MAP(real, _mm256_cvtepi32_ps(a.v[i]))
ALPHABAR_ISA inline real exponent(real a)
    ALPHABAR_MAP(real, _mm256_cvtepi32_ps(_mm256_sub_epi32(_mm256_srli_epi32(_mm256_castps_si256(a.v[i]), 23),
                                                           _mm256_set1_epi32(127))))
ALPHABAR_ISA inline real mantissa(real a)
    ALPHABAR_MAP(real, _mm256_or_ps(_mm256_and_ps(a.v[i], _mm256_castsi256_ps(_mm256_set1_epi32(0x007fffff))),
                                    _mm256_set1_ps(1)))
ALPHABAR_ISA inline word add(word a, word b) ALPHABAR_MAP(word, _mm256_add_epi32(a.v[i], b.v[i]))
ALPHABAR_ISA inline word times_4_plus_2(word a)
    ALPHABAR_MAP(word, _mm256_or_si256(_mm256_slli_epi32(a.v[i], 2), _mm256_set1_epi32(2)))
ALPHABAR_ISA inline real add(real a, real b) ALPHABAR_MAP(real, _mm256_add_ps(a.v[i], b.v[i]))
ALPHABAR_ISA inline real scale(real a, int k) // a 2^k, a != 0
    ALPHABAR_MAP(
        real, _mm256_castsi256_ps(_mm256_add_epi32(_mm256_castps_si256(a.v[i]), _mm256_set1_epi32(k * 0x800000))))
ALPHABAR_ISA inline mask not_bit_31(word a)
    ALPHABAR_MAP(mask, _mm256_castsi256_ps(_mm256_xor_si256(a.v[i], _mm256_set1_epi32(-1))))
ALPHABAR_ISA inline mask bit_30(word a) ALPHABAR_MAP(mask, _mm256_castsi256_ps(_mm256_slli_epi32(a.v[i], 1)))
ALPHABAR_ISA inline word invert_if_bit_31(word a)
    ALPHABAR_MAP(word, _mm256_xor_si256(a.v[i], _mm256_srai_epi32(a.v[i], 31)))
ALPHABAR_ISA inline real select(mask m, real a, real b) ALPHABAR_MAP(real, _mm256_blendv_ps(b.v[i], a.v[i], m.v[i]))
ALPHABAR_ISA inline real select_negated(mask m, real a, real b)
    ALPHABAR_MAP(real, _mm256_blendv_ps(b.v[i], _mm256_xor_ps(a.v[i], _mm256_set1_ps(-0.0f)), m.v[i]))
ALPHABAR_ISA inline real sub_if(mask m, real a, real b, real otherwise)
    ALPHABAR_MAP(real, _mm256_blendv_ps(otherwise.v[i], _mm256_sub_ps(a.v[i], b.v[i]), m.v[i]))
ALPHABAR_ISA inline real exponent_if(mask m, real a) { return select(m, exponent(a), reals(0)); }
ALPHABAR_ISA inline real negate_by_bit_31(real a, word sign)
    ALPHABAR_MAP(real, _mm256_xor_ps(a.v[i], _mm256_and_ps(_mm256_castsi256_ps(sign.v[i]), _mm256_set1_ps(-0.0f))))
inline constexpr std::size_t lanes = 4 * ways; // 64-bit lanes: blocks at once
ALPHABAR_ISA inline wide wides(std::uint64_t x) ALPHABAR_MAP(wide, _mm256_set1_epi64x(static_cast<long long>(x)))
ALPHABAR_ISA inline wide lane_blocks() // see `store_pairs`
    ALPHABAR_MAP(wide, _mm256_add_epi64(_mm256_set1_epi64x(4 * i), _mm256_setr_epi64x(0, 2, 1, 3)))
ALPHABAR_ISA inline wide add_64(wide a, wide b) ALPHABAR_MAP(wide, _mm256_add_epi64(a.v[i], b.v[i]))
ALPHABAR_ISA inline wide product(wide a, wide b) ALPHABAR_MAP(wide, _mm256_mul_epu32(a.v[i], b.v[i]))
ALPHABAR_ISA inline wide high(wide a) ALPHABAR_MAP(wide, _mm256_srli_epi64(a.v[i], 32))
ALPHABAR_ISA inline wide exclusive_or(wide a, wide b) ALPHABAR_MAP(wide, _mm256_xor_si256(a.v[i], b.v[i]))
ALPHABAR_ISA inline wide exclusive_or(wide a, wide b, wide c) { return exclusive_or(a, exclusive_or(b, c)); }
ALPHABAR_ISA inline word pack_low(wide a, wide b) // the low halves of a in the even lanes, of b in the odd ones
    ALPHABAR_MAP(word, _mm256_blend_epi32(a.v[i], _mm256_slli_epi64(b.v[i], 32), 0xaa))
ALPHABAR_ISA inline word pack_high(wide a, wide b) // the high halves
    ALPHABAR_MAP(word, _mm256_blend_epi32(_mm256_srli_epi64(a.v[i], 32), b.v[i], 0xaa))
ALPHABAR_ISA inline void store_pairs(float* out, real even, real odd)
{
    ALPHABAR_EACH(_mm256_storeu_ps(out + 16 * i, _mm256_unpacklo_ps(even.v[i], odd.v[i]));
                  _mm256_storeu_ps(out + 16 * i + 8, _mm256_unpackhi_ps(even.v[i], odd.v[i])))
}
#define ALPHABAR_ISA_ENTRY __attribute__((target("avx2,fma")))
#include <alphabar/noise/box_muller.hpp>
#undef ALPHABAR_ISA_ENTRY
#undef ALPHABAR_ISA
} // namespace avx2

/// Registers of 16 numbers.
namespace avx512 {
#define ALPHABAR_ISA __attribute__((always_inline, target("avx512f,avx512dq")))
inline constexpr int ways = 4;
struct word { __m512i v[ways]; };
struct real { __m512 v[ways]; };
struct mask { __mmask16 v[ways]; };
using wide = word; // as 64-bit lanes
// Where GCC 12's plain intrinsic warns of its own uninitialised variable, the form with a full zeroing mask stands; it
// is the same instruction.
ALPHABAR_ISA inline word words(std::uint32_t x) ALPHABAR_MAP(word, _mm512_set1_epi32(static_cast<int>(x)))
ALPHABAR_ISA inline real reals(float x) ALPHABAR_MAP(real, _mm512_set1_ps(x))
ALPHABAR_ISA inline real fma(real a, real b, real c) ALPHABAR_MAP(real, _mm512_fmadd_ps(a.v[i], b.v[i], c.v[i]))
ALPHABAR_ISA inline real mul(real a, real b) ALPHABAR_MAP(real, _mm512_mul_ps(a.v[i], b.v[i]))
ALPHABAR_ISA inline real square_root(real a) ALPHABAR_MAP(real, _mm512_maskz_sqrt_ps(0xffff, a.v[i]))
ALPHABAR_ISA inline real from_signed(word a) ALPHABAR_MAP(real, _mm512_maskz_cvtepi32_ps(0xffff, a.v[i]))
ALPHABAR_ISA inline real mantissa(real a)
    ALPHABAR_MAP(real, _mm512_maskz_getmant_ps(0xffff, a.v[i], _MM_MANT_NORM_1_2, _MM_MANT_SIGN_zero))
ALPHABAR_ISA inline word add(word a, word b) ALPHABAR_MAP(word, _mm512_add_epi32(a.v[i], b.v[i]))
ALPHABAR_ISA inline word times_4_plus_2(word a)
    ALPHABAR_MAP(word, _mm512_or_si512(_mm512_maskz_slli_epi32(0xffff, a.v[i], 2), _mm512_set1_epi32(2)))
ALPHABAR_ISA inline real add(real a, real b) ALPHABAR_MAP(real, _mm512_add_ps(a.v[i], b.v[i]))
ALPHABAR_ISA inline real scale(real a, int k) // a 2^k, a != 0
    ALPHABAR_MAP(
        real, _mm512_castsi512_ps(_mm512_add_epi32(_mm512_castps_si512(a.v[i]), _mm512_set1_epi32(k * 0x800000))))
ALPHABAR_ISA inline mask not_bit_31(word a)
    ALPHABAR_MAP(mask, _mm512_testn_epi32_mask(a.v[i], _mm512_set1_epi32(-0x7fffffff - 1)))
ALPHABAR_ISA inline mask bit_30(word a)
    ALPHABAR_MAP(mask, _mm512_test_epi32_mask(a.v[i], _mm512_set1_epi32(0x40000000)))
ALPHABAR_ISA inline word invert_if_bit_31(word a)
    ALPHABAR_MAP(word, _mm512_xor_si512(a.v[i], _mm512_maskz_srai_epi32(0xffff, a.v[i], 31)))
ALPHABAR_ISA inline real select(mask m, real a, real b) ALPHABAR_MAP(real, _mm512_mask_blend_ps(m.v[i], b.v[i], a.v[i]))
ALPHABAR_ISA inline real select_negated(mask m, real a, real b)
    ALPHABAR_MAP(real, _mm512_mask_xor_ps(b.v[i], m.v[i], a.v[i], _mm512_set1_ps(-0.0f)))
ALPHABAR_ISA inline real sub_if(mask m, real a, real b, real otherwise)
    ALPHABAR_MAP(real, _mm512_mask_blend_ps(m.v[i], otherwise.v[i], _mm512_sub_ps(a.v[i], b.v[i])))
ALPHABAR_ISA inline real exponent_if(mask m, real a) ALPHABAR_MAP(real, _mm512_maskz_getexp_ps(m.v[i], a.v[i]))
ALPHABAR_ISA inline real negate_by_bit_31(real a, word sign) // a ^ (sign & 0x80000000)
    ALPHABAR_MAP(real, _mm512_castsi512_ps(_mm512_ternarylogic_epi32(_mm512_castps_si512(a.v[i]), sign.v[i],
                                                                    _mm512_set1_epi32(-0x7fffffff - 1), 0x78)))
inline constexpr std::size_t lanes = 8 * ways; // 64-bit lanes: blocks at once
ALPHABAR_ISA inline wide wides(std::uint64_t x) ALPHABAR_MAP(wide, _mm512_set1_epi64(static_cast<long long>(x)))
ALPHABAR_ISA inline wide lane_blocks() // see `store_pairs`
    ALPHABAR_MAP(wide, _mm512_add_epi64(_mm512_set1_epi64(8 * i), _mm512_setr_epi64(0, 4, 1, 5, 2, 6, 3, 7)))
ALPHABAR_ISA inline wide add_64(wide a, wide b) ALPHABAR_MAP(wide, _mm512_add_epi64(a.v[i], b.v[i]))
ALPHABAR_ISA inline wide product(wide a, wide b) ALPHABAR_MAP(wide, _mm512_maskz_mul_epu32(0xff, a.v[i], b.v[i]))
ALPHABAR_ISA inline wide high(wide a) ALPHABAR_MAP(wide, _mm512_maskz_srli_epi64(0xff, a.v[i], 32))
ALPHABAR_ISA inline wide exclusive_or(wide a, wide b) ALPHABAR_MAP(wide, _mm512_xor_si512(a.v[i], b.v[i]))
ALPHABAR_ISA inline wide exclusive_or(wide a, wide b, wide c)
    ALPHABAR_MAP(wide, _mm512_ternarylogic_epi64(a.v[i], b.v[i], c.v[i], 0x96))
ALPHABAR_ISA inline word pack_low(wide a, wide b) // the low halves of a in the even lanes, of b in the odd ones
    ALPHABAR_MAP(word, _mm512_mask_shuffle_epi32(a.v[i], 0xaaaa, b.v[i], _MM_PERM_CCAA))
ALPHABAR_ISA inline word pack_high(wide a, wide b) // the high halves
    ALPHABAR_MAP(word, _mm512_mask_shuffle_epi32(b.v[i], 0x5555, a.v[i], _MM_PERM_DDBB))
ALPHABAR_ISA inline void store_pairs(float* out, real even, real odd)
{
    ALPHABAR_EACH(_mm512_storeu_ps(out + 32 * i, _mm512_maskz_unpacklo_ps(0xffff, even.v[i], odd.v[i]));
                  _mm512_storeu_ps(out + 32 * i + 16, _mm512_maskz_unpackhi_ps(0xffff, even.v[i], odd.v[i])))
}
#define ALPHABAR_ISA_ENTRY __attribute__((target("avx512f,avx512dq")))
#include <alphabar/noise/box_muller.hpp>
#undef ALPHABAR_ISA_ENTRY
#undef ALPHABAR_ISA
} // namespace avx512

#undef ALPHABAR_MAP
#undef ALPHABAR_EACH
// clang-format on
#if defined(__NVCC__)
#pragma nv_diagnostic pop
#endif

#endif

/// The ways in which `fill_normals` can run; all of them write the same bits.
enum class isa { plain, avx2, avx512 };

/// The best one of the machine this runs on.
inline isa best_isa()
{
#if defined(ALPHABAR_X86_DISPATCH)
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq"))
        return isa::avx512;
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
        return isa::avx2;
#endif
    return isa::plain;
}

/// Cuts [first, first + n) into whole groups, which Blocks::generate writes in place, and at most two partial ones.
template <class Blocks>
void fill_groups(philox_start const& s, std::uint64_t first, float* out, std::size_t n, group_hook between)
{
    constexpr std::size_t group = Blocks::group;
    std::uint64_t block = first / 4;
    auto const partial = [&](std::size_t skipped) {
        alignas(64) float some[group];
        Blocks::generate(s, block, some, 1, {});
        std::size_t const taken = std::min(n, group - skipped);
        std::memcpy(out, some + skipped, taken * sizeof(float));
        block += group / 4, out += taken, n -= taken;
    };
    if (first % 4 != 0)
        partial(first % 4);
    if (std::size_t const groups = n / group) {
        Blocks::generate(s, block, out, groups, between);
        block += groups * (group / 4), out += groups * group, n -= groups * group;
    }
    if (n != 0)
        partial(0);
}

/// Writes the normals of elements [first, first + n), and calls `between` before each whole group.
inline void fill_normals(isa way, philox_start const& s, std::uint64_t first, float* out, std::size_t n,
                         group_hook between = {})
{
#if defined(ALPHABAR_X86_DISPATCH)
    if (way == isa::avx512)
        return fill_groups<avx512::blocks>(s, first, out, n, between);
    if (way == isa::avx2)
        return fill_groups<avx2::blocks>(s, first, out, n, between);
#endif
    static_cast<void>(way);
    fill_groups<plain::blocks>(s, first, out, n, between);
}

} // namespace alphabar::detail
