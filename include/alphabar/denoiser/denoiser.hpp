// SPDX-License-Identifier: MIT
// A network at work on batches: predictions, the mean squared error and its gradient, with threads.
#pragma once

#include <alphabar/core/aligned.hpp>
#include <alphabar/core/error.hpp>
#include <alphabar/core/threads.hpp>
#include <alphabar/denoiser/network.hpp>

#include <algorithm>
#include <array>
#include <atomic>
#include <cmath>
#include <cstddef>
#include <memory>
#include <span>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace alphabar {

/// A network with its threads and their work arrays. Batches are flat: n images of sample_size() scalars, n conditions.
///
/// A batch is split into at most `parts` runs of images, whatever the number of threads, and their gradients are added
/// in order: every number of threads gives the same bits. More than `parts` threads help predictions only.
template <class Network>
class denoiser {
public:
    using value_type = typename Network::value_type;
    /// The sum of many terms: double for float.
    using sum_type = std::conditional_t<std::is_same_v<value_type, float>, double, value_type>;
    static constexpr std::size_t parts = 4;

    /// Throws std::invalid_argument where threads is not in [1, 4096].
    explicit denoiser(Network net, std::size_t threads = 1)
        : net_(std::make_unique<Network>(std::move(net))), team_(std::make_unique<thread_team>(threads)),
          flipped_(net_->parameters().total()), passes_(threads), outputs_(threads)
    {
        reserve_group(prediction_group);
    }

    Network const& net() const { return *net_; }
    thread_team& team() { return *team_; }

    /// Allocates all that `gradient` needs for batches of up to `batch` images; `predict` never allocates.
    void reserve(std::size_t batch)
    {
        reserve_group((batch + parts - 1) / parts);
        for (auto& partial : partial_)
            partial.resize(flipped_.size());
    }

    /// output[i] = the network at (x[i], conditions[i]) for each image. No image's result depends on another image.
    ///
    /// Throws std::invalid_argument where sizes do not fit or a condition is not allowed (log_sigma finite, label 0 to
    /// 9 or no_label); nothing has been written.
    void predict(std::span<value_type const> parameters, std::span<value_type const> x,
                 std::span<condition const> conditions, std::span<value_type> output)
    {
        check("denoiser::predict", parameters.size(), x.size(), conditions);
        require(output.size() == x.size(), "denoiser::predict", "output.size()", output.size(), "it must be that of x");
        std::size_t const size = net_->sample_size(), group = prediction_group;
        in_turn((conditions.size() + group - 1) / group, [&](std::size_t task, std::size_t worker) {
            std::size_t const first = task * group, count = std::min(group, conditions.size() - first);
            auto& pass = *passes_[worker];
            pass.begin(parameters.data(), conditions.subspan(first, count));
            for (std::size_t i = 0; i < count; ++i)
                pass.forward(parameters.data(), i, x.data() + (first + i) * size, output.data() + (first + i) * size);
        });
    }

    /// The mean of (output - target)^2 over all elements of the batch; writes its gradient to the parameters.
    ///
    /// Throws as `predict`, and where the batch is empty.
    sum_type gradient(std::span<value_type const> parameters, std::span<value_type const> x,
                      std::span<condition const> conditions, std::span<value_type const> target,
                      std::span<value_type> gradient)
    {
        check("denoiser::gradient", parameters.size(), x.size(), conditions);
        require(!conditions.empty(), "denoiser::gradient", "conditions.size()", 0, "a batch needs at least one image");
        require(target.size() == x.size(), "denoiser::gradient", "target.size()", target.size(),
                "it must be that of x");
        require(gradient.size() == parameters.size(), "denoiser::gradient", "gradient.size()", gradient.size(),
                "it must be that of the parameters");
        std::size_t const size = net_->sample_size();
        std::size_t const group = (conditions.size() + parts - 1) / parts;
        std::size_t const groups = (conditions.size() + group - 1) / group;
        reserve(conditions.size());
        net_->flip(parameters.data(), flipped_.data());

        value_type const scale = value_type(2) / static_cast<value_type>(x.size());
        std::array<sum_type, parts> sums{};
        in_turn(groups, [&](std::size_t part, std::size_t worker) {
            std::size_t const first = part * group, count = std::min(group, conditions.size() - first);
            value_type* const here = partial_[part].data();
            std::fill_n(here, parameters.size(), value_type(0));
            auto& pass = *passes_[worker];
            value_type* const output = outputs_[worker].data();
            pass.begin(parameters.data(), conditions.subspan(first, count));
            for (std::size_t i = 0; i < count; ++i) {
                value_type const* const wanted = target.data() + (first + i) * size;
                pass.forward(parameters.data(), i, x.data() + (first + i) * size, output);
                for (std::size_t j = 0; j < size; ++j) {
                    sum_type const error = sum_type(output[j]) - sum_type(wanted[j]);
                    sums[part] += error * error;
                    output[j] = scale * static_cast<value_type>(error);
                }
                pass.backward(parameters.data(), flipped_.data(), i, output, here);
            }
            pass.end(parameters.data(), here);
        });

        sum_type total = 0;
        for (sum_type const s : sums)
            total += s;
        std::array<value_type const*, parts> terms{};
        for (std::size_t part = 0; part < groups; ++part)
            terms[part] = partial_[part].data();
        constexpr std::size_t block = 1 << 14;
        team_->for_each((gradient.size() + block - 1) / block, [&](std::size_t task) {
            detail::run_kernel<detail::add_up_kernel, value_type>(best_isa(), groups, terms.data(), task * block,
                                                                  std::min(gradient.size(), (task + 1) * block),
                                                                  gradient.data());
        });
        return total / static_cast<sum_type>(static_cast<double>(x.size()));
    }

private:
    static constexpr std::size_t prediction_group = 8; // images that a thread takes at a time

    void check(std::string_view function, std::size_t parameters, std::size_t x,
               std::span<condition const> conditions) const
    {
        require(parameters == net_->parameters().total(), function, "parameters.size()", parameters,
                "it must be the network's parameters().total()");
        require(x == conditions.size() * net_->sample_size(), function, "x.size()", x,
                "it must be sample_size() for each condition");
        for (condition const& c : conditions) {
            require(std::isfinite(c.log_sigma), function, "log_sigma", c.log_sigma, "it must be finite");
            require(c.label >= no_label && c.label < 10, function, "label", c.label,
                    "it must be 0 to 9, or no_label (-1)");
        }
    }
    /// task(i, worker) for each i below `count`; each thread, a worker, takes the next when it has done one.
    template <class F>
    void in_turn(std::size_t count, F const& task)
    {
        std::atomic<std::size_t> next{0};
        team_->for_each(team_->size(), [&](std::size_t worker) {
            for (std::size_t i; (i = next++) < count;)
                task(i, worker);
        });
    }
    void reserve_group(std::size_t group)
    {
        if (group <= group_)
            return;
        for (std::size_t worker = 0; worker < passes_.size(); ++worker) {
            passes_[worker] = std::make_unique<typename Network::pass>(*net_, group);
            outputs_[worker].resize(net_->sample_size());
        }
        group_ = group;
    }

    std::unique_ptr<Network> net_;
    std::unique_ptr<thread_team> team_;
    aligned_vector<value_type> flipped_;
    std::array<aligned_vector<value_type>, parts> partial_;
    std::vector<std::unique_ptr<typename Network::pass>> passes_;
    std::vector<aligned_vector<value_type>> outputs_;
    std::size_t group_ = 0;
};

} // namespace alphabar
