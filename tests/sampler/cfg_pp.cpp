// SPDX-License-Identifier: MIT
#include <alphabar/sampler/cfg_pp.hpp>

#include <alphabar/backends/span.hpp>
#include <alphabar/grid/sigmas.hpp>
#include <alphabar/grid/spacing.hpp>
#include <alphabar/noise/stream.hpp>
#include <alphabar/sampler/er_sde.hpp>
#include <alphabar/sampler/sample.hpp>
#include <alphabar/sampler/unipc.hpp>
#include <support/solver_test.hpp>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <stdexcept>
#include <vector>

namespace {

/// Two heads that predict x_0: the mixture's, and that moved by `shift`.
auto two_heads(path_kind kind, double shift)
{
    return [=](state const& x, double lambda) {
        state heads = support::exact_network(kind)(x, lambda);
        std::size_t const n = heads.size();
        for (std::size_t i = 0; i < n; ++i)
            heads.push_back(heads[i] + shift * std::sin(x[i]));
        return heads;
    };
}

auto const sines = [](std::uint32_t index) { return support::sine_noise(index, support::start.size()); };

void same(state const& got, state const& want)
{
    for (std::size_t i = 0; i < want.size(); ++i)
        CHECK(got[i] == Approx(want[i]).epsilon(1e-11));
}

} // namespace

TEST_CASE("where both heads agree each is its plain solver")
{
    for (path_kind kind : support::all_paths) {
        support::lambda_path const path{kind};
        grid const g = support::lambda_grid(kind, 9, true);
        auto const both = [&](plan const& p) {
            return support::interpret(p, support::start, two_heads(kind, 0.0), sines);
        };
        auto const one = [&](plan const& p) {
            return support::interpret(p, support::start, support::exact_network(kind), sines);
        };
        same(both(euler_cfg_pp(path, g)), one(ddim(g)));
        same(both(euler_ancestral_cfg_pp(path, g)), one(ddim(g, {.eta = 1.0})));
        same(both(dpmpp_2m_cfg_pp(path, g)), one(dpmpp_2m(g)));
        same(both(res_multistep_cfg_pp(path, g)), one(res_multistep(g)));
        same(both(res_multistep_ancestral_cfg_pp(path, g)), one(res_multistep_ancestral(g)));
        same(both(gradient_estimation_cfg_pp(path, g)), one(gradient_estimation(g)));
        same(both(dpmpp_2s_ancestral_cfg_pp(path, g)), one(dpmpp_2s_ancestral(path, g)));
        same(both(dpmpp_2s_ancestral_cfg_pp(path, g, {.eta = 0.0})), one(dpmpp_2s_ancestral(path, g, {.eta = 0.0})));
    }
}

TEST_CASE("in sigma, written out: D guided, U unconditional")
{
    path_kind const kind = path_kind::variance_exploding;
    support::lambda_path const path{kind};
    grid const g = support::lambda_grid(kind, 5, true);
    auto const network = two_heads(kind, 0.7);
    std::size_t const n = support::start.size();
    auto const loop = [&](auto const& step) {
        state v = support::start, old;
        for (std::size_t i = 0; i < g.steps(); ++i) {
            state const heads = network(v, g.times[i]);
            state next(n);
            for (std::size_t k = 0; k < n; ++k)
                next[k] = step(i, v[k], heads[n + k], heads[k], old.empty() ? nullptr : &old[k]);
            old.assign(heads.begin(), heads.begin() + static_cast<std::ptrdiff_t>(n));
            v = next;
        }
        return v;
    };
    auto const run = [&](plan const& p) { return support::interpret(p, support::start, network); };
    auto const s = [&](std::size_t i) { return g.levels[i].sigma; };
    same(run(euler_cfg_pp(path, g)), loop([&](std::size_t i, double v, double D, double U, double const*) {
             return D + s(i + 1) * (v - U) / s(i); // cfg++: x = denoised + sigma' d_u
         }));
    same(run(dpmpp_2m_cfg_pp(path, g)), loop([&](std::size_t i, double v, double D, double U, double const* old) {
             double const h = std::log(s(i) / s(i + 1));
             double mix = -std::exp(-h) * U;
             if (old)
                 mix -= std::expm1(-h) * (1 / (2 * std::log(s(i - 1) / s(i)) / h)) * (U - *old);
             return D + mix + std::exp(-h) * v;
         }));
    // 2S: x_2 = (s_m/s) x - expm1(-h/2) U; x' = (s'/s) x - expm1(-h) U_2 + D - U
    plan const p = dpmpp_2s_ancestral_cfg_pp(path, g, {.eta = 0.0});
    state v = support::start;
    for (std::size_t i = 0; i < g.steps(); ++i) {
        double const h = std::log(s(i) / s(i + 1));
        state const heads = network(v, g.times[i]);
        state inner(n);
        for (std::size_t k = 0; k < n; ++k)
            inner[k] = std::exp(-h / 2) * v[k] - std::expm1(-h / 2) * heads[k];
        state const again = network(inner, g.times[i] + h / 2);
        for (std::size_t k = 0; k < n; ++k)
            v[k] = std::exp(-h) * v[k] - std::expm1(-h) * again[k] + heads[n + k] - heads[k];
    }
    same(run(p), v);
}

