// SPDX-License-Identifier: MIT
//
// The preconditioning of EDM: a network with inputs and outputs of unit variance at every noise level.
#pragma once

#include <alphabar/core/error.hpp>
#include <alphabar/core/pair_map.hpp>
#include <alphabar/core/tensor.hpp>
#include <alphabar/core/transform.hpp>
#include <alphabar/process/times.hpp>

#include <cmath>
#include <limits>
#include <vector>

namespace alphabar {

/// D(x; sigma) = c_skip x + c_out F(c_in x, c_noise).
struct preconditioning {
    double c_skip;
    double c_out;
    double c_in;
    double c_noise;
    friend bool operator==(preconditioning const&, preconditioning const&) = default;
};

/// EDM's coefficients, with r = sqrt(sigma^2 + sigma_data^2):
///
///     c_skip = sigma_data^2 / r^2,  c_out = sigma sigma_data / r,  c_in = 1 / r,  c_noise = log(sigma) / 4
///
/// At sigma = 0 D is x, and c_noise is -infinity. Source: Karras et al. 2022, arXiv 2206.00364, table 1. Throws std::invalid_argument
/// unless sigma >= 0 and sigma_data > 0, both finite.
inline preconditioning edm_preconditioning(double sigma, double sigma_data = 0.5)
{
    require(std::isfinite(sigma) && sigma >= 0.0, "edm_preconditioning", "sigma", sigma,
            "it must be finite and not negative");
    require(std::isfinite(sigma_data) && sigma_data > 0.0, "edm_preconditioning", "sigma_data", sigma_data,
            "it must be finite and positive");
    double const root = std::hypot(sigma, sigma_data), share = sigma_data / root;
    return {share * share, sigma * share, 1.0 / root,
            sigma == 0.0 ? -std::numeric_limits<double>::infinity() : 0.25 * std::log(sigma)};
}

/// The weight of EDM's loss, (sigma^2 + sigma_data^2) / (sigma sigma_data)^2 = 1 / c_out^2. Ibid. Throws as above, and where sigma = 0.
inline double edm_loss_weight(double sigma, double sigma_data = 0.5)
{
    double const c_out = edm_preconditioning(sigma, sigma_data).c_out;
    require(sigma > 0.0, "edm_loss_weight", "sigma", sigma, "it must be positive");
    return 1.0 / (c_out * c_out);
}

/// D = c_skip x + c_out F for a batch; sigmas: one number or one a sample. Shapes: x, output, out [batch, ...]; `out` may be an input.
/// Throws std::invalid_argument, before anything is written, as edm_preconditioning does and where shapes differ.
template <class Sigmas, tensor X, tensor F, class Out>
void edm_denoised(X const& x, Sigmas const& sigmas, F const& output, Out&& out, double sigma_data = 0.5)
{
    using T = compute_t<value_t<Out>>;
    std::vector<pair_formula<T>> formulas;
    for (double sigma : times_of(sigmas, traits_of<X>::shape(x).batch(), "edm_denoised")) {
        preconditioning const c = edm_preconditioning(sigma, sigma_data);
        formulas.emplace_back(pair_map{c.c_skip, c.c_out});
    }
    transform_rows(formulas, out, x, output);
}

} // namespace alphabar
