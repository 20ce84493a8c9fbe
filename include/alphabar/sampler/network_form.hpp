// SPDX-License-Identifier: MIT
// What the network is: what its output means, in which scale it sees the state and what is done to its x_0.
#pragma once

#include <alphabar/core/error.hpp>
#include <alphabar/process/prediction.hpp>
#include <alphabar/process/velocity.hpp>
#include <alphabar/sampler/exponential.hpp>
#include <alphabar/sampler/plan.hpp>
#include <alphabar/schedule/noise_level.hpp>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <optional>

namespace alphabar {

/// In which scale the network sees the state x = alpha x_0 + sigma eps, that is, on which path it
/// was trained. Its prediction is meant on that path.
///
///     state                x
///     variance_preserving  x / sqrt(alpha^2 + sigma^2); where alpha = 1, x / sqrt(1 + sigma^2)
///     variance_exploding   x / alpha
///     rectified_flow       x / (alpha + sigma)
///     edm                  c_in x / alpha, and x_0 = c_skip x / alpha + c_out F, both of the level
///                          sigma / alpha; the prediction kind is not asked for
///     edm_v                edm with -c_out (Stable Audio)
///
/// Source of edm: Karras et al. 2022, arXiv 2206.00364, table 1; with a boundary, where c_skip and c_out take sigma -
/// boundary, Song et al. 2023, arXiv 2303.01469, appendix C.
enum class network_input : std::uint8_t { state, variance_preserving, variance_exploding, rectified_flow, edm, edm_v };

/// What the network is given as time: the time t of the path, EDM's c_noise = log(sigma / alpha) / 4, or 1 - t (flow
/// models whose time runs from noise to data: Lipman et al., SiT), or sigma / alpha (score networks on VE).
enum class network_clock : std::uint8_t { path, edm, reversed, sigma };

/// How the network's output F becomes x_0 or epsilon. Every solver's options hold one.
struct network_form {
    std::optional<prediction> predicts{}; ///< without: the usual kind of the path, epsilon on
                                          ///< tables and VE, flow on rectified flow
    network_input input = network_input::state;
    x0_operation operation{}; ///< clip or threshold x_0
    double sigma_data = 0.5;  ///< of edm and edm_v
    /// Of edm and edm_v: the level sigma / alpha at which x_0 is x itself, the sigma_min of consistency models.
    double boundary = 0.0;
    /// A second head stands beside the prediction; solvers that do not use it ignore it.
    bool predicts_variance = false;
    network_clock clock = network_clock::path;
    /// The network's time is time_scale times the clock's: 1000 for many flow models.
    double time_scale = 1.0;
    /// F is output_scale times the network's output: -1 for flow models whose velocity points to the data, x_0 -
    /// epsilon.
    double output_scale = 1.0;
};

/// The maps of one call at one level, on the raw state x: the network gets input_scale x;
/// x_0 = x_0.x x + x_0.other F and epsilon = epsilon.x x + epsilon.other F.
struct network_maps {
    double input_scale;
    pair_map x_0;
    pair_map epsilon;
};

/// The maps of `network` at `level`. A coefficient that does not exist is infinite or NaN: x_0 of
/// an epsilon or score prediction at alpha = 0, epsilon of an x_0 prediction at sigma = 0. Where
/// x_0 is clipped or thresholded, an epsilon prediction at alpha = 0 is read as at alpha = 1e-30:
/// an x_0 huge, finite and of the right sign, then clipped.
inline network_maps maps_at(network_form const& network, noise_level level)
{
    auto const [alpha, sigma] = level;
    double const out = network.output_scale;
    if (network.input == network_input::edm || network.input == network_input::edm_v) {
        double const data = network.sigma_data, root = std::hypot(sigma, alpha * data);
        double const sign = network.input == network_input::edm ? out : -out, above = sigma - alpha * network.boundary;
        double const square = above * above + alpha * data * alpha * data;
        double const share = network.boundary == 0.0 ? 1.0 : above / sigma; // 1 at sigma = 0, too
        return {1.0 / root,
                {alpha * data * data / square, sign * above * data / root},
                {share * above / square, -sign * share * alpha * data / root}};
    }
    double const scale = network.input == network_input::variance_preserving  ? 1.0 / std::hypot(alpha, sigma)
                         : network.input == network_input::variance_exploding ? 1.0 / alpha
                         : network.input == network_input::rectified_flow     ? 1.0 / (alpha + sigma)
                                                                              : 1.0;
    bool const bounded = network.operation.what != x0_operation::kind::none;
    noise_level const seen{scale * (bounded ? std::max(alpha, 1e-30) : alpha), scale * sigma};
    prediction_map const map = to_x_0_and_epsilon(network.predicts.value_or(prediction::epsilon), seen);
    return {scale, {scale * map.x_0.x, out * map.x_0.other}, {scale * map.epsilon.x, out * map.epsilon.other}};
}

/// What the network is given as time.
inline double network_time(network_form const& network, double time, noise_level level)
{
    switch (network.clock) {
    case network_clock::edm: return network.time_scale * -0.25 * half_log_snr(level);
    case network_clock::reversed: return network.time_scale * (1.0 - time);
    case network_clock::sigma: return network.time_scale * sigma_ratio(level);
    default: return network.time_scale * time;
    }
}

/// A stage that calls the network at `level` and remembers what `form` says; its rows are still empty. m(0) is x_0,
/// epsilon or epsilon - x_0, of the clipped x_0 where the network form asks for an operation.
///
/// Throws std::invalid_argument where the prediction does not determine the memory: x_0 from
/// epsilon at alpha = 0, epsilon from x_0 at sigma = 0.
inline stage network_call(network_form const& network, double time, noise_level level,
                          memory_form form = memory_form::x_0)
{
    network_maps const maps = maps_at(network, level);
    auto const [alpha, sigma] = level;
    bool const bounded = network.operation.what != x0_operation::kind::none;
    stage s{.time = network_time(network, time, level), .input_scale = maps.input_scale};
    if (form == memory_form::x_0 || bounded)
        s.memory = maps.x_0;
    else if (form == memory_form::velocity)
        s.memory = {maps.epsilon.x - maps.x_0.x, maps.epsilon.other - maps.x_0.other};
    else
        s.memory = maps.epsilon;
    s.operation = network.operation;
    if (bounded && form != memory_form::x_0)
        s.recall = {1.0 / sigma, -(form == memory_form::velocity ? alpha + sigma : alpha) / sigma};
    bool const exists = std::isfinite(s.memory.x) && std::isfinite(s.memory.other) && std::isfinite(s.recall.x);
    require(exists || alpha > 0.0, "network_call", "alpha", alpha,
            "an epsilon or score prediction says nothing of x_0 there: predict v, flow or x_0, "
            "clip x_0, or start the grid below it");
    require(exists, "network_call", "sigma", sigma, "an x_0 prediction says nothing of epsilon there");
    return s;
}

/// `maps_at`, where a velocity prediction is read too, at a level with this slope in t.
inline network_maps maps_at(network_form const& network, noise_level level, path_slope slope)
{
    if (network.predicts != prediction::velocity)
        return maps_at(network, level);
    prediction_map const map = from_velocity(level, slope);
    double const out = network.output_scale;
    return {1.0, {map.x_0.x, out * map.x_0.other}, {map.epsilon.x, out * map.epsilon.other}};
}

/// What moves the state in the path's own time: the ODE, or the reverse SDE of squared diffusion w.
struct slope_terms {
    path_slope slope{};
    double w = 0.0;
    double g2 = 0.0;            ///< of the forward SDE; read at sigma = 0 only
    double epsilon_scale = 1.0; ///< a factor of epsilon, that is of the score
};

/// A stage that calls the network and remembers dx/dt; its rows are still empty:
///
///     m(0) = alpha' x_0 + (sigma' + w / (2 sigma)) epsilon = f x - (g^2 + w) / 2 score,   f = alpha' / alpha
///
/// With a factor of epsilon x_0 is that of the new epsilon. Throws std::invalid_argument where alpha or sigma is 0 and
/// the prediction does not determine m(0), and where x_0 is clipped and epsilon scaled.
inline stage slope_call(network_form const& network, double time, noise_level level, slope_terms const& o)
{
    auto const [alpha, sigma] = level;
    path_slope const slope = o.slope;
    network_maps maps = maps_at(network, level, slope);
    bool const bounded = network.operation.what != x0_operation::kind::none, scaled = o.epsilon_scale != 1.0;
    require(!bounded || !scaled, "slope_call", "epsilon_scale", o.epsilon_scale, "it must be 1 where x_0 is clipped");
    stage s{.time = network_time(network, time, level), .input_scale = maps.input_scale};
    if (scaled) {
        maps.epsilon = {o.epsilon_scale * maps.epsilon.x, o.epsilon_scale * maps.epsilon.other};
        maps.x_0 = {(1.0 - sigma * maps.epsilon.x) / alpha, -sigma * maps.epsilon.other / alpha};
    }
    double const part = slope.sigma + (o.w == 0.0 ? 0.0 : o.w / (2.0 * sigma));
    if (bounded) {
        s.memory = maps.x_0;
        s.operation = network.operation;
        s.recall = {part / sigma, slope.alpha - part * alpha / sigma};
    } else if (network.predicts == prediction::velocity && o.w == 0.0 && !scaled) {
        s.memory = {0.0, network.output_scale};
    } else if (!std::isfinite(part) && network.predicts == prediction::score) {
        s.memory = {slope.alpha / alpha, -0.5 * (o.g2 + o.w) * o.epsilon_scale * network.output_scale};
    } else {
        s.memory = {slope.alpha * maps.x_0.x + part * maps.epsilon.x,
                    slope.alpha * maps.x_0.other + part * maps.epsilon.other};
    }
    require(std::isfinite(s.memory.x) && std::isfinite(s.memory.other) && std::isfinite(s.recall.x), "slope_call", "t",
            time,
            "alpha or sigma is 0 there and the prediction does not determine dx/dt: begin or end inside the path");
    return s;
}

/// The form with its prediction kind settled: the grid's usual one where the user names none.
inline network_form settled(network_form network, prediction usual)
{
    if (!network.predicts)
        network.predicts = usual;
    return network;
}

} // namespace alphabar
