// SPDX-License-Identifier: MIT
#include <support/gaussian_mixture.hpp>

#include <algorithm>

namespace support {

std::vector<double> gaussian_mixture::denoise(std::vector<double> const& x, alphabar::noise_level level) const
{
    auto const [a, s] = level;
    std::vector<double> x_0(x.size());
    std::vector<double> log_weight(components.size());
    for (std::size_t i = 0; i < x.size(); i += 2) {
        double top = -INFINITY;
        for (std::size_t k = 0; k < components.size(); ++k) {
            auto const& c = components[k];
            double const v = a * a * c.width * c.width + s * s, dx = x[i] - a * c.mean[0],
                         dy = x[i + 1] - a * c.mean[1];
            log_weight[k] = std::log(c.share) - 0.5 * (dx * dx + dy * dy) / v - std::log(v);
            top = std::max(top, log_weight[k]);
        }
        double sum = 0.0;
        for (std::size_t k = 0; k < components.size(); ++k) {
            auto const& c = components[k];
            double const w = std::exp(log_weight[k] - top),
                         gain = a * c.width * c.width / (a * a * c.width * c.width + s * s);
            sum += w;
            for (std::size_t d = 0; d < 2; ++d)
                x_0[i + d] += w * (c.mean[d] + gain * (x[i + d] - a * c.mean[d]));
        }
        x_0[i] /= sum;
        x_0[i + 1] /= sum;
    }
    return x_0;
}

} // namespace support
