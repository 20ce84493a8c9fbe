// SPDX-License-Identifier: MIT
// Paths in continuous time: the SDEs, EDM's forms of them, and paths given by their log-SNR.
#pragma once

#include <alphabar/schedule/paths.hpp>

namespace alphabar {

// Everything here but slopes and sub_vp_sde::time is computed in double-double and rounded once: within 0.51 units in
// the last place of the exact value of the exact arguments. What is thrown: see paths.hpp.

/// The variance-preserving SDE in EDM's form: scale = alpha = e^(-y/2) and sigma / alpha = sqrt(e^y - 1) with
/// y = beta_d t^2 / 2 + beta_min t = -log alpha_bar. Source: Karras et al. 2022, arXiv 2206.00364, table 1.
template <class Number>
struct vp_form {
    Number beta_d = 19.9;
    Number beta_min = 0.1;

    constexpr double_double exponent(double_double t) const { return t * (scaled(beta_d * t, -1) + beta_min); }
    /// sigma / alpha, EDM's sigma
    constexpr double sigma_ratio(double t) const { return exact_sigma_ratio(detail::in_unit(t, "edm_vp")).high; }
    /// The same, not yet rounded, also beyond t = 1.
    constexpr double_double exact_sigma_ratio(double_double t) const { return sqrt(expm1(exponent(t))); }
    constexpr double scale(double t) const { return level(t).alpha; }
    constexpr noise_level level(double t) const
    {
        double_double const y = exponent(detail::in_unit(t, "edm_vp"));
        return {exp(scaled(-y, -1)).high, sqrt(-expm1(-y)).high};
    }
    constexpr double time(double ratio) const { return ratio >= sigma_ratio(1.0) ? 1.0 : unbounded_time(ratio); }
    /// Also beyond t = 1: (sqrt(beta_min^2 + 2 beta_d y) - beta_min) / beta_d, y = log(1 + ratio^2).
    constexpr double unbounded_time(double ratio) const
    {
        detail::allowed_ratio(ratio, "edm_vp::time");
        double_double const y = log1p(double_double::exact_product(ratio, ratio)), b(beta_min);
        return y.high == 0.0 ? 0.0 : (scaled(y, 1) / (sqrt(b * b + scaled(beta_d * y, 1)) + b)).high;
    }
    constexpr double final_time() const { return 1.0; }
};
using edm_vp = vp_form<double>;

/// The same by beta(t) = beta_min + t (beta_max - beta_min): alpha = e^L, alpha^2 + sigma^2 = 1,
/// L = -t^2 (beta_max - beta_min) / 4 - t beta_min / 2. Source: Song et al. 2021, arXiv 2011.13456, (33).
struct vp_sde {
    double beta_min = 0.1;
    double beta_max = 20.0;

    constexpr double beta(double t) const { return exact_beta(t).high; }
    constexpr double alpha_bar(double t) const { return exp(-exponent(t)).high; }
    constexpr double one_minus_alpha_bar(double t) const { return (-expm1(-exponent(t))).high; }
    /// log(alpha^2 / sigma^2); infinite at t = 0.
    constexpr double log_snr(double t) const { return (-log(expm1(exponent(t)))).high; }
    /// sigma / alpha
    constexpr double sigma_ratio(double t) const { return sqrt(expm1(exponent(t))).high; }
    constexpr noise_level level(double t) const { return form().level(detail::in_unit(t, "vp_sde")); }
    constexpr double time(double ratio) const { return form().time(detail::allowed_ratio(ratio, "vp_sde::time")); }
    constexpr double final_time() const { return 1.0; }
    /// d alpha / dt = -beta alpha / 2, d sigma / dt = beta alpha^2 / (2 sigma), infinite at t = 0; g^2 = beta.
    constexpr path_slope slope(double t) const
    {
        auto const [alpha, sigma] = level(t);
        double const half = 0.5 * beta(t), infinity = std::numeric_limits<double>::infinity();
        return {-half * alpha, sigma == 0.0 ? infinity : half * alpha * alpha / sigma};
    }
    constexpr double squared_diffusion(double t) const { return beta(t); }

    /// beta and -log alpha_bar, not yet rounded
    constexpr double_double exact_beta(double t) const
    {
        return beta_min + detail::in_unit(t, "vp_sde") * form().beta_d;
    }
    constexpr double_double exponent(double t) const { return form().exponent(detail::in_unit(t, "vp_sde")); }
    constexpr vp_form<double_double> form() const { return {double_double(beta_max) - beta_min, beta_min}; }
};

/// The sub-VP SDE: alpha = e^L, sigma = 1 - e^2L, squared diffusion beta (1 - e^4L). Ibid., (36), (38), section 3.4.
struct sub_vp_sde {
    vp_sde base{};