TEST_CASE("any solver of one or two calls a step has a CFG++ form, others are refused")
{
    auto const diffusion = support::table();
    grid const g = make_grid(diffusion, karras_grid(8));
    for (plan const& p : {unipc(diffusion, g), heun(diffusion, g), er_sde(diffusion, g), dpmpp_sde(diffusion, g)}) {
        plan const guided = with_cfg_pp(p, g, {});
        CHECK(guided.heads == 2);
        state const begin(10, 3.0); // both heads alike
        auto const one = [](state const& v, double) { return state(v.size(), 0.5); };
        auto const two = [](state const& v, double) { return state(2 * v.size(), 0.5); };
        same(support::interpret(guided, begin, two, sines), support::interpret(p, begin, one, sines));
        // x' is the weight times D - U away, one step on
        state heads(10, 0.5);
        heads.resize(20, 0.75);
        std::size_t const last = p.stages[0].ends_step ? 0 : 1;
        state ends[2];
        auto const keep = [&](state& end) {
            return [&, last](std::size_t i, state const& v) {
                if (i == last)
                    end = v;
            };
        };
        support::interpret(guided, begin, [&](auto const&, double) { return heads; }, sines, keep(ends[0]));
        support::interpret(p, begin, one, sines, keep(ends[1]));
        double const gap = -0.25 * g.levels[0].sigma / g.levels[0].alpha * g.levels[1].alpha;
        CHECK(ends[0][3] - ends[1][3] == Approx(gap).epsilon(1e-9));
    }
    CHECK_THROWS_AS(with_cfg_pp(runge_kutta(diffusion, g, {.methods = {dpm_3s()}}), g, {}), std::invalid_argument);
    CHECK_THROWS_AS(with_cfg_pp(euler_cfg_pp(diffusion, g), g, {}), std::invalid_argument);
    CHECK_THROWS_AS(with_cfg_pp(ddim(diffusion, karras_grid(9)), g, {}), std::invalid_argument);
}

TEST_CASE("the executor runs them as they are read: heads stand in each sample")
{
    path_kind const kind = path_kind::variance_preserving;
    support::lambda_path const path{kind};
    grid const g = support::grid_to_zero(kind, 8, -2.0);
    auto const heads = two_heads(kind, 0.7);
    noise_stream const noise{.seed = 11};
    auto const drawn = [&](std::uint32_t index) {
        std::vector<float> values(10);
        noise(purpose::sampler, index).fill(0, 0, values);
        return state(values.begin(), values.end());
    };
    for (plan const& p :
         {euler_ancestral_cfg_pp(path, g), dpmpp_2m_cfg_pp(path, g), dpmpp_2s_ancestral_cfg_pp(path, g)}) {
        state got = support::start;
        sample(p, view(got, shape{1, 10}), noise, [&](auto const& input, double time, auto& output) {
            std::ranges::copy(heads({input.data, input.data + 10}, time), output.data);
        });
        same(got, support::interpret(p, support::start, heads, drawn));
    }
}

TEST_CASE("an epsilon network on a table: CFG++'s own form, x' = alpha' x_0(guided) + sigma' epsilon_u")
{
    auto const diffusion = support::table();
    plan const p = euler_cfg_pp(diffusion, trailing_grid(4));
    CHECK(p.heads == 2);
    noise_level const from = diffusion.level(999),
                      to = diffusion.level(make_grid(diffusion, trailing_grid(4)).times[1]);
    double const out = p.stages[0].x[m(0)] * p.stages[0].memory.other; // of F(0) in alpha' U
    CHECK(p.stages[0].x[m(0)] == Approx(to.alpha));
    CHECK(p.stages[0].x[F(1)] == Approx(-to.alpha * from.sigma / from.alpha));
    CHECK(p.stages[0].x[F(0)] + out == Approx(to.sigma));
    CHECK(!p.stages[0].x.reads(x));
    CHECK(dpmpp_2m_cfg_pp(diffusion, karras_grid(8)).stages.back().x.reads(F(1)));
    CHECK(dpmpp_2s_ancestral_cfg_pp(diffusion, karras_grid(8)).stages.size() == 15);
    CHECK_THROWS_AS(euler_cfg_pp(diffusion, trailing_grid(4), {.eta = -1.0}), std::invalid_argument);
}
