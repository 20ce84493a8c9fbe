// SPDX-License-Identifier: MIT
// Kind `sampler`: the samplers of the research code.
#include "sampler.hpp"

#include <alphabar/grid/sigmas.hpp>
#include <alphabar/sampler/adams.hpp>
#include <alphabar/sampler/dpm_multistep.hpp>
#include <alphabar/sampler/euler.hpp>
#include <alphabar/sampler/pndm.hpp>
#include <alphabar/sampler/runge_kutta.hpp>
#include <alphabar/sampler/two_stage.hpp>

#include <algorithm>
#include <limits>

namespace conformance {
namespace {

using alphabar::grid;
using alphabar::plan;

// ---- k-diffusion: denoisers in sigma space ----------------------------------------------------------------

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

/// Steps of three calls, the last two of fewer, uniform in log sigma.
plan dpm_fast(options& o)
{
    using namespace alphabar;
    std::vector<runge_kutta_method> const methods = fast_methods(o.get<std::size_t>("n", 0));
    double const low = o.get("sigma_min", 0.0), high = o.get("sigma_max", 0.0);
    grid const g = make_grid(variance_exploding{}, exponential_grid(methods.size(), {.sigma_min = std::min(low, high),
                                                                                     .sigma_max = std::max(low, high),
                                                                                     .end = final_level::first,
                                                                                     .through_end = true}));
    return runge_kutta(variance_exploding{}, low < high ? g : reversed(g),
                       {.network = denoiser,
                        .methods = methods,
                        .form = memory_form::epsilon,
                        .eta = o.get("eta", 0.0),
                        .stays_above = true,
                        .noise_scale = o.get("s_noise", 1.0)});
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
        {"lms", [](grid const& g,
                   options& c) { return alphabar::lms(path, g, {.network = denoiser, .order = c.get("order", 4u)}); }},
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
    if (name == "dpm_fast")
        return dpm_fast(o);
    return entry(makers, name, "k-diffusion's ")(sigma_levels(given), o);
}

} // namespace

void replay(verdict& v, options const& o, plan const& p, model const& network,
            std::function<void(recording&)> const& finish)
{
    o.finish();
    json const& given = v.given();
    std::size_t const n = size_of(shape_of(given));
    double const scale = value(given, "initial_scale", value(given, "latents_scale", 1.0) * p.initial_scale);
    recording r = run({p}, initial(n, scale), shape_of(given),
                      network ? network : model_named(at(given, "model").get<std::string>()),
                      [n](std::size_t s, std::size_t j) { return noise(n, s, j); });
    if (finish)
        finish(r);
    compare(v, r, "model_times");
}

void replay_sampler(verdict& v)
{
    json const& given = v.given();
    std::string const family = at(given, "family").get<std::string>(), name = at(given, "sampler").get<std::string>();
    options o(given);
    for (auto const family_of : {replay_adaptive, replay_lu, replay_edm, replay_odes, replay_flow})
        if (family_of(v, o))
            return;
    if (family != "k-diffusion")
        throw unsupported(family + "'s " + name);
    replay(v, o, k_diffusion(name, given, o));
}

} // namespace conformance
