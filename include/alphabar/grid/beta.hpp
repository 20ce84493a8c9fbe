// SPDX-License-Identifier: MIT
//
// The beta grids: of the noise level, and of the time.
#pragma once

#include <alphabar/core/special.hpp>
#include <alphabar/grid/ramp.hpp>

#include <cstddef>

namespace alphabar {

struct beta_options {
    double alpha = 0.6;
    double beta = 0.6;
    sigma_range range{};
};

namespace detail {
inline auto beta_law(beta_options const& o)
{
    return between([a = o.alpha, b = o.beta](double_double v) { return beta_quantile(a, b, v.high); });
}
} // namespace detail

/// sigma = sigma_min + (sigma_max - sigma_min) q(1 - u), q the quantile function of Beta(alpha, beta): the form of diffusers
/// and WebUI Forge, which acts on sigma. Throws as sigma_grid and beta_quantile do. Source: Lee et al. 2024 (Beta Sampling is
/// All You Need), arXiv 2407.12173.
inline auto beta_grid(std::size_t n, beta_options const& o = {})
{
    return sigma_grid(n, o.range, detail::beta_law(o), "beta_grid");
}

/// t = t_max q(1 - i / N): ComfyUI's form, which acts on the time, with round_times as it rounds (then times that fall together
/// are one step, so that there may be fewer than N). RES4LYF's beta57 has alpha = 0.5, beta = 0.7. Throws as above.
inline auto beta_time_grid(std::size_t n, beta_options o = {})
{
    o.range.through_end = true;
    return time_grid(n, o.range, detail::beta_law(o), "beta_time_grid");
}

} // namespace alphabar
