// SPDX-License-Identifier: MIT
// Grids spaced in the noise level: Karras, exponential, kl-optimal, VP, bong-tangent, linear-quadratic, beta, a list.
#pragma once

#include <alphabar/core/special.hpp>
#include <alphabar/grid/ramp.hpp>
#include <alphabar/schedule/continuous.hpp>

namespace alphabar {

struct karras_options {
    double rho = 7.0;
    sigma_range range{};
};

/// (sigma_max^(1/rho) + u (sigma_min^(1/rho) - sigma_max^(1/rho)))^rho. Karras et al. 2022, arXiv 2206.00364, (5).
inline auto karras_law(double rho)
{
    return [rho](double_double low, double_double high, double_double u) {
        double_double const power = 1.0 / double_double(rho), top = pow(high, power);
        return pow(top + u * (pow(low, power) - top), rho);
    };
}

/// The levels at these places u of the ramp: consistency models' `ts` divided by steps - 1.
inline std::vector<double> karras_levels(std::vector<double> places, double sigma_min, double sigma_max,
                                         double rho = 7.0)
{
    for (double& u : places)
        u = karras_law(rho)(sigma_min, sigma_max, u).high;
    return places;
}

/// `karras_law`. Throws as sigma_grid does, and unless rho > 0.
inline auto karras_grid(std::size_t n, karras_options const& o = {})
{
    detail::require_positive(o.rho, "karras_grid", "rho");
    return sigma_grid(n, o.range, karras_law(o.rho), "karras_grid");
}

struct polyexponential_options {
    double rho = 1.0;
    sigma_range range{};
};

/// log sigma = log sigma_min + (1 - u)^rho log(sigma_max / sigma_min) (k-diffusion). Throws as karras_grid does.
inline auto polyexponential_grid(std::size_t n, polyexponential_options const& o = {})
{
    detail::require_positive(o.rho, "polyexponential_grid", "rho");
    auto const law = [rho = o.rho](double_double low, double_double high, double_double u) {
        return low * exp((rho == 1.0 ? 1.0 - u : pow(1.0 - u, rho)) * log(high / low));
    };
    return sigma_grid(n, o.range, law, "polyexponential_grid");
}

/// Equal steps in log sigma, that is in lambda: also diffusers' use_lu_lambdas, dpm-solver's logSNR (with end = first
/// and through_end), and EDM's grid for VE. Throws as sigma_grid does.
inline auto exponential_grid(std::size_t n, sigma_range const& range = {})
{
    return polyexponential_grid(n, {.range = range});
}

/// sigma = tan((1 - u) atan sigma_max + u atan sigma_min). Throws as sigma_grid does. The WebUI's form has N + 1 levels
/// and ends at sigma_min: through_end and final_level::first. Sabour et al. 2024, arXiv 2404.14507, theorem 3.1.
inline auto kl_optimal_grid(std::size_t n, sigma_range const& range = {})
{
    auto const law = [](double_double low, double_double high, double_double u) {
        double_double const top = atan_over_half_pi(high), bottom = atan_over_half_pi(low);
        auto const [sine, cosine] = sin_cos_half_pi(top + u * (bottom - top));
        return sine / cosine;
    };
    return sigma_grid(n, range, law, "kl_optimal_grid");
}

/// k-diffusion's get_sigmas_vp: sigma / alpha of EDM's form of the VP SDE at equal steps of time from 1 to
/// `first_time`, for networks in sigma. Throws as sigma_grid does, and unless 0 < first_time < 1.
inline auto vp_grid(std::size_t n, edm_vp const& vp = {}, double first_time = 1e-3)
{
    require(first_time > 0.0 && first_time < 1.0, "vp_grid", "first_time", first_time, "it must lie in (0, 1)");
    auto const law = [=](double_double, double_double, double_double u) {
        return vp.exact_sigma_ratio(1.0 + u * double_double::exact_sum(first_time, -1.0));
    };
    return sigma_grid(n, {.sigma_min = vp.sigma_ratio(first_time), .sigma_max = vp.sigma_ratio(1.0)}, law, "vp_grid");
}

/// Two arc-tangent segments that meet at half the range (RES4LYF's bong_tangent), with N + 1 levels down to 0: with
/// M = N + 2 and p = floor(3 M / 5), x = u N and A(x) = atan(8 (p - x) / M) before x = p - 1, atan(-8 (x - p + 1) / M)
/// from there on, each segment scaled to its half. A grid of one step is at sigma_max. Throws as sigma_grid does.
inline auto bong_tangent_grid(std::size_t n, sigma_range const& range = {})
{
    double const m = static_cast<double>(n) + 2.0, p = std::floor(3.0 * m / 5.0), joint = p - 1.0;
    auto const segment = [m](double x, double first, double last, double pivot) {
        auto const a = [&](double y) { return std::atan(8.0 * (pivot - y) / m); };
        return 0.5 * (a(x) - a(last)) / (a(first) - a(last));
    };
    auto const law = [=](double_double, double_double high, double_double u) {
        double const x = u.high * (m - 2.0);
        return high * (x < joint ? 0.5 + segment(x, 0.0, joint, p) : segment(x, joint, m - 2.0, joint));
    };
    return sigma_grid(n, detail::through(range), law, "bong_tangent_grid");
}

struct linear_quadratic_options {
    double threshold_noise = 0.025; ///< how far the linear part goes
    std::size_t linear_steps = 0;   ///< 0: N / 2
    sigma_range range{};
};

/// sigma_max (1 - q), q rising linearly to threshold_noise in linear_steps steps and then as a parabola with the same
/// value and slope there, to q = 1 at the end (Mochi, LTX-Video). A grid of one step is at sigma_max.
///
/// Throws as sigma_grid does, and unless 0 < threshold_noise < 1 and linear_steps < N.
inline auto linear_quadratic_grid(std::size_t n, linear_quadratic_options const& o = {})
{
    std::size_t const steps = o.linear_steps > 0 ? o.linear_steps : n / 2;
    require(o.threshold_noise > 0.0 && o.threshold_noise < 1.0, "linear_quadratic_grid", "threshold_noise",
            o.threshold_noise, "it must lie in (0, 1)");
    require(n <= 1 || steps < n, "linear_quadratic_grid", "linear_steps", steps, "it must be below N");
    double const linear = static_cast<double>(steps), rest = static_cast<double>(n) - linear;
    double const slope = linear > 0.0 ? o.threshold_noise / linear : 0.0;
    double const bend = (1.0 - o.threshold_noise - slope * rest) / (rest * rest);
    auto const law = [=](double_double, double_double high, double_double u) {
        double const x = u.high * (linear + rest), beyond = std::max(x - linear, 0.0);
        return high * (1.0 - (slope * x + bend * beyond * beyond));
    };
    return sigma_grid(n, detail::through(o.range), law, "linear_quadratic_grid");
}

struct beta_options {
    double alpha = 0.6;
    double beta = 0.6;
    sigma_range range{};
};

/// low + (high - low) q(1 - u), q the quantile function of Beta(alpha, beta).
inline auto beta_law(beta_options const& o)
{
    return between([a = o.alpha, b = o.beta](double_double v) { return beta_quantile(a, b, v.high); });
}

/// sigma = sigma_min + (sigma_max - sigma_min) q(1 - u): the form of
/// diffusers and WebUI Forge, which acts on sigma. Throws as sigma_grid and beta_quantile do. Source: Lee et al. 2024
/// (Beta Sampling is All You Need), arXiv 2407.12173.
inline auto beta_grid(std::size_t n, beta_options const& o = {})
{
    return sigma_grid(n, o.range, beta_law(o), "beta_grid");
}

/// t = t_max q(1 - i / N): ComfyUI's form, which acts on the time, with round_times as it rounds (times that then fall
/// together are one step: there may be fewer than N). RES4LYF's beta57 has alpha = 0.5, beta = 0.7. Throws as above.
inline auto beta_time_grid(std::size_t n, beta_options const& o = {})
{
    return time_grid(n, detail::through(o.range), beta_law(o), "beta_time_grid");
}

/// Published lists: Align Your Steps for 10 and for 32 steps (Sabour et al. 2024, arXiv 2404.14507) and GITS (Chen et
/// al. 2024, arXiv 2405.11326), for the model named; ..._times are the training times of the same steps.
// clang-format off
enum class level_list : std::uint8_t {
    ays_sd15, ays_sdxl, ays_svd, ays_sd15_times, ays_sdxl_times, ays32_sd15, ays32_sdxl, gits_sd15, gits_sdxl
};
// clang-format on

/// The numbers of a list, descending: levels, or times.
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
    /// the entry nearest to the position, as EDM takes levels of iDDPM; false: log-linear between
    bool nearest = false;
    /// u = i / N, 0 for the last entry (Align Your Steps, diffusers, ComfyUI); false: i / (N - 1), then 0 (WebUI).
    bool through_end = true;
    /// The list is of times, which the path must have: linear between the entries, and 0 behind the last one.
    bool times = false;
};

