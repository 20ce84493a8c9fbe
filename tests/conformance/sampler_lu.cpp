// SPDX-License-Identifier: MIT
// Kind `sampler`: LuChengTHU's dpm-solver and UniPC's own repository.
#include "sampler.hpp"

#include "replay_adaptive.hpp"
#include "solver_schedule.hpp"

#include <alphabar/sampler/adams.hpp>
#include <alphabar/sampler/runge_kutta.hpp>
#include <alphabar/sampler/singlestep.hpp>
#include <alphabar/sampler/unipc.hpp>

#include <algorithm>
#include <limits>
#include <numbers>

namespace conformance {
namespace {

using alphabar::grid;
using alphabar::noise_level;
using alphabar::plan;

alphabar::network_form network_of(json const& given)
{
    using alphabar::prediction;
    static std::map<std::string, prediction> const kinds = {{"noise", prediction::epsilon},
                                                            {"x_start", prediction::x_0},
                                                            {"v", prediction::v},
                                                            {"score", prediction::score}};
    alphabar::network_form network{.predicts = kinds.at(value<std::string>(given, "model_type", "noise"))};
    json const& solver = at(given, "solver");
    if (solver.contains("correcting_x0_fn"))
        network.operation = {
            alphabar::x0_operation::kind::dynamic_threshold, value(solver, "thresholding_max_val", 1.0),
            value(solver, "dynamic_thresholding_ratio", 0.995), std::numeric_limits<double>::infinity()};
    return network;
}

/// Common to both: the grid, the form, and the last call of denoise_to_zero.
struct lu_case {
    solver_schedule path;
    options& o;
    bool data_form;
    alphabar::network_form network;
    std::size_t steps;
    unsigned order;
    grid g{};

