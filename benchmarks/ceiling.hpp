// SPDX-License-Identifier: MIT
// What memory allows: plain loops over the same bytes, timed turn by turn with what is measured.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>

namespace ceiling {

#if defined(__GNUC__) && !defined(__clang__)
#define CEILING_LOOP _Pragma("GCC ivdep")
#else
#define CEILING_LOOP _Pragma("clang loop vectorize(assume_safety)")
#endif

/// out = x + y, word by word.
inline void two_in_one_out(void* out, void const* x, void const* y, std::size_t bytes)
{
    auto* const o = static_cast<std::uint32_t*>(out);
    auto const* const a = static_cast<std::uint32_t const*>(x);
    auto const* const b = static_cast<std::uint32_t const*>(y);
    CEILING_LOOP
    for (std::size_t i = 0; i < bytes / 4; ++i)
        o[i] = a[i] + b[i];
}

/// The sum of all words of x and y: reads only.
inline std::uint32_t two_in(void const* x, void const* y, std::size_t bytes)
{
    auto const* const a = static_cast<std::uint32_t const*>(x);
    auto const* const b = static_cast<std::uint32_t const*>(y);
    std::uint32_t sum = 0;
    for (std::size_t i = 0; i < bytes / 4; ++i)
        sum += a[i] ^ b[i];
    return sum;
}

inline std::uint32_t one_in(void const* x, std::size_t bytes)
{
    auto const* const a = static_cast<std::uint32_t const*>(x);
    std::uint32_t sum = 0;
    for (std::size_t i = 0; i < bytes / 4; ++i)
        sum += a[i];
    return sum;
}

template <class T>
void keep(T const& value)
{
    asm volatile("" : : "r,m"(value) : "memory");
}

template <class F>
double seconds(F const& f)
{
    auto const start = std::chrono::steady_clock::now();
    f();
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

/// The best times of the ceiling and of the measured loop, in turns.
struct times {
    double ceiling = std::numeric_limits<double>::infinity();
    double measured = std::numeric_limits<double>::infinity();
    double ratio() const { return ceiling / measured; }
};

template <class Ceiling, class Measured>
times compare(Ceiling const& ceiling, Measured const& measured, int rounds = 60)
{
    times best;
    for (int round = 0; round < rounds; ++round) {
        best.ceiling = std::min(best.ceiling, seconds(ceiling));
        best.measured = std::min(best.measured, seconds(measured));
    }
    return best;
}

} // namespace ceiling
