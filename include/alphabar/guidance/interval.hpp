// SPDX-License-Identifier: MIT
// Guidance in a part of the steps or of the noise levels only.
#pragma once

#include <alphabar/guidance/guide.hpp>
#include <alphabar/schedule/noise_level.hpp>

namespace alphabar {

/// The steps k of N with floor(start N) <= k < floor(stop N), 0 <= start <= stop <= 1, as diffusers counts.
struct step_window {
    double start = 0.0, stop = 1.0;

    bool operator()(guidance_point const& p) const
    {
        require(start >= 0 && start <= stop && stop <= 1, "step_window", "start", start, "0 <= start <= stop <= 1");
        double const n = static_cast<double>(p.steps), k = static_cast<double>(p.step);
        return std::floor(start * n) <= k && k < std::floor(stop * n);
    }
};

/// The noise levels low < sigma / alpha <= high of a path that outlives it. Source: Kynkaanniemi et al. 2024, arXiv
/// 2404.07724, (4).
template <noise_path Path>
struct level_window {
    Path const* path;
    double low = 0.0, high = std::numeric_limits<double>::infinity();

    bool operator()(guidance_point const& p) const
    {
        require(!std::isnan(p.time), "level_window", "the time", p.time, "it gives the noise level");
        auto const [alpha, sigma] = path->level(p.time);
        return sigma > low * alpha && (std::isinf(high) || sigma <= high * alpha);
    }
};
template <class Path>
level_window(Path const*, double = 0.0, double = 0.0) -> level_window<Path>;

/// `rule` where window(point) holds, elsewhere the first prediction alone: `guided` then calls no other network.
template <class Rule, class Window>
struct within {
    Rule rule;
    Window window;

    template <class... Products>
    auto weights(guidance_point const& p, Products const&... m) const -> decltype(rule.weights(p, m...))
    {
        return window(p) ? rule.weights(p, m...) : decltype(rule.weights(p, m...)){};
    }
};
template <class Rule, class Window>
within(Rule, Window) -> within<Rule, Window>;

} // namespace alphabar
