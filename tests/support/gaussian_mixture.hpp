// SPDX-License-Identifier: MIT
// A Gaussian mixture in the plane, whose denoiser E[x_0 | x] is known exactly at every noise level of every path.
#pragma once

#include <alphabar/schedule/noise_level.hpp>

#include <array>
#include <cmath>
#include <cstddef>
#include <random>
#include <vector>

namespace support {

struct gaussian_mixture {
    struct component {
        std::array<double, 2> mean;
        double width;
        double share;
    };
    std::vector<component> components{{{-1.2, 0.4}, 0.35, 0.3}, {{0.1, -0.8}, 0.5, 0.3}, {{0.9, 0.7}, 0.25, 0.4}};

    /// E[x_0 | x] for x = [n, 2] at one level.
    std::vector<double> denoise(std::vector<double> const& x, alphabar::noise_level level) const;

    /// n points of the mixture at a level: alpha x_0 + sigma eps.
    template <class Engine>
    std::vector<double> draw(std::size_t n, alphabar::noise_level level, Engine& engine) const
    {
        std::normal_distribution<double> normal;
        std::uniform_real_distribution<double> uniform;
        std::vector<double> x;
        for (std::size_t i = 0; i < n; ++i) {
            double u = uniform(engine);
            std::size_t k = 0;
            while (k + 1 < components.size() && u >= components[k].share)
                u -= components[k++].share;
            for (std::size_t d = 0; d < 2; ++d) {
                double const x_0 = components[k].mean[d] + components[k].width * normal(engine);
                x.push_back(level.alpha * x_0 + level.sigma * normal(engine));
            }
        }
        return x;
    }

    /// Mean (2), variances (2) and covariance of x_0.
    std::array<double, 5> moments() const
    {
        std::array<double, 5> m{};
        for (auto const& c : components)
            for (std::size_t d = 0; d < 2; ++d)
                m[d] += c.share * c.mean[d];
        for (auto const& c : components) {
            for (std::size_t d = 0; d < 2; ++d)
                m[2 + d] += c.share * (c.width * c.width + (c.mean[d] - m[d]) * (c.mean[d] - m[d]));
            m[4] += c.share * (c.mean[0] - m[0]) * (c.mean[1] - m[1]);
        }
        return m;
    }
};

/// Mean (2), variances (2) and covariance of points [n, 2].
inline std::array<double, 5> sample_moments(std::vector<double> const& x)
{
    std::array<double, 5> m{};
    double const n = static_cast<double>(x.size() / 2);
    for (std::size_t i = 0; i < x.size(); ++i)
        m[i % 2] += x[i] / n;
    for (std::size_t i = 0; i < x.size(); i += 2) {
        double const dx = x[i] - m[0], dy = x[i + 1] - m[1];
        m[2] += dx * dx / n;
        m[3] += dy * dy / n;
        m[4] += dx * dy / n;
    }
    return m;
}

} // namespace support
