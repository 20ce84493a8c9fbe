// SPDX-License-Identifier: MIT
// Guidance: several predictions become one. A rule gives the weights, by inner products where it needs them.
#pragma once

#include <alphabar/core/combine.hpp>
#include <alphabar/core/per_sample.hpp>

namespace alphabar {

/// Where a sampler stands when it asks for guidance; `row` of `batch` is the sample, which `guide` sets.
struct guidance_point {
    std::size_t step = 0, steps = 1;
    double time = std::numeric_limits<double>::quiet_NaN(); ///< as the network is told
    std::size_t row = 0, batch = 1;
    std::size_t call = 0; ///< of the run, from 0; a step may have several
};

/// A rule's scale counts u + w (c - u), as the field does; this is the scale of c + w (c - u). Source: Ho & Salimans
/// 2022, arXiv 2207.12598, (6); diffusers' use_original_formulation.
inline per_sample excess_scale(per_sample const& w) { return w - -1.0; }

/// The first prediction alone, of any number.
struct unguided {
    combination<0> weights(guidance_point const&) const { return {}; }
};

namespace detail {

/// Rules that give weights, read inner products or not, and rules that combine the predictions themselves.
template <class Rule, class... Products>
concept weighs = requires(Rule const& r, guidance_point const& p, Products const&... m) { r.weights(p, m...); };
template <class Rule, class... Products>
concept weighable = weighs<Rule, Products...> || weighs<Rule>;
template <class Rule, class Out, class... P>
concept combines =
    requires(Rule const& r, guidance_point const& at, Out& out, P const&... p) { r.combine(at, out, p...); };

template <class Rule, class... Products>
auto weights_of(Rule const& rule, guidance_point const& p, Products const&... m)
{
    if constexpr (weighs<Rule, Products...>)
        return rule.weights(p, m...);
    else
        return rule.weights(p);
}

/// The momentum of a rule, or of one that it holds; nullptr where there is none.
template <class Rule>
auto momentum_of(Rule const& rule, guidance_point const& p)
{
    if constexpr (requires { rule.momentum; })
        return rule.momentum;
    else if constexpr (requires { rule.make(p); })
        return momentum_of(rule.make(p), p);
    else if constexpr (requires { requires std::same_as<decltype(momentum_of(rule.rule, p)), double>; })
        return momentum_of(rule.rule, p);
    else if constexpr (requires { rule.otherwise; })
        return momentum_of(rule.otherwise, p);
    else
        return nullptr;
}
template <class Rule>
concept with_momentum =
    std::same_as<decltype(momentum_of(std::declval<Rule const&>(), std::declval<guidance_point const&>())), double>;

/// Which of K + 1 predictions count for some sample of at.batch; [0]: whether anything is to be combined. Inner
/// products are NaN here: a rule that reads them gives the weights of c alone only where these are right for any.
template <std::size_t K, class Rule>
std::array<bool, K + 1> predictions_used(Rule const& rule, guidance_point at)
{
    std::array<bool, K + 1> used{};
    std::array<double, inner_products_and_sums<K>::count> unknown;
    unknown.fill(std::numeric_limits<double>::quiet_NaN());
    for (at.row = 0; at.row < at.batch; ++at.row) {
        combination<K> const w(weights_of(rule, at, inner_products_and_sums<K>{{unknown.data()}, 1.0}));
        used[0] = used[0] || w.c != 1;
        for (std::size_t k = 0; k < K; ++k)
            if (w.d[k] != 0)
                used[0] = used[k + 1] = true;
    }
    return used;
}

/// The guided prediction in `outs`, with the average behind it; where that is std::tie() its weights alone, in `work`.
template <class Rule, class... Out, class... P>
void guide_in(combination_work& work, Rule const& rule, guidance_point at, std::tuple<Out&...> const& outs,
              P const&... p)
{
    constexpr bool combined = [] {
        if constexpr (sizeof...(Out) > 0)
            return combines<Rule, std::tuple_element_t<0, std::tuple<Out...>>, P...>;
        return false;
    }();
    if constexpr (combined) {
        rule.combine(at, std::get<0>(outs), p...);
    } else {
        constexpr std::size_t K = sizeof...(P) - 1;
        constexpr bool averages = sizeof...(Out) == 2;
        using sums = inner_products_and_sums<K>;
        using products = std::conditional_t<weighs<Rule, inner_products<K>>, inner_products<K>,
                                            std::conditional_t<weighs<Rule, sums>, sums, std::tuple<>>>;
        static_assert(weighable<Rule, sums>, "alphabar: this rule does not guide so many predictions");
        using weights = decltype(weights_of(rule, at, std::declval<sums const&>()));
        static_assert(std::same_as<weights, combination<K>> || std::same_as<weights, combination<0>>,
                      "alphabar: this rule guides another number of predictions");
        double mu = 0;
        if constexpr (averages)
            mu = momentum_of(rule, at);
        at.batch = shape_of(p...).batch();
        auto const weigh = [&](std::size_t row, auto const& m) {
            return at.row = row, combination<K>(weights_of(rule, at, m));
        };
        combine_rows<products, averages>("guide", work, weigh, mu, outs, p...);
    }
}

} // namespace detail

/// out = the guided prediction of `predictions`, in the order that the rule names; the first is the one that is guided.
///
/// One pass over memory, two where the rule reads inner products. Predictions are of one kind, and x_0 is not clipped
/// yet. Shapes: all [batch, ...]; `out` may be one of them; the same bits for any number of threads. Throws
/// std::invalid_argument, before a write, where shapes differ, a scale is not finite or not one a sample, and as rules
/// say.
///
/// A rule with momentum takes out = std::tie(out, average): `average`, of out's shape and type, belongs to one run, is
/// 0 at its start and becomes c - u + momentum average, in the same passes; where u does not count (scale 1, outside a
/// window) it stays.
template <class Rule, class Out, tensor... P>
void guide(Rule const& rule, guidance_point const& at, Out&& out, P const&... predictions)
{
    combination_work work;
    if constexpr (detail::is_tuple<std::remove_cvref_t<Out>>) {
        static_assert(sizeof...(P) == 2 && detail::with_momentum<Rule>, "alphabar: this rule has no momentum");
        guidance_point here = at;
        here.batch = detail::shape_of(predictions...).batch();
        if (detail::predictions_used<1>(rule, here)[0])
            detail::guide_in(work, rule, at, out, predictions..., std::get<1>(out));
        else
            detail::guide_in(work, unguided{}, at, std::tie(std::get<0>(out)), predictions...);
    } else {
        if constexpr (detail::with_momentum<Rule>)
            require(detail::momentum_of(rule, at) == 0, "guide", "out", "one tensor",
                    "momentum asks for std::tie(out, average)");
        detail::guide_in(work, rule, at, std::tie(out), predictions...);
    }
}
template <class Rule, class Out, tensor... P>
    requires(!std::same_as<std::remove_cvref_t<Out>, guidance_point>)
void guide(Rule const& rule, Out&& out, P const&... predictions)
{
    guide(rule, guidance_point{}, out, predictions...);
}

} // namespace alphabar
