// SPDX-License-Identifier: MIT
//
// Paths in continuous time: the SDEs, EDM's forms of them, and paths given by their log-SNR.
#pragma once

#include <alphabar/core/double_double.hpp>
#include <alphabar/core/error.hpp>
#include <alphabar/schedule/noise_level.hpp>

#include <cstddef>
#include <limits>
#include <string_view>
#include <vector>

namespace alphabar {

// Everything here is computed in double-double and rounded once: within 0.51 units in the last place of the exact value of the exact
// arguments. Times lie in [0, 1]; std::invalid_argument is thrown outside, and by `time` unless the ratio sigma / alpha >= 0.

namespace detail {

constexpr double_double unit_time(double t, std::string_view function)
{
    require(!is_nan(t) && t >= 0.0 && t <= 1.0, function, "t", t, "it must lie in [0, 1]");
    return t;
}

constexpr void require_ratio(double ratio, std::string_view function)
{
    require(!is_nan(ratio) && ratio >= 0.0, function, "ratio", ratio, "it must not be negative");
}

/// y = beta_d t^2 / 2 + beta_min t = -log alpha_bar of the variance-preserving SDE, and its inverse.
constexpr double_double vp_exponent(double_double beta_d, double_double beta_min, double_double t)
{
    return t * (scaled(beta_d * t, -1) + beta_min);
}
constexpr double_double vp_exponent_inverse(double_double beta_d, double_double beta_min, double_double y)
{
    double_double const root = sqrt(beta_min * beta_min + scaled(beta_d * y, 1)) + beta_min;
    return y.high == 0.0 ? double_double() : scaled(y, 1) / root;
}

/// log(1 + ratio^2)
constexpr double_double exponent_of_ratio(double ratio) { return log1p(double_double::exact_product(ratio, ratio)); }

} // namespace detail

/// The variance-preserving SDE, beta(t) = beta_min + t (beta_max - beta_min): alpha = e^L, L = -t^2 (beta_max - beta_min) / 4 - t beta_min / 2,
/// alpha^2 + sigma^2 = 1. Source: Song et al. 2021, arXiv 2011.13456, (33).
struct vp_sde {
    double beta_min = 0.1;
    double beta_max = 20.0;

    constexpr double beta(double t) const { return exact_beta(t).high; }
    constexpr double log_mean_coeff(double t) const { return scaled(-exponent(t), -1).high; }
    constexpr double alpha_bar(double t) const { return exp(-exponent(t)).high; }
    constexpr double one_minus_alpha_bar(double t) const { return rest(t).high; }
    /// log(alpha^2 / sigma^2); infinite at t = 0.
    constexpr double log_snr(double t) const { return exact_log_snr(t).high; }
    constexpr double half_log_snr(double t) const { return 0.5 * exact_log_snr(t).high; }
    /// sigma / alpha
    constexpr double sigma_ratio(double t) const { return sqrt(expm1(exponent(t))).high; }
    constexpr noise_level level(double t) const { return {exp(scaled(-exponent(t), -1)).high, sqrt(rest(t)).high}; }
    constexpr double time(double ratio) const
    {
        detail::require_ratio(ratio, "vp_sde::time");
        if (ratio >= sigma_ratio(1.0))
            return 1.0;
        return detail::vp_exponent_inverse(difference(), beta_min, detail::exponent_of_ratio(ratio)).high;
    }
    constexpr double final_time() const { return 1.0; }
    constexpr double first_time() const { return 1e-3; }
    /// d alpha / dt = -beta alpha / 2, d sigma / dt = beta alpha^2 / (2 sigma), infinite at t = 0; g^2 = beta.
    constexpr path_slope slope(double t) const
    {
        auto const [alpha, sigma] = level(t);
        double const half = 0.5 * beta(t), infinity = std::numeric_limits<double>::infinity();
        return {-half * alpha, sigma == 0.0 ? infinity : half * alpha * alpha / sigma};
    }
    constexpr double squared_diffusion(double t) const { return beta(t); }

