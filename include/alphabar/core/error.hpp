// SPDX-License-Identifier: MIT
// What is said of a bad argument: the function, the argument, its value and what is allowed.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstdio>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>

namespace alphabar {

/// A number as a message shows it: short, and the same in every locale. Doubles as "%.17g" would, shortened where it
/// reads back as the same value.
template <class T>
    requires std::is_arithmetic_v<T>
std::string shown(T value)
{
    if constexpr (std::is_same_v<T, bool>) {
        return value ? "true" : "false";
    } else if constexpr (std::is_integral_v<T>) {
        return std::to_string(value);
    } else {
        double const wide = static_cast<double>(value);
        if (std::isnan(wide))
            return "NaN";
        char text[40];
        for (int digits : {6, 17}) {
            std::snprintf(text, sizeof text, "%.*g", digits, wide);
            double back = 0;
            if (std::sscanf(text, "%lf", &back) == 1 && back == wide)
                break;
        }
        return text;
    }
}

/// Throws std::invalid_argument: "alphabar::FUNCTION: ARGUMENT is VALUE; RULE", for example
/// "alphabar::linear_betas: T is 0; it must lie in [1, 10000]".
template <class T>
[[noreturn]] void reject(std::string_view function, std::string_view argument, T const& value, std::string_view rule)
{
    std::string text = "alphabar::";
    text.append(function).append(": ").append(argument).append(" is ");
    if constexpr (std::is_arithmetic_v<T>)
        text += shown(value);
    else
        text += value;
    text.append("; ").append(rule);
    throw std::invalid_argument(text);
}

/// `reject` unless `allowed`.
template <class T>
constexpr void require(bool allowed, std::string_view function, std::string_view argument, T const& value,
                       std::string_view rule)
{
    if (!allowed)
        reject(function, argument, value, rule);
}

} // namespace alphabar
