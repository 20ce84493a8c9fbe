// SPDX-License-Identifier: MIT
#include <alphabar/sampler/adaptive.hpp>

#include <alphabar/backends/span.hpp>
#include <alphabar/noise/stream.hpp>
#include <alphabar/schedule/paths.hpp>
#include <doctest/doctest.h>
#include <support/convergence.hpp>
#include <support/lambda_path.hpp>

#include <algorithm>
#include <cmath>
#include <random>
#include <span>
#include <stdexcept>
#include <utility>
#include <vector>

using namespace alphabar;
using doctest::Approx;
using support::path_kind;

namespace {

/// The mixture's x_0, each row at a time of its own; the test-bed's path has lambda as time.
auto network_of(path_kind kind)
{
    return [kind](auto const& input, std::span<double const> times, auto& output) {
        support::gaussian_mixture const mixture;
        for (std::size_t i = 0, k = 0; i < times.size(); i = k) { // samples of one time together
            while (k < times.size() && times[k] == times[i])
                ++k;
            std::vector<double> const x(input.data + 2 * i, input.data + 2 * k);
            std::ranges::copy(mixture.denoise(x, support::level_at(kind, times[i])), output.data + 2 * i);
        }
    };
}

adaptive_options options(double rtol, double low = -2.0, double high = 2.5)
{
    return {.network = {.predicts = prediction::x_0},
            .range = {.sigma_min = std::exp(-high), .sigma_max = std::exp(-low)},
            .rtol = rtol,
            .atol = rtol / 10};
}

double error_of(support::state const& got, support::state const& want)
{
    double worst = 0.0;
    for (std::size_t i = 0; i < got.size(); ++i)
        worst = std::max(worst, std::abs(got[i] - want[i]));
    return worst;
}

noise_stream const noise{.seed = 3};

} // namespace

TEST_CASE("it ends where the ODE ends, closer the smaller the tolerance")
{
    for (path_kind kind : support::all_paths) {
        support::state const end = support::exact_end(kind);
        for (unsigned order : {2u, 3u})
            for (memory_form form : {memory_form::epsilon, memory_form::x_0}) {
                std::vector<double> errors;
                for (double rtol : {0.1, 0.01, 0.0001}) {
                    support::state state = support::start;
                    adaptive_options o = options(rtol);
                    o.order = order;
                    o.form = form;
                    auto const states =
                        adaptive(support::lambda_path{kind}, view(state, shape{5, 2}), noise, network_of(kind), o);
                    double const error = error_of(state, end);
                    CHECK(error < 2 * rtol);
                    errors.push_back(error);
                    CHECK(states.size() == 5);
                    CHECK(std::ranges::all_of(states, &adaptive_state::done));
                }
                CHECK(errors[2] < errors[0] / 10);
            }
    }
}

TEST_CASE("a sample does not depend on its batch, noise included")
{
    path_kind const kind = path_kind::variance_exploding;
    for (double eta : {0.0, 0.7}) {
        adaptive_options o = options(0.02);
        o.eta = eta;
        o.first_step = 0.4;
        support::state together = support::start;
        auto const states =
            adaptive(support::lambda_path{kind}, view(together, shape{5, 2}), noise, network_of(kind), o);
        {
            support::state alone(support::start.begin(), support::start.begin() + 2);
            auto const own = adaptive(support::lambda_path{kind}, view(alone, shape{1, 2}), noise, network_of(kind), o);
            CHECK(alone[0] == together[0]);
            CHECK(alone[1] == together[1]);
            CHECK(own[0].accepted == states[0].accepted);
            CHECK(own[0].rejected == states[0].rejected);
        }
        // samples took different steps
        auto const same = [&](adaptive_state const& a) { return a.step == states[0].step; };
        CHECK(!std::ranges::all_of(states, same));
    }
}

