// SPDX-License-Identifier: MIT
// Denoisers made of networks: EDM's preconditioning, those of the networks that it took over, and consistency models'.
#pragma once

#include <alphabar/core/error.hpp>
#include <alphabar/core/pair_map.hpp>
#include <alphabar/core/tensor.hpp>
#include <alphabar/core/transform.hpp>
#include <alphabar/process/times.hpp>
#include <alphabar/schedule/continuous.hpp>

#include <cmath>
#include <cstddef>
#include <limits>
#include <span>
#include <string_view>
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

namespace detail {
inline void require_sigma(double sigma, std::string_view function)
{
    require(std::isfinite(sigma) && sigma >= 0.0, function, "sigma", sigma, "it must be finite and not negative");
}
inline void require_sigma_data(double sigma_data, std::string_view function)
{
    require(std::isfinite(sigma_data) && sigma_data > 0.0, function, "sigma_data", sigma_data,
            "it must be finite and positive");
}
} // namespace detail

/// EDM's coefficients, with r = sqrt(sigma^2 + sigma_data^2):
///
///     c_skip = sigma_data^2 / r^2,  c_out = sigma sigma_data / r,  c_in = 1 / r,  c_noise = log(sigma) / 4
///
/// At sigma = 0 D is x, and c_noise is -infinity. Source: Karras et al. 2022, arXiv 2206.00364, table 1. Throws
/// std::invalid_argument unless sigma >= 0 and sigma_data > 0, both finite.
inline preconditioning edm_preconditioning(double sigma, double sigma_data = 0.5)
{
    detail::require_sigma(sigma, "edm_preconditioning");
    detail::require_sigma_data(sigma_data, "edm_preconditioning");
    double const root = std::hypot(sigma, sigma_data), share = sigma_data / root;
    return {share * share, sigma * share, 1.0 / root,
            sigma == 0.0 ? -std::numeric_limits<double>::infinity() : 0.25 * std::log(sigma)};
}

/// The weight of EDM's loss, (sigma^2 + sigma_data^2) / (sigma sigma_data)^2 = 1 / c_out^2. Ibid. Throws as above, and
/// where sigma = 0.
inline double edm_loss_weight(double sigma, double sigma_data = 0.5)
{
    double const c_out = edm_preconditioning(sigma, sigma_data).c_out;
    require(sigma > 0.0, "edm_loss_weight", "sigma", sigma, "it must be positive");
    return 1.0 / (c_out * c_out);
}

/// A network trained on a variance-preserving process to predict epsilon, at the time `c_noise` of that process with
/// sigma / alpha = sigma (k-diffusion's EpsDenoiser): (1, -sigma, 1 / sqrt(sigma^2 + 1)). Throws unless sigma >= 0 and
/// finite.
inline preconditioning epsilon_preconditioning(double sigma, double c_noise)
{
    detail::require_sigma(sigma, "epsilon_preconditioning");
    return {1.0, -sigma, 1.0 / std::hypot(sigma, 1.0), c_noise};
}

/// The same for v (k-diffusion's VDenoiser): (1 / (sigma^2 + 1), -sigma / sqrt(sigma^2 + 1), 1 / sqrt(sigma^2 + 1)),
/// that is EDM's with sigma_data = 1 and -c_out.
inline preconditioning v_preconditioning(double sigma, double c_noise)
{
    preconditioning const c = edm_preconditioning(sigma, 1.0);
    return {c.c_skip, -c.c_out, c.c_in, c_noise};
}

/// EDM's form of DDPM++'s networks: epsilon at c_noise = (M - 1) t(sigma). Karras et al. 2022, table 1, VP.
inline preconditioning vp_preconditioning(double sigma, edm_vp const& path = {}, std::size_t M = 1000)
{
    detail::require_sigma(sigma, "vp_preconditioning");
    return epsilon_preconditioning(sigma, static_cast<double>(M - 1) * path.unbounded_time(sigma));
}

/// EDM's form of NCSN++'s networks: (1, sigma, 1, log(sigma / 2)). Ibid., VE.
inline preconditioning ve_preconditioning(double sigma)
{
    detail::require_sigma(sigma, "ve_preconditioning");
    return {1.0, sigma, 1.0, std::log(0.5 * sigma)};
}

/// The index of the level nearest to sigma. Throws std::invalid_argument where there is none.
inline std::size_t nearest_level(std::span<double const> levels, double sigma)
{
    require(!levels.empty(), "nearest_level", "the number of levels", levels.size(), "at least 1 is needed");
    std::size_t best = 0;
    for (std::size_t i = 1; i < levels.size(); ++i)
        if (std::abs(levels[i] - sigma) < std::abs(levels[best] - sigma))
            best = i;
    return best;
}

/// EDM's form of ADM's networks: epsilon at c_noise = M - 1 - (the index of the nearest of the M + 1 `iddpm_levels`).
/// Ibid., iDDPM.
inline preconditioning iddpm_preconditioning(double sigma, std::span<double const> levels)
{
    return epsilon_preconditioning(sigma, static_cast<double>(levels.size()) - 2.0 -
                                              static_cast<double>(nearest_level(levels, sigma)));
}

/// Consistency models': at sigma = sigma_min D is x.
///
///     c_skip = sigma_data^2 / ((sigma - sigma_min)^2 + sigma_data^2),  c_out = (sigma - sigma_min) sigma_data / r,
///     c_in = 1 / r,  c_noise = 250 log sigma,  r = sqrt(sigma^2 + sigma_data^2)
///
/// Source: Song et al. 2023, arXiv 2303.01469, appendix C. Throws as edm_preconditioning does.
inline preconditioning consistency_preconditioning(double sigma, double sigma_data = 0.5, double sigma_min = 0.002)
{
    preconditioning const edm = edm_preconditioning(sigma, sigma_data);
    double const above = sigma - sigma_min, share = sigma_data / std::hypot(above, sigma_data);
    return {share * share, above * sigma_data * edm.c_in, edm.c_in, 1000.0 * edm.c_noise};
}

/// D = c_skip x + c_out F for a batch; sigmas: one number or one a sample. Shapes: x, output, out [batch, ...]; `out`
/// may be an input. Throws std::invalid_argument, before anything is written, as edm_preconditioning does and where
/// shapes differ.
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
