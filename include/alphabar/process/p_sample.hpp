// SPDX-License-Identifier: MIT
// p(x_{t-1} | x_t): the reverse process of a network, one time of the table after the other.
#pragma once

#include <alphabar/core/element.hpp>
#include <alphabar/core/error.hpp>
#include <alphabar/core/host_device.hpp>
#include <alphabar/core/pair_map.hpp>
#include <alphabar/core/tensor.hpp>
#include <alphabar/core/transform.hpp>
#include <alphabar/process/prediction.hpp>
#include <alphabar/process/q_sample.hpp>
#include <alphabar/process/times.hpp>
#include <alphabar/schedule/gaussian_diffusion.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <vector>

namespace alphabar {

/// The variance of p(x_{t-1} | x_t), with v the network's second half:
///
///     learned        log variance = v
///     learned_range  log variance = f log beta + (1 - f) log posterior variance (clipped), f = (v + 1) / 2;
///                    Nichol & Dhariwal 2021, arXiv 2102.09672, (15)
///     fixed_small    posterior_variance, its logarithm clipped; Ho et al. 2020, arXiv 2006.11239, section 3.2
///     fixed_large    beta, but index 0 takes posterior_variance[1]
enum class variance_type : std::uint8_t { learned, learned_range, fixed_small, fixed_large };

constexpr std::string_view name_of(variance_type kind)
{
    switch (kind) {
    case variance_type::learned: return "learned";
    case variance_type::learned_range: return "learned_range";
    case variance_type::fixed_small: return "fixed_small";
    case variance_type::fixed_large: return "fixed_large";
    }
    reject("name_of", "variance_type", static_cast<int>(kind), "it must be one of the enumerators");
}

/// The variance type of this name. Throws std::invalid_argument where there is none.
constexpr variance_type parse_variance_type(std::string_view name)
{
    for (int i = 0; i <= static_cast<int>(variance_type::fixed_large); ++i)
        if (auto const kind = static_cast<variance_type>(i); name_of(kind) == name)
            return kind;
    reject("parse_variance_type", "name", name, "it must be learned, learned_range, fixed_small or fixed_large");
}

/// x_0 as the network gives it.
struct as_predicted {
    template <class T>
    ALPHABAR_HOST_DEVICE constexpr T operator()(T x_0) const
    {
        return x_0;
    }
};

/// What the network of a reverse process gives and what is done to its x_0: first denoised_fn, a formula of one
/// element, then the clip to [-bound, bound].
template <class Denoised = as_predicted>
struct reverse_model {
    prediction predicts = prediction::epsilon;
    variance_type variance = variance_type::fixed_small;
    bool clip_denoised = true;
    double bound = 1.0;
    double variance_floor =
        0.0; ///< above 0: fixed_small's log variance is log(max(posterior_variance, floor)) instead (lucidrains: 1e-20)
    Denoised denoised_fn{};
};

/// The model with this denoised_fn: a trivially copyable formula x_0 -> x_0 of one element, such as [](auto x) { return
/// x * 9 / 10; }.
template <class Denoised>
constexpr reverse_model<Denoised> with_denoised_fn(reverse_model<> const& m, Denoised const& fn)
{
    return {m.predicts, m.variance, m.clip_denoised, m.bound, m.variance_floor, fn};
}

/// p(x_{t-1} | x_t) at one time, in double: x_0 = map(x, F); mean = posterior.x_0 x_0 + posterior.x_t x.
struct reverse_coefficients {
    pair_map x_0;
    posterior mean; ///< its variance and log variance are those of the fixed types
    double log_min; ///< of learned_range
    double log_max;
    bool first_time; ///< t = 0, where no noise is added
};

/// The coefficients of `model` at t. An epsilon or score prediction at alpha = 0 is read as at alpha = 1e-30 where x_0
/// is clipped: huge, of the right sign, then clipped.
///
/// Throws std::invalid_argument unless t lies in [0, T - 1], the bound is positive, and the prediction determines x_0.
template <class Denoised>
reverse_coefficients make_reverse(gaussian_diffusion const& diffusion, reverse_model<Denoised> const& model,
                                  std::size_t t)
{
    require(!model.clip_denoised || model.bound > 0.0, "make_reverse", "bound", model.bound, "it must be positive");
    posterior p = diffusion.posterior(t);
    noise_level const level = diffusion.level(static_cast<double>(t));
    pair_map map{};
    if (model.predicts == prediction::previous_x)
        map = p.x_0 > 0.0 ? pair_map{-p.x_t / p.x_0, 1.0 / p.x_0}
                          : pair_map{std::numeric_limits<double>::infinity(), std::numeric_limits<double>::infinity()};
    else
        map = to_x_0_and_epsilon(model.predicts,
                                 level.alpha == 0.0 && model.clip_denoised ? noise_level{1e-30, level.sigma} : level)
                  .x_0;
    require(std::isfinite(map.x) && std::isfinite(map.other), "make_reverse", "the prediction", name_of(model.predicts),
            "it says nothing of x_0 where alpha is 0: predict v or x_0, or clip x_0");
    double const log_min = p.log_variance, log_max = diffusion[table::log_beta][t];
    if (model.variance == variance_type::fixed_large) {
        p.variance = t == 0 && diffusion.T() > 1 ? diffusion[table::posterior_variance][1] : diffusion[table::beta][t];
        p.log_variance = t == 0 ? p.log_variance : log_max;
    } else if (model.variance == variance_type::fixed_small && model.variance_floor > 0.0) {
        p.log_variance = std::log(std::max(p.variance, model.variance_floor));
    }
    return {map, p, log_min, log_max, t == 0};
}

/// The reverse step of one element. With x the state, F the prediction, v the variance half (learned types only), z
/// noise and g the gradient of a classifier:
///
///     x_0 = clip(denoised_fn(map(x, F))),  mean = posterior mean of (x_0, x), or F for previous_x
///     sample = mean + variance g + exp(log variance / 2) z
template <class T, class Denoised, bool Learned>
struct reverse_formula {
    pair_formula<T> map;
    pair_formula<T> posterior_mean;
    T bound;
    T variance;
    T log_base; ///< learned types: log variance = log_base + log_slope v
    T log_slope;
    T deviation; ///< of a fixed variance; 0 at t = 0
    T noisy;     ///< 0 at t = 0, else 1
    bool mean_is_predicted;
    Denoised denoised_fn;

