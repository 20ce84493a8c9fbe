// SPDX-License-Identifier: MIT
// The discrete Gaussian diffusion process: all its tables, and the path of noise levels that they describe.
#pragma once

#include <alphabar/core/double_double.hpp>
#include <alphabar/core/error.hpp>
#include <alphabar/schedule/betas.hpp>
#include <alphabar/schedule/noise_level.hpp>
#include <alphabar/schedule/tables.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <span>
#include <string>
#include <vector>

namespace alphabar {

/// q(x_s | x_t, x_0) = N(x_0 coefficient * x_0 + x_t coefficient * x_t, variance), s cleaner than t.
struct posterior {
    double x_0;
    double x_t;
    double variance;
    double log_variance; ///< -infinity where the variance is 0, unless it stands for a clipped one
    friend bool operator==(posterior const&, posterior const&) = default;
};

/// A process of T times t = 0 ... T - 1 with x_t = sqrt(alpha_bar_t) x_0 + sqrt(1 - alpha_bar_t) eps. Made once; then
/// all is read.
///
///     auto const diffusion = ab::gaussian_diffusion(ab::linear_betas(1000));
///     diffusion.alpha_bar(999), diffusion[ab::table::snr], diffusion.level(499.5)
///
/// Every entry of every table is within 0.51 units in the last place of the exact value and has the same bits with
/// every compiler and flag. alpha_bar may reach 0 (zero terminal SNR): what is infinite there is infinity.
///
/// It is a `noise_path`: at an integer t `level` gives the tables' square roots themselves. Between two times log(sigma
/// / alpha) is linear in t and alpha^2 + sigma^2 = 1: k-diffusion's and diffusers' map (sigma_to_t). Before a time with
/// alpha = 0, where the logarithm is infinite, alpha / sigma is linear in t instead. Source: Ho et al. 2020, arXiv
/// 2006.11239.
class gaussian_diffusion {
public:
    explicit gaussian_diffusion(beta_schedule const& betas) : betas_(betas), values_(table_count * betas.T())
    {
        std::size_t const T = betas.T();
        states_.reserve(T);
        detail::process_state state;
        for (std::size_t t = 0; t < T; ++t) {
            state.step(betas[t]);
            states_.push_back(state);
            for (std::size_t i = 0; i < table_count; ++i)
                values_[i * T + t] = state.entry(static_cast<table>(i));
        }
        double* const next = column(table::alpha_bar_next);
        std::copy(next + 1, next + T, next);
        next[T - 1] = 0.0;
        if (T > 1)
            column(table::posterior_log_variance_clipped)[0] = column(table::posterior_log_variance_clipped)[1];
    }

    std::size_t T() const { return betas_.T(); }
    beta_schedule const& betas() const { return betas_; }

    /// The T entries of a table.
    std::span<double const> operator[](table which) const { return {column(which), T()}; }
    /// An entry. Throws std::invalid_argument unless t lies in [0, T - 1].
    double at(table which, std::size_t t) const
    {
        require_time("gaussian_diffusion::at", t);
        return column(which)[t];
    }

    double beta(std::size_t t) const { return at(table::beta, t); }
    double alpha(std::size_t t) const { return at(table::alpha, t); }
    /// The product of the alphas up to t: the field's alphas_cumprod.
    double alpha_bar(std::size_t t) const { return at(table::alpha_bar, t); }
    double snr(std::size_t t) const { return at(table::snr, t); }
    double log_snr(std::size_t t) const { return at(table::log_snr, t); }
    double posterior_variance(std::size_t t) const { return at(table::posterior_variance, t); }

    /// q(x_{t-1} | x_t, x_0); at t = 0 that of x_0 itself. log_variance is posterior_log_variance_clipped.
    /// Ho et al. 2020, (6), (7). Throws std::invalid_argument unless t lies in [0, T - 1].
    alphabar::posterior posterior(std::size_t t) const
    {
        require_time("gaussian_diffusion::posterior", t);
        return {column(table::posterior_mean_coef1)[t], column(table::posterior_mean_coef2)[t],
                column(table::posterior_variance)[t], column(table::posterior_log_variance_clipped)[t]};
    }

