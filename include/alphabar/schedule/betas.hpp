// SPDX-License-Identifier: MIT
// The variances beta_0 ... beta_{T-1} of the noise that a discrete process adds.
#pragma once

#include <alphabar/core/double_double.hpp>
#include <alphabar/core/error.hpp>

#include <cstddef>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

namespace alphabar {

/// beta_i, i = 0 ... T - 1, in double-double: x_i = sqrt(1 - beta_i) x_{i-1} + sqrt(beta_i) z. What is made of it is a
/// `gaussian_diffusion`.
///
/// A schedule's arguments are the doubles as given, and every beta is the schedule's formula of them in exact
/// arithmetic, to about 30 digits. Throws std::invalid_argument unless 1 <= T <= 10000 and every beta lies in (0, 1];
/// NaN does not.
class beta_schedule {
public:
    static constexpr std::size_t max_T = 10000;

    constexpr explicit beta_schedule(std::vector<double_double> betas, std::string_view function = "beta_schedule")
        : betas_(std::move(betas))
    {
        require(!betas_.empty() && betas_.size() <= max_T, function, "T", betas_.size(), "it must lie in [1, 10000]");
        for (double_double b : betas_)
            require(!detail::is_nan(b.high) && b > double_double() && b <= double_double(1.0), function, "a beta",
                    b.high, "it must lie in (0, 1]");
    }