    lu_case(json const& given, options& chosen)
        : path(at(given, "schedule")), o(chosen),
          data_form(at(at(given, "solver"), "algorithm_type") == "dpmsolver++" ||
                    at(at(given, "solver"), "algorithm_type") == "data_prediction"),
          network(network_of(given)), steps(o.get<std::size_t>("steps", 20)), order(o.get("order", 2u))
    {
        if (!data_form)
            network.operation = {}; // thresholding acts where x_0 is remembered
        o.get("inverse", false);    // it only allows t_start below t_end
        array const times = grid_times(steps);
        g.direction = grid::course::as_given;
        for (double t : times) {
            g.times.push_back(path.model_time(t));
            g.levels.push_back(path.level(t));
        }
        g.end_time = g.times.back();
        g.times.pop_back();
    }
    array grid_times(std::size_t n) const
    {
        return path.grid_times(o.get<std::string>("skip_type", "time_uniform"), o.get("t_start", path.end()),
                               o.get("t_end", path.start()), n);
    }
    alphabar::memory_form form() const
    {
        return data_form ? alphabar::memory_form::x_0 : alphabar::memory_form::epsilon;
    }
    plan finished(plan p) const
    {
        if (o.get("denoise_to_zero", false)) {
            alphabar::stage last = alphabar::network_call(network, g.end_time, g.levels.back());
            last.x = alphabar::slots::m();
            p.stages.push_back(last);
            number_draws(p);
        }
        return p;
    }
};

/// Steps of 1 to 3 calls; those inside lie where the kind of grid puts them between the step's ends, in lambda.
plan lu_singlestep(lu_case const& c, std::string const& method, alphabar::dpm_rule const& rule)
{
    std::vector<std::size_t> counts;
    std::size_t const n = c.steps, k = c.order;
    if (method == "singlestep_fixed")
        counts.assign(n / k, k);
    else if (k == 3)
        counts = alphabar::fast_counts(n);
    else
        for (std::size_t left = n; left > 0; left -= counts.back())
            counts.push_back(std::min(k, left));
    std::string const skip = c.o.get<std::string>("skip_type", "time_uniform");
    bool const of_fine = method == "singlestep" && skip != "logSNR";
    array const points = of_fine ? c.grid_times(n) : c.grid_times(counts.size());
    std::vector<alphabar::inner_call> calls;
    for (std::size_t step = 0, at = 0; step < counts.size(); ++step) {
        std::size_t const stride = of_fine ? counts[step] : 1;
        array const inner = c.path.grid_times(skip, points[at], points[at + stride], counts[step]);
        auto const time = [&](std::size_t j) {
            return j == 0 || j == counts[step] ? inner[j] : c.path.time(c.path.lambda(inner[j]));
        };
        for (unsigned j = 0; j < counts[step]; ++j)
            calls.push_back(
                {c.path.model_time(time(j)), c.path.level(time(j)), c.path.level(time(j + 1)), j, c.form(), 0.0, rule});
        at += stride;
    }
    return alphabar::singlestep(calls, {.network = c.network});
}

plan dpm_solver(lu_case const& c)
{
    using rule = alphabar::moment_rule;
    bool const taylor = c.o.get<std::string>("solver_type", "dpmsolver") == "taylor";
    rule const two{taylor ? rule::two_nodes::exact : rule::two_nodes::midpoint};
    if (std::string const method = c.o.get<std::string>("method", "multistep"); method != "multistep")
        return c.finished(lu_singlestep(c, method, {.last = two, .skip_middle = !taylor}));
    alphabar::adams_options a{.predictor = {}, .form = c.form(), .rule = {two.two, rule::three_nodes::half_curvature}};
    bool const lower = c.o.get("lower_order_final", true) && c.steps < 10;
    for (std::size_t i = 0; i < c.steps; ++i)
        a.predictor.push_back(std::min<unsigned>(c.order, static_cast<unsigned>(i + 1)));
    if (lower)
        alphabar::lower_final_orders(a.predictor);
    return c.finished(alphabar::adams(c.g, c.network, a));
}

/// Its states are the corrected ones, which the split plan has.
plan unipc(lu_case const& c, json const& given)
{
    using alphabar::unipc_variant;
    static std::map<std::string, unipc_variant> const variants = {
        {"bh1", unipc_variant::bh1}, {"bh2", unipc_variant::bh2}, {"vary_coeff", unipc_variant::vary_shipped}};
    plan p = alphabar::unipc(c.g, {.network = c.network,
                                   .order = c.order,
                                   .form = c.form(),
                                   .variant = variants.at(at(at(given, "solver"), "variant").get<std::string>()),
                                   .lower_order_final = c.o.get("lower_order_final", true),
                                   .split = true});
    for (std::size_t i = 0; i < p.stages.size(); ++i)
        p.stages[i].ends_step = i % 2 == 1 || i + 1 == p.stages.size();
    return c.finished(p);
}

/// The schedule as a path whose time is the model's.
struct model_path {
    solver_schedule const& of;
    noise_level level(double t) const { return of.level(of.time_of_model(t)); }
    double time(double ratio) const { return of.model_time(of.time(-std::log(ratio))); }
    double final_time() const { return of.model_time(of.end()); }
    double first_time() const { return of.model_time(of.start()); }
};

/// What the guidance makes of the stand-in `conditional`, one F: a classifier's gradient moves epsilon.
model guided(json const& given, lu_case const& c)
{
    json const& rule = at(given, "guidance");
    double const w = number(at(rule, "scale"));
    bool const free = at(rule, "rule") == "classifier-free";
    double const unit = at(at(given, "schedule"), "schedule") == "discrete" ? 1000.0 : 1.0;
    return [=, &c](std::span<double const> x, std::span<double const> t) {
        auto const base = [&](double u, double condition) {
            return 0.6 * std::tanh(u + 0.3 * condition) + 0.2 * u * t[0] / unit;
        };
        noise_level const level = c.path.level(c.path.time_of_model(t[0]));
        double const push = level.sigma / alphabar::maps_at(c.network, level).epsilon.other;
        array out;
        for (double u : x)
            out.push_back(base(u, 0) + w * (free ? base(u, 1) - base(u, 0) : push * std::sin(u)));
        return out;
    };
}

} // namespace

bool replay_lu(verdict& v, options& o)
{
    json const& given = v.given();
    bool const of_unipc = at(given, "family") == "unipc";
    if (!of_unipc && at(given, "family") != "dpm-solver")
        return false;
    lu_case const c(given, o);
    if (o.get<std::string>("method", "multistep") == "adaptive") {
        using namespace alphabar;
        bool const taylor = o.get<std::string>("solver_type", "dpmsolver") == "taylor";
        adaptive_options const options{
            .network = c.network,
            .order = c.order,
            .form = c.form(),
            .rule = {.last = {taylor ? moment_rule::two_nodes::exact : moment_rule::two_nodes::midpoint},
                     .skip_middle = !taylor},
            .rtol = o.get("rtol", 0.05),
            .atol = o.get("atol", 0.0078),
            .norm = error_norm::largest,
            .control = {.what = step_control::kind::power, .safety = 0.9}};
        replay_adaptive(v, o, model_path{c.path}, options);
        return true;
    }
    replay(v, o, of_unipc ? unipc(c, given) : dpm_solver(c), given.contains("guidance") ? guided(given, c) : model{});
    return true;
}

} // namespace conformance
