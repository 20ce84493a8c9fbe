// SPDX-License-Identifier: MIT
// What every stochastic solver ends with, on three paths: mean and covariance.
#include <alphabar/sampler/ddpm.hpp>
#include <alphabar/sampler/dpm_multistep.hpp>
#include <alphabar/sampler/er_sde.hpp>
#include <alphabar/sampler/langevin.hpp>
#include <alphabar/sampler/restart.hpp>
#include <alphabar/sampler/sa_solver.hpp>
#include <alphabar/sampler/two_stage.hpp>
#include <support/solver_test.hpp>

#include <functional>
#include <string>
#include <type_traits>

namespace {

using support::lambda_path;
using form = memory_form;

struct claim {
    char const* name;
    std::function<plan(lambda_path const&, grid const&)> make;
    std::size_t n = 100; ///< steps: enough for the solver's own error to be below that of the samples
    bool to_zero = true; ///< whether the grid ends at sigma = 0
    bool on_flow_only = false;
};

template <class Solver, class Options = typename std::remove_cvref_t<Solver>::options>
auto made(Solver const& solver, Options const& o = {})
{
    return [=](lambda_path const& path, grid const& g) { return solver(path, g, o); };
}

auto corrected(score_predictor predictor, langevin_options const& corrector)
{
    return made(predictor_corrector,
                {.network = {.predicts = prediction::x_0}, .predictor = predictor, .corrector = corrector});
}

/// Back up from step n / 2 to step n / 3, four times.
plan restarted(lambda_path const& path, grid const& g)
{
    double const low = sigma_of(path, g.levels[g.steps() / 2]), high = sigma_of(path, g.levels[g.steps() / 3]);
    return restart(path, g, {{.low = low, .high = high, .steps = 20, .times = 4}});
}

claim const claims[] = {
    {"ddim, eta 1/2", made(ddim, {.eta = 0.5}), 200},
    {"ddim, eta 1", made(ddim, {.eta = 1.0}), 200},
    {"ddpm", made(ddpm), 200},
    {"ddpm, fixed_large", made(ddpm, {.variance = ddpm_variance::fixed_large}), 200},
    {"euler, churn", made(euler, {.churn = {.amount = 40}}), 300},
    {"euler_ancestral, eta 0.8", made(euler_ancestral, {.eta = 0.8}), 200},
    {"euler_ancestral_flow, eta 1/2", made(euler_ancestral_flow, {.eta = 0.5}), 200, true, true},
    {"euler_ancestral_flow, eta 1", made(euler_ancestral_flow), 200, true, true},
    {"heun, churn", made(heun, {.churn = {.amount = 30}})},
    {"dpm_2, churn", made(dpm_2, {.churn = {.amount = 30}})},
    {"heun, eta 1", made(heun, {.eta = 1.0})},
    {"dpm_2_ancestral", made(dpm_2_ancestral)},
    {"dpmpp_2s_ancestral", made(dpmpp_2s_ancestral)},
    {"dpmpp_sde", made(dpmpp_sde)},
    {"res_2s, eta 1", made(runge_kutta, {.eta = 1.0})},
    {"dpm_3s, eta 1", made(runge_kutta, {.methods = {dpm_3s()}, .eta = 1.0})},
    {"dpmpp_2m_sde, eta 0.4", made(dpmpp_2m_sde, {.eta = 0.4})},
    {"dpmpp_2m_sde", made(dpmpp_2m_sde)},
    {"dpmpp_3m_sde, eta 0.4", made(dpmpp_3m_sde, {.eta = 0.4})},
    {"dpmpp_3m_sde", made(dpmpp_3m_sde)},
    {"dpm_solver, eta 1", made(dpm_solver, {.eta = 1.0}), 100, false},
    {"dpm_singlestep 2, eta 1", made(dpm_singlestep, {.eta = 1.0}), 241},
    {"dpm_singlestep 3, eta 1", made(dpm_singlestep, {.order = 3, .eta = 1.0}), 241},
    {"sa_solver", made(sa_solver)},
    {"sa_solver 3, 3, tau 1/2", made(sa_solver, {.predictor_order = 3, .corrector_order = 3, .tau = 0.5})},
    {"sa_solver 4, 4", made(sa_solver, {.predictor_order = 4, .corrector_order = 4})},
    {"sa_solver 2, tau 1.3", made(sa_solver, {.corrector_order = 0, .tau = 1.3})},
    {"sa_solver in a window", made(sa_solver, {.low = 0.05, .high = 1.0})},
    {"sa_solver, epsilon", made(sa_solver, {.tau = 0.7, .form = form::epsilon}), 100, false},
    {"er_sde 1", made(er_sde, {.order = 1}), 150},
    {"er_sde 2", made(er_sde, {.order = 2})},
    {"er_sde 3", made(er_sde)},
    {"reverse diffusion", corrected(score_predictor::reverse_diffusion, {.steps = 0}), 200},
    {"reverse diffusion, corrected", corrected(score_predictor::reverse_diffusion, {.snr = 0.1}), 200},
    {"ancestral, corrected", corrected(score_predictor::ancestral, {.snr = 0.1, .steps = 2}), 200},
    {"ancestral, corrected, annealed", corrected(score_predictor::ancestral, {.snr = 0.1, .annealed = true}), 200},
    {"restart", restarted, 60},
};

} // namespace

TEST_CASE("every stochastic solver ends with the mean and covariance of the data, within Monte-Carlo error")
{
    for (claim const& c : claims)
        for (path_kind kind : support::all_paths) {
            bool const flow = kind == path_kind::rectified_flow;
            if (c.on_flow_only && !flow)
                continue;
            std::string const row = c.name + (", path " + std::to_string(static_cast<int>(kind)));
            CAPTURE(row);
            plan const p = c.make({kind}, c.to_zero ? support::grid_to_zero(kind, c.n)
                                                    : support::own_grid(kind, c.n, false, -3.0, 4.0));
            CHECK(support::worst_deviation(p, kind) < 4.0);
            if (flow) // what is wrong is seen
                CHECK(support::worst_deviation(support::with_noise(p, 1.3), kind) > 4.0);
        }
}

TEST_CASE("constants that are wrong as shipped: the order 3 of two SDE solvers in diffusers")
{
    using three = moment_rule::three_nodes;
    auto const right = [](path_kind kind, auto const& solver, auto const& options) {
        return support::worst_deviation(solver(support::grid_to_zero(kind, 241), options), kind) < 4.0;
    };
    dpm_rule const singlestep{.last = {.three = three::wrong_constant_singlestep}};
    moment_rule const multistep{.three = three::wrong_constant};
    CHECK(!right(path_kind::variance_preserving, dpm_singlestep,
                 dpm_singlestep_options{.order = 3, .eta = 1.0, .rule = singlestep}));
    CHECK(!right(path_kind::rectified_flow, dpmpp_3m_sde, dpm_options{.rule = multistep}));
}
