// SPDX-License-Identifier: MIT
// The test-bed of the solvers: a Gaussian mixture on three paths, measured orders of convergence,
// mean and covariance.
#pragma once

#include <alphabar/grid/grid.hpp>
#include <support/gaussian_mixture.hpp>
#include <support/interpret.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <numbers>
#include <random>
#include <vector>

namespace support {

/// The three families of paths, by lambda = log(alpha / sigma), which is the time that networks are
/// given here.
enum class path_kind { variance_preserving, variance_exploding, rectified_flow };

inline alphabar::noise_level level_at(path_kind kind, double lambda)
{
    double const ratio = std::exp(-lambda);
    switch (kind) {
    case path_kind::variance_preserving: return {1.0 / std::hypot(1.0, ratio), ratio / std::hypot(1.0, ratio)};
    case path_kind::rectified_flow: return {1.0 / (1.0 + ratio), ratio / (1.0 + ratio)};
    default: return {1.0, ratio};
    }
}

/// n steps from lambda = low to high, equal or (by up to 35 %) unequal.
inline alphabar::grid lambda_grid(path_kind kind, std::size_t n, bool uneven, double low = -2.0, double high = 2.5)
{
    alphabar::grid g;
    g.usual = alphabar::prediction::x_0;
    for (std::size_t i = 0; i <= n; ++i) {
        double u = static_cast<double>(i) / static_cast<double>(n);
        if (uneven)
            u += 0.35 * std::sin(2 * std::numbers::pi * u) / (2 * std::numbers::pi);
        double const lambda = low + (high - low) * u;
        g.levels.push_back(level_at(kind, lambda));
        (i < n ? g.times.emplace_back() : g.end_time) = lambda;
    }
    return g;
}

/// A network that predicts x_0 of the mixture, given lambda as time.
inline auto exact_network(path_kind kind)
{
    return [kind, mixture = gaussian_mixture{}](state const& x, double lambda) {
        return mixture.denoise(x, level_at(kind, lambda));
    };
}

/// One that predicts epsilon of the mixture on the variance-exploding path, given sigma as time.
inline state epsilon_network(state const& x, double sigma)
{
    state eps = gaussian_mixture{}.denoise(x, {1.0, sigma});
    for (std::size_t i = 0; i < x.size(); ++i)
        eps[i] = (x[i] - eps[i]) / sigma;
    return eps;
}

inline state const start{-1.7, 0.5, -0.6, -1.1, 0.2, 0.3, 0.8, 1.4, 1.9, -0.2};

/// The ODE's end for x / sigma = start / sigma at lambda = low: d(x / sigma) / dlambda = e^lambda
/// x_0 by Runge-Kutta with 20,000 steps.
state exact_end(path_kind kind, double low = -2.0, double high = 2.5);

/// The largest error at the end of the path.
template <class Solver>
double error_of(Solver const& solver, path_kind kind, std::size_t n, bool uneven, state const& end)
{
    state const got = interpret(solver(lambda_grid(kind, n, uneven)), start, exact_network(kind));
    double worst = 0.0;
    for (std::size_t i = 0; i < got.size(); ++i)
        worst = std::max(worst, std::abs(got[i] - end[i]));
    return worst;
}

/// log2(error(n) / error(2 n)): the measured order of convergence. `solver` maps a grid to a plan.
template <class Solver>
double measured_order(Solver const& solver, path_kind kind, bool uneven, std::size_t n = 192)
{
    static std::array<state, 3> const ends{exact_end(path_kind::variance_preserving),
                                           exact_end(path_kind::variance_exploding),
                                           exact_end(path_kind::rectified_flow)};
    state const& end = ends[static_cast<std::size_t>(kind)];
    return std::log2(error_of(solver, kind, n, uneven, end) / error_of(solver, kind, 2 * n, uneven, end));
}

/// The order of a plan without noise whose end is not known, from three grids, each twice as fine.
template <class Solver>
double self_order(Solver const& solver, path_kind kind, bool uneven, std::size_t n = 192)
{
    std::array<state, 3> ends;
    for (std::size_t k = 0; k < 3; ++k)
        ends[k] = interpret(solver(lambda_grid(kind, n << k, uneven)), start, exact_network(kind));
    double first = 0.0, second = 0.0;
    for (std::size_t i = 0; i < start.size(); ++i) {
        first = std::max(first, std::abs(ends[0][i] - ends[1][i]));
        second = std::max(second, std::abs(ends[1][i] - ends[2][i]));
    }
    return std::log2(first / second);
}

/// How far mean and covariance at the end of a stochastic plan are from the mixture's, in standard
/// errors: the worst of five. The samples start as the mixture at the first level, so that only the
/// solver can be wrong.
double worst_deviation(alphabar::plan const& p, path_kind kind, double low, std::size_t samples,
                       std::uint64_t seed = 7);

/// The order of the variance at the end, where x_0 is N(0, 0.36) and the network exact: all is linear, and the variance
/// is the sum of the squares of what the start and each noise add. From n and 2 n steps.
template <class Solver>
double variance_order(Solver const& solver, path_kind kind, std::size_t n)
{
    auto const variance = [](alphabar::noise_level level) {
        return 0.36 * level.alpha * level.alpha + level.sigma * level.sigma;
    };
    double error[2];
    for (std::size_t k = 0; k < 2; ++k) {
        alphabar::grid const g = lambda_grid(kind, n << k, true);
        alphabar::plan const p = solver(g);
        auto const end = [&](double from, std::uint32_t drawn) {
            auto const network = [&](state const& x, double lambda) {
                auto const level = level_at(kind, lambda);
                return state{0.36 * level.alpha / variance(level) * x[0]};
            };
            return interpret(p, {from}, network, [&](std::uint32_t i) { return state{i == drawn ? 1.0 : 0.0}; })[0];
        };
        double const first = end(1.0, alphabar::stage::automatic);
        double got = first * first * variance(g.levels.front());
        for (alphabar::stage const& s : p.stages)
            if (draws_noise(s))
                got += end(0.0, s.noise) * end(0.0, s.noise);
        error[k] = std::abs(got - variance(g.levels.back()));
    }
    return std::log2(error[0] / error[1]);
}

/// The grid for such plans: from lambda = low to lambda = high, then to sigma = 0.
inline alphabar::grid grid_to_zero(path_kind kind, std::size_t n, double low, double high = 4.0)
{
    alphabar::grid g = lambda_grid(kind, n - 1, false, low, high);
    g.times.push_back(g.end_time);
    g.levels.push_back({1.0, 0.0});
    return g;
}

} // namespace support
