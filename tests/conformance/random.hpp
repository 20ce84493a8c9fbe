// SPDX-License-Identifier: MIT
// Kind `random`, one source a family.
#pragma once

#include "support.hpp"

#include <alphabar/core/element.hpp>

#include <cstdint>
#include <span>

namespace conformance {

/// 16-bit elements of any kind: the compiler may have none.
template <alphabar::element_format Format>
struct bits_of {
    std::uint16_t bits;
};
using half = bits_of<alphabar::element_format::binary16>;
using bfloat16 = bits_of<alphabar::element_format::bfloat16>;

} // namespace conformance

template <alphabar::element_format Format>
inline constexpr alphabar::element_format alphabar::format_of<conformance::bits_of<Format>> = Format;

namespace conformance {

void replay_random_engine(verdict&, std::string const& generator);
void replay_random_torch(verdict&, std::string const& generator);
void replay_random_numpy(verdict&, std::string const& generator);
void replay_random_jax(verdict&);

/// The seed of a case that is one number of 64 bits.
std::uint64_t seed_of(json const& given);

/// Call k of the case, at the positions that were stored. The results of torch's build without vectors are not looked
/// at.
void compare_call(verdict&, std::size_t k, array const& values);

/// A word as the cases write it.
std::string hexadecimal(std::uint64_t word, int bits);

/// What f(std::span<T>) writes to n elements of the dtype.
template <class F>
array drawn(std::string const& dtype, std::size_t n, F const& f)
{
    auto const draw = [&]<class T>(T) {
        std::vector<T> out(n);
        f(std::span<T>(out));
        array result;
        for (T x : out)
            result.push_back(static_cast<double>(alphabar::widen(x)));
        return result;
    };
    if (dtype == "float32")
        return draw(float{});
    if (dtype == "float64")
        return draw(double{});
    if (dtype == "float16")
        return draw(half{});
    if (dtype == "bfloat16")
        return draw(bfloat16{});
    throw unsupported("the dtype " + dtype);
}

template <class Integers>
array as_doubles(Integers const& list)
{
    return array(list.begin(), list.end());
}

} // namespace conformance
