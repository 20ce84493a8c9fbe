// SPDX-License-Identifier: MIT
// Schedules made of schedules: zero terminal SNR, a shift of the SNR, fewer times.
#pragma once

#include <alphabar/core/double_double.hpp>
#include <alphabar/core/error.hpp>
#include <alphabar/schedule/betas.hpp>
#include <alphabar/schedule/tables.hpp>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace alphabar {

/// sqrt(alpha_bar) moved and scaled so that its last entry is exactly 0 and its first stays: with r_i =
/// sqrt(alpha_bar_i),
///
///     r_i <- (r_i - r_{T-1}) r_0 / (r_0 - r_{T-1})
///
/// Source: Lin et al. 2024, arXiv 2305.08891, algorithm 1. Throws std::invalid_argument where T = 1.
constexpr beta_schedule zero_terminal_snr(beta_schedule const& betas)
{
    require(betas.T() > 1, "zero_terminal_snr", "T", betas.T(), "it must be at least 2");
    std::vector<double_double> root;
    root.reserve(betas.T());
    detail::process_state state;
    for (double_double b : betas.values()) {
        state.step(b);
        root.push_back(state.alpha_bar.root());
    }
    double_double const last = root.back();
    return make_betas(
        betas.T(),
        [&](std::size_t i) { // 1 - ((r_i - last) / (r_{i-1} - last))^2
            if (i == 0)
                return betas[0];
            if (i + 1 == betas.T())
                return double_double(1.0);
            double_double const before = root[i - 1] - last;
            return (root[i - 1] - root[i]) * (before + (root[i] - last)) / (before * before);
        },
        "zero_terminal_snr");
}

/// The SNR of every time divided by `scale`: alpha_bar <- alpha_bar / (scale + (1 - scale) alpha_bar). CogVideoX's
/// snr_shift_scale; Yang et al. 2024, arXiv 2408.06072, appendix. Throws std::invalid_argument unless scale is positive
/// and finite.
constexpr beta_schedule snr_shift(beta_schedule const& betas, double scale)
{
    require(detail::is_finite(scale) && scale > 0.0, "snr_shift", "scale", scale, "it must be positive and finite");
    detail::process_state state;
    return make_betas(
        betas.T(),
        [&](std::size_t i) {
            state.step(betas[i]);
            double_double const s(scale);
            return betas[i] == double_double(1.0) ? double_double(1.0)
                                                  : s * betas[i] / (s * state.one_minus + state.alpha_bar.number());
        },
        "snr_shift");
}

/// The process that visits only the times `kept`, ascending, with the same alpha_bar there: time i of it is time
/// kept[i] of the old one, which is what a network trained on the old one is to be given.
///
/// Source: Nichol & Dhariwal 2021, arXiv 2102.09672, section 4. Throws std::invalid_argument unless kept is not empty,
/// rises strictly and stays below T.
constexpr beta_schedule respace(beta_schedule const& betas, std::span<std::size_t const> kept)
{
    require(!kept.empty(), "respace", "the number of kept times", kept.size(), "at least 1 is needed");
    for (std::size_t i = 0; i < kept.size(); ++i) {
        require(kept[i] < betas.T(), "respace", "a kept time", kept[i], "it must be below T");
        require(i == 0 || kept[i - 1] < kept[i], "respace", "a kept time", kept[i],
                "it must be above the one before it");
    }
    std::size_t next = 0;
    return make_betas(
        kept.size(),
        [&](std::size_t i) { // 1 - the product of the alphas in between
            double_double rest, product(1.0);
            for (; next <= kept[i]; ++next) {
                rest = rest + product * betas[next];
                product = product * (double_double(1.0) - betas[next]);
            }
            return product == double_double() ? double_double(1.0) : rest;
        },
        "respace");
}

/// Which of T times to keep: "ddimN", or counts "a,b,c".
///
///     ddimN    0, s, 2s, ... with the smallest stride s in [1, T - 1] that gives exactly N times
///     a,b,c    T in as many nearly equal sections (the first T mod k of them one longer), in each as many times, from
///              its first to its last, equally spaced and rounded to even; a count of 1 keeps the first time, 0 none
///
/// Positions are summed up in doubles, as guided-diffusion's space_timesteps does. Throws std::invalid_argument where
/// no stride fits, a count is above the size of its section, or the text is neither.
inline std::vector<std::size_t> kept_times(std::size_t T, std::string_view sections)
{
    char const* const rule = "it must be ddimN or counts such as 10,15,20, each at most the size of its section";
    require(T >= 1 && T <= beta_schedule::max_T, "kept_times", "T", T, "it must lie in [1, 10000]");
    auto const number = [&](std::string_view text) {
        std::size_t n = 0;
        require(!text.empty() && text.size() <= 6, "kept_times", "sections", std::string(sections), rule);
        for (char c : text) {
            require(c >= '0' && c <= '9', "kept_times", "sections", std::string(sections), rule);
            n = 10 * n + static_cast<std::size_t>(c - '0');
        }
        return n;
    };
    std::vector<std::size_t> kept;
    if (sections.starts_with("ddim")) {
        std::size_t const n = number(sections.substr(4));
        for (std::size_t stride = 1; stride < T; ++stride)
            if ((T + stride - 1) / stride == n) {
                for (std::size_t t = 0; t < T; t += stride)
                    kept.push_back(t);
                return kept;
            }
        reject("kept_times", "sections", std::string(sections), "no integer stride gives as many times");
    }
    std::vector<std::size_t> counts;
    for (std::string_view rest = sections;;) {
        std::size_t const comma = rest.find(',');
        counts.push_back(number(rest.substr(0, comma)));
        if (comma == std::string_view::npos)
            break;
        rest.remove_prefix(comma + 1);
    }
    std::size_t start = 0;
    for (std::size_t i = 0; i < counts.size(); ++i) {
        std::size_t const size = T / counts.size() + (i < T % counts.size() ? 1 : 0), count = counts[i];
        require(count <= size, "kept_times", "sections", std::string(sections), rule);
        double const stride = count <= 1 ? 1.0 : static_cast<double>(size - 1) / static_cast<double>(count - 1);
        double at = 0.0;
        for (std::size_t m = 0; m < count; ++m, at += stride)
            kept.push_back(start + static_cast<std::size_t>(std::nearbyint(at)));
        start += size;
    }
    return kept;
}

} // namespace alphabar
