// SPDX-License-Identifier: MIT
#include <support/gaussian_mixture.hpp>

#include <algorithm>

namespace support {

std::vector<double> gaussian_mixture::denoise(std::vector<double> const& x, alphabar::noise_level level) const
{
    auto const [a, s] = level;
    struct seen {
        double log_share, v, log_v, gain;
    };
    std::vector<seen> at_level;
    for (component const& c : components) {
        double const v = a * a * c.width * c.width + s * s;
        at_level.push_back({std::log(c.share), v, std::log(v), a * c.width * c.width / v});
    }
    std::vector<double> x_0(x.size());
    std::vector<double> log_weight(components.size());
    for (std::size_t i = 0; i < x.size(); i += 2) {
        double top = -INFINITY;
        for (std::size_t k = 0; k < components.size(); ++k) {
            auto const& c = components[k];
            double const dx = x[i] - a * c.mean[0], dy = x[i + 1] - a * c.mean[1];
            log_weight[k] = at_level[k].log_share - 0.5 * (dx * dx + dy * dy) / at_level[k].v - at_level[k].log_v;
            top = std::max(top, log_weight[k]);
        }
        double sum = 0.0;
        for (std::size_t k = 0; k < components.size(); ++k) {
            auto const& c = components[k];
            double const w = std::exp(log_weight[k] - top);
            sum += w;
            for (std::size_t d = 0; d < 2; ++d)
                x_0[i + d] += w * (c.mean[d] + at_level[k].gain * (x[i + d] - a * c.mean[d]));
        }
        x_0[i] /= sum;
        x_0[i + 1] /= sum;
    }
    return x_0;
}

} // namespace support
