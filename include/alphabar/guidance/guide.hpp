// SPDX-License-Identifier: MIT
//
// Guidance: several predictions become one. A rule gives weights, where it needs them of inner products; one pass combines.
#pragma once

#include <alphabar/core/error.hpp>
#include <alphabar/core/host_device.hpp>
#include <alphabar/core/reduce.hpp>
#include <alphabar/core/tensor.hpp>
#include <alphabar/core/transform.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <concepts>
#include <cstddef>
#include <limits>
#include <span>
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

/// A number for all samples, or one for each: a contiguous range of doubles, which must outlive it.
class per_sample {
public:
    constexpr per_sample(double all) : all_(all) {}
    template <std::convertible_to<std::span<double const>> Range>
    constexpr per_sample(Range const& each) : each_(each), is_range_(true)
    {
    }
    /// The number of sample p.row. Throws std::invalid_argument where there is not one for each, or it is not finite.
    double operator()(guidance_point const& p) const
    {
        require(!is_range_ || each_.size() == p.batch, "guide", "the number of scales", each_.size(),
                "one, or one a sample");
        double const value = is_range_ ? each_[p.row] : all_;
        require(std::isfinite(value), "guide", "a scale", value, "it must be finite");
        return value;
    }

private:
    double all_ = 0.0;
    std::span<double const> each_{};
    bool is_range_ = false;
};

/// How a scale w is counted: u + w (c - u), as the field does, or c + w (c - u).     Ho & Salimans 2022, arXiv 2207.12598, (6)
enum class guidance_form { scale, excess };
/// What a scale adds to c: c + excess (c - u).
inline double excess(guidance_form form, double w) { return form == guidance_form::scale ? w - 1 : w; }

/// All rules: g = c C + sum_k d[k] D_k, C the first prediction, D_k = C - (prediction k + 1). So c = 1, d = 0 is C exactly.
template <std::size_t K>
struct guidance_weights {
    double c = 1.0;
    std::array<double, K> d{};
};

/// The inner products of C, D_1, ..., D_K over a sample.
template <std::size_t K>
struct guidance_moments {
    static constexpr std::size_t count = (K + 1) * (K + 2) / 2;
    double const* values;

    double dot(std::size_t i, std::size_t j) const
    {
        return values[std::max(i, j) * (std::max(i, j) + 1) / 2 + std::min(i, j)];
    }
};

/// With the sums of C, D_1, ..., D_K: for rules that read deviations, of samples of n elements.
template <std::size_t K>
struct guidance_spreads : guidance_moments<K> {
    static constexpr std::size_t count = guidance_moments<K>::count + K + 1;
    double n;

    /// The sum over the sample of (g - mean g)^2.
    double operator()(guidance_weights<K> const& w) const
    {
        auto const weight = [&](std::size_t i) { return i == 0 ? w.c : w.d[i - 1]; };
        double square = 0, sum = 0;
        for (std::size_t i = 0; i <= K; ++i) {
            sum += weight(i) * this->values[guidance_moments<K>::count + i];
            for (std::size_t j = 0; j <= K; ++j)
                square += weight(i) * weight(j) * this->dot(i, j);
        }
        return std::max(square - sum * sum / n, 0.0);
    }
};

