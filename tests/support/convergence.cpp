// SPDX-License-Identifier: MIT
#include <support/convergence.hpp>

#include <map>

namespace support {

std::vector<double> spaced(std::size_t n, bool uneven, double from, double to)
{
    std::vector<double> values;
    for (std::size_t i = 0; i <= n; ++i) {
        double u = static_cast<double>(i) / static_cast<double>(n);
        if (uneven)
            u += 0.35 * std::sin(2 * std::numbers::pi * u) / (2 * std::numbers::pi);
        values.push_back(from + (to - from) * u);
    }
    return values;
}

namespace {

alphabar::grid grid_at(path_kind kind, std::vector<double> const& lambdas)
{
    alphabar::grid g{.times = lambdas, .levels = {}, .end_time = lambdas.back(), .usual = alphabar::prediction::x_0};
    g.times.pop_back();
    for (double lambda : lambdas)
        g.levels.push_back(level_at(kind, lambda));
    return g;
}

double largest_difference(state const& a, state const& b)
{
    double worst = 0.0;
    for (std::size_t i = 0; i < a.size(); ++i)
        worst = std::max(worst, std::abs(a[i] - b[i]));
    return worst;
}

constexpr double order_low = 0.0, order_high = 1.5;

state order_start(path_kind kind)
{
    std::mt19937_64 engine(11 + static_cast<std::uint64_t>(kind));
    return gaussian_mixture{}.draw(8, level_at(kind, order_low), engine);
}

} // namespace

alphabar::grid lambda_grid(path_kind kind, std::size_t n, bool uneven, double low, double high)
{
    return grid_at(kind, spaced(n, uneven, low, high));
}

alphabar::grid own_grid(path_kind kind, std::size_t n, bool uneven, double low, double high)
{
    double const from = level_at(kind, low).sigma, to = level_at(kind, high).sigma;
    std::vector<double> values;
    switch (kind) {
    case path_kind::variance_preserving: return lambda_grid(kind, n, uneven, low, high);
    case path_kind::rectified_flow:
        values = spaced(n, uneven, from, to);
        for (double& v : values)
            v = std::log((1.0 - v) / v);
        break;
    default:
        values = spaced(n, uneven, std::cbrt(from), std::cbrt(to));
        for (double& v : values)
            v = -3.0 * std::log(v);
    }
    return grid_at(kind, values);
}

alphabar::grid grid_to_zero(path_kind kind, std::size_t n, double low, double high)
{
    alphabar::grid g = own_grid(kind, n - 1, false, low, high);
    g.times.push_back(g.end_time);
    g.levels.push_back({1.0, 0.0});
    return g;
}

state exact_end(path_kind kind, state const& from, double low, double high)
{
    gaussian_mixture const mixture;
    std::size_t const steps = 20000, n = from.size();
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
    state u = from;
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

double measured_order(grid_solver const& solver, path_kind kind, bool uneven, std::size_t n)
{
    static std::map<path_kind, state> ends;
    state const begin = order_start(kind);
    if (!ends.contains(kind))
        ends[kind] = exact_end(kind, begin, order_low, order_high);
    auto const error = [&](std::size_t steps) {
        return largest_difference(
            interpret(solver(own_grid(kind, steps, uneven, order_low, order_high)), begin, exact_network(kind)),
            ends[kind]);
    };
    return std::log2(error(n) / error(2 * n));
}

double drift_order(grid_solver const& solver, path_kind kind, bool uneven, std::size_t n)
{
    auto const end = [&](std::size_t steps) {
        return interpret(with_noise(solver(own_grid(kind, steps, uneven, order_low, order_high)), 0.0),
                         order_start(kind), exact_network(kind));
    };
    state const middle = end(2 * n);
    return std::log2(largest_difference(end(n), middle) / largest_difference(middle, end(4 * n)));
}

alphabar::plan with_noise(alphabar::plan p, double factor)
{
    auto const scaled = [&](alphabar::row const& r) {
        alphabar::row out = r;
        return (out += (factor - 1.0) * r[alphabar::slots::z] * alphabar::slots::z).pruned();
    };
    for (alphabar::stage& s : p.stages) {
        s.x = scaled(s.x);
        if (s.y)
            s.y = scaled(*s.y);
        if (s.churn)
            s.churn->add *= factor;
    }
    return p;
}

double deviation_of(state const& x, alphabar::noise_level level)
{
    auto want = gaussian_mixture{}.moments();
    auto const got = sample_moments(x);
    for (std::size_t k = 0; k < 5; ++k)
        want[k] = want[k] * (k < 2 ? level.alpha : level.alpha * level.alpha) +
                  (k == 2 || k == 3 ? level.sigma * level.sigma : 0.0);
    double const n = static_cast<double>(x.size() / 2);
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

double worst_deviation(alphabar::plan const& p, path_kind kind, double low, std::size_t samples)
{
    return worst_deviation(p, level_at(kind, low), exact_network(kind), samples, 7 + static_cast<std::uint64_t>(kind));
}

double worst_deviation(alphabar::plan const& p, alphabar::noise_level first,
                       std::function<state(state const&, double)> const& network, std::size_t samples,
                       std::uint64_t seed, alphabar::noise_level last)
{
    gaussian_mixture const mixture;
    std::mt19937_64 engine(seed);
    std::normal_distribution<double> normal;
    state const x = interpret(p, mixture.draw(samples, first, engine), network, [&](std::uint32_t) {
        state z(2 * samples);
        for (double& v : z)
            v = normal(engine);
        return z;
    });
    return deviation_of(x, last);
}

} // namespace support
