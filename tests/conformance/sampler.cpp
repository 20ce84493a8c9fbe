// SPDX-License-Identifier: MIT
//
// Kind `sampler`: the samplers of the research code.
#include "replay_plan.hpp"
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

// ---- dpm-solver and UniPC: their schedules and time grids -------------------------------------------------

/// Piecewise linear, continued beyond the ends; xs ascending.
double piecewise(double x, array const& xs, array const& ys)
{
    auto const above = static_cast<std::size_t>(std::ranges::lower_bound(xs, x) - xs.begin());
    std::size_t const i = std::clamp<std::size_t>(above, 1, xs.size() - 1);
    return ys[i - 1] + (x - xs[i - 1]) * (ys[i] - ys[i - 1]) / (xs[i] - xs[i - 1]);
}

double log_add(double a, double b) { return std::max(a, b) + std::log1p(std::exp(-std::abs(a - b))); }

/// log alpha(t), its inverse in lambda, and the time handed to the model.
class schedule {
public:
    explicit schedule(json const& given) : kind_(at(given, "schedule").get<std::string>())
    {
        if (kind_ == "linear") {
            beta_0_ = number(at(given, "beta_0"));
            beta_1_ = number(at(given, "beta_1"));
        } else if (kind_ == "cosine") {
            end_ = 0.9946;
        } else if (kind_ == "discrete") {
            tabulate(given);
        } else {
            throw unsupported("the schedule " + kind_);
        }
    }
    double end() const { return end_; }
    double start() const { return 1.0 / static_cast<double>(length_); }
    double log_alpha(double t) const
    {
        if (kind_ == "linear")
            return -0.25 * t * t * (beta_1_ - beta_0_) - 0.5 * t * beta_0_;
        if (kind_ == "cosine")
            return std::log(std::cos((t + 0.008) / 1.008 * half_pi) / cosine_0());
        return piecewise(t, times_, log_alphas_);
    }
    noise_level level(double t) const
    {
        double const a = log_alpha(t);
        return {std::exp(a), std::sqrt(-std::expm1(2 * a))};
    }
    double lambda(double t) const
    {
        double const a = log_alpha(t);
        return a - 0.5 * std::log(-std::expm1(2 * a));
    }
    double time(double lambda) const
    {
        if (kind_ == "linear") {
            double const d = beta_1_ - beta_0_, u = 2 * d * log_add(-2 * lambda, 0);
            return u / (std::sqrt(beta_0_ * beta_0_ + u) + beta_0_) / d;
        }
        double const a = -0.5 * log_add(-2 * lambda, 0);
        if (kind_ == "cosine")
            return std::acos(std::exp(a) * cosine_0()) / half_pi * 1.008 - 0.008;
        return piecewise(-a, minus_log_alphas_, times_);
    }
    double model_time(double t) const
    {
        return kind_ == "discrete" ? 1000 * (t - 1.0 / static_cast<double>(length_)) : t;
    }
    array grid_times(std::string const& skip, double from, double to, std::size_t n) const
    {
        array times;
        for (std::size_t i = 0; i <= n; ++i) {
            double const u = static_cast<double>(i) / static_cast<double>(n);
            auto const mixed = [&](double a, double b) { return a + (b - a) * u; };
            if (skip == "logSNR")
                times.push_back(i == 0 ? from : i == n ? to : time(mixed(lambda(from), lambda(to))));
            else if (skip == "time_quadratic")
                times.push_back(std::pow(mixed(std::sqrt(from), std::sqrt(to)), 2));
            else
                times.push_back(mixed(from, to));
        }
        return times;
    }

private:
    static constexpr double half_pi = std::numbers::pi / 2;
    static double cosine_0() { return std::cos(0.008 / 1.008 * half_pi); }

    void tabulate(json const& given)
    {
        auto const n = at(given, "n").get<std::size_t>();
        std::string const betas = at(given, "betas").get<std::string>();
        double const low = value(given, "beta_start", 0.0), high = value(given, "beta_end", 0.0);
        auto const curve = [](double t) { return std::pow(std::cos((t + 0.008) / 1.008 * half_pi), 2); };
        double sum = 0;
        for (std::size_t i = 0; i < n; ++i) {
            double const u = static_cast<double>(i) / static_cast<double>(n - 1);
            double const t = static_cast<double>(i) / static_cast<double>(n);
            double beta = low + (high - low) * u;
            if (betas == "scaled_linear")
                beta = std::pow(std::sqrt(low) + (std::sqrt(high) - std::sqrt(low)) * u, 2);
            else if (betas == "cosine")
                beta = std::min(1 - curve(t + 1.0 / static_cast<double>(n)) / curve(t), 0.999);
            else if (betas != "linear")
                throw unsupported("the betas " + betas);
            sum += 0.5 * std::log1p(-beta);
            if (sum - 0.5 * std::log(-std::expm1(2 * sum)) >=
                -5.1) // the rest is cut off, what is left spread over (0, 1]
                log_alphas_.push_back(sum);
        }
        length_ = log_alphas_.size();
        for (std::size_t i = 0; i < length_; ++i) {
            times_.push_back(static_cast<double>(i + 1) / static_cast<double>(length_));
            minus_log_alphas_.push_back(-log_alphas_[i]);
        }
    }

    std::string kind_;
    double beta_0_ = 0, beta_1_ = 0, end_ = 1.0;
    std::size_t length_ = 1000;
    array times_, log_alphas_, minus_log_alphas_;
};

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
    schedule path;
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
