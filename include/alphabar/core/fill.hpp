// SPDX-License-Identifier: MIT
// fill: one value, or what a generator makes, in every element.
#pragma once

#include <alphabar/core/transform.hpp>

namespace alphabar {

namespace detail {

template <class C>
struct constant {
    C value;
    ALPHABAR_HOST_DEVICE constexpr C operator()() const { return value; }
};

} // namespace detail

/// out[r][i] = what `g` makes for element i of sample r; with a noise field, standard normal noise.
///
/// Throws std::invalid_argument where data is null.
template <class Out, generator G>
void fill(Out&& out, G const& g)
{
    transform(detail::identity{}, out, g);
}

/// out[i] = value, rounded once to the element type.
///
/// Throws std::invalid_argument where data is null.
template <class Out>
void fill(Out&& out, std::type_identity_t<compute_t<value_t<Out>>> value)
{
    transform(detail::constant<compute_t<value_t<Out>>>{value}, out);
}

} // namespace alphabar
