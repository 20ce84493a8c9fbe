// SPDX-License-Identifier: MIT
// Everything that a discrete process tabulates, each entry one formula of beta and alpha-bar.
#pragma once

#include <alphabar/core/double_double.hpp>
#include <alphabar/core/error.hpp>
#include <alphabar/schedule/betas.hpp>

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <string_view>

namespace alphabar {

/// The tables, with a = alpha, A = alpha_bar_t = a_0 ... a_t and P = alpha_bar_{t-1}, P = 1 at t = 0:
///
///     beta, log_beta                           beta, log beta
///     alpha, sqrt_recip_alpha                  a = 1 - beta, 1 / sqrt a
///     alpha_bar                                A, the field's alphas_cumprod
///     alpha_bar_previous, alpha_bar_next       P; alpha_bar_{t+1}, which is 0 at t = T - 1
///     one_minus_alpha_bar, log_one_minus_alpha_bar          1 - A, log(1 - A)
///     sqrt_alpha_bar, sqrt_one_minus_alpha_bar              sqrt A, sqrt(1 - A): alpha and sigma of the noise level
///     sqrt_recip_alpha_bar, sqrt_recipm1_alpha_bar          1 / sqrt A, sqrt(1 / A - 1) = sigma / alpha
///     posterior_variance                       beta (1 - P) / (1 - A)
///     posterior_log_variance_clipped           its logarithm; index 0 has that of index 1, and log beta where T = 1
///     posterior_mean_coef1, ..._coef2          beta sqrt P / (1 - A), (1 - P) sqrt a / (1 - A)
///     remove_noise_coeff                       beta / sqrt(1 - A)
///     snr, log_snr                             A / (1 - A), its logarithm
///
/// Source: Ho et al. 2020, arXiv 2006.11239, (4), (6), (7), (11); Nichol & Dhariwal 2021, arXiv 2102.09672, (9), (10).
enum class table : std::uint8_t {
    beta,
    log_beta,
    alpha,
    sqrt_recip_alpha,
    alpha_bar,
    alpha_bar_previous,
    alpha_bar_next,
    one_minus_alpha_bar,
    log_one_minus_alpha_bar,
    sqrt_alpha_bar,
    sqrt_one_minus_alpha_bar,
    sqrt_recip_alpha_bar,
    sqrt_recipm1_alpha_bar,
    posterior_variance,
    posterior_log_variance_clipped,
    posterior_mean_coef1,
    posterior_mean_coef2,
    remove_noise_coeff,
    snr,
    log_snr
};

namespace detail {

struct table_names {
    std::string_view name;
    std::string_view field; ///< what the field's code calls it
};

inline constexpr std::array<table_names, 20> all_table_names = {{
    {"beta", "betas"},
    {"log_beta", "log_betas"},
    {"alpha", "alphas"},
    {"sqrt_recip_alpha", "sqrt_recip_alphas"},
    {"alpha_bar", "alphas_cumprod"},
    {"alpha_bar_previous", "alphas_cumprod_prev"},
    {"alpha_bar_next", "alphas_cumprod_next"},
    {"one_minus_alpha_bar", "one_minus_alphas_cumprod"},
    {"log_one_minus_alpha_bar", "log_one_minus_alphas_cumprod"},
    {"sqrt_alpha_bar", "sqrt_alphas_cumprod"},
    {"sqrt_one_minus_alpha_bar", "sqrt_one_minus_alphas_cumprod"},
    {"sqrt_recip_alpha_bar", "sqrt_recip_alphas_cumprod"},
    {"sqrt_recipm1_alpha_bar", "sqrt_recipm1_alphas_cumprod"},
    {"posterior_variance", ""},
    {"posterior_log_variance_clipped", ""},
    {"posterior_mean_coef1", ""},
    {"posterior_mean_coef2", ""},
    {"remove_noise_coeff", ""},
    {"snr", ""},
    {"log_snr", ""},
}};

} // namespace detail

inline constexpr std::size_t table_count = detail::all_table_names.size();

/// "alpha_bar", ...
constexpr std::string_view name_of(table which)
{
    return detail::all_table_names[static_cast<std::size_t>(which)].name;
}

/// The table of this name, ours or the field's ("alphas_cumprod"). Throws std::invalid_argument where there is none.
constexpr table parse_table(std::string_view name)
{
    for (std::size_t i = 0; i < table_count; ++i)
        if (name == detail::all_table_names[i].name || (!name.empty() && name == detail::all_table_names[i].field))
            return static_cast<table>(i);
    reject("parse_table", "name", name, "it must be the name of a table, such as alpha_bar");
}

namespace detail {

/// value 2^exponent, with a multiple of 512 as exponent: products of thousands of alphas do not underflow on the way.
struct wide_product {
    double_double value{1.0};
    int exponent = 0;

