// SPDX-License-Identifier: MIT
// The ODEs of flow_matching, its likelihoods and flows on manifolds, and k-diffusion's likelihood.
#include "sampler.hpp"

#include <alphabar/grid/sigmas.hpp>
#include <alphabar/process/likelihood.hpp>
#include <alphabar/process/manifold.hpp>
#include <alphabar/sampler/log_density.hpp>
#include <alphabar/sampler/runge_kutta.hpp>
#include <alphabar/sampler/sde.hpp>
#include <alphabar/schedule/continuous.hpp>
#include <alphabar/schedule/paths.hpp>

#include <algorithm>
#include <cmath>

namespace conformance {
namespace {

using namespace alphabar;
using alphabar::plan;

void append(plan& p, std::vector<stage> const& stages)
{
    p.stages.insert(p.stages.end(), stages.begin(), stages.end());
}

/// A step of dx/du = F(x, u) on rectified flow, whose time is 1 - u.
std::vector<stage> flow_step(double from, double to, runge_kutta_method const& method)
{
    return sde_step(
        rectified_flow{}, 1 - from, from - to,
        {.network = {.predicts = prediction::velocity, .clock = network_clock::reversed, .output_scale = -1},
         .method = method,
         .diffusion = [](double) { return 0.0; }},
        false);
}

/// The times of the steps: those of the case, or every `step_size` between the first and the last.
array flow_times(json const& given, options& o)
{
    array u = numbers(at(given, "times"));
    double const size = o.get("step_size", 0.0), first = u.front(), last = u.back();
    if (size > 0) {
        u.clear();
        for (std::size_t i = 0; first + static_cast<double>(i) * size < last - 1e-12; ++i)
            u.push_back(first + static_cast<double>(i) * size);
        u.push_back(last);
    }
    return u;
}

plan flow_plan(array const& u, runge_kutta_method const& method)
{
    plan p;
    for (std::size_t i = 0; i + 1 < u.size(); ++i)
        append(p, flow_step(u[i], u[i + 1], method));
    return p;
}

// ---- states -----------------------------------------------------------------------------------------------

/// Replays the states at the times that are shown; those between steps are interpolated.
void replay_ode(verdict& v, options& o)
{
    json const& given = v.given();
    runge_kutta_method const method = method_named(o.get<std::string>("method", "euler"));
    array const shown = numbers(at(given, "times")), u = flow_times(given, o);
    bool const transformed = given.contains("transform"); // a network of rectified flow on the cosine path
    sde_options const on_cosine{.network = {.predicts = prediction::flow,
                                            .input = network_input::rectified_flow,
                                            .clock = network_clock::reversed,
                                            .output_scale = -1},
                                .method = method,
                                .diffusion = [](double) { return 0.0; }};
    plan p;
    for (std::size_t i = 0; i + 1 < u.size(); ++i)
        append(p, transformed ? sde_step(trigonometric_path{}, 1 - u[i], u[i] - u[i + 1], on_cosine, false)
                              : flow_step(u[i], u[i + 1], method));
    if (transformed)
        for (stage& s : p.stages)
            s.time = 1 - rectified_flow{}.time(sigma_ratio(trigonometric_path{}.level(1 - s.time)));
    replay(v, o, p, {}, [&](recording& r) {
        std::vector<array> states;
        for (std::size_t k = 1; k < shown.size(); ++k) {
            auto const after = std::ranges::find_if(
                u, [&](double t) { return u.front() < u.back() ? t >= shown[k] - 1e-12 : t <= shown[k] + 1e-12; });
            auto const step = std::min<std::size_t>(static_cast<std::size_t>(after - u.begin()), u.size() - 1) - 1;
            array const& before = step == 0 ? r.inputs.front() : r.steps[step - 1];
            double const part = (shown[k] - u[step]) / (u[step + 1] - u[step]);
            array state(before.size());
            for (std::size_t i = 0; i < state.size(); ++i)
                state[i] = before[i] + part * (r.steps[step][i] - before[i]);
            states.push_back(state);
        }
        r.steps = states;
    });
}

// ---- likelihoods ------------------------------------------------------------------------------------------

/// v . J v of each sample, J v by central differences of fourth order.
array traces(model const& network, std::span<double const> x, std::span<double const> times, array const& v,
             std::size_t samples)
{
    array sums(samples, 0.0);
    double const h = 1e-3;
    for (double const step : {-2.0, -1.0, 1.0, 2.0}) {
        array moved(x.begin(), x.end());
        for (std::size_t i = 0; i < moved.size(); ++i)
            moved[i] += step * h * v[i];
        array const there = network(moved, times);
        double const weight = std::abs(step) == 1.0 ? step * 8 / 12 : -step / 2 / 12;
        for (std::size_t i = 0; i < moved.size(); ++i)
            sums[i * samples / moved.size()] += weight / h * v[i] * there[i];
    }
    return sums;
}

/// Probes over the batch: signs, or every element of a sample in its turn.
std::vector<array> probes(json const& given, bool exact)
{
    extents const shape = shape_of(given);
    std::size_t const n = size_of(shape), block = n / shape[0];
    std::vector<array> all(exact ? block : 1, array(n, 0.0));
    for (std::size_t i = 0; i < n; ++i)
        (exact ? all[i % block][i] : all[0][i]) = exact || std::sin(1.7 * static_cast<double>(i + 1)) >= 0 ? 1.0 : -1.0;
    return all;
}

/// `deviation`: of the normal density at the end of the plan.
void replay_likelihood(verdict& v, options const& o, plan const& p, array const& start, double deviation, bool exact)
{
    o.finish();
    json const& given = v.given();
    extents const shape = shape_of(given);
    std::size_t const n = start.size(), samples = shape[0], block = n / samples;
    model const network = model_named(at(given, "model").get<std::string>());
    log_density_change const change = change_of_log_density(p);
    std::vector<array> const along = probes(given, exact);
    array log_p(samples, change.per_element * static_cast<double>(block));
    std::size_t call = 0;
    recording const r = run(
        {p}, start, shape,
        [&](std::span<double const> x, std::span<double const> times) {
            for (array const& probe : along) {
                array const trace = traces(network, x, times, probe, samples);
                for (std::size_t k = 0; k < samples; ++k)
                    log_p[k] += change.weights[call] * trace[k];
            }
            ++call;
            return network(x, times);
        },
        [n](std::size_t s, std::size_t j) { return noise(n, s, j); });
    for (std::size_t k = 0; k < samples; ++k) {
        double squares = 0;
        for (std::size_t i = k * block; i < (k + 1) * block; ++i)
            squares += r.final[i] * r.final[i];
        log_p[k] += normal_log_density(squares, block, deviation);
    }
    v.compare("log_likelihood", log_p);
    compare(v, r, "model_times");
}

/// The log density of normal noise of sigma_max at the end, any integrator being accurate enough.
void replay_log_likelihood(verdict& v, options& o)
{
    sigma_range const range{.sigma_min = o.get("sigma_min", 0.0),
                            .sigma_max = o.get("sigma_max", 0.0),
                            .end = final_level::first,
                            .through_end = true};
    variance_exploding const path;
    plan const p = runge_kutta(path, reversed(make_grid(path, exponential_grid(1000, range))),
                               {.network = denoiser, .methods = {rk_4()}, .in_time = true});
    array const start = initial(size_of(shape_of(v.given())), number(at(v.given(), "initial_scale")));
    replay_likelihood(v, o, p, start, *range.sigma_max, false);
}

// ---- manifolds --------------------------------------------------------------------------------------------

/// The network's answer is made tangent at its input, the state projected after every stage.
template <class Manifold>
void replay_riemannian(verdict& v, options& o, Manifold const& manifold)
{
    json const& given = v.given();
    extents const shape = shape_of(given);
    std::size_t const d = shape.back();
    model const network = model_named(at(given, "model").get<std::string>());
    plan const p = flow_plan(flow_times(given, o), method_named(o.get<std::string>("method", "euler")));
    o.finish();
    auto const tangent = [&](std::span<double const> x, std::span<double const> times) {
        array u = network(x, times);
        for (std::size_t i = 0; i < u.size(); i += d)
            manifold.project_tangent(x.subspan(i, d), std::span(u).subspan(i, d));
        return u;
    };
    auto const project = [&](std::span<double> x) {
        for (std::size_t i = 0; i < x.size(); i += d)
            manifold.project(x.subspan(i, d));
    };
    recording const r = run({p}, numbers(at(given, "x_0")), shape, tangent, {}, {}, project);
    compare(v, r, "model_times");
}

} // namespace

runge_kutta_method method_named(std::string const& name)
{
    static std::map<std::string, runge_kutta_method> const methods = {
        {"euler", rk_1()}, {"midpoint", res_2s()}, {"heun2", res_2s(1.0)}, {"heun3", dpm_3s()}, {"rk4", rk_38()}};
    return entry(methods, name, "the method ");
}

bool replay_odes(verdict& v, options& o)
{
    json const& given = v.given();
    std::string const family = at(given, "family").get<std::string>(), name = at(given, "sampler").get<std::string>();
    if (family == "k-diffusion" && name == "log_likelihood") {
        replay_log_likelihood(v, o);
    } else if (family != "flow_matching") {
        return false;
    } else if (name == "ode") {
        replay_ode(v, o);
    } else if (name == "likelihood") {
        plan const p = flow_plan(numbers(at(given, "times")), method_named(o.get<std::string>("method", "euler")));
        bool const exact = o.get<std::string>("divergence", "") == "exact";
        replay_likelihood(v, o, p, data(size_of(shape_of(given))), 1.0, exact);
    } else if (name == "riemannian_ode" && given.value("manifold", "") == "sphere") {
        replay_riemannian(v, o, sphere{});
    } else if (name == "riemannian_ode" && given.value("manifold", "") == "flat_torus") {
        replay_riemannian(v, o, flat_torus{});
    } else {
        return false;
    }
    return true;
}

} // namespace conformance
