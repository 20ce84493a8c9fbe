// SPDX-License-Identifier: MIT
// The order of convergence of every solver, measured on three paths, on equal and on unequal steps.
#include <alphabar/sampler/ddim.hpp>
#include <alphabar/sampler/ddpm.hpp>
#include <alphabar/sampler/dpm_multistep.hpp>
#include <alphabar/sampler/er_sde.hpp>
#include <alphabar/sampler/euler.hpp>
#include <alphabar/sampler/pndm.hpp>
#include <alphabar/sampler/runge_kutta.hpp>
#include <alphabar/sampler/sa_solver.hpp>
#include <alphabar/sampler/singlestep.hpp>
#include <alphabar/sampler/two_stage.hpp>
#include <alphabar/sampler/unipc.hpp>
#include <support/solver_test.hpp>

#include <algorithm>
#include <functional>
#include <span>
#include <string>
#include <type_traits>
#include <vector>

namespace {

using support::lambda_path;
using form = memory_form;
using three = moment_rule::three_nodes;
using variant = unipc_variant;

struct promise {
    char const* name;
    double order;
    std::function<plan(lambda_path const&, grid const&)> make;
    std::size_t n = 96; ///< steps of the coarser grid: enough for the order to show
    double within = 0.12;
    bool on_flow_only = false;
};

template <class Solver, class Options = typename std::remove_cvref_t<Solver>::options>
auto made(Solver const& solver, Options const& o = {})
{
    return [=](lambda_path const& path, grid const& g) { return solver(path, g, o); };
}

/// Predictors of rising orders, the first steps corrected with these numbers of memories.
auto adams_of(unsigned order, std::vector<unsigned> const& start = {}, form f = form::x_0)
{
    return [=](lambda_path const&, grid const& g) {
        std::vector<unsigned> corrector(g.steps(), 0);
        std::ranges::copy(start, corrector.begin());
        return adams(g, {}, {.predictor = rising_orders(g, order), .corrector = corrector, .form = f});
    };
}

auto unipc_of(unsigned order, variant v = variant::bh2, form f = form::x_0)
{
    return made(unipc, {.order = order, .form = f, .variant = v, .lower_order_final = false});
}

auto sa_of(unsigned predictor, unsigned corrector, double tau = 0.0, form f = form::x_0)
{
    return made(sa_solver, {.predictor_order = predictor,
                            .corrector_order = corrector,
                            .tau = tau,
                            .form = f,
                            .lower_order_final = false});
}

auto runge(runge_kutta_method const& method, form f = form::x_0, bool in_time = false)
{
    return made(runge_kutta, {.methods = {method}, .form = f, .in_time = in_time});
}

/// DPM-Solver-fast with 3 (n - 1) + rest calls on n steps.
auto fast(std::size_t rest)
{
    return [=](lambda_path const& path, grid const& g) {
        return runge_kutta(path, g, {.methods = fast_methods(3 * (g.steps() - 1) + rest), .form = form::epsilon});
    };
}

dpm_rule const exact{.last = {}};

promise const odes[] = {
    {"ddim", 1, made(ddim)},
    {"euler", 1, made(euler)},
    {"heun", 2, made(heun, {.form = form::rho})},
    {"heun, velocity", 2, made(heun, {.form = form::velocity}), 96, 0.12, true},
    {"two_stage in rho, 1/2", 2, made(two_stage, {.middle = 0.5, .form = form::rho})},
    {"two_stage in rho, 2/3", 2, made(two_stage, {.middle = 2.0 / 3, .form = form::rho})},
    {"two_stage in rho, 0.9", 2, made(two_stage, {.middle = 0.9, .form = form::rho})},
    {"two_stage, velocity, 0.4", 2, made(two_stage, {.middle = 0.4, .form = form::velocity}), 96, 0.12, true},
    {"dpm_2", 2, made(dpm_2)},
    {"dpm_2, 0.4", 2, made(dpm_2, {.middle = 0.4})},
    {"dpm_2_ancestral, eta 0, 0.9", 2, made(dpm_2_ancestral, {.eta = 0.0, .middle = 0.9})},
    {"dpmpp_2s_ancestral, eta 0", 2, made(dpmpp_2s_ancestral, {.eta = 0.0})},
    {"dpmpp_2s_ancestral, eta 0, 0.4", 2, made(dpmpp_2s_ancestral, {.eta = 0.0, .middle = 0.4})},
    {"dpmpp_sde, eta 0, 0.9", 2, made(dpmpp_sde, {.eta = 0.0, .middle = 0.9})},

    {"adams 1", 1, adams_of(1)},
    {"adams 2", 2, adams_of(2)},
    {"adams 3", 2, adams_of(3), 192}, // the first step's own error is O(h^2)
    {"adams 3, {0, 2}", 3, adams_of(3, {0, 2})},
    {"adams 3, {0, 2}, epsilon", 3, adams_of(3, {0, 2}, form::epsilon)},
    {"adams 3, {0, 2}, rho", 3, adams_of(3, {0, 2}, form::rho)},
    {"adams 3, {0, 2}, velocity", 3, adams_of(3, {0, 2}, form::velocity), 96, 0.12, true},
    {"adams 4, {0, 2, 3}", 3, adams_of(4, {0, 2, 3}), 768}, // O(h^3), corrected with two memories
    {"dpmpp_2m", 2, made(dpmpp_2m)},
    {"dpm_solver", 2, made(dpm_solver)},
    {"res_multistep", 2, made(res_multistep)},
    {"dpmpp_3m", 3, made(dpmpp_3m)},
    {"dpmpp_3m, epsilon", 3, made(dpmpp_3m, {.form = form::epsilon})},
    {"dpmpp_3m_shipped", 2, made(dpmpp_3m_shipped)},
    {"deis 1", 1, made(deis, {.order = 1})},
    {"deis 2", 2, made(deis, {.order = 2})},
    {"deis, the published start", 2, made(deis), 192},
    {"deis, corrected start", 3, made(deis, {.corrected_start = true})},
    {"unipc 1", 2, unipc_of(1)},
    {"unipc 2", 3, unipc_of(2)},
    {"unipc 2, bh1", 3, unipc_of(2, variant::bh1)},
    {"unipc 2, vary", 3, unipc_of(2, variant::vary)},
    {"unipc 2, epsilon", 3, unipc_of(2, variant::bh2, form::epsilon)},
    {"unipc 3", 3, unipc_of(3), 192},
    {"unipc 3, epsilon", 3, unipc_of(3, variant::bh2, form::epsilon), 192},
    {"unipc 2, vary_shipped", 1, unipc_of(2, variant::vary_shipped)},
    {"unipc 3, vary_shipped", 1, unipc_of(3, variant::vary_shipped)},
    {"sa 2, no corrector", 2, sa_of(2, 0)},
    {"sa 1, 2", 2, sa_of(1, 2)},
    {"sa 2, 2", 2, sa_of(2, 2), 768}, // its error terms cancel in part
    {"sa 2, 3", 3, sa_of(2, 3)},
    {"sa 2, 3, epsilon", 3, sa_of(2, 3, 0.0, form::epsilon)},
    {"sa 3, 3", 3, sa_of(3, 3), 192},
    {"sa 4, 4", 3, sa_of(4, 4)},

    {"dpm_singlestep 1", 1, made(dpm_singlestep, {.order = 1})},
    {"dpm_singlestep 2", 2, made(dpm_singlestep)},
    {"dpm_singlestep 2, exact", 2, made(dpm_singlestep, {.rule = exact})},
    {"dpm_singlestep 2, epsilon", 2, made(dpm_singlestep, {.form = form::epsilon})},
    {"dpm_singlestep 3", 3, made(dpm_singlestep, {.order = 3, .rule = exact})},
    {"dpm_singlestep 3, as published", 3, made(dpm_singlestep, {.order = 3, .rule = {.skip_middle = true}})},
    {"dpm_singlestep 3, epsilon", 3, made(dpm_singlestep, {.order = 3, .form = form::epsilon})},
    {"res_2s, 0.3", 2, runge(res_2s(0.3))},
    {"res_2s, 1", 2, runge(res_2s(1.0))},
    {"dpm_2s, 0.3", 2, runge(dpm_2s(0.3))},
    {"dpm_2s, 1", 2, runge(dpm_2s(1.0))},
    {"dpm_3s", 3, runge(dpm_3s()), 48},
    {"dpm_3s, in time", 3, runge(dpm_3s(), form::x_0, true), 48},
    {"exact_3s", 3, runge(exact_3s(0.4)), 48},
    {"rk_4", 4, runge(rk_4()), 40},
    {"rk_4, epsilon", 4, runge(rk_4(), form::epsilon), 40},
    {"rk_4, rho", 4, runge(rk_4(), form::rho), 40},
    {"rk_4, in time", 4, runge(rk_4(), form::x_0, true), 40},
    {"rk_38, rho", 4, runge(rk_38(), form::rho), 96},
    {"rk_38, in time", 4, runge(rk_38(), form::x_0, true), 128},
    {"rk_38, velocity", 4, runge(rk_38(), form::velocity), 64, 0.12, true},
    {"rk_38, x_0", 2, runge(rk_38()), 48},  // a classical rule holds its order only where K = 0
    {"dpm_fast, 3k calls", 2, fast(0), 80}, // its last step is of order 1
    {"dpm_fast, 3k + 1 calls", 2, fast(1), 80},
    {"dpm_fast, 3k + 2 calls", 3, fast(2), 80},

    {"pndm", 2, made(pndm), 192},
    {"pndm, Runge-Kutta", 2, made(pndm, {.runge_kutta = true})},
    {"ipndm 1", 1, made(ipndm, {.order = 1})},
    {"ipndm 2", 2, made(ipndm, {.order = 2})},
    {"ipndm 3", 2, made(ipndm, {.order = 3})},
    {"ipndm 4", 2, made(ipndm)},
    {"lms 1", 1, made(lms, {.order = 1})},
    {"lms 2", 2, made(lms, {.order = 2})},
    {"lms 3", 2, made(lms, {.order = 3}), 192},
    {"lms 4", 2, made(lms), 192},
    {"gradient_estimation", 1, made(gradient_estimation)},
    {"gradient_estimation, 3/2", 2, made(gradient_estimation, {.gamma = 1.5})},
};

/// Their noise left out.
promise const drifts[] = {
    {"ddim, eta 1/2", 1, made(ddim, {.eta = 0.5}), 48},
    {"ddim, eta 1", 1, made(ddim, {.eta = 1.0})},
    {"ddpm", 1, made(ddpm)},
    {"dpmpp_2m_sde", 2, made(dpmpp_2m_sde), 48},
    {"dpmpp_2m_sde, eta 0.3", 2, made(dpmpp_2m_sde, {.eta = 0.3}), 48},
    {"dpmpp_3m_sde", 3, made(dpmpp_3m_sde)},
    {"dpmpp_3m_sde, half_curvature", 2, made(dpmpp_3m_sde, {.rule = moment_rule{.three = three::half_curvature}}), 384,
     0.2},
    {"sa 3, no corrector, tau 1", 2, sa_of(3, 0, 1.0), 192}, // its first step
    {"sa 2, 3, tau 1", 3, sa_of(2, 3, 1.0)},
    {"sa 4, 4, tau 0.7", 3, sa_of(4, 4, 0.7)},
    {"er_sde 1", 1, made(er_sde, {.order = 1}), 48},
    {"er_sde 2", 2, made(er_sde, {.order = 2}), 48},
    {"er_sde 2, rho^2", 2, made(er_sde, {.order = 2, .noise = [](double rho) { return rho * rho; }}), 48},
    {"er_sde 3", 2, made(er_sde)}, // its first step
    {"dpm_singlestep 2, eta 1", 2, made(dpm_singlestep, {.eta = 1.0})},
    {"dpm_singlestep 3, eta 1", 3, made(dpm_singlestep, {.order = 3, .eta = 1.0}), 144},
    {"heun, eta 1", 1, made(heun, {.eta = 1.0}), 144},
    {"dpm_2_ancestral", 1, made(dpm_2_ancestral), 144},
    {"dpmpp_2s_ancestral", 1, made(dpmpp_2s_ancestral)},
    {"dpmpp_sde", 2, made(dpmpp_sde)},
};

using measure = double (*)(support::grid_solver const&, path_kind, bool, std::size_t);

void check(std::span<promise const> promises, measure order_of)
{
    for (promise const& p : promises)
        for (path_kind kind : support::all_paths)
            for (bool uneven : {false, true}) {
                if (p.on_flow_only && kind != path_kind::rectified_flow)
                    continue;
                double const order = order_of([&](grid const& g) { return p.make({kind}, g); }, kind, uneven, p.n);
                std::string const row = p.name + (", path " + std::to_string(static_cast<int>(kind)));
                INFO(row, uneven ? ", unequal steps" : ", equal steps");
                CHECK(order > p.order - p.within);
                CHECK(order < p.order + p.within);
            }
}

} // namespace

TEST_CASE("the order of convergence of every solver of the ODE, on every path")
{
    check(odes, support::measured_order);
}

TEST_CASE("the order of the drift of every solver of the SDE, on every path") { check(drifts, support::drift_order); }
