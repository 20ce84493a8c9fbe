// SPDX-License-Identifier: MIT
//
// Grids through a list of noise levels: Align Your Steps, GITS, the levels of iDDPM.
#pragma once

#include <alphabar/core/double_double.hpp>
#include <alphabar/core/error.hpp>
#include <alphabar/grid/grid.hpp>
#include <alphabar/grid/ramp.hpp>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

namespace alphabar {

/// Published lists: Align Your Steps for 10 and for 32 steps (Sabour et al. 2024, arXiv 2404.14507) and GITS (Chen et al.
/// 2024, arXiv 2405.11326), for the model named; ..._times are the training times of the same steps.
enum class level_list : std::uint8_t {
    ays_sd15,
    ays_sdxl,
    ays_svd,
    ays_sd15_times,
    ays_sdxl_times,
    ays32_sd15,
    ays32_sdxl,
    gits_sd15,
    gits_sdxl
};

/// The numbers of a list, descending.
inline std::span<double const> values_of(level_list which)
{
    static std::vector<double> const lists[] = {
        {14.615, 6.475, 3.861, 2.697, 1.886, 1.396, 0.963, 0.652, 0.399, 0.152, 0.029},
        {14.615, 6.315, 3.771, 2.181, 1.342, 0.862, 0.555, 0.380, 0.234, 0.113, 0.029},
        {700.0, 54.5, 15.886, 7.977, 4.248, 1.789, 0.981, 0.403, 0.173, 0.034, 0.002},
        {999, 850, 736, 645, 545, 455, 343, 233, 124, 24},
        {999, 845, 730, 587, 443, 310, 193, 116, 53, 13},
        {14.615,     11.23951352, 8.64363081, 6.64729424, 5.57250862, 4.71648546, 3.99196065, 3.5195609,
         3.13490466, 2.79228788,  2.48773628, 2.21663865, 1.97508351, 1.7793172,  1.61475335, 1.46540953,
         1.314849,   1.16642497,  1.03475547, 0.91573744, 0.80748169, 0.71202361, 0.621739,   0.53065202,
         0.4529096,  0.37491455,  0.27461819, 0.2011529,  0.14105873, 0.06682881, 0.03166121, 0.015},
        {14.615,     11.1491618, 8.50522127, 6.48827151, 5.43707402, 4.60398619, 3.89854704, 3.27407457,
         2.74396527, 2.29968659, 1.95448514, 1.67108715, 1.42878152, 1.23181009, 1.06789649, 0.92579443,
         0.80290886, 0.69660121, 0.60436903, 0.52852552, 0.46773344, 0.41393379, 0.36258186, 0.31008517,
         0.26518925, 0.22326461, 0.17653877, 0.13959192, 0.10587381, 0.05519369, 0.02877334, 0.015},
        {14.615, 4.617, 2.507, 1.236, 0.702, 0.402, 0.240, 0.156, 0.104, 0.094, 0.029},
        {14.615, 4.734, 2.567, 1.529, 0.987, 0.652, 0.418, 0.268, 0.179, 0.127, 0.029},
    };
    require(which <= level_list::gits_sdxl, "values_of", "list", static_cast<int>(which), "it must be an enumerator");
    return lists[static_cast<std::size_t>(which)];
}

struct list_options {
    bool nearest =
        false; ///< the entry nearest to the position, as EDM takes levels of iDDPM; false: log-linear between
    /// u = i / N, the last entry being replaced by 0 (Align Your Steps, diffusers, ComfyUI); false: at i / (N - 1), 0 behind
    /// the last entry (WebUI).
    bool through_end = true;
};

/// N calls at equal positions, from the first to the last, of a descending list of positive levels, in `sigma_of` the path,
/// and then 0. Throws as sigma_grid does, and unless the list falls and has two entries.
inline auto list_grid(std::size_t n, std::vector<double> list, list_options const& o = {})
{
    require(list.size() >= 2, "list_grid", "the number of levels", list.size(), "at least 2 are needed");
    for (std::size_t i = 1; i < list.size(); ++i)
        require(list[i] < list[i - 1] && list[i] > 0.0, "list_grid", "a level", list[i],
                "it must be positive and below the one before it");
    sigma_range const range{.sigma_min = list.back(), .sigma_max = list.front(), .through_end = o.through_end};
    auto const law = [list = std::move(list), nearest = o.nearest](double_double, double_double) {
        return [&list, nearest](double_double u) {
            double_double const at = u * double_double(static_cast<double>(list.size() - 1));
            if (nearest)
                return double_double(list[static_cast<std::size_t>(std::nearbyint(at.high))]);
            auto const j = static_cast<std::size_t>(at.high);
            double_double const w = at - double_double(static_cast<double>(j)), here(list[j]);
            return w == double_double() ? here : here * exp(w * log(double_double(list[j + 1]) / here));
        };
    };
    return sigma_grid(n, range, law, "list_grid");
}
inline auto list_grid(std::size_t n, level_list which, list_options const& o = {})
{
    std::span<double const> const values = values_of(which);
    return list_grid(n, std::vector<double>(values.begin(), values.end()), o);
}

} // namespace alphabar
