// SPDX-License-Identifier: MIT
// Training step by step, reproducible from the seed and resumable.
#pragma once

#include <alphabar/core/aligned.hpp>
#include <alphabar/core/error.hpp>
#include <alphabar/denoiser/denoiser.hpp>
#include <alphabar/denoiser/optimiser.hpp>
#include <alphabar/noise/stream.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

namespace alphabar {

/// Images with their classes: images[i * sample_size + j], about in [-1, 1]; labels[i] 0 to 9. The caller keeps the
/// memory.
struct training_set {
    std::span<float const> images;
    std::span<std::uint8_t const> labels;
};

/// Trains a float network with Adam on the mean squared error. The state after a number of steps is a function of
/// network, recipe, seed and data alone, for any number of threads. A step allocates nothing.
template <class Network>
class trainer {
public:
    /// Throws std::invalid_argument where the recipe's steps, batch or rates are out of range, or threads not in [1,
    /// 4096].
    trainer(Network net, recipe const& how, noise_stream const& noise, std::size_t threads = 1)
        : recipe_(checked(how)), noise_(noise), denoiser_(std::move(net), threads),
          parameters_(initial_parameters<float>(denoiser_.net().parameters(), noise)), averaged_(parameters_),
          first_moment_(parameters_.size()), second_moment_(parameters_.size()), gradient_(parameters_.size()),
          norms_((parameters_.size() + block - 1) / block)
    {
        std::size_t const size = recipe_.batch * denoiser_.net().sample_size();
        x_.resize(size);
        target_.resize(size);
        conditions_.resize(recipe_.batch);
        denoiser_.reserve(recipe_.batch);
    }

    /// One step on a batch drawn from `data`, as a rectified flow: digits (purpose `data`), log_sigma = 0.3 + 1.1 N(0,
    /// 1) (`time_draw`), eps (`training`) and the labels to drop (`dropout`) come from the stream, with the number of
    /// the step; x = (1 - t) x_0 + t eps with t = 1 / (1 + exp(-log_sigma)), target = eps - x_0. Returns the batch's
    /// loss.
    ///
    /// Throws std::invalid_argument where the data is empty, its sizes do not fit, or all steps are done.
    double step(training_set const& data)
    {
        std::size_t const size = denoiser_.net().sample_size();
        require(!data.labels.empty(), "trainer::step", "data.labels.size()", 0, "at least one image is needed");
        require(data.images.size() == data.labels.size() * size, "trainer::step", "data.images.size()",
                data.images.size(), "it must be sample_size() for each label");
        denoiser_.team().for_each(recipe_.batch, [&](std::size_t i) {
            std::uint64_t const digit =
                noise_(purpose::data, steps_).word(i, 0) * std::uint64_t{data.labels.size()} >> 32;
            bool const drop = noise_(purpose::dropout, steps_).uniform(i, 0) < recipe_.drop_label;
            double const log_sigma = 0.3 + 1.1 * double{noise_(purpose::time_draw, steps_)(i, 0)};
            conditions_[i] = {log_sigma, drop ? no_label : int{data.labels[digit]}};

            float const t = static_cast<float>(1 / (1 + std::exp(-log_sigma)));
            float const* const x_0 = data.images.data() + digit * size;
            float *const x = &x_[i * size], *const target = &target_[i * size];
            noise_(purpose::training, steps_).fill(i, 0, {target, size});
            for (std::size_t j = 0; j < size; ++j) {
                float const eps = target[j];
                x[j] = (1 - t) * x_0[j] + t * eps;
                target[j] = eps - x_0[j];
            }
        });
        return step(x_, conditions_, target_);
    }