    /// The sub-VP SDE: standard deviation 1 - e^2L, squared diffusion beta (1 - e^4L). Ibid., (36), (38).
    constexpr double sub_vp_deviation(double t) const { return rest(t).high; }
    constexpr double sub_vp_squared_diffusion(double t) const
    {
        return (exact_beta(t) * -expm1(scaled(-exponent(t), 1))).high;
    }
    friend constexpr bool operator==(vp_sde const&, vp_sde const&) = default;

private:
    constexpr double_double difference() const { return double_double::exact_sum(beta_max, -beta_min); }
    constexpr double_double exact_beta(double t) const
    {
        return double_double(beta_min) + detail::unit_time(t, "vp_sde") * difference();
    }
    constexpr double_double exponent(double t) const
    {
        return detail::vp_exponent(difference(), beta_min, detail::unit_time(t, "vp_sde"));
    }
    constexpr double_double rest(double t) const { return -expm1(-exponent(t)); }
    constexpr double_double exact_log_snr(double t) const
    {
        return t == 0.0 ? double_double(std::numeric_limits<double>::infinity()) : -log(expm1(exponent(t)));
    }
};

/// The sub-VP SDE as a path: alpha = e^L, sigma = 1 - e^2L. Source: Song et al. 2021, arXiv 2011.13456, section 3.4.
struct sub_vp_sde {
    vp_sde base{};

    constexpr noise_level level(double t) const { return {base.level(t).alpha, base.sub_vp_deviation(t)}; }
    constexpr path_slope slope(double t) const
    {
        double const beta = base.beta(t);
        return {-0.5 * beta * base.level(t).alpha, beta * base.alpha_bar(t)};
    }
    constexpr double squared_diffusion(double t) const { return base.sub_vp_squared_diffusion(t); }
    /// sigma / alpha = 1 / alpha - alpha
    constexpr double time(double ratio) const
    {
        detail::require_ratio(ratio, "sub_vp_sde::time"); // 1 / alpha = r + sqrt(r^2 + 1), r = ratio / 2
        double_double const r = scaled(double_double(ratio), -1), root = sqrt(r * r + double_double(1.0));
        if (!detail::is_finite(ratio) || ratio >= level(1.0).sigma / level(1.0).alpha)
            return 1.0;
        double_double const per_alpha = r + root; // the VP ratio: 1 / alpha^2 - 1
        return base.time(sqrt((per_alpha - double_double(1.0)) * (per_alpha + double_double(1.0))).high);
    }
    constexpr double final_time() const { return 1.0; }
    constexpr double first_time() const { return 1e-3; }
    friend constexpr bool operator==(sub_vp_sde const&, sub_vp_sde const&) = default;
};

/// EDM's form of the same SDE: scale = alpha = e^(-y/2) and sigma / alpha = sqrt(e^y - 1), y = beta_d t^2 / 2 + beta_min t.
/// Source: Karras et al. 2022, arXiv 2206.00364, table 1.
struct edm_vp {
    double beta_d = 19.9;
    double beta_min = 0.1;

    /// sigma / alpha, EDM's sigma
    constexpr double sigma_ratio(double t) const { return sqrt(expm1(exponent(t))).high; }
    /// The same, not yet rounded, also beyond t = 1.
    constexpr double_double exact_sigma_ratio(double_double t) const
    {
        return sqrt(expm1(detail::vp_exponent(beta_d, beta_min, t)));
    }
    constexpr double scale(double t) const { return exp(scaled(-exponent(t), -1)).high; }
    constexpr noise_level level(double t) const { return {scale(t), sqrt(-expm1(-exponent(t))).high}; }
    /// (sqrt(beta_min^2 + 2 beta_d log(1 + ratio^2)) - beta_min) / beta_d, also beyond t = 1
    constexpr double unbounded_time(double ratio) const
    {
        detail::require_ratio(ratio, "edm_vp::time");
        return detail::vp_exponent_inverse(beta_d, beta_min, detail::exponent_of_ratio(ratio)).high;
    }
    constexpr double time(double ratio) const { return ratio >= sigma_ratio(1.0) ? 1.0 : unbounded_time(ratio); }
    constexpr double final_time() const { return 1.0; }
    constexpr double first_time() const { return 1e-3; }
    friend constexpr bool operator==(edm_vp const&, edm_vp const&) = default;

private:
    constexpr double_double exponent(double t) const
    {
        return detail::vp_exponent(beta_d, beta_min, detail::unit_time(t, "edm_vp"));
    }
};

/// The variance-exploding SDE: alpha = 1, sigma = sigma_min (sigma_max / sigma_min)^t. Source: Song et al. 2021, arXiv 2011.13456, (30).
struct ve_sde {
    double sigma_min = 0.01;
    double sigma_max = 50.0;

