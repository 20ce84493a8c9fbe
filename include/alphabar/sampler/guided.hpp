// SPDX-License-Identifier: MIT
// Several networks and a rule as one network for `sample`.
#pragma once

#include <alphabar/core/aligned.hpp>
#include <alphabar/core/error.hpp>
#include <alphabar/guidance/guide.hpp>
#include <alphabar/sampler/executor.hpp>
#include <alphabar/sampler/pass.hpp>
#include <alphabar/sampler/plan.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <span>
#include <tuple>
#include <utility>
#include <vector>

namespace alphabar {

namespace detail {

/// `rule` for the first head of each sample, whose heads lie one after the other as samples of their own; the other
/// heads are the first network's.
template <class Rule>
struct of_first_head {
    Rule const& rule;
    std::size_t heads;

    template <class... M>
        requires weighs<Rule, M...>
    auto weights(guidance_point p, M const&... m) const
    {
        using combined = decltype(rule.weights(p, m...));
        bool const first = p.row % heads == 0;
        p.row /= heads, p.batch /= heads;
        return first ? rule.weights(p, m...) : combined{};
    }
    template <class Out, class... P>
        requires combines<Rule, Out, P...>
    void combine(guidance_point const& at, Out& out, P const&... predictions) const
    {
        require(heads == 1, "guided", "the plan's number of heads", heads,
                "a rule that combines images itself guides no prediction with a variance");
        rule.combine(at, out, predictions...);
    }
};

} // namespace detail

/// sample(plan, x, noise, guided(plan, rule, conditional, unconditional)): networks in the order of the rule's
/// predictions, each as `sample` calls it. Their outputs are combined before the plan makes x_0 of them and clips it.
///
/// A plan whose rows read F(1) (CFG++) gets the second prediction, the unconditional one, as F(0) and the rule's result
/// as F(1): that network is called at every call. With a predicted variance every network has it as its second head:
/// the first heads are guided, and the plan gets the first network's variance.
///
/// A network is called only where its prediction has a weight that is not 0: not at scale 1, nor outside a `within`.
/// Steps and times are the plan's. Only the first call of a run allocates (for the other predictions and the momentum).
/// One object serves one run at a time; after a run that was given up, restart().
template <class Rule, class Network, class... Others>
class guided {
    static constexpr std::size_t K = sizeof...(Others);
    static constexpr bool momentum = K == 1 && detail::with_momentum<Rule>;

public:
    /// Throws std::invalid_argument for a plan that asks for more predictions than there are networks.
    guided(plan const& p, Rule rule, Network network, Others... others)
        : rule_(std::move(rule)), networks_(std::move(network), std::move(others)...)
    {
        std::size_t step = 0;
        for (stage const& s : p.stages) {
            if (s.x.reads(slots::F(1)) || (s.y && s.y->reads(slots::F(1))))
                heads_ = 2;
            if (s.calls)
                points_.push_back({.step = step, .time = s.time, .call = points_.size()});
            step += s.ends_step ? 1 : 0;
            mixes_ = mixes_ && !s.langevin;
        }
        for (guidance_point& at : points_)
            at.steps = step;
        heads_of_each_ = heads_ == 1 ? p.heads : 1;
        require(p.heads == heads_ * heads_of_each_ && heads_ <= K + 1, "guided", "the plan's number of heads", p.heads,
                "it asks for more predictions than there are networks, or more than two");
    }

    /// The next call is the first of a run.
    void restart() { call_ = 0; }