    template <class D>
    reverse_formula(reverse_coefficients const& c, reverse_model<D> const& model)
        : map(c.x_0), posterior_mean(pair_map{c.mean.x_0, c.mean.x_t}),
          bound(static_cast<T>(model.clip_denoised ? model.bound : std::numeric_limits<double>::infinity())),
          variance(static_cast<T>(c.mean.variance)),
          deviation(static_cast<T>(c.first_time ? 0.0 : std::exp(0.5 * c.mean.log_variance))),
          noisy(static_cast<T>(c.first_time ? 0.0 : 1.0)), mean_is_predicted(model.predicts == prediction::previous_x),
          denoised_fn(model.denoised_fn)
    {
        bool const range = model.variance == variance_type::learned_range;
        log_base = static_cast<T>(range ? 0.5 * (c.log_min + c.log_max) : 0.0);
        log_slope = static_cast<T>(range ? 0.5 * (c.log_max - c.log_min) : 1.0);
    }

    ALPHABAR_HOST_DEVICE constexpr T clean(T x, T F) const
    {
        return detail::clamped(static_cast<T>(denoised_fn(map(x, F))), bound);
    }
    ALPHABAR_HOST_DEVICE constexpr T mean(T x, T F, T x_0) const
    {
        return detail::selected(mean_is_predicted, F, posterior_mean(x_0, x));
    }
    ALPHABAR_HOST_DEVICE constexpr T log_variance(T v) const { return log_base + log_slope * v; }

