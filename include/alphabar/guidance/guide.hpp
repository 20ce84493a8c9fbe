// SPDX-License-Identifier: MIT
// Guidance: several predictions become one. A rule gives the weights, where it needs them by inner products of the
// predictions.
#pragma once

#include <alphabar/core/combine.hpp>
#include <alphabar/core/error.hpp>
#include <alphabar/core/per_sample.hpp>
#include <alphabar/core/tensor.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <concepts>
#include <cstddef>
#include <limits>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

namespace alphabar {

/// Where a sampler stands when it asks for guidance; `row` of `batch` is the sample, which `guide` sets.
struct guidance_point {
    std::size_t step = 0, steps = 1;
    double time = std::numeric_limits<double>::quiet_NaN(); ///< as the network is told
    std::size_t row = 0, batch = 1;
};

/// How a scale w is counted: u + w (c - u), as the field does, or c + w (c - u). Source: Ho & Salimans 2022, arXiv
/// 2207.12598, (6).
enum class guidance_form { scale, excess };
/// What a scale adds to c: c + excess (c - u).
inline double excess(guidance_form form, double w) { return form == guidance_form::scale ? w - 1 : w; }

namespace detail {

template <class Rule, class Products>
concept reads = requires(Rule const& r, guidance_point const& p, Products const& m) { r.weights(p, m); };

/// The weights of a rule that reads inner products, or not.
template <class Rule, class Products>
auto weights_of(Rule const& rule, guidance_point const& p, Products const& m)
{
    if constexpr (reads<Rule, Products>)
        return rule.weights(p, m);
    else
        return rule.weights(p);
}

/// The momentum of a rule, or of the one that it holds as `rule`; nullptr where there is none.
template <class Rule>
constexpr auto momentum_of(Rule const& rule)
{
    if constexpr (requires { rule.momentum; })
        return rule.momentum;
    else if constexpr (requires { rule.rule; })
        return momentum_of(rule.rule);
    else
        return nullptr;
}
template <class Rule>
concept with_momentum = std::same_as<decltype(momentum_of(std::declval<Rule const&>())), double>;

template <class Rule, class Outs, class... P>
void guide_in(combination_work& work, Rule const& rule, guidance_point at, Outs const& outs, P const&... p)
{
    if constexpr (requires { rule.combine(at, std::get<0>(outs), p...); }) {
        rule.combine(at, std::get<0>(outs), p...);
    } else {
        constexpr std::size_t K = sizeof...(P) - 1;
        constexpr bool averages = std::tuple_size_v<Outs> == 2;
        using products = std::conditional_t<
            reads<Rule, inner_products<K>>, inner_products<K>,
            std::conditional_t<reads<Rule, inner_products_and_sums<K>>, inner_products_and_sums<K>, std::tuple<>>>;
        double mu = 0;
        if constexpr (averages)
            mu = momentum_of(rule);
        at.batch = shape_of(p...).batch();
        auto const weigh = [&](std::size_t row, auto const& m) { return at.row = row, weights_of(rule, at, m); };
        combine_rows<products, averages>("guide", work, weigh, mu, outs, p...);
    }
}

} // namespace detail

/// out = the guided prediction of `predictions`, in the order that the rule names; the first is the one that is guided.
///
/// One pass over memory, two where the rule reads inner products. Predictions are of one kind, and x_0 is not clipped
/// yet. Shapes: all [batch, ...]; `out` may be one of them; the same bits for any number of threads. Throws
/// std::invalid_argument, before anything is written, where shapes differ, a scale is not finite or not one a sample,
/// and as the rule says.
///
/// A rule with momentum takes out = std::tie(out, average): `average`, of out's shape and type, belongs to one run, is
/// 0 at its start and becomes c - u + momentum average, in the same passes.
template <class Rule, class Out, tensor... P>
void guide(Rule const& rule, guidance_point const& at, Out&& out, P const&... predictions)
{
    combination_work work;
    if constexpr (detail::is_tuple<std::remove_cvref_t<Out>>) {
        static_assert(sizeof...(P) == 2 && detail::with_momentum<Rule>, "alphabar: this rule has no momentum");
        detail::guide_in(work, rule, at, out, predictions..., std::get<1>(out));
    } else {
        if constexpr (detail::with_momentum<Rule>)
            require(detail::momentum_of(rule) == 0, "guide", "out", "one tensor",
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
