// SPDX-License-Identifier: MIT
// Normal data, each element alone: the ODE is solved in closed form between any two levels, as a perfect distilled
// network does.
#pragma once

#include <support/convergence.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <random>

namespace support {

struct normal_data {
    double mean = 0.7;
    double width = 0.4;

    /// The ODE from one level to another.
    state moved(state x, alphabar::noise_level from, alphabar::noise_level to) const
    {
        double const gain = std::hypot(to.alpha * width, to.sigma) / std::hypot(from.alpha * width, from.sigma);
        for (double& v : x)
            v = to.alpha * mean + gain * (v - from.alpha * mean);
        return x;
    }
    /// To the data.
    state consistency(state const& x, alphabar::noise_level from) const { return moved(x, from, {1.0, 0.0}); }

    /// How far mean and variance at the end of a plan that starts from data at a level are from the data's, in standard
    /// errors.
    template <class Network>
    double deviation(alphabar::plan const& p, alphabar::noise_level first, Network const& network,
                     std::size_t n = 20000) const
    {
        std::mt19937_64 engine(11);
        std::normal_distribution<double> normal;
        auto const draw = [&](std::uint32_t) {
            state values(n);
            for (double& v : values)
                v = normal(engine);
            return values;
        };
        state const x = interpret(p, moved(draw(0), {0.0, 1.0}, first), network, draw);
        double sum = 0, square = 0;
        for (double v : x)
            sum += (v - mean) / width, square += (v - mean) * (v - mean) / (width * width);
        double const count = static_cast<double>(n);
        return std::max(std::abs(sum) / std::sqrt(count), std::abs(square - count) / std::sqrt(2 * count));
    }
};

} // namespace support
