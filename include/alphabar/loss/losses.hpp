// SPDX-License-Identifier: MIT
// Losses of a prediction against a target or against the stream's noise, with their gradient in the same pass.
#pragma once

#include <alphabar/core/element.hpp>
#include <alphabar/core/error.hpp>
#include <alphabar/core/host_device.hpp>
#include <alphabar/core/reduce.hpp>
#include <alphabar/core/tensor.hpp>
#include <alphabar/core/transform.hpp>

#include <bit>
#include <cmath>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <type_traits>
#include <vector>

namespace alphabar {

/// The loss of one element and its derivative with respect to the prediction, at the error e = prediction - target.
template <class T>
struct loss_at {
    T value;
    T derivative;
};

namespace detail {

/// -1, 0 or 1 with the sign of e; NaN for NaN.
template <std::floating_point T>
ALPHABAR_HOST_DEVICE constexpr T sign(T e)
{
    constexpr T smallest = std::numeric_limits<T>::min();
    return clamped(e, smallest) / smallest; // below the smallest normal number, a part of 1
}

/// The square root of x >= 0 to about a unit in the last place. std::sqrt may set errno, and so keeps loops from being
/// vectorised. Newton's steps for 1 / sqrt(x) from a guess by bits (Lomont 2003), and one for the root itself.
template <std::floating_point T>
ALPHABAR_HOST_DEVICE constexpr T square_root(T x)
{
    using bits = bits_of<T>;
    constexpr bits guess = sizeof(T) == 4 ? bits(0x5f375a86u) : static_cast<bits>(0x5fe6eb50c7b537a9u);
    T inverse = std::bit_cast<T>(static_cast<bits>(guess - (std::bit_cast<bits>(x) >> 1)));
    T const half = T(0.5) * x;
    inverse *= T(1.5) - half * inverse * inverse; // relative error 2e-3
    inverse *= T(1.5) - half * inverse * inverse; // 5e-6
    if constexpr (sizeof(T) == 8)
        inverse *= T(1.5) - half * inverse * inverse; // 4e-11
    T const root = x * inverse;
    return root + T(0.5) * inverse * (x - root * root);
}

inline bool finite(double x) { return std::abs(x) <= std::numeric_limits<double>::max(); }

} // namespace detail

/// The squared error:  e^2.
struct mse {
    template <std::floating_point T>
    ALPHABAR_HOST_DEVICE constexpr loss_at<T> operator()(T e) const
    {
        return {e * e, T(2) * e};
    }
};

/// The absolute error:  |e|, with derivative 0 at 0.
struct l1 {
    template <std::floating_point T>
    ALPHABAR_HOST_DEVICE constexpr loss_at<T> operator()(T e) const
    {
        return {detail::magnitude(e), detail::sign(e)};
    }
};

/// Huber's loss:  e^2 / 2 where |e| <= delta, else delta (|e| - delta / 2).     Huber 1964, section 2 (1)
///
/// delta > 0.
struct huber {
    double delta = 1.0;

    template <std::floating_point T>
    ALPHABAR_HOST_DEVICE constexpr loss_at<T> operator()(T e) const
    {
        T const bound = static_cast<T>(delta);
        T const size = detail::magnitude(e), inner = size > bound ? bound : size;
        return {inner * (size - T(0.5) * inner), detail::clamped(e, bound)}; // both cases are inner (|e| - inner / 2)
    }
    void require_valid(char const* function) const
    {
        require(delta > 0 && detail::finite(delta), function, "huber's delta", delta, "it must be positive and finite");
    }
};

/// The smooth l1 loss:  e^2 / (2 beta) where |e| < beta, else |e| - beta / 2.     Girshick 2015, arXiv 1504.08083, (3)
///
/// beta >= 0; beta = 0 is l1.
struct smooth_l1 {
    double beta = 1.0;