    constexpr void operator*=(double_double factor)
    {
        value = value * factor;
        if (value.high < 0x1p-512 && value.high > 0.0) {
            value = scaled(value, 512);
            exponent -= 512;
        }
    }
    /// x 2^exponent, x > 0; 0 where it is below the normal doubles (also where subnormal numbers are flushed, so that
    /// the bits are the same) and infinity above them.
    static constexpr double_double shifted(double_double x, int exponent)
    {
        if (x.high == 0.0 || exponent == 0)
            return x;
        int const size = static_cast<int>(std::bit_cast<std::uint64_t>(x.high) >> 52) - 1023 + exponent;
        if (size < -1022)
            return 0.0;
        if (size > 1023)
            return std::numeric_limits<double>::infinity();
        for (; exponent < 0; exponent += 256)
            x = scaled(x, -256);
        for (; exponent > 0; exponent -= 256)
            x = scaled(x, 256);
        return x;
    }
    constexpr double_double number() const { return shifted(value, exponent); }
    constexpr double_double root() const { return shifted(sqrt(value), exponent / 2); }
    friend constexpr bool operator==(wide_product const&, wide_product const&) = default;
};

/// A process up to one of its times: all that the tables at this time are made of.
struct process_state {
    double_double beta{1.0};
    wide_product alpha_bar{};
    double_double one_minus{};
    wide_product alpha_bar_previous{};
    double_double one_minus_previous{};

    /// One step on. 1 - A grows by sums of positive terms, so that it keeps all its digits.
    constexpr void step(double_double next_beta)
    {
        alpha_bar_previous = alpha_bar;
        one_minus_previous = one_minus;
        beta = next_beta;
        if (alpha_bar.exponent == 0) // below 2^-512 nothing is added to a number near 1
            one_minus = one_minus + alpha_bar.value * beta;
        alpha_bar *= double_double(1.0) - beta;
        if (alpha_bar.value.high == 0.0)
            one_minus = 1.0;
    }
    constexpr double_double posterior_variance() const { return beta * one_minus_previous / one_minus; }

    /// The entry of a table, of those that look at no later time, rounded to double. No zero is negative, also under
    /// -ffast-math.
    constexpr double entry(table which) const
    {
        auto const bits = std::bit_cast<std::uint64_t>(exact_entry(which).high);
        return std::bit_cast<double>((bits << 1) == 0 ? std::uint64_t{0} : bits);
    }
    constexpr double_double exact_entry(table which) const
    {
        double_double const infinity(std::numeric_limits<double>::infinity()), one(1.0);
        double_double const alpha = one - beta;
        wide_product const& A = alpha_bar;
        bool const none = A.value.high == 0.0;
        switch (which) {
        case table::beta: return beta;
        case table::log_beta: return log(beta);
        case table::alpha: return alpha;
        case table::sqrt_recip_alpha: return alpha.high == 0.0 ? infinity : one / sqrt(alpha);
        case table::alpha_bar:
        case table::alpha_bar_next: return A.number();
        case table::alpha_bar_previous: return alpha_bar_previous.number();
        case table::one_minus_alpha_bar: return one_minus;
        case table::log_one_minus_alpha_bar: return log_one_minus();
        case table::sqrt_alpha_bar: return A.root();
        case table::sqrt_one_minus_alpha_bar: return sqrt(one_minus);
        case table::sqrt_recip_alpha_bar:
            return none ? infinity : wide_product::shifted(one / sqrt(A.value), -A.exponent / 2);
        case table::sqrt_recipm1_alpha_bar:
            return none ? infinity : wide_product::shifted(sqrt(one_minus / A.value), -A.exponent / 2);
        case table::posterior_variance: return posterior_variance();
        case table::posterior_log_variance_clipped:
            return one_minus_previous.high == 0.0 ? log(beta) : log(posterior_variance());
        case table::posterior_mean_coef1:
            return wide_product::shifted(beta * sqrt(alpha_bar_previous.value) / one_minus,
                                         alpha_bar_previous.exponent / 2);
        case table::posterior_mean_coef2: return one_minus_previous * sqrt(alpha) / one_minus;
        case table::remove_noise_coeff: return beta / sqrt(one_minus);
        case table::snr: return wide_product::shifted(A.value / one_minus, A.exponent);
        case table::log_snr:
            return none ? -infinity : log(A.value) + double_double(A.exponent) * log_2 - log_one_minus();
        }
        return {};
    }

private:
    constexpr double_double log_one_minus() const
    {
        if (alpha_bar.exponent < 0)
            return -alpha_bar.number();
        return alpha_bar.value.high < 0.0625 ? log1p(-alpha_bar.value) : log(one_minus);
    }
};

} // namespace detail

/// Fills `out` with the T entries of one table, rounded to double; each within 0.51 units in the last place of the
/// exact value of the exact betas. Usable in constant expressions. Throws std::invalid_argument unless out holds T
/// numbers.
constexpr void tabulate(table which, std::span<double_double const> betas, std::span<double> out)
{
    require(out.size() == betas.size(), "tabulate", "the number of entries", out.size(), "it must be T");
    detail::process_state state;
    for (std::size_t t = 0; t < betas.size(); ++t) {
        state.step(betas[t]);
        double const value = state.entry(which);
        if (which != table::alpha_bar_next)
            out[t] = value;
        else if (t > 0)
            out[t - 1] = value;
    }
    if (out.empty())
        return;
    if (which == table::alpha_bar_next)
        out[out.size() - 1] = 0.0;
    if (which == table::posterior_log_variance_clipped && out.size() > 1)
        out[0] = out[1];
}

/// A table at compile time: `constexpr auto alpha_bar = ab::static_table<1000>(ab::table::alpha_bar,
/// ab::linear_betas(1000));`
///
/// Throws std::invalid_argument (does not compile, in a constant expression) unless the schedule has T betas.
template <std::size_t T>
constexpr std::array<double, T> static_table(table which, beta_schedule const& betas)
{
    std::array<double, T> out{};
    tabulate(which, betas.values(), out);
    return out;
}

} // namespace alphabar
