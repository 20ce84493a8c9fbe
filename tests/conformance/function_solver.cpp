// SPDX-License-Identifier: MIT
// What dpm-solver and UniPC ask of a schedule and of a model.
#include "function.hpp"
#include "replay_plan.hpp"
#include "solver_schedule.hpp"

#include <alphabar/process/prediction.hpp>

namespace conformance {
namespace {

namespace ab = alphabar;

double log_alpha(solver_schedule const& s, double t) { return s.log_alpha(t); }
double alpha(solver_schedule const& s, double t) { return s.level(t).alpha; }
double sigma(solver_schedule const& s, double t) { return s.level(t).sigma; }
double lambda(solver_schedule const& s, double t) { return s.lambda(t); }
double time_of(solver_schedule const& s, double l) { return s.time(l); }

template <double (*Of)(solver_schedule const&, double)>
void marginal(verdict& v, json const& a)
{
    solver_schedule const schedule(a);
    v.compare("values", of_numbers(a, a.contains("t") ? "t" : "lambda", [&](double t) { return Of(schedule, t); }));
}

/// The noise prediction of a model of any kind.
void model_wrapper(verdict& v, json const& a)
{
    static std::map<std::string, ab::prediction> const kinds = {{"noise", ab::prediction::epsilon},
                                                                {"x_start", ab::prediction::x_0},
                                                                {"v", ab::prediction::v},
                                                                {"score", ab::prediction::score}};
    ab::prediction const kind = kinds.at(at(a, "model_type").get<std::string>());
    solver_schedule const schedule(a);
    array const t = numbers(at(a, "t")), x = state_of(a);
    array times;
    for (double s : t)
        times.push_back(schedule.model_time(s));
    array values = model_named(at(a, "model").get<std::string>())(x, times);
    for (std::size_t i = 0; i < x.size(); ++i) {
        ab::pair_map const map =
            ab::convert_prediction(kind, ab::prediction::epsilon, schedule.level(t[i / (x.size() / t.size())]));
        values[i] = map.x * x[i] + map.other * values[i];
    }
    v.compare("values", values);
}

/// A plan of one stage whose next state is the thresholded one.
void dynamic_thresholding(verdict& v, json const& a)
{
    ab::stage s{.x = ab::slots::m(),
                .memory = {1.0, 0.0},
                .operation = {.what = ab::x0_operation::kind::dynamic_threshold,
                              .bound = number(at(a, "max_val")),
                              .quantile = number(at(a, "ratio")),
                              .max = std::numeric_limits<double>::infinity()}};
    recording const r = run({ab::plan{.stages = {s}}}, state_of(a), shape_of(a), model_named("tanh"), nullptr);
    v.compare("values", r.final);
}

} // namespace

function_table const& solver_functions()
{
    static function_table const functions = [] {
        function_table both;
        for (std::string const family : {"dpm-solver ", "unipc "}) {
            both[family + "marginal_log_mean_coeff"] = marginal<log_alpha>;
            both[family + "marginal_alpha"] = marginal<alpha>;
            both[family + "marginal_std"] = marginal<sigma>;
            both[family + "marginal_lambda"] = marginal<lambda>;
            both[family + "inverse_lambda"] = marginal<time_of>;
            both[family + "model_wrapper"] = model_wrapper;
            both[family + "dynamic_thresholding"] = dynamic_thresholding;
        }
        return both;
    }();
    return functions;
}

} // namespace conformance
