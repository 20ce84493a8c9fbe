// SPDX-License-Identifier: MIT
//
// Two coefficients of a linear map.
#pragma once

namespace alphabar {

/// A pair of coefficients: `x` of the state, `other` of the second operand.
struct pair_map {
    double x;
    double other;
    friend constexpr bool operator==(pair_map const&, pair_map const&) = default;
};

} // namespace alphabar