TEST_CASE("one step for the batch: both norms; a rejected try goes back")
{
    path_kind const kind = path_kind::variance_preserving;
    support::state const end = support::exact_end(kind);
    for (error_norm norm : {error_norm::batch, error_norm::largest})
        for (auto control : {step_control::kind::pid, step_control::kind::power}) {
            adaptive_options o = options(0.01);
            o.norm = norm;
            o.control.what = control;
            o.first_step = 3.0; // too long: rejected
            support::state state = support::start;
            std::size_t tries = 0;
            auto const states = adaptive(support::lambda_path{kind}, view(state, shape{5, 2}), noise, network_of(kind),
                                         o, [&](auto const&) { ++tries; });
            CHECK(states.size() == 1);
            CHECK(states[0].rejected > 0);
            CHECK(tries == states[0].accepted + states[0].rejected);
            CHECK(error_of(state, end) < 0.02);
        }
}

TEST_CASE("up again: an inversion")
{
    path_kind const kind = path_kind::variance_preserving;
    adaptive_options o = options(1e-4);
    support::state state = support::start;
    adaptive(support::lambda_path{kind}, view(state, shape{5, 2}), noise, network_of(kind), o);
    std::swap(o.range.sigma_min, o.range.sigma_max);
    adaptive(support::lambda_path{kind}, view(state, shape{5, 2}), noise, network_of(kind), o);
    CHECK(error_of(state, support::start) < 1e-2);
}

TEST_CASE("mean and covariance of the ancestral form, on every path, within Monte-Carlo error")
{
    support::gaussian_mixture const mixture;
    for (path_kind kind : support::all_paths) {
        std::size_t const n = 600;
        auto const worst = [&](double noise_scale) {
            std::mt19937_64 engine(5 + static_cast<std::uint64_t>(kind));
            support::state state = mixture.draw(n, support::level_at(kind, -3.0), engine);
            adaptive_options o = options(0.02, -3.0, 4.0);
            o.norm = static_cast<error_norm>(kind); // each norm on one path
            o.eta = 1.0;
            o.noise_scale = noise_scale;
            adaptive(support::lambda_path{kind}, view(state, shape{n, 2}), noise, network_of(kind), o);
            return support::deviation_of(state);
        };
        CHECK(worst(1.0) < 4.0);
        CHECK(worst(1.3) > 4.0);
    }
}

TEST_CASE("what is refused")
{
    support::state state = support::start;
    auto const x = view(state, shape{5, 2});
    support::lambda_path const path{path_kind::variance_preserving};
    auto const network = network_of(path_kind::variance_preserving);
    adaptive_options const good = options(0.05);
    auto const changed = [&](auto change) {
        adaptive_options o = good;
        change(o);
        return o;
    };
    CHECK_THROWS_AS(adaptive(path, x, noise, network, changed([](auto& o) { o.order = 4; })), std::invalid_argument);
    CHECK_THROWS_AS(adaptive(path, x, noise, network, changed([](auto& o) { o.atol = 0; })), std::invalid_argument);
    CHECK_THROWS_AS(adaptive(path, x, noise, network, changed([](auto& o) { o.eta = -1; })), std::invalid_argument);
    CHECK_THROWS_AS(adaptive(path, x, noise, network, changed([](auto& o) { o.first_step = 0; })),
                    std::invalid_argument);
    CHECK_THROWS_AS(adaptive(rectified_flow{}, x, noise, network, {}), std::invalid_argument);
    auto const broken = [](auto const&, std::span<double const>, auto& output) {
        std::fill_n(output.data, 10, std::nan(""));
    };
    CHECK_THROWS_AS(adaptive(path, x, noise, broken, good), std::invalid_argument);
    CHECK(state == support::start); // nothing was written
    auto const one_time = [](auto const&, double, auto& output) { std::fill_n(output.data, 10, 0.0); };
    CHECK_THROWS_AS(adaptive(path, x, noise, one_time, good), std::invalid_argument);
    CHECK_NOTHROW(adaptive(path, x, noise, one_time, changed([](auto& o) { o.norm = error_norm::batch; })));
}