    constexpr double sigma(double t) const { return exact_sigma(t).high; }
    constexpr double log_sigma(double t) const
    {
        return (log(double_double(sigma_min)) + detail::unit_time(t, "ve_sde") * log_range()).high;
    }
    /// sigma sqrt(2 log(sigma_max / sigma_min))
    constexpr double diffusion(double t) const { return (exact_sigma(t) * sqrt(scaled(log_range(), 1))).high; }
    constexpr noise_level level(double t) const { return {1.0, sigma(t)}; }
    constexpr path_slope slope(double t) const { return {0.0, (exact_sigma(t) * log_range()).high}; }
    constexpr double time(double ratio) const
    {
        detail::require_ratio(ratio, "ve_sde::time");
        if (ratio <= sigma_min)
            return 0.0;
        return ratio >= sigma_max ? 1.0 : (log(double_double(ratio) / double_double(sigma_min)) / log_range()).high;
    }
    constexpr double final_time() const { return 1.0; }
    constexpr double first_time() const { return 0.0; }
    friend constexpr bool operator==(ve_sde const&, ve_sde const&) = default;

private:
    constexpr double_double log_range() const { return log(double_double(sigma_max) / double_double(sigma_min)); }
    constexpr double_double exact_sigma(double t) const
    {
        return t == 1.0 ? double_double(sigma_max)
                        : double_double(sigma_min) * exp(detail::unit_time(t, "ve_sde") * log_range());
    }
};

/// The variance-exploding process in T steps.
struct ve_ladder {
    std::vector<double> sigma;              ///< sigma_i = sigma_min (sigma_max / sigma_min)^(i / (T - 1)), rising
    std::vector<double> adjacent_diffusion; ///< sqrt(sigma_i^2 - sigma_{i-1}^2), sigma_{-1} = 0
};

/// Source: Song et al. 2021, arXiv 2011.13456, (20). Throws std::invalid_argument unless T >= 1 and 0 < sigma_min <= sigma_max < infinity.
inline ve_ladder make_ve_ladder(std::size_t T, double sigma_min = 0.01, double sigma_max = 50.0)
{
    require(T >= 1, "make_ve_ladder", "T", T, "it must be at least 1");
    require(!detail::is_nan(sigma_min) && sigma_min > 0.0 && sigma_min <= sigma_max, "make_ve_ladder", "sigma_min",
            sigma_min, "it must lie in (0, sigma_max]");
    require(detail::is_finite(sigma_max), "make_ve_ladder", "sigma_max", sigma_max, "it must be finite");
    double_double const range = log(double_double(sigma_max) / double_double(sigma_min));
    ve_ladder out;
    double_double before;
    for (std::size_t i = 0; i < T; ++i) {
        double_double sigma(sigma_min);
        if (i > 0)
            sigma = i == T - 1 ? double_double(sigma_max)
                               : sigma * exp(range * double_double(static_cast<double>(i)) /
                                             double_double(static_cast<double>(T - 1)));
        out.sigma.push_back(sigma.high);
        out.adjacent_diffusion.push_back(sqrt((sigma - before) * (sigma + before)).high);
        before = sigma;
    }
    return out;
}

/// The noise levels u_0 > u_1 > ... > u_M = 0 of the improved DDPM in EDM's form, u_{j-1} = sqrt((u_j^2 + 1) / max(f_{j-1} / f_j, C_1) - 1),
/// f_j = sin^2(pi / 2 j / (M (1 + C_2))). Source: Karras et al. 2022, arXiv 2206.00364, table 1. Throws std::invalid_argument unless M >= 1,
/// 0 < C_1 < 1 and C_2 > 0.
inline std::vector<double> iddpm_levels(std::size_t M = 1000, double C_1 = 0.001, double C_2 = 0.008)
{
    require(M >= 1 && M <= 10000, "iddpm_levels", "M", M, "it must lie in [1, 10000]");
    require(C_1 > 0.0 && C_1 < 1.0, "iddpm_levels", "C_1", C_1, "it must lie in (0, 1)");
    require(C_2 > 0.0 && detail::is_finite(C_2), "iddpm_levels", "C_2", C_2, "it must be positive");
    double_double const scale = double_double(static_cast<double>(M)) * double_double::exact_sum(1.0, C_2), one(1.0);
    std::vector<double> levels(M + 1);
    double_double square, sine = sin_half_pi(double_double(static_cast<double>(M)) / scale); // u_j^2
    for (std::size_t j = M; j > 0; --j) {
        double_double const next = sin_half_pi(double_double(static_cast<double>(j - 1)) / scale), root = next / sine;
        double_double const ratio = root * root < double_double(C_1) ? double_double(C_1) : root * root;
        square = (square + one - ratio) / ratio;
        levels[j - 1] = sqrt(square).high;
        sine = next;
    }
    return levels;
}

/// The path with alpha^2 = S(l), sigma^2 = S(-l), S(x) = 1 / (1 + e^-x), for a log-SNR l that falls with t in [0, 1]. `LogSnr` is a struct with
/// `double_double exact(double_double t) const`.
template <class LogSnr>
struct log_snr_path {
    LogSnr function{};

