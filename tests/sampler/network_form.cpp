// SPDX-License-Identifier: MIT
#include <alphabar/sampler/network_form.hpp>

#include <alphabar/grid/grid.hpp>
#include <alphabar/grid/sigmas.hpp>
#include <alphabar/grid/spacing.hpp>
#include <alphabar/sampler/ddim.hpp>
#include <alphabar/sampler/ddpm.hpp>
#include <alphabar/sampler/dpm_multistep.hpp>
#include <alphabar/sampler/sa_solver.hpp>
#include <alphabar/sampler/two_stage.hpp>
#include <alphabar/sampler/unipc.hpp>
#include <doctest/doctest.h>
#include <support/convergence.hpp>
#include <support/predictions.hpp>
#include <support/table.hpp>

#include <cmath>
#include <stdexcept>

using namespace alphabar;
using doctest::Approx;
using support::state;

TEST_CASE("every prediction, seen on every path, gives back x_0 and epsilon at every level")
{
    double const x_0 = 0.7, eps = -1.3;
    for (noise_level level : {noise_level{0.6, 0.8}, {1.0, 5.0}, {0.3, 0.7}})
        for (network_input input : {network_input::state, network_input::variance_preserving,
                                    network_input::variance_exploding, network_input::rectified_flow})
            for (prediction kind : support::prediction_kinds) {
                double const norm = input == network_input::state                 ? 1.0
                                    : input == network_input::variance_preserving ? std::hypot(level.alpha, level.sigma)
                                    : input == network_input::variance_exploding  ? level.alpha
                                                                                  : level.alpha + level.sigma;
                network_maps const maps = maps_at({.predicts = kind, .input = input}, level);
                double const x = level.alpha * x_0 + level.sigma * eps;
                double const F = support::perfect_output(kind, {level.alpha / norm, level.sigma / norm}, x_0, eps);
                CHECK(maps.input_scale == Approx(1 / norm));
                CHECK(maps.x_0.x * x + maps.x_0.other * F == Approx(x_0));
                CHECK(maps.epsilon.x * x + maps.epsilon.other * F == Approx(eps));
            }
}

TEST_CASE("EDM's preconditioning is table 1 of Karras et al., also on other paths")
{
    double const sigma = 1.7, data = 0.5;
    for (double alpha : {1.0, 0.4}) { // the same noise ratio
        network_maps const maps = maps_at({.input = network_input::edm, .sigma_data = data}, {alpha, alpha * sigma});
        double const c_skip = data * data / (sigma * sigma + data * data),
                     root = std::sqrt(sigma * sigma + data * data);
        CHECK(maps.input_scale == Approx(1 / root / alpha));
        CHECK(maps.x_0.x == Approx(c_skip / alpha));
        CHECK(maps.x_0.other == Approx(sigma * data / root));
        // epsilon = (x - alpha x_0) / sigma
        CHECK(maps.epsilon.x == Approx((1 - alpha * maps.x_0.x) / (alpha * sigma)));
        CHECK(maps.epsilon.other == Approx(-maps.x_0.other / sigma));
        CHECK(maps_at({.input = network_input::edm_v, .sigma_data = data}, {alpha, alpha * sigma}).x_0.other ==
              -maps.x_0.other);
    }
    // its limits: x_0 = x at sigma = 0, epsilon = x / sigma at alpha = 0
    network_maps const clean = maps_at({.input = network_input::edm}, {1.0, 0.0}),
                       pure = maps_at({.input = network_input::edm}, {0.0, 1.0});
    CHECK(clean.x_0 == pair_map{1.0, 0.0});
    CHECK(pure.epsilon == pair_map{1.0, 0.0});
    CHECK(pure.x_0 == pair_map{0.0, 0.5});
}

TEST_CASE("the clock and the scale of time")
{
    noise_level const level{1.0, 3.0};
    CHECK(network_call({.predicts = prediction::x_0}, 7.0, level).time == 7.0);
    CHECK(network_call({.predicts = prediction::x_0, .time_scale = 1000}, 0.25, level).time == 250.0);
    CHECK(network_call({.predicts = prediction::x_0, .clock = network_clock::edm}, 7.0, level).time ==
          Approx(std::log(3.0) / 4));
    CHECK(network_call({.predicts = prediction::x_0, .clock = network_clock::reversed, .time_scale = 1000}, 0.25, level)
              .time == 750.0);
}