    template <std::floating_point T>
    ALPHABAR_HOST_DEVICE constexpr loss_at<T> operator()(T e) const
    {
        // with the smallest number for 0, |e| < beta holds for 0 alone
        T const given = static_cast<T>(beta), bound = given > T(0) ? given : std::numeric_limits<T>::min();
        T const size = detail::magnitude(e), inner = size > bound ? bound : size;
        return {(size - T(0.5) * inner) * (inner / bound), detail::clamped(e, bound) / bound};
    }
    void require_valid(char const* function) const
    {
        require(beta >= 0 && detail::finite(beta), function, "smooth_l1's beta", beta,
                "it must be at least 0 and finite");
    }
};

/// The pseudo-Huber loss:  scale (sqrt(e^2 + c^2) - c), as scale e^2 / (sqrt(e^2 + c^2) + c), which does not cancel.
///
/// Charbonnier et al. 1997, (12). c >= 0; c = 0 is scale |e|, with derivative 0 at 0. The field uses three scales:
/// `pseudo_huber_loss(c)` 2 c, near e^2 for small errors; `pseudo_smooth_l1_loss(c)` 2; `lcm_huber_loss(c)` 1.
struct pseudo_huber {
    double c;
    double scale;

    template <std::floating_point T>
    ALPHABAR_HOST_DEVICE constexpr loss_at<T> operator()(T e) const
    {
        T const offset = static_cast<T>(c), factor = static_cast<T>(scale);
        // beyond `large`, root = |e| to the last digit, and e^2 might overflow
        constexpr T large = sizeof(T) == 4 ? T(1e18) : T(1e150);
        T const capped = detail::clamped(e, large);
        T const root = detail::square_root(capped * capped + offset * offset);
        T const divisor = root + (root > T(0) ? T(0) : T(1)); // e = 0 and c = 0: 0 / 1
        return {factor * detail::magnitude(e) * (detail::magnitude(capped) / (divisor + offset)),
                factor * (capped / divisor)};
    }
    void require_valid(char const* function) const
    {
        require(c >= 0 && detail::finite(c), function, "pseudo_huber's c", c, "it must be at least 0 and finite");
        require(detail::finite(scale), function, "pseudo_huber's scale", scale, "it must be finite");
    }
};

/// 2 c (sqrt(e^2 + c^2) - c)
constexpr pseudo_huber pseudo_huber_loss(double c) { return {c, 2 * c}; }
/// 2 (sqrt(e^2 + c^2) - c)
constexpr pseudo_huber pseudo_smooth_l1_loss(double c) { return {c, 2}; }
/// sqrt(e^2 + c^2) - c, of latent consistency distillation.     Luo et al. 2023, arXiv 2310.04378
constexpr pseudo_huber lcm_huber_loss(double c = 0.001) { return {c, 1}; }

/// One root over a whole sample:  sqrt(sum_i e_i^2 + c^2) - c.     Song & Dhariwal 2024, arXiv 2310.14189, (8)
///
/// c >= 0; c = 0 is the norm of e, with derivative 0 at 0. Two passes: the gradient needs the sum.
struct sample_pseudo_huber {
    double c = 0.0;

