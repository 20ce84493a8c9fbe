// SPDX-License-Identifier: MIT
// Published lists of noise levels: the variance-exploding process in T steps, the improved DDPM as EDM has it.
#pragma once

#include <alphabar/schedule/continuous.hpp>

#include <cstddef>
#include <vector>

namespace alphabar {

/// The variance-exploding process in T steps.
struct ve_ladder {
    std::vector<double> sigma;              ///< sigma_i = sigma_min (sigma_max / sigma_min)^(i / (T - 1)), rising
    std::vector<double> adjacent_diffusion; ///< sqrt(sigma_i^2 - sigma_{i-1}^2), sigma_{-1} = 0
};

/// Source: Song et al. 2021, arXiv 2011.13456, (20). Throws std::invalid_argument unless T >= 1 and
/// 0 < sigma_min <= sigma_max < infinity.
inline ve_ladder make_ve_ladder(std::size_t T, double sigma_min = 0.01, double sigma_max = 50.0)
{
    require(T >= 1, "make_ve_ladder", "T", T, "it must be at least 1");
    require(sigma_min > 0.0 && sigma_min <= sigma_max, "make_ve_ladder", "sigma_min", sigma_min,
            "it must lie in (0, sigma_max]");
    require(detail::is_finite(sigma_max), "make_ve_ladder", "sigma_max", sigma_max, "it must be finite");
    double_double before, last(static_cast<double>(T > 1 ? T - 1 : 1));
    ve_ladder out;
    for (std::size_t i = 0; i < T; ++i) {
        double_double const sigma = ve_sde{sigma_min, sigma_max}.exact_sigma(static_cast<double>(i) / last);
        out.sigma.push_back(sigma.high);
        out.adjacent_diffusion.push_back(sqrt((sigma - before) * (sigma + before)).high);
        before = sigma;
    }
    return out;
}

/// The noise levels u_0 > u_1 > ... > u_M = 0 of the improved DDPM in EDM's form,
/// u_{j-1} = sqrt((u_j^2 + 1) / max(f_{j-1} / f_j, C_1) - 1), f_j = sin^2(pi / 2 j / (M (1 + C_2))). Source: Karras et
/// al. 2022, arXiv 2206.00364, table 1. Throws std::invalid_argument unless M >= 1, 0 < C_1 < 1 and C_2 > 0.
inline std::vector<double> iddpm_levels(std::size_t M = 1000, double C_1 = 0.001, double C_2 = 0.008)
{
    require(M >= 1 && M <= 10000, "iddpm_levels", "M", M, "it must lie in [1, 10000]");
    require(C_1 > 0.0 && C_1 < 1.0, "iddpm_levels", "C_1", C_1, "it must lie in (0, 1)");
    require(C_2 > 0.0 && detail::is_finite(C_2), "iddpm_levels", "C_2", C_2, "it must be positive");
    std::vector<double> levels(M + 1);
    double_double const scale = static_cast<double>(M) * double_double::exact_sum(1.0, C_2);
    double_double square, sine = sin_half_pi(static_cast<double>(M) / scale); // u_j^2
    for (std::size_t j = M; j > 0; --j) {
        double_double const next = sin_half_pi(static_cast<double>(j - 1) / scale), root = next / sine;
        double_double const ratio = root * root < C_1 ? C_1 : root * root;
        square = (square + 1.0 - ratio) / ratio;
        levels[j - 1] = sqrt(square).high;
        sine = next;
    }
    return levels;
}

} // namespace alphabar
