// SPDX-License-Identifier: MIT
// The test-bed of the solvers: a Gaussian mixture on three paths, measured orders of convergence, mean and covariance.
#pragma once

#include <alphabar/grid/grid.hpp>
#include <support/gaussian_mixture.hpp>
#include <support/interpret.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <numbers>
#include <random>
#include <vector>

namespace support {

/// The three families of paths, by lambda = log(alpha / sigma), which is the time that networks are given here.
enum class path_kind { variance_preserving, variance_exploding, rectified_flow };
inline constexpr path_kind all_paths[] = {path_kind::variance_preserving, path_kind::variance_exploding,
                                          path_kind::rectified_flow};

inline alphabar::noise_level level_at(path_kind kind, double lambda)
{
    double const ratio = std::exp(-lambda);
    switch (kind) {
    case path_kind::variance_preserving: return {1.0 / std::hypot(1.0, ratio), ratio / std::hypot(1.0, ratio)};
    case path_kind::rectified_flow: return {1.0 / (1.0 + ratio), ratio / (1.0 + ratio)};
    default: return {1.0, ratio};
    }
}

/// n steps from one value to another, equal or (by up to 35 %) unequal.
std::vector<double> spaced(std::size_t n, bool uneven, double from, double to);

/// n steps from lambda = low to high, equal or unequal in lambda on every path.
alphabar::grid lambda_grid(path_kind kind, std::size_t n, bool uneven, double low = -2.0, double high = 2.5);

/// The same, equal or unequal in what differs from path to path: lambda on the variance-preserving one, the cube root
/// of sigma on the exploding one, t on rectified flow. On one grid in lambda solvers that remember x_0 there do nearly
/// the same on all three.
alphabar::grid own_grid(path_kind kind, std::size_t n, bool uneven, double low, double high);

/// The grid for mean and covariance: own_grid to lambda = high, then to sigma = 0.
alphabar::grid grid_to_zero(path_kind kind, std::size_t n, double low = -3.0, double high = 4.0);

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

/// The ODE's end for x / sigma = start / sigma at lambda = low: d(x / sigma) / dlambda = e^lambda x_0 by Runge-Kutta
/// with 20,000 steps.
state exact_end(path_kind kind, state const& from = start, double low = -2.0, double high = 2.5);

/// How orders are measured: on own_grid from lambda = 0, where x_0 bends the most (towards noise it becomes linear in
/// x, and the first steps of a solver, which have fewer memories, cost nothing), from 8 points of the mixture at that
/// level.
using grid_solver = std::function<alphabar::plan(alphabar::grid const&)>;

/// log2(error(n) / error(2 n)), the largest errors against the exact end: the measured order of convergence.
double measured_order(grid_solver const& solver, path_kind kind, bool uneven, std::size_t n = 192);

/// The order of the drift of a solver, whose end is not known, its noise left out: from three grids, each twice as
/// fine.
double drift_order(grid_solver const& solver, path_kind kind, bool uneven, std::size_t n = 192);

/// The plan with every draw times `factor`; 0 leaves them out.
alphabar::plan with_noise(alphabar::plan p, double factor);

/// How far mean and covariance of points [n, 2] are from the mixture's at a level, in standard errors: the worst of
/// five.
double deviation_of(state const& points, alphabar::noise_level level = {1.0, 0.0});

/// The same at the end of a stochastic plan, at the level `last`. The samples start as the mixture at the level
/// `first`, so that only the solver can be wrong.
double worst_deviation(alphabar::plan const& p, alphabar::noise_level first,
                       std::function<state(state const&, double)> const& network, std::size_t samples,
                       std::uint64_t seed = 7, alphabar::noise_level last = {1.0, 0.0});

/// On the test-bed's path, from lambda = low, with a seed of the path's own.
double worst_deviation(alphabar::plan const& p, path_kind kind, double low = -3.0, std::size_t samples = 2000);

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

} // namespace support