    constexpr noise_level level(double t) const { return {base.level(t).alpha, base.one_minus_alpha_bar(t)}; }
    constexpr path_slope slope(double t) const
    {
        return {-0.5 * base.beta(t) * base.level(t).alpha, base.beta(t) * base.alpha_bar(t)};
    }
    constexpr double squared_diffusion(double t) const
    {
        return (base.exact_beta(t) * -expm1(scaled(-base.exponent(t), 1))).high;
    }
    /// sigma / alpha = 1 / alpha - alpha: 1 / alpha = r + sqrt(r^2 + 1), r = ratio / 2; base has sqrt(ratio / alpha)
    constexpr double time(double ratio) const
    {
        double_double const r = scaled(detail::allowed_ratio(ratio, "sub_vp_sde::time"), -1);
        return ratio >= sigma_ratio(level(1.0)) ? 1.0 : base.time(sqrt(ratio * (r + sqrt(r * r + 1.0))).high);
    }
    constexpr double final_time() const { return 1.0; }
};

/// The variance-exploding SDE: alpha = 1, sigma = sigma_min (sigma_max / sigma_min)^t. Ibid., (30).
struct ve_sde {
    double sigma_min = 0.01;
    double sigma_max = 50.0;

    constexpr double sigma(double t) const { return exact_sigma(t).high; }
    /// sigma sqrt(2 log(sigma_max / sigma_min))
    constexpr double diffusion(double t) const { return (exact_sigma(t) * sqrt(scaled(log_range(), 1))).high; }
    constexpr noise_level level(double t) const { return {1.0, sigma(t)}; }
    constexpr path_slope slope(double t) const { return {0.0, (exact_sigma(t) * log_range()).high}; }
    constexpr double time(double ratio) const
    {
        return detail::allowed_ratio(ratio, "ve_sde::time") <= sigma_min ? 0.0
               : ratio >= sigma_max                                      ? 1.0
                                    : (log(double_double(ratio) / sigma_min) / log_range()).high;
    }
    constexpr double final_time() const { return 1.0; }
    constexpr double first_time() const { return 0.0; }

    constexpr double_double log_range() const { return log(double_double(sigma_max) / sigma_min); }
    /// sigma, not yet rounded
    constexpr double_double exact_sigma(double_double t) const
    {
        return detail::in_unit(t.high, "ve_sde") == 1.0 ? sigma_max : sigma_min * exp(t * log_range());
    }
};

/// The path with alpha^2 = S(l), sigma^2 = S(-l), S(x) = 1 / (1 + e^-x), for a log-SNR l that falls with t in [0, 1].
/// `LogSnr` is a struct with `double_double exact(double_double t) const`.
template <class LogSnr>
struct log_snr_path {
    LogSnr function{};

