// SPDX-License-Identifier: MIT
//
// Kind `sampler`: the samplers of the research code.
#include "replay_plan.hpp"
#include "solver_schedule.hpp"
#include "support.hpp"

#include <alphabar/grid/sigmas.hpp>
#include <alphabar/sampler/adams.hpp>
#include <alphabar/sampler/dpm_multistep.hpp>
#include <alphabar/sampler/euler.hpp>
#include <alphabar/sampler/heun.hpp>
#include <alphabar/sampler/two_stage.hpp>
#include <alphabar/sampler/unipc.hpp>

#include <algorithm>
#include <limits>
#include <numbers>

namespace conformance {
namespace {

using alphabar::grid;
using alphabar::noise_level;
using alphabar::plan;

/// The options of a case; one that no reader asked for makes the case unsupported.
class options {
public:
    explicit options(json const& given) : fields_(given.contains("options") ? given["options"] : json::object()) {}
    template <class T>
    T get(char const* name, T otherwise)
    {
        known_.insert(name);
        return value(fields_, name, otherwise);
    }
    void finish() const
    {
        for (auto const& [name, unused] : fields_.items())
            if (!known_.contains(name))
                throw unsupported("the option " + name);
    }

private:
    json fields_;
    std::set<std::string> known_;
};

// ---- k-diffusion: denoisers in sigma space ----------------------------------------------------------------

grid sigma_levels(json const& given)
{
    array const sigmas = numbers(at(given, "sigmas"));
    grid g{.times = sigmas, .levels = {}, .end_time = sigmas.back(), .direction = grid::course::as_given};
    g.times.pop_back();
    for (double sigma : sigmas)
        g.levels.push_back({1.0, sigma});
    return g;
}

alphabar::network_form const denoiser{.predicts = alphabar::prediction::x_0};

plan k_multistep(grid const& g, options& o, unsigned order, bool stochastic)
{
    using rule = alphabar::moment_rule;
    bool const midpoint = order == 2 && o.get<std::string>("solver_type", "midpoint") == "midpoint";
    return alphabar::dpm_multistep(g, {.network = denoiser,
                                       .order = order,
                                       .eta = stochastic ? o.get("eta", 1.0) : 0.0,
                                       .rule = rule{midpoint ? rule::two_nodes::midpoint : rule::two_nodes::exact,
                                                    rule::three_nodes::half_curvature},
                                       .corrected_start = false,
                                       .noise_scale = o.get("s_noise", 1.0)});
}

plan lms(grid const& g, options& o)
{
    alphabar::adams_options a{.predictor = {}, .form = alphabar::memory_form::rho};
    for (std::size_t i = 0; i < g.steps(); ++i)
        a.predictor.push_back(static_cast<unsigned>(std::min<std::size_t>(i + 1, o.get("order", 4u))));
    return alphabar::adams(g, denoiser, a);
}

alphabar::churn_options churn(options& o)
{
    return {.amount = o.get("s_churn", 0.0),
            .low = o.get("s_tmin", 0.0),
            .high = o.get("s_tmax", std::numeric_limits<double>::infinity()),
            .noise_scale = o.get("s_noise", 1.0)};
}

alphabar::two_stage_options two_stage(options& o)
{
    return {.network = denoiser, .eta = o.get("eta", 1.0), .noise_scale = o.get("s_noise", 1.0)};
}

plan k_diffusion(std::string const& name, json const& given, options& o)
{
    using maker = plan (*)(grid const&, options&);
    static constexpr alphabar::variance_exploding path{};
    static std::map<std::string, maker> const makers = {
        {"euler",
         [](grid const& g, options& c) { return alphabar::euler(path, g, {.network = denoiser, .churn = churn(c)}); }},
        {"heun",
         [](grid const& g, options& c) { return alphabar::heun(path, g, {.network = denoiser, .churn = churn(c)}); }},
        {"euler_ancestral",
         [](grid const& g, options& c) {
             return alphabar::euler_ancestral(
                 g, {.network = denoiser, .eta = c.get("eta", 1.0), .noise_scale = c.get("s_noise", 1.0)});
         }},
        {"lms", lms},
        {"dpm_2",
         [](grid const& g, options& c) { return alphabar::dpm_2(path, g, {.network = denoiser, .churn = churn(c)}); }},
        {"dpm_2_ancestral", [](grid const& g, options& c) { return alphabar::dpm_2_ancestral(path, g, two_stage(c)); }},
        {"dpmpp_2s_ancestral",
         [](grid const& g, options& c) { return alphabar::dpmpp_2s_ancestral(path, g, two_stage(c)); }},
        {"dpmpp_sde",
         [](grid const& g, options& c) {
             alphabar::two_stage_options chosen = two_stage(c);
             chosen.middle = c.get("r", 0.5);
             return alphabar::dpmpp_sde(path, g, chosen);
         }},
        {"dpmpp_2m", [](grid const& g, options& c) { return k_multistep(g, c, 2, false); }},
        {"dpmpp_2m_sde", [](grid const& g, options& c) { return k_multistep(g, c, 2, true); }},
        {"dpmpp_3m_sde", [](grid const& g, options& c) { return k_multistep(g, c, 3, true); }},
    };
    auto const found = makers.find(name);
    if (found == makers.end())
        throw unsupported("k-diffusion's " + name);
    return found->second(sigma_levels(given), o);
}

// ---- dpm-solver and UniPC -------------------------------------------------

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
        if (given.contains("guidance"))
            throw unsupported("guidance");
        if (!data_form)
            network.operation = {}; // thresholding acts where x_0 is remembered
        o.get("inverse", false);    // it only allows t_start below t_end
        array const times = path.grid_times(o.get<std::string>("skip_type", "time_uniform"),
                                            o.get("t_start", path.end()), o.get("t_end", path.start()), steps);
        g.direction = grid::course::as_given;
        for (double t : times) {
            g.times.push_back(path.model_time(t));
            g.levels.push_back(path.level(t));
        }
        g.end_time = g.times.back();
        g.times.pop_back();
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

plan dpm_solver(json const& given, options& o)
{
    if (std::string const method = o.get<std::string>("method", "multistep"); method != "multistep")
        throw unsupported("the method " + method);
    lu_case const c(given, o);
    using rule = alphabar::moment_rule;
    bool const taylor = o.get<std::string>("solver_type", "dpmsolver") == "taylor";
    alphabar::adams_options a{
        .predictor = {},
        .form = c.form(),
        .rule = {taylor ? rule::two_nodes::exact : rule::two_nodes::midpoint, rule::three_nodes::half_curvature}};
    bool const lower = o.get("lower_order_final", true) && c.steps < 10;
    for (std::size_t i = 0; i < c.steps; ++i)
        a.predictor.push_back(std::min<unsigned>(c.order, static_cast<unsigned>(i + 1)));
    if (lower)
        alphabar::lower_final_orders(a.predictor);
    return c.finished(alphabar::adams(c.g, c.network, a));
}

/// Its states are the corrected ones, which the split plan has.
plan unipc(json const& given, options& o)
{
    using alphabar::unipc_variant;
    static std::map<std::string, unipc_variant> const variants = {
        {"bh1", unipc_variant::bh1}, {"bh2", unipc_variant::bh2}, {"vary_coeff", unipc_variant::vary_shipped}};
    lu_case const c(given, o);
    plan p = alphabar::unipc(c.g, {.network = c.network,
                                   .order = c.order,
                                   .form = c.form(),
                                   .variant = variants.at(at(at(given, "solver"), "variant").get<std::string>()),
                                   .lower_order_final = o.get("lower_order_final", true),
                                   .split = true});
    for (std::size_t i = 0; i < p.stages.size(); ++i)
        p.stages[i].ends_step = i % 2 == 1 || i + 1 == p.stages.size();
    return c.finished(p);
}

// ---- EDM --------------------------------------------------------------------------------------------------

/// Heun with churn on the Karras grid, inside the levels that the network supports.
plan edm_sampler(json const& given, options& o)
{
    json const network = value(given, "network", json::object());
    alphabar::sigma_range const range{
        std::max(o.get("sigma_min", 0.002), value(network, "sigma_min", 0.0)),
        std::min(o.get("sigma_max", 80.0), value(network, "sigma_max", std::numeric_limits<double>::infinity()))};
    alphabar::churn_options const churn{.amount = o.get("S_churn", 0.0),
                                        .low = o.get("S_min", 0.0),
                                        .high = o.get("S_max", std::numeric_limits<double>::infinity()),
                                        .noise_scale = o.get("S_noise", 1.0)};
    return alphabar::heun(
        alphabar::variance_exploding{},
        alphabar::karras_grid(o.get<std::size_t>("num_steps", 18), {.rho = o.get("rho", 7.0), .range = range}),
        {.network = denoiser, .churn = churn});
}

} // namespace

void replay_sampler(verdict& v)
{
    json const& given = v.given();
    std::string const family = at(given, "family").get<std::string>(), name = at(given, "sampler").get<std::string>();
    options o(given);
    plan p;
    if (family == "k-diffusion")
        p = k_diffusion(name, given, o);
    else if (family == "dpm-solver")
        p = dpm_solver(given, o);
    else if (family == "unipc")
        p = unipc(given, o);
    else if (family == "edm" && name == "edm_sampler")
        p = edm_sampler(given, o);
    else
        throw unsupported(family + "'s " + name);
    o.finish();
    std::size_t const n = size_of(shape_of(given));
    double const scale = value(given, "initial_scale", value(given, "latents_scale", 1.0) * p.initial_scale);
    recording const r = run({p}, initial(n, scale), shape_of(given), model_named(at(given, "model").get<std::string>()),
                            [n](std::size_t s, std::size_t j) { return noise(n, s, j); });
    compare(v, r, "model_times");
}

} // namespace conformance
