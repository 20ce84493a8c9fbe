// SPDX-License-Identifier: MIT
// Adam, gradient clipping, the average of the parameters, and the learning rate.
#pragma once

#include <alphabar/denoiser/simd.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>

namespace alphabar {

/// One step of Adam for one parameter p, with its gradient g, and of p's moving average:
///
///     m <- beta1 m + (1 - beta1) g clip       v <- beta2 v + (1 - beta2) (g clip)^2
///     p <- p - rate m / (sqrt(v correction) + epsilon)
///     average <- average + (1 - decay) (p - average)
///
/// rate and correction hold the bias corrections. Source: Kingma, Ba, "Adam" (2015), algorithm 1.
template <class S>
struct adam_step {
    S clip, beta1, beta2, rate, correction, epsilon, decay;

    template <int Lanes>
    [[gnu::always_inline]] void apply(S const* g, S* p, S* m, S* v, S* average) const
    {
        using detail::at;
        detail::pack<S, Lanes> const here = at<Lanes>(g).v * clip;
        at<Lanes>(m).v = at<Lanes>(m).v * beta1 + here * (S(1) - beta1);
        at<Lanes>(v).v = at<Lanes>(v).v * beta2 + here * here * (S(1) - beta2);
        detail::pack<S, Lanes> root;
        detail::square_root<S, Lanes>(at<Lanes>(v).v * correction, root);
        at<Lanes>(p).v -= at<Lanes>(m).v * rate / (root + epsilon);
        at<Lanes>(average).v += (at<Lanes>(p).v - at<Lanes>(average).v) * (S(1) - decay);
    }
    /// The same for `count` parameters.
    void operator()(std::size_t count, S const* g, S* p, S* m, S* v, S* average) const
    {
        detail::run_kernel<kernel, S>(best_isa(), *this, count, g, p, m, v, average);
    }

private:
    struct kernel {
        template <class T, int Lanes>
        [[gnu::always_inline]] static inline void run(adam_step const step, std::size_t count, T const* g, T* p, T* m,
                                                      T* v, T* average)
        {
            std::size_t i = 0;
            for (; i + Lanes <= count; i += Lanes)
                step.template apply<Lanes>(g + i, p + i, m + i, v + i, average + i);
            for (; i < count; ++i)
                step.template apply<1>(g + i, p + i, m + i, v + i, average + i);
        }
    };
};

/// How to train. The defaults are those of the recipe for MNIST digits.
struct recipe {
    std::uint32_t steps = 0; ///< of the whole training, at least 1
    std::size_t batch = 32;
    double peak_rate = 7e-3; ///< the learning rate's peak
    double warm_up = 0.03;   ///< the share of the steps in which it rises, linearly; then it falls linearly to 0
    bool constant_rate = false;
    double beta1 = 0.9, beta2 = 0.95, epsilon = 1e-8;
    double clip = 1;          ///< gradients of a larger norm are scaled to it
    double drop_label = 0.15; ///< the share of the labels that the network is not told
    double ema = 0.995;       ///< the largest decay of the parameters' average

    friend bool operator==(recipe const&, recipe const&) = default;
};

/// The learning rate of step `step` (the first is 0).
inline double learning_rate(recipe const& r, std::uint32_t step)
{
    if (r.constant_rate)
        return r.peak_rate;
    double const rising = std::max(1.0, std::round(r.warm_up * r.steps));
    double const falling = std::max(1.0, r.steps - rising);
    return r.peak_rate *
           std::max(0.0, std::min((step + 1.0) / rising, (r.steps - static_cast<double>(step)) / falling));
}

/// The decay of the average at step `step`: min(ema, (step + 1) / (step + 10)).
inline double average_decay(recipe const& r, std::uint32_t step)
{
    return std::min(r.ema, (step + 1.0) / (step + 10.0));
}

/// The factor that brings a gradient of this norm to at most `limit`.
inline double clip_factor(double norm, double limit) { return norm > limit ? limit / norm : 1; }

/// Adam's step number `step` (the first is 0) for gradients of norm `norm`.
template <class S>
adam_step<S> make_adam_step(recipe const& r, std::uint32_t step, double norm)
{
    double const t = step + 1.0;
    return {static_cast<S>(clip_factor(norm, r.clip)),
            static_cast<S>(r.beta1),
            static_cast<S>(r.beta2),
            static_cast<S>(learning_rate(r, step) / (1 - std::pow(r.beta1, t))),
            static_cast<S>(1 / (1 - std::pow(r.beta2, t))),
            static_cast<S>(r.epsilon),
            static_cast<S>(average_decay(r, step))};
}

/// The sum of squares of `count` floats, in a fixed order.
inline double sum_of_squares(std::size_t count, float const* x)
{
    double sums[8] = {};
    std::size_t i = 0;
    for (; i + 8 <= count; i += 8)
        for (std::size_t lane = 0; lane < 8; ++lane)
            sums[lane] += double{x[i + lane]} * double{x[i + lane]};
    for (; i < count; ++i)
        sums[0] += double{x[i]} * double{x[i]};
    return ((sums[0] + sums[4]) + (sums[2] + sums[6])) + ((sums[1] + sums[5]) + (sums[3] + sums[7]));
}

} // namespace alphabar
