// SPDX-License-Identifier: MIT
// The denoiser's kernels, compiled once for each vector width and chosen when the program runs.
#pragma once

#include <cmath>
#include <complex>
#include <cstddef>
#include <cstdint>
#include <type_traits>

namespace alphabar {

/// Vector instructions of a processor that the kernels know.
enum class isa : std::uint8_t { baseline, avx2, avx512 };

/// The best that this processor has.
inline isa best_isa()
{
#if defined(__x86_64__)
    static isa const best = [] {
        __builtin_cpu_init();
        bool const avx512 = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") &&
                            __builtin_cpu_supports("avx512dq");
        bool const avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
        return avx512 ? isa::avx512 : avx2 ? isa::avx2 : isa::baseline;
    }();
    return best;
#else
    return isa::baseline;
#endif
}

namespace detail {

template <class S, int Lanes>
struct pack_of {
    typedef S type __attribute__((vector_size(sizeof(S) * Lanes), aligned(alignof(S)), may_alias));
};
template <class S>
struct pack_of<S, 1> {
    using type = S;
};
/// `Lanes` scalars that are computed with together; one lane is the scalar itself, so that a kernel written with packs
/// is also the kernel for double and std::complex<double>.
template <class S, int Lanes>
using pack = typename pack_of<S, Lanes>::type;

/// A pack in memory, aligned as its scalar only.
template <class S, int Lanes>
struct __attribute__((packed, may_alias)) packed_cell {
    typename pack_of<S, Lanes>::type v;
};
template <class S>
struct packed_cell<S, 1> {
    S v;
};
/// at<Lanes>(p).v is the pack at p, to read or to write. (Packs are never passed by value: how is a matter of the
/// caller's instructions.)
template <int Lanes, class S>
[[gnu::always_inline]] inline packed_cell<S, Lanes>& at(S* p)
{
    return *reinterpret_cast<packed_cell<S, Lanes>*>(p);
}
template <int Lanes, class S>
[[gnu::always_inline]] inline packed_cell<S, Lanes> const& at(S const* p)
{
    return *reinterpret_cast<packed_cell<S, Lanes> const*>(p);
}

/// y = 1 / (1 + exp(-x)). Packs of floats: Cephes' polynomial for exp on [-ln(2)/2, ln(2)/2], about 2 ulp; x is cut at
/// -87, where y is below 1e-37.
template <class S, int Lanes>
[[gnu::always_inline]] inline void sigmoid(pack<S, Lanes> const& x, pack<S, Lanes>& y)
{
    if constexpr (Lanes == 1) {
        y = S(1) / (S(1) + std::exp(-x));
    } else {
        using F = pack<float, Lanes>;
        using I = pack<std::int32_t, Lanes>;
        F const low = F{} - 87.0f, high = F{} + 87.0f;
        F z = -x;
        z = z < low ? low : z;
        z = z > high ? high : z;
        I const exponent = __builtin_convertvector(z * 1.44269504f + 127.5f, I); // 127 + round(z / ln 2)
        F const n = __builtin_convertvector(exponent, F) - 127.0f;
        F const r = z - n * 0.693359375f + n * 2.12194440e-4f;
        F p = r * 1.9875691500e-4f + 1.3981999507e-3f;
        p = p * r + 8.3334519073e-3f;
        p = p * r + 4.1665795894e-2f;
        p = p * r + 1.6666665459e-1f;
        p = p * r + 5.0000001201e-1f;
        p = p * r * r + r + 1.0f;
        y = 1.0f / (1.0f + p * (F)(exponent << 23));
    }
}

/// y = sqrt(x) for x >= 0. Packs of floats: three Newton steps for 1 / sqrt(x) from its exponent, about 2 ulp; 0 below
/// 1e-37.
template <class S, int Lanes>
[[gnu::always_inline]] inline void square_root(pack<S, Lanes> const& x, pack<S, Lanes>& y)
{
    if constexpr (Lanes == 1) {
        y = std::sqrt(x);
    } else {
        using F = pack<float, Lanes>;
        using I = pack<std::int32_t, Lanes>;
        F r = (F)(0x5f3759df - ((I)x >> 1));
        for (int i = 0; i < 3; ++i)
            r = r * (1.5f - 0.5f * x * r * r);
        y = x > 1e-37f ? x * r : F{};
    }
}

/// The widest pack that divides `Channels`, of at most `Widest` lanes.
template <int Widest, int Channels>
inline constexpr int lanes_for = Channels % Widest == 0 ? Widest : lanes_for<Widest / 2, Channels>;
template <int Channels>
inline constexpr int lanes_for<1, Channels> = 1;

/// y[i] = x[0][i] + x[1][i] + ..., added in that order, for each i in [first, end).
struct add_up_kernel {
    template <class S, int Lanes>
    [[gnu::always_inline]] static inline void run(std::size_t terms, S const* const* x, std::size_t first,
                                                  std::size_t end, S* y)
    {
        auto const add = [=]<int L>(std::integral_constant<int, L>, std::size_t i) __attribute__((always_inline)) {
            pack<S, L> sum = at<L>(x[0] + i).v;
            for (std::size_t term = 1; term < terms; ++term)
                sum += at<L>(x[term] + i).v;
            at<L>(y + i).v = sum;
        };
        for (; first + Lanes <= end; first += Lanes)
            add(std::integral_constant<int, Lanes>{}, first);
        for (; first < end; ++first)
            add(std::integral_constant<int, 1>{}, first);
    }
};

#if defined(__x86_64__)
template <class Kernel, class S, class... Args>
[[gnu::target("avx512f,avx512vl,avx512dq,avx2,fma"), gnu::flatten]] void run_avx512(Args... args)
{
    Kernel::template run<S, 16>(args...);
}
template <class Kernel, class S, class... Args>
[[gnu::target("avx2,fma"), gnu::flatten]] void run_avx2(Args... args)
{
    Kernel::template run<S, 8>(args...);
}
#endif

/// Kernel::run<S, lanes>(args...): packs for float, with the instructions asked for; one lane for every other scalar.
template <class Kernel, class S, class... Args>
void run_kernel([[maybe_unused]] isa const instructions, Args... args)
{
    if constexpr (!std::is_same_v<S, float>)
        return Kernel::template run<S, 1>(args...);
    else {
#if defined(__x86_64__)
        if (instructions == isa::avx512)
            return run_avx512<Kernel, S>(args...);
        if (instructions == isa::avx2)
            return run_avx2<Kernel, S>(args...);
#endif
        return Kernel::template run<S, 4>(args...);
    }
}

} // namespace detail

} // namespace alphabar