TEST_CASE("an output of the other sign")
{
    for (network_input input : {network_input::state, network_input::edm})
        for (prediction kind : {prediction::flow, prediction::v, prediction::epsilon}) {
            network_maps const plain = maps_at({.predicts = kind, .input = input}, {0.6, 0.8}),
                               turned = maps_at({.predicts = kind, .input = input, .output_scale = -1.0}, {0.6, 0.8});
            CHECK(turned.x_0 == pair_map{plain.x_0.x, -plain.x_0.other});
            CHECK(turned.epsilon == pair_map{plain.epsilon.x, -plain.epsilon.other});
        }
}

TEST_CASE("a clipped x_0 is remembered as what the solver remembers")
{
    noise_level const level{0.6, 0.8};
    network_form const clipped{.predicts = prediction::epsilon, .operation = {.what = x0_operation::kind::clip}};
    double const x = 2.0, F = -1.0, x_0 = 1.0; // (2 + 0.8) / 0.6 clipped
    for (memory_form form : {memory_form::x_0, memory_form::epsilon, memory_form::rho, memory_form::velocity}) {
        stage const s = network_call(clipped, 1.0, level, form);
        CHECK(std::min(s.memory.x * x + s.memory.other * F, 1.0) == 1.0);
        double const eps = (x - 0.6 * x_0) / 0.8, want = form == memory_form::x_0        ? x_0
                                                         : form == memory_form::velocity ? eps - x_0
                                                                                         : eps;
        CHECK(s.recall.x * x + s.recall.other * x_0 == Approx(want));
    }
}

TEST_CASE("every path with every prediction and every solver goes from noise to the mixture")
{
    support::gaussian_mixture const mixture;
    auto const tried = [&](auto const& path, auto const& spec, network_form network) {
        grid const g = make_grid(path, spec);
        for (prediction kind : support::prediction_kinds) {
            if (g.levels.front().alpha == 0.0 && (kind == prediction::epsilon || kind == prediction::score))
                continue;
            network.predicts = kind;
            auto const model = [&](state const& v, double time) {
                noise_level const level = path.level(time);
                double const norm =
                    network.input == network_input::variance_preserving ? std::hypot(level.alpha, level.sigma) : 1.0;
                state raw = v;
                for (double& e : raw)
                    e *= norm;
                state F = mixture.denoise(raw, level);
                for (std::size_t i = 0; i < F.size(); ++i)
                    F[i] = support::perfect_output(kind, {level.alpha / norm, level.sigma / norm}, F[i],
                                                   (raw[i] - level.alpha * F[i]) / level.sigma);
                return F;
            };
            std::vector<plan> plans{
                ddim(path, g, {.network = network}),         ddim(path, g, {.network = network, .eta = 1.0}),
                ddpm(path, g, {.network = network}),         euler(path, g, {.network = network}),
                heun(path, g, {.network = network}),         dpmpp_2m(path, g, {.network = network}),
                dpmpp_2m_sde(path, g, {.network = network}), dpmpp_3m(path, g, {.network = network}),
                unipc(path, g, {.network = network}),        sa_solver(path, g, {.network = network})};
            if (g.levels.front().alpha > 0.0) {
                plans.push_back(deis(path, g, {.network = network}));
                plans.push_back(dpm_solver(path, g, {.network = network}));
            }
            for (plan const& p : plans) {
                state v = support::start;
                for (double& e : v)
                    e *= p.initial_scale;
                state const end =
                    support::interpret(p, v, model, [](std::uint32_t k) { return state(10, std::sin(1.0 + k)); });
                for (double e : end) {
                    CHECK(std::isfinite(e));
                    CHECK(std::abs(e) < 3.0); // within the mixture
                }
            }
        }
    };
    tried(support::table(), karras_grid(12), {});
    tried(support::table(), trailing_grid(12), {});
    tried(variance_exploding{}, karras_grid(12), {});
    tried(variance_exploding{}, karras_grid(12), {.input = network_input::variance_preserving});
    tried(rectified_flow{}, trailing_grid(12), {});
}

TEST_CASE("what the network cannot say is an error when the plan is made")
{
    CHECK_THROWS_AS(network_call({.predicts = prediction::epsilon}, 1, {0.0, 1.0}), std::invalid_argument);
    CHECK_THROWS_AS(network_call({.predicts = prediction::score}, 1, {0.0, 1.0}), std::invalid_argument);
    CHECK_THROWS_AS(network_call({.predicts = prediction::x_0}, 1, {1.0, 0.0}, memory_form::epsilon),
                    std::invalid_argument);
    CHECK_THROWS_AS(network_call({.predicts = prediction::previous_x}, 1, {0.6, 0.8}), std::invalid_argument);
    CHECK_NOTHROW(network_call({.predicts = prediction::v}, 1, {0.0, 1.0}));
    CHECK_NOTHROW(network_call({.predicts = prediction::flow}, 1, {0.0, 1.0}));
}
