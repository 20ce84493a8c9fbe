// SPDX-License-Identifier: MIT
// What a network's output means: one 2x2 table, any prediction into any other.
#pragma once

#include <alphabar/core/error.hpp>
#include <alphabar/core/host_device.hpp>
#include <alphabar/core/pair_map.hpp>
#include <alphabar/core/tensor.hpp>
#include <alphabar/core/transform.hpp>
#include <alphabar/process/times.hpp>
#include <alphabar/schedule/noise_level.hpp>

#include <cmath>
#include <cstdint>
#include <limits>
#include <string_view>
#include <vector>

namespace alphabar {

/// What the network's output F means, x = alpha x_0 + sigma eps:
///
///     epsilon      F = eps                        Ho et al. 2020, arXiv 2006.11239, (11)
///     x_0          F = x_0
///     v            F = alpha eps - sigma x_0      Salimans & Ho 2022, arXiv 2202.00512, section 4
///     flow         F = eps - x_0                  Liu, Gong & Liu 2023, arXiv 2209.03003, (1), towards noise
///     score        F = -eps / sigma               Song et al. 2021, arXiv 2011.13456, (7)
///     velocity     F = d alpha/dt x_0 + d sigma/dt eps; it depends on the path's time: for solvers in it, `sde`
///     previous_x   F = the mean of x at the next cleaner time; two levels make it: only p_mean_variance reads it
enum class prediction : std::uint8_t { epsilon, x_0, v, flow, score, previous_x, velocity };

/// "epsilon", "x_0", ...
constexpr std::string_view name_of(prediction kind)
{
    switch (kind) {
    case prediction::epsilon: return "epsilon";
    case prediction::x_0: return "x_0";
    case prediction::v: return "v";
    case prediction::flow: return "flow";
    case prediction::score: return "score";
    case prediction::previous_x: return "previous_x";
    case prediction::velocity: return "velocity";
    }
    reject("name_of", "prediction", static_cast<int>(kind), "it must be one of the enumerators");
}

/// The prediction of this name. Throws std::invalid_argument where there is none.
constexpr prediction parse_prediction(std::string_view name)
{
    for (int i = 0; i <= static_cast<int>(prediction::velocity); ++i)
        if (auto const kind = static_cast<prediction>(i); name_of(kind) == name)
            return kind;
    reject("parse_prediction", "name", name, "it must be epsilon, x_0, v, flow, score, previous_x or velocity");
}

/// x_0 = x_0.x x + x_0.other F and eps = epsilon.x x + epsilon.other F.
struct prediction_map {
    pair_map x_0;
    pair_map epsilon;
    friend constexpr bool operator==(prediction_map const&, prediction_map const&) = default;
};

/// x_0 and eps from the state x at `level` and a prediction of this kind. A coefficient that does not exist is infinite
/// or NaN: x_0 from epsilon or score where alpha = 0, eps from x_0 where sigma = 0, both of which the state says
/// nothing of.
///
/// Throws std::invalid_argument for previous_x.
constexpr prediction_map to_x_0_and_epsilon(prediction kind, noise_level level)
{
    auto const [alpha, sigma] = level;
    double const infinity = std::numeric_limits<double>::infinity();
    // 1 / alpha and 1 / sigma, defined also at 0, where compilers reject the division in constant expressions
    double const per_alpha = alpha == 0.0 ? infinity : 1.0 / alpha;
    double const per_sigma = sigma == 0.0 ? infinity : 1.0 / sigma;
    switch (kind) {
    case prediction::epsilon: return {{per_alpha, alpha == 0.0 ? -infinity : -(sigma / alpha)}, {0.0, 1.0}};
    case prediction::x_0: return {{0.0, 1.0}, {per_sigma, sigma == 0.0 ? -infinity : -(alpha / sigma)}};
    case prediction::v: {
        double const norm = alpha * alpha + sigma * sigma;
        return {{alpha / norm, -sigma / norm}, {sigma / norm, alpha / norm}};
    }
    case prediction::flow: {
        double const sum = alpha + sigma;
        return {{1.0 / sum, -sigma / sum}, {1.0 / sum, alpha / sum}};
    }
    case prediction::score: return {{per_alpha, alpha == 0.0 ? infinity : sigma * (sigma / alpha)}, {0.0, -sigma}};
    case prediction::previous_x:
    case prediction::velocity: break;
    }
    reject("to_x_0_and_epsilon", "prediction", name_of(kind), "it must be epsilon, x_0, v, flow or score");
}

/// A prediction of one kind as one of another at `level`: G = x * state + other * F. From a kind to itself it is {0,
/// 1}. A coefficient that does not exist is infinite or NaN, as in to_x_0_and_epsilon. Throws std::invalid_argument for
/// previous_x.
constexpr pair_map convert_prediction(prediction from, prediction to, noise_level level)
{
    auto const [x_0, epsilon] = to_x_0_and_epsilon(from, level);
    if (from == to)
        return {0.0, 1.0};
    auto const [alpha, sigma] = level;
    auto const divided = [](double a, double b) {
        return a == 0.0 ? 0.0 : b == 0.0 ? a * std::numeric_limits<double>::infinity() : a / b;
    };
    switch (to) {
    case prediction::epsilon: return epsilon;
    case prediction::x_0: return x_0;
    case prediction::v: return {alpha * epsilon.x - sigma * x_0.x, alpha * epsilon.other - sigma * x_0.other};
    case prediction::flow: return {epsilon.x - x_0.x, epsilon.other - x_0.other};
    case prediction::score: return {-divided(epsilon.x, sigma), -divided(epsilon.other, sigma)};
    case prediction::previous_x:
    case prediction::velocity: break;
    }
    reject("convert_prediction", "to", name_of(to), "it must be epsilon, x_0, v, flow or score");
}

/// out = the prediction `output` of the kind `from`, made of the state x at the given times, as one of the kind `to`.
///
/// Shapes: x, output, out [batch, ...]; times: one number, or one a sample. `out` may be an input. Throws
/// std::invalid_argument, before anything is written, where the kind does not determine the other (x_0 from epsilon at
/// alpha = 0), and for bad times or shapes.
template <noise_path Path, class Times, tensor X, tensor F, class Out>
void convert_prediction(Path const& path, prediction from, prediction to, X const& x, Times const& times,
                        F const& output, Out&& out)
{
    using T = compute_t<value_t<Out>>;
    std::vector<pair_formula<T>> formulas;
    for (noise_level const& level : levels_at(path, times, traits_of<X>::shape(x).batch(), "convert_prediction")) {
        pair_map const map = convert_prediction(from, to, level);
        require(std::isfinite(map.x) && std::isfinite(map.other), "convert_prediction", "the prediction", name_of(from),
                "it does not determine the other one at this time (alpha or sigma is 0)");
        formulas.emplace_back(map);
    }
    transform_rows(formulas, out, x, output);
}

} // namespace alphabar