    /// [mean, x_0]
    ALPHABAR_HOST_DEVICE constexpr std::array<T, 2> moments(T x, T F) const
    {
        T const x_0 = clean(x, F);
        return {mean(x, F, x_0), x_0};
    }
    /// [mean, x_0, variance, log variance] of a learned variance
    ALPHABAR_HOST_DEVICE std::array<T, 4> moments(T x, T F, T v) const
    {
        T const x_0 = clean(x, F), log_v = log_variance(v);
        return {mean(x, F, x_0), x_0, detail::e_to_the(log_v), log_v};
    }
    /// [sample, x_0]; `rest` is v where the variance is learned, then g where there is a classifier
    template <class... Rest>
    ALPHABAR_HOST_DEVICE std::array<T, 2> sample(T x, T F, T z, Rest... rest) const
    {
        T const x_0 = clean(x, F), m = mean(x, F, x_0);
        if constexpr (Learned) {
            std::array<T, sizeof...(Rest)> const r{static_cast<T>(rest)...};
            T const half = detail::e_to_the(log_variance(r[0]) / 2);
            T const guided = sizeof...(Rest) == 2 ? m + half * half * r[sizeof...(Rest) - 1] : m;
            return {guided + noisy * half * z, x_0};
        } else {
            T guided = m;
            ((guided += variance * static_cast<T>(rest)), ...);
            return {guided + deviation * z, x_0};
        }
    }
};

namespace detail {

enum class reverse_result { clean, moments, sample, sample_and_clean };

/// One of the results of a reverse_formula as a call.
template <reverse_result What, class Formula>
struct reverse_call {
    Formula f;
    template <class... T>
    ALPHABAR_HOST_DEVICE auto operator()(T... in) const
    {
        if constexpr (What == reverse_result::clean)
            return f.clean(in...);
        else if constexpr (What == reverse_result::moments)
            return f.moments(in...);
        else if constexpr (What == reverse_result::sample)
            return f.sample(in...)[0];
        else
            return f.sample(in...);
    }
};

template <class Out>
struct element_of {
    using type = value_t<Out>;
};
template <class First, class... Rest>
struct element_of<std::tuple<First&, Rest&...>> {
    using type = value_t<First>;
};

template <reverse_result What, bool Learned, class Out, class Denoised, class X, class Times, class... In>
std::vector<reverse_coefficients> reverse_pass(std::string_view function, gaussian_diffusion const& diffusion,
                                               reverse_model<Denoised> const& model, X const& x, Times const& times,
                                               Out&& out, In const&... in)
{
    using T = compute_t<typename element_of<std::remove_cvref_t<Out>>::type>;
    using formula = reverse_call<What, reverse_formula<T, Denoised, Learned>>;
    std::vector<reverse_coefficients> all;
    std::vector<formula> formulas;
    for (std::size_t t : indices_of(times, traits_of<X>::shape(x).batch(), diffusion.T(), function)) {
        all.push_back(make_reverse(diffusion, model, t));
        formulas.push_back({{all.back(), model}});
    }
    transform_rows(formulas, out, x, in...);
    return all;
}

inline void require_variance(std::string_view function, variance_type kind, bool learned)
{
    bool const is_learned = kind == variance_type::learned || kind == variance_type::learned_range;
    require(is_learned == learned, function, "the variance type", name_of(kind),
            learned ? "with the network's variance half it must be learned or learned_range"
                    : "without the network's variance half it must be fixed_small or fixed_large");
}

} // namespace detail

/// out = the x_0 that the network's prediction F at x means, after denoised_fn and clipping.
///
/// Shapes: x, F, out [batch, ...]; times: one integer for all or one a sample; `out` may be an input. Here and below
/// std::invalid_argument is thrown, before anything is written, for times outside [0, T - 1], shapes that differ, and
/// as by make_reverse.
template <class Denoised, tensor X, class Times, tensor F, class Out>
void predict_x_0(gaussian_diffusion const& diffusion, reverse_model<Denoised> const& model, X const& x,
                 Times const& times, F const& output, Out&& out)
{
    detail::reverse_pass<detail::reverse_result::clean, false>("predict_x_0", diffusion, model, x, times, out, output);
}

/// p(x_{t-1} | x_t) with a fixed variance: writes its mean and the predicted x_0, and returns the variance and log
/// variance of each sample. Shapes: all [batch, ...]. Source: Ho et al. 2020, arXiv 2006.11239, (7), (11).
template <class Denoised, tensor X, class Times, tensor F, class Mean, class X0>
std::vector<variances> p_mean_variance(gaussian_diffusion const& diffusion, reverse_model<Denoised> const& model,
                                       X const& x, Times const& times, F const& output, Mean&& mean, X0&& x_0)
{
    detail::require_variance("p_mean_variance", model.variance, false);
    std::vector<variances> out;
    for (reverse_coefficients const& c : detail::reverse_pass<detail::reverse_result::moments, false>(
             "p_mean_variance", diffusion, model, x, times, std::tie(mean, x_0), output))
        out.push_back({c.mean.variance, c.mean.log_variance});
    return out;
}

/// p(x_{t-1} | x_t) with a learned variance: writes its mean, the predicted x_0, the variance and the log variance.
/// `output` and `v` are the two halves of the network's output (`split_output`). Shapes: all [batch, ...]. Nichol &
/// Dhariwal 2021, arXiv 2102.09672, (15).
template <class Denoised, tensor X, class Times, tensor F, tensor V, class Mean, class X0, class Variance,
          class LogVariance>
void p_mean_variance(gaussian_diffusion const& diffusion, reverse_model<Denoised> const& model, X const& x,
                     Times const& times, F const& output, V const& v, Mean&& mean, X0&& x_0, Variance&& variance,
                     LogVariance&& log_variance)
{
    detail::require_variance("p_mean_variance", model.variance, true);
    detail::reverse_pass<detail::reverse_result::moments, true>("p_mean_variance", diffusion, model, x, times,
                                                                std::tie(mean, x_0, variance, log_variance), output, v);
}

/// One reverse step with a fixed variance, in one pass: sample = mean + variance gradient + [t != 0] exp(log variance /
/// 2) z.
///
/// Shapes: all [batch, ...]. `noise` is a tensor, or a generator such as noise(purpose::sampler, step) of a stream.
/// `out` is the sample, or std::tie(sample, x_0); the sample may be x. `gradient`, that of a classifier's log
/// probability, may be left out. Source: Ho et al. 2020, algorithm 2; Dhariwal & Nichol 2021, arXiv 2105.05233,
/// algorithm 1.
template <class Denoised, tensor X, class Times, tensor F, class Noise, class Out, tensor... Gradient>
    requires(sizeof...(Gradient) <= 1)
void p_sample(gaussian_diffusion const& diffusion, reverse_model<Denoised> const& model, X const& x, Times const& times,
              F const& output, Noise const& noise, Out&& out, Gradient const&... gradient)
{
    detail::require_variance("p_sample", model.variance, false);
    using enum detail::reverse_result;
    constexpr auto what = detail::is_tuple<std::remove_cvref_t<Out>> ? sample_and_clean : sample;
    detail::reverse_pass<what, false>("p_sample", diffusion, model, x, times, out, output, noise, gradient...);
}

/// One reverse step with a learned variance: `halves` = std::tie(output, v), the two halves of the network's output.
/// Otherwise as above.
template <class Denoised, tensor X, class Times, tensor F, tensor V, class Noise, class Out, tensor... Gradient>
    requires(sizeof...(Gradient) <= 1)
void p_sample(gaussian_diffusion const& diffusion, reverse_model<Denoised> const& model, X const& x, Times const& times,
              std::tuple<F&, V&> const& halves, Noise const& noise, Out&& out, Gradient const&... gradient)
{
    detail::require_variance("p_sample", model.variance, true);
    using enum detail::reverse_result;
    constexpr auto what = detail::is_tuple<std::remove_cvref_t<Out>> ? sample_and_clean : sample;
    detail::reverse_pass<what, true>("p_sample", diffusion, model, x, times, out, std::get<0>(halves), noise,
                                     std::get<1>(halves), gradient...);
}

/// The two halves of each sample of the network's output [batch, 2 C, ...] into `prediction_half` and `variance_half`
/// [batch, C, ...], tensors of host memory. Throws std::invalid_argument, before anything is written, where the shapes
/// do not fit.
template <tensor F, writable_tensor A, writable_tensor B>
void split_output(F const& output, A&& prediction_half, B&& variance_half)
{
    shape const whole = traits_of<F>::shape(output), half = traits_of<A>::shape(prediction_half);
    bool fits = half == traits_of<B>::shape(variance_half) && whole.rank() == half.rank() && half.rank() > 1 &&
                whole[1] == 2 * half[1];
    for (std::size_t axis = 0; fits && axis < half.rank(); ++axis)
        fits = axis == 1 || whole[axis] == half[axis];
    require(fits, "split_output", "the shape of output", to_string(whole),
            "it must have twice the channels (extent 1) of both halves, which are " + to_string(half));
    auto const from = traits_of<F>::elements(output);
    auto const a = traits_of<A>::elements(prediction_half);
    auto const b = traits_of<B>::elements(variance_half);
    require(half.size() == 0 || (from.data() && a.data() && b.data()), "split_output", "a tensor", "null",
            "it must point to its elements");
    std::size_t const n = half.sample_size();
    for (std::size_t r = 0; r < half.batch(); ++r) {
        std::copy_n(from.data() + 2 * r * n, n, a.data() + r * n);
        std::copy_n(from.data() + (2 * r + 1) * n, n, b.data() + r * n);
    }
}

/// The mean with a classifier's gradient: out = mean + variance gradient, variances as p_mean_variance returned them.
/// Source: Dhariwal & Nichol 2021, algorithm 1. Throws std::invalid_argument, before anything is written, where shapes
/// differ.
template <tensor Mean, tensor Gradient, class Out>
void condition_mean(Mean const& mean, std::vector<variances> const& of, Gradient const& gradient, Out&& out)
{
    std::vector<pair_formula<compute_t<value_t<Out>>>> formulas;
    for (variances const& v : of)
        formulas.emplace_back(pair_map{1.0, v.variance});
    transform_rows(formulas, out, mean, gradient);
}

/// The same with a variance for each element, of a learned variance.
template <tensor Mean, tensor Variance, tensor Gradient, class Out>
void condition_mean(Mean const& mean, Variance const& variance, Gradient const& gradient, Out&& out)
{
    using T = compute_t<value_t<Out>>;
    struct guided {
        ALPHABAR_HOST_DEVICE constexpr T operator()(T m, T v, T g) const { return m + v * g; }
    };
    transform(guided{}, out, mean, variance, gradient);
}

} // namespace alphabar