    void require_valid(char const* function) const
    {
        require(c >= 0 && detail::finite(c), function, "sample_pseudo_huber's c", c,
                "it must be at least 0 and finite");
    }
};

/// What becomes of the elements of one sample.
enum class reduction { mean, sum };

/// How losses are gathered.
///
///     weights   one factor for each sample; none: 1
///     over      the mean or the sum over a sample's elements (`sample_pseudo_huber` knows neither)
struct loss_options {
    std::span<double const> weights{};
    reduction over = reduction::mean;
};

namespace detail {

/// A loss over the elements of a sample: its value as the term of the sum.
template <class Loss, class C>
struct loss_term {
    Loss loss;
    template <class P, class Q>
    ALPHABAR_HOST_DEVICE constexpr C operator()(P prediction, Q target) const
    {
        return loss(static_cast<C>(prediction) - static_cast<C>(target)).value;
    }
};

/// The same with scale times the derivative as its value.
template <class Loss, class C>
struct loss_and_gradient {
    Loss loss;
    C scale;
    template <class P, class Q>
    ALPHABAR_HOST_DEVICE constexpr reduced<C> operator()(P prediction, Q target) const
    {
        loss_at<C> const at = loss(static_cast<C>(prediction) - static_cast<C>(target));
        return {scale * at.derivative, at.value};
    }
};

/// scale (prediction - target)
template <class C>
struct scaled_error {
    C scale;
    template <class P, class Q>
    ALPHABAR_HOST_DEVICE constexpr C operator()(P prediction, Q target) const
    {
        return scale * (static_cast<C>(prediction) - static_cast<C>(target));
    }
};

template <class Loss>
void require_losses(char const* function, Loss const& loss, shape const& s, std::span<double> values,
                    loss_options const& options)
{
    if constexpr (requires { loss.require_valid(function); })
        loss.require_valid(function);
    require(values.size() == s.batch(), function, "the number of values", values.size(),
            "there must be one for each sample of the batch of " + std::to_string(s.batch()));
    require(options.weights.empty() || options.weights.size() == s.batch(), function, "the number of weights",
            options.weights.size(), "there must be one for each sample of the batch of " + std::to_string(s.batch()));
}

/// What the sum over a sample is multiplied with.
inline double loss_factor(shape const& s, loss_options const& options)
{
    return options.over == reduction::mean && s.sample_size() != 0 ? 1 / static_cast<double>(s.sample_size()) : 1.0;
}

/// values[r] from sums[r], in the order that keeps them exact where they are.
inline void finish_losses(std::span<double> values, shape const& s, loss_options const& options)
{
    if (options.over == reduction::mean && s.sample_size() != 0)
        for (double& value : values)
            value /= static_cast<double>(s.sample_size());
}

template <class Prediction>
using loss_t = compute_t<value_t<Prediction>>;

/// sqrt(square + c^2) - c, without cancellation.
inline double sample_pseudo_huber_value(double square, double c)
{
    double const root = std::sqrt(square + c * c);
    return square > c * c || square == 0 ? root - c : square / (root + c);
}

/// sample_losses with the weights times `factor`.
template <class Loss, class Prediction, class Target, class Gradient>
void sample_losses_scaled(char const* function, Loss const& loss, Prediction const& prediction, Target const& target,
                          std::span<double> values, Gradient&& gradient, loss_options const& options, double factor)
{
    using C = loss_t<Prediction>;
    static_assert(detail::expect_host_memory<Prediction>());
    shape const s = traits_of<Prediction>::shape(prediction);
    require_losses(function, loss, s, values, options);
    auto const weight = [&](std::size_t row) {
        return (options.weights.empty() ? 1.0 : options.weights[row]) * factor;
    };
    if constexpr (std::is_same_v<Loss, sample_pseudo_huber>) {
        require_call(function, s, std::tie(gradient), prediction, target);
        std::vector<double> squares(values.size());
        reduce_rows(loss_term<mse, C>{}, squares, prediction, target);
        std::vector<scaled_error<C>> rows(values.size());
        for (std::size_t row = 0; row < rows.size(); ++row) {
            double const root = std::sqrt(squares[row] + loss.c * loss.c);
            rows[row].scale = static_cast<C>(root == 0 ? 0.0 : weight(row) / root);
        }
        transform_rows(rows, gradient, prediction, target);
        for (std::size_t row = 0; row < values.size(); ++row)
            values[row] = sample_pseudo_huber_value(squares[row], loss.c);
    } else {
        double const scale = loss_factor(s, options);
        if (options.weights.empty()) {
            loss_and_gradient<Loss, C> const row{loss, static_cast<C>(factor * scale)};
            transform_reduce_rows(row, gradient, values, prediction, target);
        } else {
            std::vector<loss_and_gradient<Loss, C>> rows;
            for (std::size_t r = 0; r < values.size(); ++r)
                rows.push_back({loss, static_cast<C>(weight(r) * scale)});
            transform_reduce_rows(rows, gradient, values, prediction, target);
        }
        finish_losses(values, s, options);
    }
}

} // namespace detail

/// values[r] = the loss of sample r of `prediction` against `target`, without its weight.
///
/// `target` is a tensor of the same shape, or a generator such as the stream's noise, which is made again on the way.
/// The sums are those of `reduce_rows`: the same bits for any number of threads. The loss of a sample without elements
/// is 0. Throws std::invalid_argument where shapes differ, the number of values is not the batch, or a parameter of the
/// loss is out of its range.
template <class Loss, tensor Prediction, class Target>
void sample_losses(Loss const& loss, Prediction const& prediction, Target const& target, std::span<double> values,
                   loss_options const& options = {})
{
    using C = detail::loss_t<Prediction>;
    static_assert(detail::expect_host_memory<Prediction>());
    shape const s = traits_of<Prediction>::shape(prediction);
    detail::require_losses("sample_losses", loss, s, values, options);
    if constexpr (std::is_same_v<Loss, sample_pseudo_huber>) {
        reduce_rows(detail::loss_term<mse, C>{}, values, prediction, target);
        for (double& value : values)
            value = detail::sample_pseudo_huber_value(value, loss.c);
    } else {
        reduce_rows(detail::loss_term<Loss, C>{loss}, values, prediction, target);
        detail::finish_losses(values, s, options);
    }
}

/// The same, and in the same pass the gradient of  sum_r weights[r] values[r]  with respect to the prediction.
///
/// `gradient` may be the prediction or the target itself. Throws also where it lies partly in their memory, or where
/// the number of weights is not the batch; nothing is written then.
template <class Loss, tensor Prediction, class Target, class Gradient>
void sample_losses(Loss const& loss, Prediction const& prediction, Target const& target, std::span<double> values,
                   Gradient&& gradient, loss_options const& options = {})
{
    detail::sample_losses_scaled("sample_losses", loss, prediction, target, values, gradient, options, 1.0);
}

namespace detail {

inline double gather_losses(std::span<double const> values, loss_options const& options)
{
    tree_sum sum;
    for (std::size_t row = 0; row < values.size(); ++row)
        sum.add(options.weights.empty() ? values[row] : options.weights[row] * values[row]);
    return options.over == reduction::mean && !values.empty() ? sum.value() / static_cast<double>(values.size())
                                                              : sum.value();
}

} // namespace detail

/// The loss of a whole batch: the mean of weights[r] values[r] over its samples, or with reduction::sum their sum.
/// An empty batch has the loss 0. Arguments and errors as for `sample_losses`.
template <class Loss, tensor Prediction, class Target>
double batch_loss(Loss const& loss, Prediction const& prediction, Target const& target,
                  loss_options const& options = {})
{
    std::vector<double> values(traits_of<Prediction>::shape(prediction).batch());
    sample_losses(loss, prediction, target, values, options);
    return detail::gather_losses(values, options);
}

/// The same, and in the same pass its gradient with respect to the prediction.
template <class Loss, tensor Prediction, class Target, class Gradient>
double batch_loss(Loss const& loss, Prediction const& prediction, Target const& target, Gradient&& gradient,
                  loss_options const& options = {})
{
    std::vector<double> values(traits_of<Prediction>::shape(prediction).batch());
    bool const mean = options.over == reduction::mean && !values.empty();
    detail::sample_losses_scaled("batch_loss", loss, prediction, target, values, gradient, options,
                                 mean ? 1 / static_cast<double>(values.size()) : 1.0);
    return detail::gather_losses(values, options);
}

} // namespace alphabar