    constexpr std::size_t T() const { return betas_.size(); }
    constexpr double_double operator[](std::size_t i) const { return betas_[i]; }
    constexpr std::span<double_double const> values() const { return betas_; }
    friend constexpr bool operator==(beta_schedule const&, beta_schedule const&) = default;

private:
    std::vector<double_double> betas_;
};

/// The schedule of a formula of your own: beta(i), i = 0 ... T - 1. Throws std::invalid_argument as beta_schedule does.
template <class Beta>
constexpr beta_schedule make_betas(std::size_t T, Beta const& beta, std::string_view function = "make_betas")
{
    require(T >= 1 && T <= beta_schedule::max_T, function, "T", T, "it must lie in [1, 10000]");
    std::vector<double_double> betas;
    betas.reserve(T);
    for (std::size_t i = 0; i < T; ++i)
        betas.push_back(beta(i));
    return beta_schedule(std::move(betas), function);
}

namespace detail {

constexpr double_double ratio(std::size_t a, std::size_t b)
{
    return double_double(static_cast<double>(a)) / double_double(static_cast<double>(b));
}

/// a + (b - a) i / (n - 1); a alone for n = 1.
constexpr double_double linspace(double_double a, double_double b, std::size_t n, std::size_t i)
{
    return n == 1 ? a : i == n - 1 ? b : a + (b - a) * ratio(i, n - 1);
}

constexpr void require_finite(std::string_view function, std::string_view argument, double value)
{
    require(is_finite(value), function, argument, value, "it must be finite");
}
constexpr void require_beta(std::string_view function, std::string_view argument, double value)
{
    require(!is_nan(value) && value > 0.0 && value <= 1.0, function, argument, value, "it must lie in (0, 1]");
}

} // namespace detail

/// beta_i = 1 - alpha_bar((i + 1) / T) / alpha_bar(i / T), at most max_beta; `alpha_bar` is a function of a
/// double_double that falls from t = 0 to 1. It need not be 1 at 0. Source: Nichol & Dhariwal 2021, arXiv 2102.09672,
/// (17).
///
/// Throws std::invalid_argument as beta_schedule does, and unless max_beta lies in (0, 1].
template <class AlphaBar>
constexpr beta_schedule alpha_bar_betas(std::size_t T, AlphaBar const& alpha_bar, double max_beta = 0.999,
                                        std::string_view function = "alpha_bar_betas")
{
    detail::require_beta(function, "max_beta", max_beta);
    require(T >= 1 && T <= beta_schedule::max_T, function, "T", T, "it must lie in [1, 10000]");
    double_double before = alpha_bar(double_double(0.0));
    return make_betas(
        T,
        [&](std::size_t i) {
            double_double const after = alpha_bar(detail::ratio(i + 1, T));
            double_double const beta = (before - after) / before;
            before = after;
            return beta > double_double(max_beta) ? double_double(max_beta) : beta;
        },
        function);
}

/// beta_i = start + (end - start) i / (T - 1). Ho et al. 2020, arXiv 2006.11239, section 4; diffusers' "linear".
constexpr beta_schedule linear_betas(std::size_t T = 1000, double start = 1e-4, double end = 0.02)
{
    detail::require_beta("linear_betas", "start", start);
    detail::require_beta("linear_betas", "end", end);
    return make_betas(T, [=](std::size_t i) { return detail::linspace(start, end, T, i); }, "linear_betas");
}

/// linear_betas from s 1e-4 to s 0.02, s = 1000 / T, as OpenAI's code has it: about the same alpha-bar at the end for
/// every T. Below T = 21 the last beta is above 1, which throws.
constexpr beta_schedule linear_betas_scaled(std::size_t T = 1000)
{
    require(T >= 1 && T <= beta_schedule::max_T, "linear_betas_scaled", "T", T, "it must lie in [1, 10000]");
    double_double const s = detail::ratio(1000, T), start = s * double_double(1e-4), end = s * double_double(0.02);
    return make_betas(T, [=](std::size_t i) { return detail::linspace(start, end, T, i); }, "linear_betas_scaled");
}

/// beta_i = (sqrt(start) + (sqrt(end) - sqrt(start)) i / (T - 1))^2, the schedule of Stable Diffusion (defaults).
/// Rombach et al. 2022, arXiv 2112.10752; diffusers' "scaled_linear", elsewhere "quad", in the authors' own code
/// "linear".
constexpr beta_schedule scaled_linear_betas(std::size_t T = 1000, double start = 0.00085, double end = 0.012)
{
    detail::require_beta("scaled_linear_betas", "start", start);
    detail::require_beta("scaled_linear_betas", "end", end);
    double_double const a = sqrt(double_double(start)), b = sqrt(double_double(end));
    return make_betas(
        T,
        [=](std::size_t i) {
            double_double const root = detail::linspace(a, b, T, i);
            return T == 1 || i == 0 ? double_double(start) : i == T - 1 ? double_double(end) : root * root;
        },
        "scaled_linear_betas");
}

/// alpha_bar_betas of alpha_bar(t) = cos^2((t + 0.008) / 1.008 pi / 2): the ratio form, capped. Nichol & Dhariwal 2021,
/// arXiv 2102.09672, (17); diffusers' "squaredcos_cap_v2".
constexpr beta_schedule cosine_betas(std::size_t T = 1000, double max_beta = 0.999)
{
    // the cosine as the sine of the complement (1.008 - (t + 0.008)) / 1.008, which is exact near t = 1
    return alpha_bar_betas(
        T,
        [](double_double t) {
            double_double const c =
                sin_half_pi((double_double(1.008) - double_double(0.008) - t) / double_double(1.008));
            return c * c;
        },
        max_beta, "cosine_betas");
}

/// The normalised form: alpha_bar(t) = cos^2((t + s) / (1 + s) pi / 2) / cos^2(s / (1 + s) pi / 2). The first factor
/// alone gives the same ratios, so it differs from cosine_betas only by its s and by 1 + s, which is exact here. Nichol
/// & Dhariwal 2021, (17).
///
/// Throws std::invalid_argument also unless s >= 0 and finite.
constexpr beta_schedule cosine_betas_normalised(std::size_t T = 1000, double s = 0.008, double max_beta = 0.999)
{
    require(detail::is_finite(s) && s >= 0.0, "cosine_betas_normalised", "s", s, "it must be finite and not negative");
    double_double const one_and_s = double_double::exact_sum(1.0, s);
    return alpha_bar_betas(
        T,
        [=](double_double t) {
            double_double const c = sin_half_pi((double_double(1.0) - t) / one_and_s);
            return c * c;
        },
        max_beta, "cosine_betas_normalised");
}

/// The simple cosine: beta_i = (1 - cos(pi (i + 1) / T)) / 2 max_beta.
constexpr beta_schedule simple_cosine_betas(std::size_t T = 1000, double max_beta = 0.02)
{
    detail::require_beta("simple_cosine_betas", "max_beta", max_beta);
    return make_betas(
        T,
        [=](std::size_t i) {
            double_double const s = sin_half_pi(detail::ratio(i + 1, T));
            return s * s * double_double(max_beta);
        },
        "simple_cosine_betas");
}

/// beta_i = start + (end - start) S(x_i), x_i = -6 + 12 i / (T - 1), S(x) = 1 / (1 + e^-x). Xu et al. 2022, arXiv
/// 2203.02923 (GeoDiff); diffusers' "sigmoid".
constexpr beta_schedule sigmoid_betas(std::size_t T = 1000, double start = 1e-4, double end = 0.02)
{
    detail::require_beta("sigmoid_betas", "start", start);
    detail::require_beta("sigmoid_betas", "end", end);
    return make_betas(
        T,
        [=](std::size_t i) {
            double_double const s = logistic(detail::linspace(-6.0, 6.0, T, i));
            return s * double_double::exact_sum(end, -start) + double_double(start);
        },
        "sigmoid_betas");
}

/// alpha_bar_betas of alpha_bar(t) = (S(end / tau) - S((start + t (end - start)) / tau)) / (S(end / tau) - S(start /
/// tau)), S(x) = 1 / (1 + e^-x). Jabri et al. 2022, arXiv 2212.11972; Chen 2023, arXiv 2301.10972, algorithm 2.
///
/// Throws std::invalid_argument also unless start < end and tau > 0, all finite.
constexpr beta_schedule sigmoid_alpha_bar_betas(std::size_t T = 1000, double start = -3.0, double end = 3.0,
                                                double tau = 1.0, double max_beta = 0.999)
{
    std::string_view const name = "sigmoid_alpha_bar_betas";
    detail::require_finite(name, "start", start);
    detail::require_finite(name, "end", end);
    require(start < end, name, "start", start, "it must be below end");
    require(detail::is_finite(tau) && tau > 0.0, name, "tau", tau, "it must be positive and finite");
    double_double const a(start), length = double_double::exact_sum(end, -start),
                                  last = logistic(double_double(end) / double_double(tau));
    return alpha_bar_betas(
        T,
        [=](double_double t) {
            if (t == double_double(1.0))
                return double_double(0.0);
            return last - logistic((a + t * length) / double_double(tau));
        },
        max_beta, name);
}

/// alpha_bar_betas of alpha_bar(t) = e^(-12 t); diffusers' "exp".
constexpr beta_schedule exp_betas(std::size_t T = 1000, double max_beta = 0.999)
{
    detail::require_beta("exp_betas", "max_beta", max_beta);
    double_double const beta = -expm1(double_double(-12.0) / double_double(static_cast<double>(T == 0 ? 1 : T)));
    return make_betas(
        T, [=](std::size_t) { return beta > double_double(max_beta) ? double_double(max_beta) : beta; }, "exp_betas");
}

/// alpha_bar_betas of sqrt(r / (1 + r)), log r = -1/2 sgn(1/2 - t) log(1 - 2 |1/2 - t| + 1e-6). This is diffusers'
/// "laplace": its function is sqrt(alpha-bar) where alpha-bar is meant, which `squared` gives. Hang et al. 2024, arXiv
/// 2407.03297, table 1.
constexpr beta_schedule laplace_betas(std::size_t T = 1000, double max_beta = 0.999, bool squared = false)
{
    return alpha_bar_betas(
        T,
        [=](double_double t) {
            double_double const half(0.5), one(1.0), centred = half - t;
            bool const first = !(centred < double_double());
            double_double const distance = first ? centred : -centred;
            double_double const u = one - scaled(distance, 1) + double_double(1e-6);
            double_double const root = sqrt(u); // r = 1 / root before the middle, root after it
            double_double const bar = (first ? one : root) / (one + root);
            return squared ? bar : sqrt(bar);
        },
        max_beta, "laplace_betas");
}

/// beta_i = beta.
constexpr beta_schedule constant_betas(std::size_t T, double beta)
{
    detail::require_beta("constant_betas", "beta", beta);
    return make_betas(T, [=](std::size_t) { return double_double(beta); }, "constant_betas");
}

/// beta_i = 1 / (T - i). Ho et al.'s code, "jsd"; Sohl-Dickstein et al. 2015, arXiv 1503.03585, appendix B.2.
constexpr beta_schedule jsd_betas(std::size_t T = 1000)
{
    return make_betas(T, [=](std::size_t i) { return detail::ratio(1, T - i); }, "jsd_betas");
}

/// beta_i = end, but the first n = floor(T fraction) rise linearly from start to end. Ho et al.'s code, "warmup10" and
/// "warmup50".
///
/// Throws std::invalid_argument also unless fraction lies in [0, 1].
constexpr beta_schedule warmup_betas(std::size_t T = 1000, double start = 1e-4, double end = 0.02,
                                     double fraction = 0.1)
{
    detail::require_beta("warmup_betas", "start", start);
    detail::require_beta("warmup_betas", "end", end);
    require(!detail::is_nan(fraction) && fraction >= 0.0 && fraction <= 1.0, "warmup_betas", "fraction", fraction,
            "it must lie in [0, 1]");
    auto const n = T <= beta_schedule::max_T ? static_cast<std::size_t>(static_cast<double>(T) * fraction) : 0;
    return make_betas(
        T, [=](std::size_t i) { return i < n ? detail::linspace(start, end, n, i) : double_double(end); },
        "warmup_betas");
}

/// beta_i = (min + (max - min) i / (T - 1)) / T: the variance-preserving SDE in T steps. Song et al. 2021, arXiv
/// 2011.13456, appendix C.
constexpr beta_schedule vp_sde_betas(std::size_t T = 1000, double beta_min = 0.1, double beta_max = 20.0)
{
    detail::require_finite("vp_sde_betas", "beta_min", beta_min);
    detail::require_finite("vp_sde_betas", "beta_max", beta_max);
    double_double const steps(static_cast<double>(T == 0 ? 1 : T));
    return make_betas(
        T,
        [=](std::size_t i) {
            return detail::linspace(double_double(beta_min) / steps, double_double(beta_max) / steps, T, i);
        },
        "vp_sde_betas");
}

/// A user's own betas; diffusers' "trained_betas".
constexpr beta_schedule custom_betas(std::span<double const> betas)
{
    require(!betas.empty() && betas.size() <= beta_schedule::max_T, "custom_betas", "T", betas.size(),
            "it must lie in [1, 10000]");
    return make_betas(betas.size(), [=](std::size_t i) { return double_double(betas[i]); }, "custom_betas");
}

} // namespace alphabar