    /// q(x_s | x_t, x_0) of any two times, s < t, from the exact tables; log_variance is not clipped.
    /// Throws std::invalid_argument unless 0 <= s < t <= T - 1.
    alphabar::posterior posterior(std::size_t t, std::size_t s) const
    {
        require_time("gaussian_diffusion::posterior", t);
        require(s < t, "gaussian_diffusion::posterior", "s", s, "it must be below t");
        double_double rest, kept(1.0); // 1 - kept and kept = alpha_bar_t / alpha_bar_s
        for (std::size_t i = s + 1; i <= t; ++i) {
            rest = rest + kept * betas_[i];
            kept = kept * (double_double(1.0) - betas_[i]);
        }
        detail::process_state const &low = states_[s], &high = states_[t];
        double_double const variance = rest * low.one_minus / high.one_minus;
        return {(rest * low.alpha_bar.root() / high.one_minus).high, (low.one_minus * sqrt(kept) / high.one_minus).high,
                variance.high, log(variance).high};
    }

    /// (alpha, sigma) at time t in [0, T - 1]; see the class for times between integers. Throws std::invalid_argument
    /// outside.
    noise_level level(double t) const
    {
        require(!detail::is_nan(t) && t >= 0.0 && t <= final_time(), "gaussian_diffusion::level", "t", t,
                "it must lie in [0, " + std::to_string(T() - 1) + "]");
        auto const low = static_cast<std::size_t>(t);
        double const w = t - static_cast<double>(low);
        if (w == 0.0)
            return {column(table::sqrt_alpha_bar)[low], column(table::sqrt_one_minus_alpha_bar)[low]};
        double const below = ratios()[low], above = ratios()[low + 1];
        if (above <= std::numeric_limits<double>::max())
            return variance_preserving_level(below * std::exp(w * std::log(above / below)));
        if (below > std::numeric_limits<double>::max())
            return {0.0, 1.0};
        double const signal = (1.0 - w) / below, root = std::hypot(1.0, signal);
        return {signal / root, 1.0 / root};
    }

    /// The time at which sigma / alpha = ratio, the inverse of `level`; ratios outside the table give the time of its
    /// end. The ratio of a table's entry, within 4 units in the last place, gives the integer itself. Throws
    /// std::invalid_argument unless ratio >= 0.
    double time(double ratio) const
    {
        require(!detail::is_nan(ratio) && ratio >= 0.0, "gaussian_diffusion::time", "ratio", ratio,
                "it must not be negative");
        std::span<double const> const r = ratios();
        if (ratio <= r.front())
            return 0.0;
        auto const high = static_cast<std::size_t>(std::lower_bound(r.begin(), r.end(), ratio) - r.begin());
        if (high == T())
            return final_time();
        double const below = r[high - 1], above = r[high], low = static_cast<double>(high - 1);
        constexpr double close = 4.0 * std::numeric_limits<double>::epsilon();
        if (above - ratio <= close * ratio || ratio == above)
            return low + 1.0;
        if (ratio - below <= close * below)
            return low;
        if (above > std::numeric_limits<double>::max())
            return low + (1.0 - below / ratio);
        return low + std::log(ratio / below) / std::log(above / below);
    }
    /// The time of a noise level.
    double time(noise_level level) const { return time(sigma_ratio(level)); }

    /// T - 1, the noisiest time.
    double final_time() const { return static_cast<double>(T() - 1); }

    friend bool operator==(gaussian_diffusion const& a, gaussian_diffusion const& b) { return a.betas_ == b.betas_; }

private:
    std::span<double const> ratios() const { return (*this)[table::sqrt_recipm1_alpha_bar]; }
    double const* column(table which) const { return values_.data() + static_cast<std::size_t>(which) * T(); }
    double* column(table which) { return values_.data() + static_cast<std::size_t>(which) * T(); }
    void require_time(std::string_view function, std::size_t t) const
    {
        require(t < T(), function, "t", t, "it must lie in [0, " + std::to_string(T() - 1) + "]");
    }

    beta_schedule betas_;
    std::vector<detail::process_state> states_;
    std::vector<double> values_;
};

static_assert(noise_path<gaussian_diffusion>);

} // namespace alphabar