    /// log(alpha^2 / sigma^2), infinite where sigma or alpha is 0
    constexpr double log_snr(double t) const { return function.exact(detail::unit_time(t, "log_snr_path")).high; }
    constexpr noise_level level(double t) const
    {
        double_double const l = function.exact(detail::unit_time(t, "log_snr_path"));
        if (!detail::is_finite(l.high))
            return l.high > 0.0 ? noise_level{1.0, 0.0} : noise_level{0.0, 1.0};
        return {sqrt(logistic(l)).high, sqrt(logistic(-l)).high};
    }
    /// By bisection, to the last bit of t or 2^-60.
    constexpr double time(double ratio) const
    {
        detail::require_ratio(ratio, "log_snr_path::time");
        if (!detail::is_finite(ratio))
            return 1.0;
        double_double const target = ratio == 0.0 ? double_double(std::numeric_limits<double>::infinity())
                                                  : scaled(-log(double_double(ratio)), 1);
        if (function.exact(1.0) >= target)
            return 1.0;
        double low = 0.0, high = 1.0; // log-SNR falls
        for (int i = 0; i < 60 && low < high; ++i) {
            double const middle = 0.5 * (low + high);
            (function.exact(middle) > target ? low : high) = middle;
        }
        return high == 0x1p-60 ? 0.0 : high;
    }
    constexpr double final_time() const { return 1.0; }
    constexpr double first_time() const { return 1e-3; }
    friend constexpr bool operator==(log_snr_path const&, log_snr_path const&) = default;
};

/// l = -log(e^(1e-4 + 10 t^2) - 1). denoising-diffusion-pytorch; Chen et al. 2021, arXiv 2009.00713, made continuous.
struct log_snr_linear {
    constexpr double_double exact(double_double t) const
    {
        return -log(expm1(double_double(1e-4) + double_double(10.0) * t * t));
    }
    friend constexpr bool operator==(log_snr_linear, log_snr_linear) = default;
};

/// l = -log(max(cos((t + s) / (1 + s) pi / 2)^-2 - 1, 1e-5)). Nichol & Dhariwal 2021, arXiv 2102.09672, (17).
struct log_snr_cosine {
    double s = 0.008;
    constexpr double_double exact(double_double t) const
    {
        auto const [sine, cosine] = sin_cos_half_pi((t + double_double(s)) / double_double::exact_sum(1.0, s));
        if (cosine.high <= 0.0)
            return -std::numeric_limits<double>::infinity();
        double_double const tangent = sine / cosine, square = tangent * tangent;
        return -log(square < double_double(1e-5) ? double_double(1e-5) : square);
    }
    friend constexpr bool operator==(log_snr_cosine const&, log_snr_cosine const&) = default;
};

/// Wuerstchen's cosine: alpha-bar = cos((u + s) / (1 + s) pi / 2)^2 / cos(s / (1 + s) pi / 2)^2 within [0.0001, 0.9999], with
/// u = t^scaler, and 1 - (1 - t)^scaler for scaler > 1. diffusers, DDPMWuerstchenScheduler.
struct log_snr_wuerstchen {
    double s = 0.008;
    double scaler = 1.0;
    constexpr double_double exact(double_double t) const
    {
        double_double const base = scaler > 1.0 ? double_double(1.0) - t : t, width = double_double::exact_sum(1.0, s);
        double_double const raised = base.high <= 0.0 || scaler == 1.0 ? base : exp(double_double(scaler) * log(base));
        double_double const u = scaler > 1.0 ? double_double(1.0) - raised : raised;
        double_double const ratio =
            sin_cos_half_pi((u + double_double(s)) / width).cosine / sin_cos_half_pi(double_double(s) / width).cosine;
        double_double const square = ratio * ratio, low(0.0001), high(0.9999);
        double_double const bar = square < low ? low : high < square ? high : square;
        return log(bar / (double_double(1.0) - bar));
    }
    friend constexpr bool operator==(log_snr_wuerstchen const&, log_snr_wuerstchen const&) = default;
};

/// l = -2 log tan(a + t (b - a)) + 2 log(noise_d / image_d), a = atan e^(-max/2), b = atan e^(-min/2). Hoogeboom et al. 2023, arXiv 2301.11093,
/// algorithm 1 and (4).
struct log_snr_simple_cosine {
    double min = -15.0;
    double max = 15.0;
    double noise_d = 1.0;
    double image_d = 1.0;
    constexpr double_double exact(double_double t) const
    {
        double_double const a = atan_over_half_pi(exp(double_double(-0.5 * max))),
                            b = atan_over_half_pi(exp(double_double(-0.5 * min)));
        auto const [sine, cosine] = sin_cos_half_pi(a + t * (b - a));
        return scaled(log(cosine / sine) + log(double_double(noise_d) / double_double(image_d)), 1);
    }
    friend constexpr bool operator==(log_snr_simple_cosine const&, log_snr_simple_cosine const&) = default;
};

/// l = -(gamma_min + (gamma_max - gamma_min) t). Kingma et al. 2021, arXiv 2107.00630, appendix H.
struct vdm_fixed_linear {
    double gamma_min = -13.3;
    double gamma_max = 5.0;
    constexpr double_double exact(double_double t) const
    {
        return -(double_double(gamma_min) + double_double::exact_sum(gamma_max, -gamma_min) * t);
    }
    friend constexpr bool operator==(vdm_fixed_linear const&, vdm_fixed_linear const&) = default;
};

/// alpha = cos(pi t / 2), sigma = sin(pi t / 2): the cosine path of flow matching, SiT's GVP and, with the angle pi t / 2 as
/// the network's time, TrigFlow. Source: Albergo & Vanden-Eijnden 2023, arXiv 2209.15571; Lu & Song 2024, arXiv 2410.11081.
struct trigonometric_path {
    constexpr noise_level level(double t) const
    {
        auto const [sine, cosine] = sin_cos_half_pi(detail::unit_time(t, "trigonometric_path"));
        return {cosine.high, sine.high};
    }
    constexpr path_slope slope(double t) const
    {
        auto const [alpha, sigma] = level(t);
        return {-detail::half_pi.high * sigma, detail::half_pi.high * alpha};
    }
    constexpr double time(double ratio) const
    {
        detail::require_ratio(ratio, "trigonometric_path::time");
        return detail::is_finite(ratio) ? atan_over_half_pi(double_double(ratio)).high : 1.0;
    }
    constexpr double final_time() const { return 1.0; }
    friend constexpr bool operator==(trigonometric_path, trigonometric_path) = default;
};

static_assert(noise_path<vp_sde> && noise_path<sub_vp_sde> && noise_path<trigonometric_path> && noise_path<edm_vp> &&
              noise_path<ve_sde> && noise_path<log_snr_path<log_snr_linear>>);

} // namespace alphabar
