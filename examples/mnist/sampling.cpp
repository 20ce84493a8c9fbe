// SPDX-License-Identifier: MIT
#include "sampling.hpp"

#include <alphabar/backends/span.hpp>
#include <alphabar/noise/stream.hpp>
#include <alphabar/sampler/sample.hpp>

#include <algorithm>

namespace mnist {

namespace {

using images = alphabar::tensor_view<float>;

/// The network with guidance, as `sample` calls it.
class guided {
public:
    guided(model& network, sampler const& with, std::span<std::uint8_t const> asked, double guidance)
        : network_(network), with_(with), guidance_(static_cast<float>(guidance)),
          twice_(network.conditional() && guidance != 1), labels_(asked.begin(), asked.end())
    {
        if (twice_) { // the same images once more, without a class
            labels_.resize(2 * asked.size(), -1);
            inputs_.resize(labels_.size() * pixels);
            outputs_.resize(inputs_.size());
        }
    }

    template <class Input, class Output>
    void operator()(Input const& input, double time, Output&& output)
    {
        std::span<float const> const x = alphabar::traits_of<Input>::elements(input);
        std::span<float> const v = alphabar::traits_of<Output>::elements(output);
        double const log_sigma = with_.log_sigma(time);
        if (!twice_)
            return network_.predict(x, log_sigma, labels_, v);
        std::ranges::copy(x, inputs_.begin());
        std::ranges::copy(x, inputs_.begin() + static_cast<std::ptrdiff_t>(x.size()));
        network_.predict(inputs_, log_sigma, labels_, outputs_);
        float const* const with = outputs_.data();
        float const* const without = with + x.size();
        for (std::size_t i = 0; i < v.size(); ++i)
            v[i] = without[i] + guidance_ * (with[i] - without[i]);
    }

private:
    model& network_;
    sampler const& with_;
    float guidance_;
    bool twice_;
    std::vector<int> labels_;
    std::vector<float> inputs_, outputs_;
};

} // namespace

std::vector<float> draw(model& network, sampler const& with, std::span<std::uint8_t const> asked, drawing const& how)
{
    constexpr std::size_t batch = 64; // a working set that stays in the cache
    alphabar::noise_stream const noise{.seed = how.seed};
    std::vector<float> all(asked.size() * pixels);
    for (std::size_t first = 0; first < asked.size(); first += batch) {
        std::size_t const n = std::min(batch, asked.size() - first);
        std::uint64_t const number = how.first_sample + first;
        images const x = alphabar::view(all.data() + first * pixels, alphabar::shape{n, side, side});
        auto const start = noise(alphabar::purpose::initial, 0, number);
        for (std::size_t i = 0; i < n; ++i)
            start.fill(i, 0, std::span(x.data + i * pixels, pixels));
        for (std::size_t i = 0; i < n * pixels; ++i)
            x.data[i] *= static_cast<float>(with.plan.initial_scale);

        guided call(network, with, asked.subspan(first, n), how.guidance);
        alphabar::sample(
            with.plan, x, [&](std::uint32_t index) { return noise(alphabar::purpose::sampler, index, number); },
            [&](auto const& input, double time, auto&& output) {
                how.on_sample(first);
                call(input, time, output);
            });
    }
    how.on_sample(asked.size());
    return all;
}

} // namespace mnist
