// SPDX-License-Identifier: MIT
// q(x_s | x_t, x_0): one step back when the data is known.
#pragma once

#include <alphabar/core/error.hpp>
#include <alphabar/core/pair_map.hpp>
#include <alphabar/core/tensor.hpp>
#include <alphabar/core/transform.hpp>
#include <alphabar/process/times.hpp>
#include <alphabar/schedule/gaussian_diffusion.hpp>
#include <alphabar/schedule/noise_level.hpp>

#include <cmath>
#include <cstddef>
#include <vector>

namespace alphabar {

/// The posterior between any two levels, s cleaner than t. With rho = (alpha_t sigma_s) / (alpha_s sigma_t):
///
///     mean = alpha_s (1 - rho^2) x_0 + rho sigma_s / sigma_t x_t,    variance = sigma_s^2 (1 - rho^2)
///
/// Source: Kingma et al. 2021, arXiv 2107.00630, appendix A.2. Throws std::invalid_argument unless s is cleaner than t.
inline posterior make_posterior(noise_level t, noise_level s)
{
    require(t.sigma > 0.0 && s.alpha > 0.0 && t.alpha * s.sigma < s.alpha * t.sigma, "make_posterior",
            "sigma / alpha of s", sigma_ratio(s), "it must be below that of t");
    double const rho = (t.alpha / s.alpha) * (s.sigma / t.sigma), rest = (1.0 - rho) * (1.0 + rho);
    double const variance = s.sigma * s.sigma * rest;
    return {s.alpha * rest, rho * s.sigma / t.sigma, variance, std::log(variance)};
}

namespace detail {

template <class X0, class Xt, class Mean>
void posterior_mean(std::vector<posterior> const& of, X0 const& x_0, Xt const& x_t, Mean&& mean)
{
    using T = compute_t<value_t<Mean>>;
    std::vector<pair_formula<T>> formulas;
    for (posterior const& p : of)
        formulas.emplace_back(pair_map{p.x_0, p.x_t});
    transform_rows(formulas, mean, x_0, x_t);
}

} // namespace detail

/// q(x_{t-1} | x_t, x_0) of a discrete process: writes its mean and returns the coefficients, the variance and the
/// clipped log variance of each sample.
///
/// Shapes: x_0, x_t, mean [batch, ...]; times: one integer for all or one a sample. `mean` may be x_0 or x_t. Throws
/// std::invalid_argument, before anything is written, unless every t is an integer in [0, T - 1], and where shapes
/// differ. Source: Ho et al. 2020, arXiv 2006.11239, (6), (7).
template <tensor X0, tensor Xt, class Times, class Mean>
std::vector<posterior> q_posterior(gaussian_diffusion const& diffusion, X0 const& x_0, Xt const& x_t,
                                   Times const& times, Mean&& mean)
{
    std::vector<posterior> out;
    for (std::size_t t : indices_of(times, traits_of<X0>::shape(x_0).batch(), diffusion.T(), "q_posterior"))
        out.push_back(diffusion.posterior(t));
    detail::posterior_mean(out, x_0, x_t, mean);
    return out;
}

/// q(x_s | x_t, x_0) between any two times s < t of any path: writes its mean and returns the rest. Otherwise as above.
template <noise_path Path, tensor X0, tensor Xt, class Times, class EarlierTimes, class Mean>
std::vector<posterior> q_posterior(Path const& path, X0 const& x_0, Xt const& x_t, Times const& times,
                                   EarlierTimes const& s, Mean&& mean)
{
    std::size_t const batch = traits_of<X0>::shape(x_0).batch();
    std::vector<noise_level> const high = levels_at(path, times, batch, "q_posterior"),
                                   low = levels_at(path, s, batch, "q_posterior");
    std::vector<posterior> out;
    for (std::size_t i = 0; i < batch; ++i)
        out.push_back(make_posterior(high[i], low[i]));
    detail::posterior_mean(out, x_0, x_t, mean);
    return out;
}

} // namespace alphabar