/// N calls at equal positions, from the first to the last, of a descending list of positive levels, in `sigma_of` the
/// path, or times, and then 0. Throws std::invalid_argument unless the list falls and has two entries, and N >= 1.
inline auto list_grid(std::size_t n, std::vector<double> list, list_options const& o = {})
{
    require(list.size() >= 2, "list_grid", "the number of levels", list.size(), "at least 2 are needed");
    for (std::size_t i = 1; i < list.size(); ++i)
        require(list[i] < list[i - 1] && list[i] > 0.0, "list_grid", "a level", list[i],
                "it must be positive and below the one before it");
    require(std::isfinite(list[0]), "list_grid", "a level", list[0], "it must be finite");
    return [=, list = std::move(list)](noise_path auto const& path) -> grid {
        require(o.times || list[0] <= 1.0 || !std::is_same_v<decltype(path), rectified_flow const&>, "list_grid",
                "a level", list[0], "on rectified flow it is t, at most 1");
        auto const point = [&](double_double u) {
            double_double const at = u * static_cast<double>(list.size() - 1);
            auto const j = static_cast<std::size_t>(o.nearest ? std::nearbyint(at.high) : at.high);
            double_double const w = at - static_cast<double>(j), here(list[j]);
            if (o.nearest || w == 0.0)
                return o.times ? point_at_time(path, list[j]) : point_at_sigma(path, list[j]);
            return o.times ? point_at_time(path, (here + w * (list[j + 1] - here)).high)
                           : point_at_sigma(path, (here * exp(w * log(list[j + 1] / here))).high);
        };
        return detail::ramp(path, n, {.through_end = o.through_end && !o.times}, point, "list_grid");
    };
}
inline auto list_grid(std::size_t n, level_list which, list_options o = {})
{
    o.times = which == level_list::ays_sd15_times || which == level_list::ays_sdxl_times;
    return list_grid(n, std::vector<double>(values_of(which).begin(), values_of(which).end()), o);
}

/// These noise levels, descending, in `sigma_of` the path.
inline auto sigmas_grid(std::vector<double> sigmas, final_level end = final_level::zero)
{
    return detail::list_of(std::move(sigmas), detail::coordinate::sigma, end, "sigmas_grid");
}

} // namespace alphabar
