// SPDX-License-Identifier: MIT
// DDIM between neighbouring times of a table, with a time for each sample. Whole trajectories are plans:
// sampler/ddim.hpp.
#pragma once

#include <alphabar/core/error.hpp>
#include <alphabar/core/host_device.hpp>
#include <alphabar/core/pair_map.hpp>
#include <alphabar/core/tensor.hpp>
#include <alphabar/core/transform.hpp>
#include <alphabar/process/times.hpp>
#include <alphabar/schedule/gaussian_diffusion.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <vector>

namespace alphabar {

/// One DDIM step from t to t - 1, with A = alpha_bar_t and P = alpha_bar_{t-1}:
///
///     eps = (x - sqrt(A) x_0) / sqrt(1 - A),  w = eta sqrt((1 - P) / (1 - A)) sqrt(1 - A / P)
///     sample = sqrt(P) x_0 + sqrt(1 - P - w^2) eps + [t != 0] w z
///
/// x_0 is that of predict_x_0, or with a classifier of classifier_guide. Shapes: all [batch, ...]; times: one integer
/// for all or one a sample; `noise` is a tensor or a generator and is not read where eta = 0 or t = 0; `sample` may be
/// an input. Throws std::invalid_argument, before anything is written, unless every t lies in [0, T - 1] and eta in [0,
/// 1], and where shapes differ. Source: Song et al. 2021, arXiv 2010.02502, (12), (16).
template <tensor X, class Times, tensor X0, class Noise, class Out>
void ddim_sample(gaussian_diffusion const& diffusion, X const& x, Times const& times, X0 const& x_0, double eta,
                 Noise const& noise, Out&& sample)
{
    using T = compute_t<value_t<Out>>;
    struct step {
        T state, clean, spread;
        ALPHABAR_HOST_DEVICE constexpr T operator()(T x_t, T data, T z) const
        {
            return state * x_t + clean * data + spread * z;
        }
    };
    require(eta >= 0.0 && eta <= 1.0, "ddim_sample", "eta", eta, "it must lie in [0, 1]");
    std::vector<step> formulas;
    for (std::size_t t : indices_of(times, traits_of<X>::shape(x).batch(), diffusion.T(), "ddim_sample")) {
        auto const [alpha, sigma] = diffusion.level(static_cast<double>(t));
        double const before = std::sqrt(diffusion[table::alpha_bar_previous][t]);
        double const rest = t == 0 ? 0.0 : diffusion[table::one_minus_alpha_bar][t - 1];
        double const variance =
            eta * eta * diffusion[table::posterior_variance][t]; // (1 - P) / (1 - A) (1 - A / P), as beta = 1 - A / P
        double const kept = std::sqrt(std::max(0.0, rest - variance)) / sigma;
        formulas.push_back({static_cast<T>(kept), static_cast<T>(before - kept * alpha),
                            static_cast<T>(t == 0 ? 0.0 : std::sqrt(variance))});
    }
    transform_rows(formulas, sample, x, x_0, noise);
}

/// The reverse of a deterministic step, from t up to t + 1 (alpha_bar is 0 after T - 1): with A' = alpha_bar_{t+1}
///
///     sample = sqrt(A') x_0 + sqrt(1 - A') eps
///
/// Otherwise as ddim_sample. Source: ibid., section 4.3.
template <tensor X, class Times, tensor X0, class Out>
void ddim_reverse_sample(gaussian_diffusion const& diffusion, X const& x, Times const& times, X0 const& x_0,
                         Out&& sample)
{
    std::vector<pair_formula<compute_t<value_t<Out>>>> formulas;
    for (std::size_t t : indices_of(times, traits_of<X>::shape(x).batch(), diffusion.T(), "ddim_reverse_sample")) {
        auto const [alpha, sigma] = diffusion.level(static_cast<double>(t));
        noise_level const next =
            t + 1 < diffusion.T() ? diffusion.level(static_cast<double>(t + 1)) : noise_level{0.0, 1.0};
        double const kept = next.sigma / sigma;
        formulas.emplace_back(pair_map{kept, next.alpha - kept * alpha});
    }
    transform_rows(formulas, sample, x, x_0);
}

} // namespace alphabar