    /// Throws std::invalid_argument where `time` is not that of the plan's next call, and as `guide` does.
    template <class Input, class Output>
    void operator()(Input const& input, double time, Output& output)
    {
        call<false>(input, time, output);
    }
    /// The same, but where the rule makes weights, with or without inner products, the sum itself is left to the pass
    /// that reads the output: `sample` calls this. Of 16-bit elements the sum is then not rounded before the stage.
    /// What is returned holds until the next call.
    template <class Input, class Output>
    mixed_output<value_t<Output>> predictions(Input const& input, double time, Output& output)
    {
        return call<true>(input, time, output);
    }

private:
    template <bool Mixes, class Input, class Output>
    mixed_output<value_t<Output>> call(Input const& input, double time, Output& output)
    {
        require(call_ < points_.size() && points_[call_].time == time, "guided", "the time", time,
                "it is not that of the plan's next call; after a run that was given up, call restart()");
        static_assert(detail::expect_host_memory<Output>());
        using T = value_t<Output>;
        shape const whole = traits_of<Output>::shape(output), s = of_one_head(whole);
        std::size_t const stride = detail::array_stride<T>(s), inside = heads_ == 1 ? 1 : 0; // k = 0 lies in `output`
        if (call_ == 0)
            memory_.assign((K + 1 - inside + (momentum ? 1 : 0)) * stride, std::byte{}); // the momentum, the last, is 0
        guidance_point at = points_[call_];
        at.batch = s.batch();
        shape const samples =
            heads_of_each_ == 1 ? s : shape{s.batch() * heads_of_each_, s.sample_size() / heads_of_each_};
        detail::of_first_head<Rule> const rule{rule_, heads_of_each_};
        std::array<bool, K + 1> used = detail::predictions_used<K>(rule_, at);
        bool const combines = used[0];
        used[K > 0 ? 1 : 0] = used[K > 0 ? 1 : 0] || heads_ == 2;
        auto const elements = [&](std::size_t k) { // what is not used is the first prediction: its difference is 0
            std::size_t const array = k <= K && !used[k] ? 0 : k;
            return array < inside ? traits_of<Output>::elements(output).data()
                                  : reinterpret_cast<T*>(memory_.data() + (array - inside) * stride);
        };
        auto const view = [&](std::size_t k) {
            return detail::make_view<std::remove_cvref_t<Output>>(elements(k), s, traits_of<Output>::space(output));
        };
        mixed_output<T> mixed;
        auto const part = [&](std::size_t k) { return tensor_view<T, traits_of<Output>::order>{elements(k), samples}; };
        [&]<std::size_t... I>(std::index_sequence<I...>) {
            auto views = std::tuple{view(I)...};
            ((I == 0 || used[I] ? void(std::invoke(std::get<I>(networks_), input, time, std::get<I>(views))) : void()),
             ...);
            if (!combines)
                return;
            auto const parts = std::tuple{part(I)...};
            auto const to = std::get<0>(parts);
            if constexpr (momentum)
                if (auto const average = part(K + 1); detail::momentum_of(rule_, at) != 0)
                    return detail::guide_in(work_, rule, at, std::tie(to, average), std::get<I>(parts)..., average);
            if constexpr (Mixes && K > 0 && K < mixed_output<T>::max_parts &&
                          !detail::combines<Rule, decltype(to), decltype(part(I))...>)
                if (mixes_ && heads_ * heads_of_each_ == 1) {
                    detail::guide_in(work_, rule, at, std::tie(), std::get<I>(parts)...);
                    mixed = {{elements(I)...}, K + 1, work_.weights.data()};
                    return;
                }
            detail::guide_in(work_, rule, at, std::tie(to), std::get<I>(parts)...);
        }(std::make_index_sequence<K + 1>{});
        for (std::size_t row = 0, n = s.sample_size(); heads_ == 2 && row < s.batch(); ++row)
            for (std::size_t head = 0; head < 2; ++head)
                std::copy_n(elements(1 - head) + row * n, n,
                            traits_of<Output>::elements(output).data() + (2 * row + head) * n);
        call_ = (call_ + 1) % points_.size();
        return mixed;
    }

    /// The shape of one head of the output.
    shape of_one_head(shape const& s) const
    {
        std::array<std::size_t, shape::max_rank> extents{};
        std::ranges::copy(s.extents(), extents.begin());
        extents[s.rank() < 2 ? 0 : 1] /= heads_;
        return shape(std::span<std::size_t const>(extents.data(), s.rank()));
    }

    Rule rule_;
    std::tuple<Network, Others...> networks_;
    combination_work work_;
    std::vector<guidance_point> points_;
    aligned_vector<std::byte> memory_;
    std::size_t call_ = 0;
    bool mixes_ = true; ///< a Langevin stage takes norms of the output
    std::uint32_t heads_ = 1, heads_of_each_ = 1;
};

} // namespace alphabar