    /// One step on a batch of the caller's: any path, any prediction, any size. Returns the loss before the step.
    ///
    /// Throws std::invalid_argument where sizes do not fit, a condition is not allowed, or all steps are done.
    double step(std::span<float const> x, std::span<condition const> conditions, std::span<float const> target)
    {
        require(steps_ < recipe_.steps, "trainer::step", "the number of steps done", steps_, "the recipe has no more");
        double const loss = denoiser_.gradient(parameters_, x, conditions, target, gradient_);
        auto const in_blocks = [&](auto const& f) {
            denoiser_.team().for_each(norms_.size(), [&](std::size_t task) {
                f(task, task * block, std::min(block, parameters_.size() - task * block));
            });
        };
        in_blocks([&](std::size_t task, std::size_t first, std::size_t count) {
            norms_[task] = sum_of_squares(count, &gradient_[first]);
        });
        double sum = 0;
        for (double const s : norms_)
            sum += s;
        gradient_norm_ = std::sqrt(sum);
        auto const update = make_adam_step<float>(recipe_, steps_, gradient_norm_);
        in_blocks([&](std::size_t, std::size_t first, std::size_t count) {
            update(count, &gradient_[first], &parameters_[first], &first_moment_[first], &second_moment_[first],
                   &averaged_[first]);
        });
        ++steps_;
        return loss;
    }

    /// Continues after `steps` steps, the four arrays below having been written with what they held then.
    ///
    /// Throws std::invalid_argument where the recipe has fewer steps.
    void resume(std::uint32_t steps)
    {
        require(steps <= recipe_.steps, "trainer::resume", "steps", steps, "the recipe has fewer");
        steps_ = steps;
    }

    std::span<float> parameters() { return parameters_; }
    /// The moving average of the parameters: sample with these.
    std::span<float> averaged() { return averaged_; }
    std::span<float> first_moment() { return first_moment_; }
    std::span<float> second_moment() { return second_moment_; }

    std::uint32_t steps_done() const { return steps_; }
    /// The learning rate of the next step.
    double rate() const { return learning_rate(recipe_, steps_); }
    /// The norm of the last step's gradient, before clipping.
    double gradient_norm() const { return gradient_norm_; }
    recipe const& how() const { return recipe_; }
    /// The network with its threads, to predict with.
    denoiser<Network>& network() { return denoiser_; }
    denoiser<Network> const& network() const { return denoiser_; }

private:
    static constexpr std::size_t block = 1 << 14;

    static recipe const& checked(recipe const& r)
    {
        require(r.steps >= 1 && r.steps < (1u << 24), "trainer", "steps", r.steps, "it must lie in [1, 2^24)");
        require(r.batch >= 1 && r.batch <= (1u << 20), "trainer", "batch", r.batch, "it must lie in [1, 2^20]");
        require(r.peak_rate > 0 && std::isfinite(r.peak_rate), "trainer", "peak_rate", r.peak_rate,
                "it must be above 0");
        require(r.warm_up >= 0 && r.warm_up <= 1, "trainer", "warm_up", r.warm_up, "it must lie in [0, 1]");
        require(r.beta1 >= 0 && r.beta1 < 1, "trainer", "beta1", r.beta1, "it must lie in [0, 1)");
        require(r.beta2 >= 0 && r.beta2 < 1, "trainer", "beta2", r.beta2, "it must lie in [0, 1)");
        require(r.epsilon > 0 && std::isfinite(r.epsilon), "trainer", "epsilon", r.epsilon, "it must be above 0");
        require(r.clip > 0, "trainer", "clip", r.clip, "it must be above 0");
        require(r.drop_label >= 0 && r.drop_label <= 1, "trainer", "drop_label", r.drop_label, "it must lie in [0, 1]");
        require(r.ema >= 0 && r.ema < 1, "trainer", "ema", r.ema, "it must lie in [0, 1)");
        return r;
    }

    recipe recipe_;
    noise_stream noise_;
    denoiser<Network> denoiser_;
    aligned_vector<float> parameters_, averaged_, first_moment_, second_moment_, gradient_;
    aligned_vector<float> x_, target_;
    std::vector<condition> conditions_;
    std::vector<double> norms_;
    std::uint32_t steps_ = 0;
    double gradient_norm_ = 0;
};

} // namespace alphabar
