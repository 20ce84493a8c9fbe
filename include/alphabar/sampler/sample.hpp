// SPDX-License-Identifier: MIT
// sample: a plan, a network and noise make a sample.
#pragma once

#include <alphabar/core/aligned.hpp>
#include <alphabar/core/tensor.hpp>
#include <alphabar/core/transform.hpp>
#include <alphabar/noise/stream.hpp>
#include <alphabar/sampler/executor.hpp>
#include <alphabar/sampler/lower.hpp>
#include <alphabar/sampler/plan.hpp>

#include <cstddef>
#include <functional>
#include <type_traits>
#include <utility>

namespace alphabar {

namespace detail {

struct ignore_state {
    template <class View>
    void operator()(std::size_t, View const&) const
    {
    }
};

template <class P, class Executor, class Network, class After>
void run_with_output(Executor& run, Network& network, After& after)
{
    using value_type = typename Executor::value_type;
    static_assert(expect_host_memory<typename Executor::view_type>());
    shape const s = run.output_shape();
    aligned_vector<value_type> memory(s.size() + 2 * buffer_alignment / sizeof(value_type));
    auto output = run.view_like_x(memory.data() + buffer_alignment / sizeof(value_type), s);
    for (;;) {
        while (run.take())
            after(run.stage() - 1, run.state());
        auto call = run.next();
        if (call.done)
            return;
        auto const& input = call.input;
        auto const one_time = [&] {
            for (double t : call.times)
                require(t == call.time, "sample", "a sample's time", t, "the network takes one time for all of them");
            return call.time;
        };
        if constexpr (requires { network.predictions(input, call.time, output); }) {
            run.take(output, network.predictions(input, one_time(), output));
            after(call.stage, run.state());
            continue;
        }
        if constexpr (std::is_invocable_v<Network&, decltype(input), double, decltype(output)&> &&
                      (std::is_same_v<P, plan> ||
                       !std::is_invocable_v<Network&, decltype(input), std::span<double const>, decltype(output)&>))
            std::invoke(network, input, one_time(), output);
        else
            std::invoke(network, input, call.times, output);
        run.take(output);
        after(call.stage, run.state());
    }
}

} // namespace detail

/// x becomes the plan's sample. x holds the start: the plan's initial_scale times standard normal noise
/// (`draw_initial`), or whatever the plan begins with.
///
///     network(input, time, output)      writes output = F(input, time); called once for each stage that calls
///     after(stage, x)                   optional: sees the state after every stage
///
/// `plans` is a plan for all samples, time then is a double; or one for each sample of the batch, time then is a
/// std::span<double const> with a time for each. `input` and `output` are views of x's library where it has them
/// (view_of); the output has x's element type, and `heads` times x's channels. Noise and known data are those of
/// `executor`, which is what to use where your own loop calls the network, or where the output should have another
/// type.
///
/// Throws std::invalid_argument for what the executor refuses; x is untouched then.
template <sampling_plan P, class X, sampling_noise Noise, class Network>
    requires writable_tensor<std::remove_cvref_t<X>>
void sample(P const& plans, X&& x, Noise noise, Network&& network)
{
    executor<std::remove_cvref_t<X>, Noise> run(plans, x, std::move(noise));
    detail::ignore_state after;
    detail::run_with_output<P>(run, network, after);
}
template <sampling_plan P, class X, sampling_noise Noise, class Network, class After>
    requires writable_tensor<std::remove_cvref_t<X>> &&
             std::is_invocable_v<After&, std::size_t, view_of<std::remove_cvref_t<X>>>
void sample(P const& plans, X&& x, Noise noise, Network&& network, After&& after)
{
    executor<std::remove_cvref_t<X>, Noise> run(plans, x, std::move(noise));
    detail::run_with_output<P>(run, network, after);
}
template <sampling_plan P, class X, sampling_noise Noise, class Network, class After = detail::ignore_state>
    requires writable_tensor<std::remove_cvref_t<X>>
void sample(P const& plans, X&& x, Noise noise, Network&& network,
            known_data<value_t<X>, traits_of<X>::order> const& known, After&& after = {})
{
    executor<std::remove_cvref_t<X>, Noise> run(plans, x, std::move(noise), known);
    detail::run_with_output<P>(run, network, after);
}

namespace detail {

template <class C>
struct scale_by {
    C scale;
    ALPHABAR_HOST_DEVICE constexpr C operator()(C z) const { return scale * z; }
};

} // namespace detail

/// x = p.initial_scale * standard normal noise of the stream's purpose::initial: where a sampler starts.
template <class X>
    requires writable_tensor<std::remove_cvref_t<X>>
void draw_initial(plan const& p, noise_stream noise, X&& x)
{
    using C = compute_t<value_t<X>>;
    transform(detail::scale_by<C>{static_cast<C>(p.initial_scale)}, x, noise(purpose::initial, 0));
}

} // namespace alphabar
