// SPDX-License-Identifier: MIT
// Two coefficients of a linear map, and the map.
#pragma once

#include <alphabar/core/host_device.hpp>

namespace alphabar {

/// A pair of coefficients: `x` of the state, `other` of the second operand.
struct pair_map {
    double x;
    double other;
    friend constexpr bool operator==(pair_map const&, pair_map const&) = default;
};

/// The map of a pair: x * state + other * operand.
template <class T>
struct pair_formula {
    T x;
    T other;

    constexpr explicit pair_formula(pair_map const& map) : x(static_cast<T>(map.x)), other(static_cast<T>(map.other)) {}

    ALPHABAR_HOST_DEVICE constexpr T operator()(T state, T operand) const { return x * state + other * operand; }
};

} // namespace alphabar
