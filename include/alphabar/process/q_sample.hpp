// SPDX-License-Identifier: MIT
// q(x_t | x_0): noisy data at any time, in one step.
#pragma once

#include <alphabar/core/error.hpp>
#include <alphabar/core/pair_map.hpp>
#include <alphabar/core/tensor.hpp>
#include <alphabar/core/transform.hpp>
#include <alphabar/noise/stream.hpp>
#include <alphabar/process/times.hpp>
#include <alphabar/schedule/noise_level.hpp>

#include <cmath>
#include <type_traits>
#include <vector>

namespace alphabar {

/// The spread of a normal distribution that is the same for all elements of a sample.
struct variances {
    double variance;
    double log_variance;
    friend bool operator==(variances const&, variances const&) = default;
};

/// x_t = alpha_t x_0 + sigma_t eps, in one pass.
///
/// Shapes: x_0 and x_t [batch, ...]; times: one number for all or one a sample, integers or doubles. `noise` is a
/// tensor of x_0's shape, a generator such as noise(purpose::training, step) of a stream, or a stream, which stands for
/// its (purpose::training, 0): the same numbers in every call, so a training loop passes its step. x_t may be x_0 or
/// the noise.
///
/// Throws std::invalid_argument, before anything is written, for times outside the path and for shapes that differ.
/// Source: Ho et al. 2020, arXiv 2006.11239, (4).
template <noise_path Path, tensor X0, class Times, class Noise, class Xt>
void q_sample(Path const& path, X0 const& x_0, Times const& times, Noise const& noise, Xt&& x_t)
{
    using T = compute_t<value_t<Xt>>;
    std::vector<pair_formula<T>> formulas;
    for (auto const& [alpha, sigma] : levels_at(path, times, traits_of<X0>::shape(x_0).batch(), "q_sample"))
        formulas.emplace_back(pair_map{alpha, sigma});
    if constexpr (std::is_same_v<Noise, noise_stream>)
        transform_rows(formulas, x_t, x_0, noise(purpose::training, 0));
    else
        transform_rows(formulas, x_t, x_0, noise);
}

/// q(x_t | x_0) = N(mean, variance): writes mean = alpha_t x_0 and returns sigma_t^2 and its logarithm for each sample.
/// Shapes and errors as for q_sample.
template <noise_path Path, tensor X0, class Times, class Mean>
std::vector<variances> q_mean_variance(Path const& path, X0 const& x_0, Times const& times, Mean&& mean)
{
    using T = compute_t<value_t<Mean>>;
    struct scale {
        T alpha;
        ALPHABAR_HOST_DEVICE constexpr T operator()(T x) const { return alpha * x; }
    };
    std::vector<scale> formulas;
    std::vector<variances> out;
    for (auto const& [alpha, sigma] : levels_at(path, times, traits_of<X0>::shape(x_0).batch(), "q_mean_variance")) {
        formulas.push_back({static_cast<T>(alpha)});
        out.push_back({sigma * sigma, 2.0 * std::log(sigma)});
    }
    transform_rows(formulas, mean, x_0);
    return out;
}

} // namespace alphabar