    /// log(alpha^2 / sigma^2), infinite where sigma or alpha is 0
    constexpr double log_snr(double t) const { return function.exact(detail::in_unit(t, "log_snr_path")).high; }
    constexpr noise_level level(double t) const
    {
        double_double const l = function.exact(detail::in_unit(t, "log_snr_path"));
        return {sqrt(logistic(l)).high, sqrt(logistic(-l)).high};
    }
    /// By a difference of step 2^-30 in double-double: to the last bits, at the ends too.
    constexpr path_slope slope(double t) const
    {
        double const h = detail::in_unit(t, "log_snr_path") < 0.5 ? 0x1p-30 : -0x1p-30;
        auto const of = [&](bool alpha) {
            auto const f = [&](double u) {
                double_double const l = function.exact(double_double(t) + u);
                return sqrt(logistic(alpha ? l : -l));
            };
            return ((scaled(f(h), 2) - f(2.0 * h) - 3.0 * f(0.0)) / (2.0 * h)).high;
        };
        return {of(true), of(false)};
    }
    /// By bisection, to the last bit of t or 2^-60.
    constexpr double time(double ratio) const
    {
        double_double const target = scaled(-log(detail::allowed_ratio(ratio, "log_snr_path::time")), 1);
        double low = function.exact(1.0) >= target ? 1.0 : 0.0, high = 1.0; // log-SNR falls
        for (int i = 0; i < 60 && low < high; ++i) {
            double const middle = 0.5 * (low + high);
            (function.exact(middle) > target ? low : high) = middle;
        }
        return high == 0x1p-60 ? 0.0 : high;
    }
    constexpr double final_time() const { return 1.0; }
};

/// l = -log(e^(1e-4 + 10 t^2) - 1). denoising-diffusion-pytorch; Chen et al. 2021, arXiv 2009.00713, made continuous.
struct log_snr_linear {
    constexpr double_double exact(double_double t) const { return -log(expm1(1e-4 + 10.0 * t * t)); }
};

/// l = -log(max(cos((t + s) / (1 + s) pi / 2)^-2 - 1, 1e-5)). Nichol & Dhariwal 2021, arXiv 2102.09672, (17).
struct log_snr_cosine {
    double s = 0.008;
    constexpr double_double exact(double_double t) const
    {
        auto const [sine, cosine] = sin_cos_half_pi((t + s) / (1.0 + double_double(s)));
        if (cosine.high <= 0.0)
            return -std::numeric_limits<double>::infinity();
        double_double const tangent = sine / cosine, square = tangent * tangent;
        return -log(square < 1e-5 ? 1e-5 : square);
    }
};

/// Wuerstchen's cosine: alpha-bar = cos((u + s) / (1 + s) pi / 2)^2 / cos(s / (1 + s) pi / 2)^2 within
/// [0.0001, 0.9999], with u = t^scaler, and 1 - (1 - t)^scaler for scaler > 1. diffusers, DDPMWuerstchenScheduler.
struct log_snr_wuerstchen {
    double s = 0.008;
    double scaler = 1.0;
    constexpr double_double exact(double_double t) const
    {
        double_double const base = scaler > 1.0 ? 1.0 - t : t, width = 1.0 + double_double(s);
        double_double const raised = base.high <= 0.0 || scaler == 1.0 ? base : pow(base, scaler);
        double_double const u = scaler > 1.0 ? 1.0 - raised : raised;
        double_double const ratio = cos_half_pi((u + s) / width) / cos_half_pi(s / width), square = ratio * ratio;
        double_double const low(0.0001), high(0.9999), bar = square < low ? low : high < square ? high : square;
        return log(bar / (1.0 - bar));
    }
};

/// l = -2 log tan(a + t (b - a)) + 2 log(noise_d / image_d), a = atan e^(-max/2), b = atan e^(-min/2). Hoogeboom et al.
/// 2023, arXiv 2301.11093, algorithm 1 and (4).
struct log_snr_simple_cosine {
    double min = -15.0;
    double max = 15.0;
    double noise_d = 1.0;
    double image_d = 1.0;
    constexpr double_double exact(double_double t) const
    {
        double_double const a = atan_over_half_pi(exp(-0.5 * max)), b = atan_over_half_pi(exp(-0.5 * min));
        auto const [sine, cosine] = sin_cos_half_pi(a + t * (b - a));
        return scaled(log(cosine / sine) + log(double_double(noise_d) / image_d), 1);
    }
};

/// l = -(gamma_min + (gamma_max - gamma_min) t). Kingma et al. 2021, arXiv 2107.00630, appendix H.
struct vdm_fixed_linear {
    double gamma_min = -13.3;
    double gamma_max = 5.0;
    constexpr double_double exact(double_double t) const
    {
        return -(gamma_min + (double_double(gamma_max) - gamma_min) * t);
    }
};

/// alpha = cos(pi t / 2), sigma = sin(pi t / 2): the cosine path of flow matching, SiT's GVP; TrigFlow's, where the
/// angle is the network's time. Source: Albergo & Vanden-Eijnden 2023, arXiv 2209.15571; Lu & Song 2024, arXiv
/// 2410.11081.
struct trigonometric_path {
    constexpr noise_level level(double t) const
    {
        auto const [sine, cosine] = sin_cos_half_pi(detail::in_unit(t, "trigonometric_path"));
        return {cosine.high, sine.high};
    }
    constexpr path_slope slope(double t) const
    {
        auto const [alpha, sigma] = level(t);
        return {-detail::half_pi.high * sigma, detail::half_pi.high * alpha};
    }
    constexpr double time(double ratio) const
    {
        return detail::is_finite(detail::allowed_ratio(ratio, "trigonometric_path::time"))
                   ? atan_over_half_pi(ratio).high
                   : 1.0;
    }
    constexpr double final_time() const { return 1.0; }
};

} // namespace alphabar