namespace detail {

/// [C, D_1, ..., D_K] of one element. With momentum the last input is an average M, and the last result D_1 + mu M.
template <class T, bool Momentum, class... P>
ALPHABAR_HOST_DEVICE constexpr std::array<T, sizeof...(P)> guidance_basis(T mu, P... p)
{
    constexpr std::size_t K = sizeof...(P) - 1;
    std::array<T, K + 1> const in{static_cast<T>(p)...};
    return [&]<std::size_t... I>(std::index_sequence<I...>) {
        return std::array<T, K + 1>{in[0],
                                    (Momentum && I + 1 == K ? in[0] - in[1] + mu * in[K] : in[0] - in[I + 1])...};
    }(std::make_index_sequence<K>{});
}

/// The products [00, 10, 11, 20, 21, 22, ...] of the basis, then for spreads the basis itself.
template <class T, bool Momentum, bool Spreads>
struct moments_formula {
    T mu;
    template <class... P>
    ALPHABAR_HOST_DEVICE constexpr auto operator()(P... p) const
    {
        constexpr std::size_t K = sizeof...(P) - 1, products = guidance_moments<K>::count;
        constexpr auto pairs = [] {
            std::array<std::size_t, 2 * products> at{};
            for (std::size_t i = 0, t = 0; i <= K; ++i)
                for (std::size_t j = 0; j <= i; ++j)
                    at[t++] = i, at[t++] = j;
            return at;
        }();
        auto const e = guidance_basis<T, Momentum>(mu, p...);
        return [&]<std::size_t... I, std::size_t... J>(std::index_sequence<I...>, std::index_sequence<J...>) {
            return std::array{(e[pairs[2 * I]] * e[pairs[2 * I + 1]])..., e[J]...};
        }(std::make_index_sequence<products>{}, std::make_index_sequence<Spreads ? K + 1 : 0>{});
    }
};

/// g of one element; with momentum [g, the new average].
template <class T, std::size_t K, bool Momentum>
struct guided_formula {
    T mu, c;
    std::array<T, K> d;
    template <class... P>
    ALPHABAR_HOST_DEVICE constexpr auto operator()(P... p) const
    {
        auto const e = guidance_basis<T, Momentum>(mu, p...);
        T const g = [&]<std::size_t... I>(std::index_sequence<I...>) {
            return ((c * e[0]) + ... + (d[I] * e[I + 1]));
        }(std::make_index_sequence<K>{});
        if constexpr (Momentum)
            return std::array<T, 2>{g, e[K]};
        else
            return g;
    }
};

/// The formula of each row, from its weights [c, d_1, ..., d_K].
template <class T, std::size_t K, bool Momentum>
struct guided_rows {
    double const* weights;
    double mu;
    guided_formula<T, K, Momentum> operator[](std::size_t row) const
    {
        double const* const w = weights + row * (K + 1);
        guided_formula<T, K, Momentum> f{static_cast<T>(mu), static_cast<T>(w[0]), {}};
        for (std::size_t k = 0; k < K; ++k)
            f.d[k] = static_cast<T>(w[k + 1]);
        return f;
    }
};

template <class Rule, class Moments>
concept reads_moments = requires(Rule const& r, guidance_point const& p, Moments const& m) { r.weights(p, m); };

/// The weights of a rule that reads these moments, or none.
template <class Rule, class Moments>
auto weights_of(Rule const& rule, guidance_point const& p, Moments const& m)
{
    if constexpr (reads_moments<Rule, Moments>)
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

/// What `guide` needs of memory: kept, it is allocated once.
struct guidance_work {
    std::vector<double> moments, weights;
};

template <bool Momentum, class Rule, class Outs, class... P>
void guide_in(guidance_work& work, Rule const& rule, guidance_point at, Outs const& outs, P const&... p)
{
    constexpr std::size_t K = sizeof...(P) - 1;
    using T = compute_t<value_t<std::tuple_element_t<0, Outs>>>;
    using spreads = guidance_spreads<K>;
    constexpr bool plain = reads_moments<Rule, guidance_moments<K>>, reads = plain || reads_moments<Rule, spreads>;
    constexpr std::size_t count = reads ? (plain ? guidance_moments<K>::count : spreads::count) : 0;
    shape const s = shape_of(p...);
    require_call("guide", s, outs, p...);
    double mu = 0;
    if constexpr (Momentum)
        mu = momentum_of(rule);
    at.batch = s.batch();
    work.moments.resize(at.batch * count);
    if constexpr (reads)
        reduce_rows(moments_formula<T, Momentum, !plain>{static_cast<T>(mu)}, work.moments, p...);
    work.weights.clear();
    for (at.row = 0; at.row < at.batch; ++at.row) {
        spreads const m{{work.moments.data() + at.row * count}, static_cast<double>(s.sample_size())};
        guidance_weights<K> const w = weights_of(rule, at, m);
        work.weights.push_back(w.c);
        work.weights.insert(work.weights.end(), w.d.begin(), w.d.end());
    }
    transform_checked("guide", guided_rows<T, K, Momentum>{work.weights.data(), mu}, outs, p...);
}

} // namespace detail

/// out = the guided prediction of `predictions`, in the order that the rule names; the first is the one that is guided.
///
/// One pass over memory, two where the rule reads inner products; these are summed as `reduce_rows` sums: the same bits for any
/// number of threads. Predictions are of one kind, and x_0 is not clipped yet. Shapes: all [batch, ...]; `out` may be one of them.
/// Throws std::invalid_argument, before anything is written, where shapes differ, a scale is not finite, and as the rule says.
///
/// A rule with momentum takes out = std::tie(out, average): `average`, of out's shape and type, belongs to one run, is 0 at its start
/// and becomes c - u + momentum average, in the same passes.
template <class Rule, class Out, tensor... P>
void guide(Rule const& rule, guidance_point const& at, Out&& out, P const&... predictions)
{
    detail::guidance_work work;
    if constexpr (requires { rule.combine(at, out, predictions...); }) {
        rule.combine(at, out, predictions...);
    } else if constexpr (detail::is_tuple<std::remove_cvref_t<Out>>) {
        static_assert(sizeof...(P) == 2 && detail::with_momentum<Rule>, "alphabar: this rule has no momentum");
        detail::guide_in<true>(work, rule, at, out, predictions..., std::get<1>(out));
    } else {
        if constexpr (detail::with_momentum<Rule>)
            require(detail::momentum_of(rule) == 0, "guide", "out", "one tensor",
                    "momentum asks for std::tie(out, average)");
        detail::guide_in<false>(work, rule, at, std::tie(out), predictions...);
    }
}
template <class Rule, class Out, tensor... P>
    requires(!std::same_as<std::remove_cvref_t<Out>, guidance_point>)
void guide(Rule const& rule, Out&& out, P const&... predictions)
{
    guide(rule, guidance_point{}, out, predictions...);
}

} // namespace alphabar
