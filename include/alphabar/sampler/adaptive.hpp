// SPDX-License-Identifier: MIT
// DPM-Solver 12 and 23 with adaptive steps, for each sample its own or one for the batch.
#pragma once

#include <alphabar/core/reduce.hpp>
#include <alphabar/core/step_control.hpp>
#include <alphabar/core/transform.hpp>
#include <alphabar/grid/sigmas.hpp>
#include <alphabar/sampler/ddim.hpp>
#include <alphabar/sampler/sample.hpp>
#include <alphabar/sampler/singlestep.hpp>

namespace alphabar {

/// The size E of an error e, elementwise |high - low| / max(atol, rtol max(|low|, |low of the step before|)).
///
///     per_sample  its root mean square: every sample has steps of its own, whatever else is in the batch
///     batch       that of the whole batch: one step for all (k-diffusion)
///     largest     the largest of the samples': one step for all (DPM-Solver's authors)
enum class error_norm : std::uint8_t { per_sample, batch, largest };

struct adaptive_options {
    network_form network{};
    unsigned order = 3; ///< 2: DPM-Solver-12; 3: DPM-Solver-23
    memory_form form = memory_form::epsilon;
    dpm_rule rule{.skip_middle = true}; ///< of the higher order; the lower one has `rule.last` of two memories
    sigma_range range{};                ///< from sigma_max to sigma_min; swapped: up, an inversion
    double rtol = 0.05;
    double atol = 0.0078;
    double first_step = 0.05; ///< in lambda
    error_norm norm = error_norm::per_sample;
    step_control control{};
    double eta = 0.0; ///< of ancestral steps (make_ancestral_step)
    double noise_scale = 1.0;
};

/// Where a sample, or the whole batch, stands.
struct adaptive_state {
    double lambda;
    double step;        ///< of the next try, in lambda
    double error = 0.0; ///< E of the last try
    std::uint32_t accepted = 0;
    std::uint32_t rejected = 0;
    bool done = false;
    std::array<double, 3> inverse{}; ///< 1 / E of the last tries, the newest first
};

namespace detail {

/// The step from lambda = s to `to` as a plan: its last call leaves the high order as the state after `order` stages,
/// and a stage without a call turns it into the low one.
template <noise_path Path>
plan adaptive_try(Path const& path, double s, double t, noise_level to, adaptive_options const& o)
{
    using namespace slots;
    std::vector<inner_call> calls;
    auto const at = [&](double j) { return point_at_ratio(path, std::exp(-(s + (t - s) * j / o.order))); };
    for (unsigned j = 0; j < o.order; ++j)
        calls.push_back({at(j).time, at(j).level, j + 1 < o.order ? at(j + 1).level : to, j, o.form, 0.0, o.rule});
    plan p = singlestep(calls, {.network = settled(o.network, usual_prediction(path))});
    transition const step = make_transition(calls[0].level, to, o.form);
    std::array const nodes{position(calls[1].level, o.form) - position(calls[0].level, o.form), 0.0};
    bool const two = o.order == 3;
    node_values const w = integral(step, std::span(nodes).subspan(two ? 0 : 1), o.rule.last);
    p.stages.back().y = (step.a * y + w[0] * m(1) + (two ? w[1] * m(2) : row())).pruned();
    p.stages.push_back({.x = y, .calls = false});
    return p;
}

struct squared_error {
    double atol, rtol;
    template <class T>
    constexpr double operator()(T high, T low, T before) const
    {
        double const l = static_cast<double>(low), e = static_cast<double>(high) - l;
        double const bound = std::max(atol, rtol * std::max(std::abs(l), std::abs(static_cast<double>(before))));
        return e / bound * (e / bound);
    }
};
struct chosen {
    bool second;
    template <class T>
    constexpr T operator()(T a, T b) const
    {
        return second ? b : a;
    }
};

} // namespace detail

/// x, at the noise of sigma_max, becomes a sample at sigma_min by DPM-Solver 12 or 23 with steps that keep the error
/// small. `network` is called as in `sample`; with per_sample it takes a time for each sample. A sample's result does
/// not depend on its batch then. on_try(states) sees every try; the last states are returned. x is in host memory.
///
/// Throws std::invalid_argument for a bad option, where the error is not finite or a step becomes too small, and as
/// `sample` does. Source: Lu et al. 2022, arXiv 2206.00927, appendix C; k-diffusion, sample_dpm_adaptive.
template <noise_path Path, class X, sampling_noise Noise, class Network, class OnTry = std::identity>
    requires writable_tensor<std::remove_cvref_t<X>>
std::vector<adaptive_state> adaptive(Path const& path, X&& x, Noise noise, Network&& network,
                                     adaptive_options const& o = {}, OnTry&& on_try = {})
{
    using namespace slots;
    using value_type = value_t<X>;
    using view_type = view_of<std::remove_cvref_t<X>>;
    require(o.order == 2 || o.order == 3, "adaptive", "order", o.order, "it must be 2 or 3");
    require(o.rtol >= 0.0 && o.atol > 0.0, "adaptive", "atol", o.atol, "it must be positive, and rtol not negative");
    require(o.first_step > 0.0 && o.eta >= 0.0, "adaptive", "first_step", o.first_step,
            "it must be positive, and eta not negative");
    auto const end_point = [&](std::optional<double> const& sigma, double time) {
        return half_log_snr((sigma ? point_at_sigma(path, *sigma) : point_at_time(path, time)).level);
    };
    double const first = end_point(o.range.sigma_max, path.final_time());
    double const last = end_point(o.range.sigma_min, first_time(path));
    require(std::isfinite(first) && std::isfinite(last), "adaptive", "lambda of an end", first, "it must be finite");
    double const sign = last > first ? 1.0 : -1.0;

    shape const s = traits_of<X>::shape(x);
    std::size_t const batch = s.batch(), groups = o.norm == error_norm::per_sample ? batch : 1;
    using call = std::is_invocable<Network&, view_type const&, std::span<double const>, view_type&>;
    require(groups <= 1 || call::value, "adaptive", "network", "of one time", "it must take a time for each sample");
    std::vector<adaptive_state> states(groups, {first, sign * o.first_step});
    aligned_vector<value_type> memory(4 * s.size() + 1);
    auto const view = [&](std::size_t k) {
        return detail::make_view<std::remove_cvref_t<X>>(memory.data() + k * s.size(), s, traits_of<X>::space(x));
    };
    view_type now = view(0), before = view(1), high = view(2), low = view(3);
    auto const copy = [](auto const& from, auto&& to) { transform(detail::identity{}, to, from); };
    copy(x, now);
    copy(x, before);

    std::vector<plan> tries(groups), kicks(groups);
    std::vector<double> targets(groups), up(groups), sums(batch);
    std::vector<detail::chosen> accepts(batch);
    while (!std::ranges::all_of(states, &adaptive_state::done)) {
        for (std::size_t k = 0; k < groups; ++k) {
            adaptive_state const& a = states[k];
            if (a.done) { // it stands still while others go on
                for (stage& idle : tries[k].stages)
                    idle.x = slots::x, idle.y.reset();
                continue;
            }
            targets[k] = sign * std::min(sign * last, sign * (a.lambda + a.step));
            noise_level const to = point_at_ratio(path, std::exp(-targets[k])).level;
            double goal = targets[k];
            if (o.eta > 0.0) {
                noise_level const from = point_at_ratio(path, std::exp(-a.lambda)).level;
                goal = std::min(last, half_log_snr(make_ancestral_step(from, to, o.eta).down));
                up[k] = to.alpha * std::sqrt(std::exp(-2.0 * targets[k]) - std::exp(-2.0 * goal));
            }
            tries[k] = detail::adaptive_try(path, a.lambda, goal, {to.alpha, to.alpha * std::exp(-goal)}, o);
        }
        copy(now, low);
        sample(tries, low, noise, network, [&](std::size_t index, auto const& state) {
            if (index + 1 == o.order)
                copy(state, high);
        });
        reduce_rows(detail::squared_error{o.atol, o.rtol}, sums, high, low, before);
        for (std::size_t k = 0; k < groups; ++k) {
            adaptive_state& a = states[k];
            bool accepted = false;
            if (!a.done) {
                double const sum = o.norm == error_norm::per_sample ? sums[k]
                                   : o.norm == error_norm::largest  ? *std::ranges::max_element(sums)
                                                                    : std::accumulate(sums.begin(), sums.end(), 0.0);
                double const count = static_cast<double>(o.norm == error_norm::batch ? s.size() : s.sample_size());
                a.error = std::sqrt(sum / count);
                require(std::isfinite(a.error), "adaptive", "an error", a.error, "the network's output must be finite");
                auto const verdict = o.control(a.error, o.eta > 0.0 ? 1.5 : o.order, a.inverse);
                accepted = verdict.accepted;
                ++(accepted ? a.accepted : a.rejected);
                a.lambda = accepted ? targets[k] : a.lambda;
                a.step *= verdict.factor;
                if (o.control.what == step_control::kind::power)
                    a.step = sign * std::min(sign * a.step, sign * (last - a.lambda));
                a.done = !(sign * (last - a.lambda) > 1e-5);
                require(a.done || std::abs(a.step) > 1e-9, "adaptive", "a step", a.step,
                        "no step keeps the error small enough: raise atol or rtol");
            }
            for (std::size_t b = groups == 1 ? 0 : k; b < (groups == 1 ? batch : k + 1); ++b)
                accepts[b].second = accepted;
            kicks[k].stages = {{.x = accepted ? slots::x + o.noise_scale * up[k] * z : row(slots::x),
                                .calls = false,
                                .noise = noise_index(o.order * (a.accepted + a.rejected), 0)}};
        }
        transform_rows(accepts, before, before, low);
        transform_rows(accepts, now, now, high);
        if (o.eta > 0.0)
            sample(kicks, now, noise, network);
        static_cast<void>(on_try(std::as_const(states)));
    }
    copy(now, x);
    return states;
}

} // namespace alphabar
