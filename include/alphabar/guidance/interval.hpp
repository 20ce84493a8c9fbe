// SPDX-License-Identifier: MIT
// Guidance in a part of the steps or of the noise levels only, or with other parameters at each.
#pragma once

#include <alphabar/guidance/guide.hpp>
#include <alphabar/schedule/noise_level.hpp>

namespace alphabar {

/// The steps k of N with floor(start N) <= k < floor(stop N), 0 <= start <= stop <= 1, as diffusers counts.
struct step_window {
    double start = 0.0, stop = 1.0;

    bool operator()(guidance_point const& p) const
    {
        require(start >= 0 && start <= 1, "step_window", "start", start, "it must lie in [0, 1]");
        require(stop >= start && stop <= 1, "step_window", "stop", stop, "it must lie in [start, 1]");
        double const n = static_cast<double>(p.steps), k = static_cast<double>(p.step);
        return std::floor(start * n) <= k && k < std::floor(stop * n);
    }
};

/// Levels low < sigma / alpha <= high of a path that outlives it. Kynkaanniemi et al. 2024, arXiv 2404.07724, (4).
template <noise_path Path>
struct level_window {
    Path const* path;
    double low = 0.0, high = std::numeric_limits<double>::infinity();

    bool operator()(guidance_point const& p) const
    {
        require(!std::isnan(p.time), "level_window", "the time", p.time, "the guidance_point needs one for its level");
        auto const [alpha, sigma] = path->level(p.time);
        return sigma > low * alpha && (std::isinf(high) || sigma <= high * alpha);
    }
};
template <class Path>
level_window(Path const*, double = 0.0, double = 0.0) -> level_window<Path>;

/// `rule` where window(point) holds, elsewhere `otherwise`: the first prediction alone as a rule, and `guided` then
/// calls no other network. A momentum is that of `rule`, or of `otherwise` where `rule` has none.
template <class Rule, class Window, class Otherwise = unguided>
struct within {
    Rule rule;
    Window window;
    Otherwise otherwise{};

    template <class... M>
        requires(detail::weighable<Rule, M...> && detail::weighable<Otherwise, M...> &&
                 (detail::weighs<Rule, M...> || detail::weighs<Otherwise, M...>))
    auto weights(guidance_point const& p, M const&... m) const
    {
        using A = decltype(detail::weights_of(rule, p, m...));
        using B = decltype(detail::weights_of(otherwise, p, m...));
        using both = std::conditional_t<(std::tuple_size_v<decltype(A::d)> < std::tuple_size_v<decltype(B::d)>), B, A>;
        return window(p) ? both(detail::weights_of(rule, p, m...)) : both(detail::weights_of(otherwise, p, m...));
    }
    template <class Out, class... P>
        requires(detail::combines<Rule, Out, P...> || detail::combines<Otherwise, Out, P...>)
    void combine(guidance_point const& at, Out& out, P const&... predictions) const
    {
        window(at) ? guide(rule, at, out, predictions...) : guide(otherwise, at, out, predictions...);
    }
};
template <class Rule, class Window, class Otherwise = unguided>
within(Rule, Window, Otherwise = {}) -> within<Rule, Window, Otherwise>;

/// The rule that make(point) returns: one whose parameters depend on the step, the time or the sample (a momentum does
/// not). A schedule of the scale: varying{[](guidance_point const& p) { return classifier_free{1 + 6.0 * p.step /
/// p.steps}; }}; Wang et al. 2024, arXiv 2404.13040, compare such.
template <class Make>
struct varying {
    Make make;

    template <class... M>
        requires detail::weighs<std::invoke_result_t<Make const&, guidance_point const&>, M...>
    auto weights(guidance_point const& p, M const&... m) const
    {
        return make(p).weights(p, m...);
    }
    template <class Out, class... P>
        requires detail::combines<std::invoke_result_t<Make const&, guidance_point const&>, Out, P...>
    void combine(guidance_point const& at, Out& out, P const&... predictions) const
    {
        make(at).combine(at, out, predictions...);
    }
};
template <class Make>
varying(Make) -> varying<Make>;

} // namespace alphabar
