// SPDX-License-Identifier: MIT
#include <support/convergence.hpp>

namespace support {

state exact_end(path_kind kind, double low, double high)
{
    gaussian_mixture const mixture;
    std::size_t const steps = 20000, n = start.size();
    double const h = (high - low) / static_cast<double>(steps);
    auto const slope = [&](state const& u, double lambda) {
        alphabar::noise_level const level = level_at(kind, lambda);
        state x = u;
        for (double& v : x)
            v *= level.sigma;
        x = mixture.denoise(x, level);
        for (double& v : x)
            v *= std::exp(lambda);
        return x;
    };
    auto const moved = [&](state u, state const& k, double by) {
        for (std::size_t i = 0; i < n; ++i)
            u[i] += by * k[i];
        return u;
    };
    state u = start;
    for (double& v : u)
        v /= level_at(kind, low).sigma;
    for (std::size_t j = 0; j < steps; ++j) {
        double const lambda = low + h * static_cast<double>(j);
        state const a = slope(u, lambda), b = slope(moved(u, a, h / 2), lambda + h / 2),
                    c = slope(moved(u, b, h / 2), lambda + h / 2), d = slope(moved(u, c, h), lambda + h);
        for (std::size_t i = 0; i < n; ++i)
            u[i] += h / 6 * (a[i] + 2 * b[i] + 2 * c[i] + d[i]);
    }
    for (double& v : u)
        v *= level_at(kind, high).sigma;
    return u;
}

double worst_deviation(alphabar::plan const& p, path_kind kind, double low, std::size_t samples, std::uint64_t seed)
{
    gaussian_mixture const mixture;
    std::mt19937_64 engine(seed);
    std::normal_distribution<double> normal;
    state const x =
        interpret(p, mixture.draw(samples, level_at(kind, low), engine), exact_network(kind), [&](std::uint32_t) {
            state z(2 * samples);
            for (double& v : z)
                v = normal(engine);
            return z;
        });
    auto const want = mixture.moments(), got = sample_moments(x);
    double const n = static_cast<double>(samples);
    std::array<double, 5> fourth{}; // E of the squares of what is averaged, for the standard errors
    for (std::size_t i = 0; i < x.size(); i += 2) {
        double const dx = x[i] - got[0], dy = x[i + 1] - got[1];
        std::array<double, 5> const terms{dx, dy, dx * dx - got[2], dy * dy - got[3], dx * dy - got[4]};
        for (std::size_t k = 0; k < 5; ++k)
            fourth[k] += terms[k] * terms[k] / n;
    }
    double worst = 0.0;
    for (std::size_t k = 0; k < 5; ++k)
        worst = std::max(worst, std::abs(got[k] - want[k]) / std::sqrt(fourth[k] / n));
    return worst;
}

} // namespace support
