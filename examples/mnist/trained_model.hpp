// SPDX-License-Identifier: MIT
// A model around the library's trainer; what a network trains on is left to the class that derives from it.
#pragma once

#include "model.hpp"

#include <alphabar/denoiser/trainer.hpp>

#include <algorithm>
#include <cmath>
#include <limits>

namespace mnist {

/// The recipe for a config, and the steps that its budget pays for.
inline alphabar::recipe recipe_of(training_config const& config, double training_flop)
{
    double const steps = std::round(config.budget * 1e12 / (training_flop * config.batch));
    return {.steps = static_cast<std::uint32_t>(std::clamp(steps, 1.0, double{(1u << 24) - 1})),
            .batch = config.batch,
            .peak_rate = config.rate,
            .drop_label = config.drop_label,
            .ema = config.ema};
}

template <class Network>
class trained_model : public model {
public:
    trained_model(training_config const& config, unsigned threads)
        : noise_{config.seed}, trainer_(Network(side), recipe_of(config, flop(Network(side))), noise_, threads)
    {
    }

    double training_flop() const override { return flop(trainer_.network().net()); }
    std::uint32_t steps() const override { return trainer_.how().steps; }
    std::uint32_t steps_done() const override { return trainer_.steps_done(); }

    void predict(std::span<float const> x, double log_sigma, std::span<int const> labels,
                 std::span<float> output) override
    {
        conditions_.resize(labels.size());
        std::ranges::transform(labels, conditions_.begin(),
                               [&](int label) { return alphabar::condition{log_sigma, label}; });
        trainer_.network().predict(trainer_.averaged(), x, conditions_, output);
    }

    std::vector<array> arrays() const override
    {
        std::vector<array> all;
        for (alphabar::parameter const& p : trainer_.network().net().parameters())
            all.push_back({p.name, {p.shape.begin(), p.shape.end()}, p.offset, p.size});
        return all;
    }
    std::vector<state> states() override
    {
        return {{"parameters", trainer_.parameters()},
                {"averaged", trainer_.averaged()},
                {"first_moment", trainer_.first_moment()},
                {"second_moment", trainer_.second_moment()}};
    }
    void resume(std::uint32_t steps_done) override { trainer_.resume(steps_done); }

protected:
    static double flop(Network const& net) { return 3 * static_cast<double>(net.forward_flop()); }

    alphabar::noise_stream noise_;
    alphabar::trainer<Network> trainer_;

private:
    std::vector<alphabar::condition> conditions_;
};

} // namespace mnist
