// SPDX-License-Identifier: MIT
// From the configuration of a diffusers scheduler to the plan that it names: path, grid, network form and solver of
// this library, with the options that reproduce diffusers' numbers.
#pragma once

#include <alphabar/grid/grid.hpp>
#include <alphabar/io/diffusers_config.hpp>
#include <alphabar/io/diffusers_grid.hpp>
#include <alphabar/sampler/consistency.hpp>
#include <alphabar/sampler/ddim.hpp>
#include <alphabar/sampler/ddpm.hpp>
#include <alphabar/sampler/dpm_multistep.hpp>
#include <alphabar/sampler/euler.hpp>
#include <alphabar/sampler/exponential.hpp>
#include <alphabar/sampler/langevin.hpp>
#include <alphabar/sampler/network_form.hpp>
#include <alphabar/sampler/plan.hpp>
#include <alphabar/sampler/pndm.hpp>
#include <alphabar/sampler/repaint.hpp>
#include <alphabar/sampler/sa_solver.hpp>
#include <alphabar/sampler/sde.hpp>
#include <alphabar/sampler/singlestep.hpp>
#include <alphabar/sampler/two_stage.hpp>
#include <alphabar/sampler/unipc.hpp>
#include <alphabar/schedule/continuous.hpp>
#include <alphabar/schedule/noise_level.hpp>
#include <alphabar/schedule/paths.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <map>
#include <numbers>
#include <optional>
#include <string>
#include <vector>

namespace alphabar {

/// The arguments of `step` that change a plan, and where the loop begins.
struct diffusers_step {
    std::optional<double> eta{};           ///< DDIM: 0 unless given; TCD: 0.3
    bool use_clipped_model_output = false; ///< DDIM
    double s_churn = 0.0;                  ///< Euler, Heun
    double s_tmin = 0.0;
    double s_tmax = std::numeric_limits<double>::infinity();
    double s_noise = 1.0;
    unsigned order = 4;                 ///< LMS
    std::optional<double> r_timestep{}; ///< FlowMapEuler: one target for all calls
    std::size_t begin_index = 0;        ///< position in the times of the grid
    bool prev_timestep = false;         ///< UnCLIP: each step is told the next time of the grid; else it goes to t - 1
    bool correct = false; ///< the right plan where diffusers' is not: that of the configuration's `corrected`
};

namespace detail {

/// On which path the sigmas of a class lie.
enum class sigma_path { exploding, preserving, flow };

inline noise_level level_of(double sigma, sigma_path path)
{
    if (path == sigma_path::exploding)
        return {1.0, sigma};
    if (path == sigma_path::flow)
        return {1.0 - sigma, sigma};
    double const alpha = 1.0 / std::sqrt(1.0 + sigma * sigma);
    return {alpha, sigma * alpha};
}

/// The grid of a class that has sigmas. Nothing is asked of its order: some classes repeat a level.
inline grid grid_of(diffusers_grid const& g, sigma_path path)
{
    require(g.sigmas.size() > g.times.size(), "make_plan", "num_inference_steps", "not given",
            "the class has no level after the last of its initial times");
    grid made{.times = g.times, .levels = {}, .direction = grid::course::as_given};
    for (std::size_t i = 0; i <= g.times.size(); ++i)
        made.levels.push_back(level_of(g.sigmas[i], path));
    return made;
}

inline prediction prediction_of(diffusers_config const& c)
{
    static std::map<std::string, prediction> const kinds = {{"epsilon", prediction::epsilon},
                                                            {"sample", prediction::x_0},
                                                            {"v_prediction", prediction::v},
                                                            {"flow_prediction", prediction::flow}};
    return kinds.at(c.text("prediction_type"));
}

inline x0_operation operation_of(diffusers_config const& c)
{
    if (c.flag("thresholding")) {
        double const top = c.number("sample_max_value");
        return {x0_operation::kind::dynamic_threshold, std::min(1.0, top), c.number("dynamic_thresholding_ratio"), top};
    }
    if (c.flag("clip_sample"))
        return {.what = x0_operation::kind::clip, .bound = c.number("clip_sample_range", 1.0)};
    return {};
}

inline network_form network_of(diffusers_config const& c)
{
    return {.predicts = prediction_of(c),
            .operation = operation_of(c),
            .predicts_variance = c.text("variance_type").starts_with("learned")};
}

/// What a plan is made of.
struct plan_input {
    diffusers_config const& config;
    diffusers_request const& request;
    diffusers_grid const& grid;
    diffusers_step const& step;
};

/// The plan of a class that counts every call as a step.
inline plan every_call_a_step(plan p)
{
    for (stage& s : p.stages)
        s.ends_step = true;
    return p;
}

/// The plan from its stage `first` on: a loop that begins in the middle. Draws are counted from there; those whose
/// index is not the one that counting gives keep it.
inline plan starting_at(plan p, std::size_t first)
{
    require(first < p.stages.size(), "make_plan", "begin_index", first, "it must be a position in the times");
    plan counted = p;
    for (stage& s : counted.stages)
        s.noise = s.churn_noise = stage::automatic;
    number_draws(counted);
    for (std::size_t i = first; i < p.stages.size(); ++i) {
        stage& s = p.stages[i];
        s.churn_noise = stage::automatic;
        if (s.noise == counted.stages[i].noise)
            s.noise = stage::automatic;
    }
    p.stages.erase(p.stages.begin(), p.stages.begin() + static_cast<std::ptrdiff_t>(first));
    number_draws(p);
    return p;
}

// ---- classes on the table of cumulative alphas ------------------------------------------------------------

/// Noise levels by integer time; below time 0 stands the level at which sampling ends.
class table_levels {
public:
    explicit table_levels(diffusers_config const& c)
        : alpha_bar_(diffusers_alpha_bar(c)),
          final_(c.has("set_alpha_to_one") && !c.flag("set_alpha_to_one") ? alpha_bar_[0] : 1.0)
    {
    }
    noise_level operator()(double t) const
    {
        require(t < static_cast<double>(alpha_bar_.size()), "make_plan", "a time", t, "the table ends below it");
        double const bar = t < 0 ? final_ : alpha_bar_[static_cast<std::size_t>(t)];
        return {std::sqrt(bar), std::sqrt(1.0 - bar)};
    }

private:
    std::vector<double> alpha_bar_;
    double final_;
};

/// T // N, by which DDIM steps back whatever its times are.
inline double stride_of(diffusers_config const& c, diffusers_request const& r)
{
    return std::floor(c.integer("num_train_timesteps") / static_cast<double>(step_count(c, r)));
}

inline ddpm_options ddpm_options_of(diffusers_config const& c)
{
    static std::map<std::string, ddpm_variance> const kinds = {{"fixed_small", ddpm_variance::fixed_small},
                                                               {"fixed_small_log", ddpm_variance::fixed_small},
                                                               {"fixed_large", ddpm_variance::fixed_large},
                                                               {"learned", ddpm_variance::learned},
                                                               {"learned_range", ddpm_variance::learned_range}};
    std::string const name = c.text("variance_type");
    if (c.correct() && name == "fixed_large_log")
        return {.network = network_of(c), .variance = ddpm_variance::fixed_large};
    if (c.correct() && name == "learned")
        return {.network = network_of(c), .variance = ddpm_variance::learned_log};
    auto const kind = kinds.find(name);
    if (kind == kinds.end())
        c.unsupported("variance_type", "is \"" + name +
                                           "\", of which the class takes a root that is NaN; fixed_large is meant, and "
                                           "what corrected() makes");
    return {.network = network_of(c), .variance = kind->second};
}

inline plan ddpm_plan(plan_input const& in)
{
    auto const& [c, r, g, step] = in;
    table_levels const level(c);
    ddpm_options o = ddpm_options_of(c);
    std::vector<grid_step> steps;
    for (std::size_t i = 0; i < g.times.size(); ++i) {
        bool const told = c.class_name() != "UnCLIP" || c.correct();
        bool const one = !told ? !step.prev_timestep || i + 1 == g.times.size() : r.empty();
        double const t = g.times[i], after = one ? t - 1 : i + 1 < g.times.size() ? g.times[i + 1] : -1;
        steps.push_back({t, level(t), level(after)});
        if (!c.correct())
            o.noisy.push_back(t > 0);
    }
    return ddpm(steps, o);
}

inline ddim_options ddim_options_of(diffusers_config const& c, diffusers_step const& step)
{
    return {.network = network_of(c), .eta = step.eta.value_or(0.0), .network_epsilon = !step.use_clipped_model_output};
}

inline std::vector<grid_step> ddim_steps(diffusers_config const& c, diffusers_request const& r, diffusers_grid const& g)
{
    table_levels const level(c);
    double const stride = stride_of(c, r);
    std::vector<grid_step> steps;
    for (std::size_t i = 0; i < g.times.size(); ++i) {
        double const t = g.times[i], next = i + 1 < g.times.size() ? g.times[i + 1] : -1.0;
        steps.push_back({t, level(t), level(c.correct() ? next : t - stride)});
    }
    return steps;
}

inline plan ddim_plan(plan_input const& in)
{
    auto const& [c, r, g, step] = in;
    return ddim(ddim_steps(c, r, g), ddim_options_of(c, step));
}

/// CogVideoX's class: DDIM that never clips.
inline plan cogvideox_ddim_plan(plan_input const& in)
{
    auto const& [c, r, g, step] = in;
    return ddim(ddim_steps(c, r, g), {.network = {.predicts = prediction_of(c)}});
}

inline plan ddim_inverse_plan(plan_input const& in)
{
    auto const& [c, r, g, step] = in;
    table_levels const level(c);
    double const stride = stride_of(c, r), last = c.integer("num_train_timesteps") - 1;
    std::vector<grid_step> steps;
    for (double before = -1.0; double t : g.times) {
        if (c.correct())
            steps.push_back({std::max(before, 0.0), level(before), level(t)});
        else
            steps.push_back({t, level(std::min(t - stride, last)), level(t)});
        if (steps.back().from.sigma == 0 && c.text("prediction_type") == "sample")
            c.refuse("prediction_type", "the first step is from sigma = 0, where x_0 says nothing of the noise; "
                                        "epsilon and v_prediction go, and set_alpha_to_one = false");
        before = t;
    }
    return ddim(steps, ddim_options_of(c, step));
}

inline plan pndm_plan(plan_input const& in)
{
    auto const& [c, r, g, step] = in;
    table_levels const level(c);
    double const stride = stride_of(c, r);
    std::vector<pndm_call> calls;
    std::size_t const prk = runge_kutta_calls(c);
    for (std::size_t i = 0; i < g.times.size(); ++i) {
        double const t = g.times[i];
        if (i < prk)
            calls.push_back({t, level(t), level(g.times[i - i % 4]), level(i % 2 ? t : t - std::floor(stride / 2))});
        else if (prk == 0 && i == 1)
            calls.push_back({t, level(t), level(c.correct() ? g.times[0] : t + stride), level(t)});
        else if (c.correct())
            calls.push_back({t, level(t), level(t), level(i + 1 < g.times.size() ? g.times[i + 1] : -1.0)});
        else
            calls.push_back({t, level(t), level(t), level(t - stride)});
    }
    return every_call_a_step(pndm_along(calls, prk, {.predicts = prediction_of(c)}));
}

/// The class divides by alpha = 1e-8 where alpha is 0, and so ignores its first call, which is -x_0 there.
inline plan ipndm_plan(plan_input const& in)
{
    auto const& [c, r, g, step] = in;
    grid levels{.times = g.times, .levels = {}, .direction = grid::course::as_given};
    for (double b : ipndm_betas(c, r))
        levels.levels.push_back({std::max(std::sqrt(1 - b * b), 1e-8), b});
    levels = grid_from(levels, step.begin_index);
    plan p = ipndm(variance_exploding{}, levels, {.network = {.predicts = prediction::v}});
    if (levels.levels[0].alpha == 1e-8) {
        p.stages[0].memory = {1.0, 0.0};
        p.stages[0].x = (levels.levels[1].sigma * slots::x).pruned();
        if (c.correct())
            p.stages[0].x += -levels.levels[1].alpha * slots::F();
    }
    return p;
}

/// Where each of the times of LCM and TCD goes; nowhere after the last step asked for.
inline std::vector<std::optional<double>> next_times(diffusers_config const& c, diffusers_request const& r,
                                                     std::vector<double> const& times)
{
    std::size_t const steps = r.timesteps ? r.timesteps->size() : step_count(c, r);
    std::vector<std::optional<double>> next;
    for (std::size_t i = 0; i < times.size(); ++i)
        next.push_back(i + 1 == steps ? std::nullopt : std::optional(times[std::min(i + 1, times.size() - 1)]));
    return next;
}

inline plan lcm_plan(plan_input const& in)
{
    auto const& [c, r, g, step] = in;
    table_levels const level(c);
    std::vector<std::optional<double>> const next = next_times(c, r, g.times);
    std::vector<grid_step> steps;
    for (std::size_t i = 0; i < g.times.size(); ++i)
        steps.push_back({g.times[i], level(g.times[i]), next[i] ? level(*next[i]) : noise_level{1.0, 0.0}});
    return lcm_sampler(steps, {.network = network_of(c), .timestep_scaling = c.number("timestep_scaling")});
}

inline plan tcd_plan(plan_input const& in)
{
    auto const& [c, r, g, step] = in;
    table_levels const level(c);
    double const eta = step.eta.value_or(0.3);
    std::vector<std::optional<double>> const next = next_times(c, r, g.times);
    plan p;
    for (std::size_t i = 0; i < g.times.size(); ++i) {
        double const after = i + 1 < g.times.size() ? g.times[i + 1] : 0.0;
        noise_level const s = level(std::floor((1 - eta) * after));
        p.stages.push_back(tcd_stage({.predicts = prediction_of(c)}, {g.times[i], level(g.times[i]), s},
                                     eta > 0 && next[i] ? level(after) : s));
    }
    number_draws(p);
    return p;
}

/// SDE-DPM-Solver++(2M) whose memory of the call before lies at that call's own time, not where its step ended. The
/// class draws a noise, and another one where it uses that memory.
inline plan cogvideox_dpm_plan(plan_input const& in)
{
    using namespace slots;
    auto const& [c, r, g, step] = in;
    network_form const network{.predicts = prediction_of(c)};
    std::vector<grid_step> const steps = ddim_steps(c, r, g);
    plan p;
    for (std::size_t i = 0; i < steps.size(); ++i) {
        auto const& [time, from, to] = steps[i];
        transition const t = make_transition(from, to, memory_form::x_0, 1.0);
        bool const two = i > 0 && time >= stride_of(c, r);
        double const before = i ? half_log_snr(steps[i - 1].from) - half_log_snr(from) : 0.0;
        node_values const w = two ? integral(t, std::array{0.0, before}, {moment_rule::two_nodes::midpoint})
                                  : integral(t, std::array{0.0});
        stage s = network_call(network, time, from);
        s.x = (t.a * x + w[0] * m(0) + w[1] * m(1) + t.c * z).pruned();
        s.noise = noise_index(static_cast<std::uint32_t>(i + 1), two ? 1 : 0);
        p.stages.push_back(s);
    }
    return p;
}

/// Each move up is made of T // N small ones, whose betas are those from the time that is left on.
inline plan repaint_plan(plan_input const& in)
{
    auto const& [c, r, g, step] = in;
    table_levels const level(c);
    double const T = c.integer("num_train_timesteps"), n = std::min(T, static_cast<double>(step_count(c, r)));
    double const stride = std::floor(T / n);
    std::vector<grid_step> moves;
    std::vector<bool> ends;
    double last = g.times[0] + 1;
    for (double t : g.times) {
        if (t < last)
            moves.push_back({t, level(t), level(t - stride)});
        else
            for (double k = last; k < last + stride; ++k)
                moves.push_back({t, level(k - 1), level(k)});
        ends.resize(moves.size() - 1, false);
        ends.push_back(true);
        last = t;
    }
    network_form network{.predicts = prediction::epsilon};
    if (c.flag("clip_sample"))
        network.operation = {.what = x0_operation::kind::clip, .bound = 1.0};
    plan p = repaint_along(moves, {.network = network, .eta = c.number("eta")});
    for (std::size_t i = 0; i < ends.size(); ++i)
        p.stages[i].ends_step = ends[i];
    return p;
}

inline log_snr_path<log_snr_wuerstchen> wuerstchen_path(diffusers_config const& c)
{
    return {{c.number("s"), c.number("scaler")}};
}

inline plan wuerstchen_plan(plan_input const& in)
{
    auto const& [c, r, g, step] = in;
    auto const path = wuerstchen_path(c);
    ddpm_options o{.network = {.predicts = prediction::epsilon}};
    std::vector<grid_step> steps;
    for (std::size_t i = 0; i + 1 < g.times.size(); ++i) {
        steps.push_back({g.times[i], path.level(g.times[i]), path.level(g.times[i + 1])});
        if (steps.back().from == steps.back().to)
            c.refuse("scaler", "two neighbours of these times have one level, the class's lowest");
        o.noisy.push_back(g.times[i + 1] != 0);
    }
    return ddpm(steps, o);
}

inline plan decoder_plan(plan_input const& in)
{
    auto const& [c, r, g, step] = in;
    table_levels const level(c);
    return consistency(
        {{g.times[0], level(g.times[0]), level(g.times[1])}, {g.times[1], level(g.times[1]), {1.0, 0.0}}},
        {.network = {.input = network_input::edm, .sigma_data = c.number("sigma_data")}});
}

// ---- classes on sigma -------------------------------------------------------------------------------------

/// A network trained on the table, which sees x / sqrt(1 + sigma^2).
inline network_form ve_network_of(diffusers_config const& c)
{
    network_form network = network_of(c);
    network.input = network_input::variance_preserving;
    return network;
}

/// EDM's preconditioning, in its two signs.
inline network_form edm_network_of(diffusers_config const& c)
{
    return {.input = c.text("prediction_type") == "v_prediction" ? network_input::edm_v : network_input::edm,
            .operation = operation_of(c),
            .sigma_data = c.number("sigma_data")};
}

/// diffusers' step with churn: the network is called before the noise is added, so that its output belongs to another
/// x. With x^ = keep x + add z: x_0 = p x^ + q F, x' = (sigma' / sigma^) x^ + (alpha' - alpha^ sigma' / sigma^) x_0.
inline stage churn_after_call(network_form const& network, grid_step const& called, churned_step const& churned)
{
    using namespace slots;
    auto const& [raised, churn, end_time] = churned;
    stage s = ddim_stage(network, called);
    bool const of_raised = network.predicts == prediction::epsilon || network.input >= network_input::edm;
    pair_map const x_0 = maps_at(network, of_raised ? raised.from : called.from).x_0;
    double const kept = raised.to.sigma / raised.from.sigma, clean = raised.to.alpha - raised.from.alpha * kept;
    double const scale = kept + clean * x_0.x;
    s.x = (scale * churn->keep) * x + (clean * x_0.other) * F() + (scale * churn->add) * z;
    return s;
}

/// `clock`: sigma -> the network's time.
template <class Clock>
plan churned_euler_plan(network_form const& network, plan_input const& in, Clock clock)
{
    auto const& [c, r, sigmas, step] = in;
    grid const g = grid_of(sigmas, sigma_path::exploding);
    churn_options const churn{
        .amount = step.s_churn, .low = step.s_tmin, .high = step.s_tmax, .noise_scale = step.s_noise};
    variance_exploding const path;
    plan p = euler(path, g, {.network = network, .churn = churn});
    std::vector<churned_step> const steps = churned_steps(path, g, churn);
    std::vector<grid_step> const called = steps_of(g);
    for (std::size_t i = 0; i < steps.size() && !c.correct(); ++i)
        if (steps[i].churn)
            p.stages[i] = churn_after_call(network, called[i], steps[i]);
    for (stage& s : p.stages)
        if (s.churn)
            s.time = clock(s.time);
    number_draws(p);
    return p;
}

inline plan euler_plan(plan_input const& in)
{
    auto const& c = in.config;
    bool const continuous = c.text("timestep_type") == "continuous" && c.text("prediction_type") == "v_prediction";
    return churned_euler_plan(ve_network_of(c), in, [&, table = std::vector<double>{}](double sigma) mutable {
        if (table.empty())
            table = ve_table(c);
        return continuous ? 0.25 * std::log(sigma) : times_at({sigma}, table).front();
    });
}

inline plan edm_euler_plan(plan_input const& in)
{
    return churned_euler_plan(edm_network_of(in.config), in, [](double sigma) { return 0.25 * std::log(sigma); });
}

inline plan euler_ancestral_plan(plan_input const& in)
{
    auto const& [c, r, g, step] = in;
    return euler_ancestral(grid_of(g, sigma_path::exploding), {.network = ve_network_of(c)});
}

/// Adams-Bashforth in sigma. Begun in the middle the class takes the order of the absolute position, with history that
/// is not there.
inline plan lms_plan(plan_input const& in)
{
    auto const& [c, r, g, step] = in;
    grid const levels = grid_of(g, sigma_path::exploding);
    multistep_options const o{.network = ve_network_of(c), .order = step.order};
    plan p = lms(variance_exploding{}, levels, o);
    if (c.correct()) {
        auto const first = static_cast<std::ptrdiff_t>(std::min(step.begin_index, g.times.size() - 1));
        grid rest = levels;
        rest.times.erase(rest.times.begin(), rest.times.begin() + first);
        rest.levels.erase(rest.levels.begin(), rest.levels.begin() + first);
        std::ranges::copy(lms(variance_exploding{}, rest, o).stages, p.stages.begin() + first);
        return p;
    }
    for (std::size_t i = step.begin_index; i < p.stages.size(); ++i) {
        std::vector<term> known;
        for (term const& t : p.stages[i].x.terms())
            if (t.from.what != slot::kind::memory || t.from.index <= i - step.begin_index)
                known.push_back(t);
        p.stages[i].x = row(known);
    }
    return p;
}

/// Two calls a step, each of which the class counts as a step. Levels stand twice in the class's lists; begun at an odd
/// position it pairs each with itself, and the state stands still. The time of the second call is the class's next one.
inline plan two_call_plan(two_stage_options const& method, diffusers_grid const& g, sigma_path path, std::size_t first)
{
    network_form const& network = method.network;
    plan p{.stages = {}, .initial_scale = g.initial_scale, .heads = network.predicts_variance ? 2u : 1u};
    for (std::size_t k = first; k < g.times.size(); k += 2) {
        double const after = k + 1 < g.times.size() ? g.times[k + 1] : g.times[k];
        grid const one{.times = {g.times[k]},
                       .levels = {level_of(g.sigmas[k], path), level_of(g.sigmas[k + 1], path)},
                       .end_time = after,
                       .direction = grid::course::as_given};
        plan step;
        if (one.levels[0] == one.levels[1]) {
            step.stages = {network_call(network, g.times[k], one.levels[0]),
                           network_call(network, after, one.levels[1])};
            for (stage& s : step.stages)
                s.x = slots::x;
        } else {
            grid_on_path here{one};
            here.path.at_ratio = [&](double ratio) { return grid_point{after, {1.0, ratio}}; };
            step = two_stage.solve(here, method);
        }
        for (stage& s : step.stages) {
            s.ends_step = true;
            s.noise = stage::automatic;
            p.stages.push_back(s);
        }
    }
    number_draws(p);
    return p;
}

inline plan heun_plan(plan_input const& in)
{
    auto const& [c, r, g, step] = in;
    return two_call_plan({.network = ve_network_of(c), .middle = 1.0, .form = memory_form::rho}, g,
                         sigma_path::exploding, step.begin_index);
}

inline plan kdpm2_plan(plan_input const& in)
{
    auto const& [c, r, g, step] = in;
    double const eta = c.class_name() == "KDPM2AncestralDiscrete" ? 1.0 : 0.0;
    return two_call_plan({.network = ve_network_of(c), .eta = eta, .form = memory_form::epsilon}, g,
                         sigma_path::exploding, step.begin_index);
}

inline plan dpm_sde_plan(plan_input const& in)
{
    auto const& [c, r, g, step] = in;
    return two_call_plan({.network = ve_network_of(c),
                          .eta = 1.0,
                          .form = memory_form::x_0,
                          .noisy_middle = true,
                          .noise_scale = step.s_noise},
                         g, sigma_path::exploding, step.begin_index);
}

inline plan cm_plan(plan_input const& in)
{
    auto const& [c, r, g, step] = in;
    network_form network = edm_network_of(c);
    if (c.flag("clip_denoised"))
        network.operation = {.what = x0_operation::kind::clip, .bound = 1.0};
    network.boundary = c.number("sigma_min");
    return consistency(steps_of(grid_of(g, sigma_path::exploding)),
                       {.network = network, .noise_scale = c.number("s_noise")});
}

/// Heun's method with churn on levels that are the squares of those meant.
inline plan karras_ve_plan(plan_input const& in)
{
    auto const& [c, r, g, step] = in;
    diffusers_grid down{reversed(g.sigmas), reversed(g.sigmas)};
    down.sigmas.push_back(0.0);
    double const low = c.number("s_min"), high = c.number("s_max"); // an empty window has no churn
    return heun(variance_exploding{}, grid_of(down, sigma_path::exploding),
                {.network = {.predicts = prediction::epsilon},
                 .churn = {.amount = low <= high ? c.number("s_churn") : 0.0,
                           .low = low,
                           .high = std::max(low, high),
                           .noise_scale = c.number("s_noise")}});
}

// ---- flow matching ----------------------------------------------------------------------------------------

inline network_form const flow_network{.predicts = prediction::flow};

inline plan flow_euler_plan(plan_input const& in)
{
    auto const& [c, r, g, step] = in;
    grid const levels = grid_of(g, sigma_path::flow);
    return c.flag("stochastic_sampling") ? consistency(levels, {.network = flow_network})
                                         : euler(levels, {.network = flow_network});
}

/// The churn of algorithm 2 of Karras et al. 2022 on the path: before the call, by noise and a smaller signal. The
/// window is of the class's sigma.
inline plan churned_flow_heun_plan(two_stage_options method, plan_input const& in)
{
    auto const& [c, r, g, step] = in;
    diffusers_grid once{{}, {}, g.initial_scale}; // every level but the first stands twice in the class's lists
    for (std::size_t i = 0; i < g.times.size(); i += 2) {
        once.times.push_back(g.times[i]);
        once.sigmas.push_back(g.sigmas[i]);
    }
    once.sigmas.push_back(g.sigmas.back());
    auto const ratio = [](double sigma) {
        return sigma < 1 ? sigma / (1 - sigma) : std::numeric_limits<double>::infinity();
    };
    method.churn = {step.s_churn, ratio(step.s_tmin), ratio(step.s_tmax), step.s_noise};
    plan p = two_stage(rectified_flow{}, grid_of(once, sigma_path::flow), method);
    for (stage& s : p.stages)
        if (s.churn)
            s.time *= c.number("num_train_timesteps");
    return starting_at(every_call_a_step(p), (step.begin_index + 1) / 2 * 2);
}

/// Churn is added after the call, and the signal is not scaled: with sigma^ the raised level the first slope is (sigma
/// / sigma^) F.
inline plan flow_heun_plan(plan_input const& in)
{
    using namespace slots;
    auto const& [c, r, g, step] = in;
    two_stage_options method{.network = flow_network, .middle = 1.0, .form = memory_form::velocity};
    if (c.correct() && step.s_churn > 0)
        return churned_flow_heun_plan(method, in);
    plan p = two_call_plan(method, g, sigma_path::flow, step.begin_index);
    double const gamma = std::min(step.s_churn / static_cast<double>(g.times.size()), std::sqrt(2.0) - 1);
    std::size_t k = step.begin_index;
    for (std::size_t i = 0; i < p.stages.size(); i += 2, k += 2) {
        double const a = g.sigmas[k], b = g.sigmas[k + 1], raised = a * (1 + gamma);
        if (gamma == 0 || a == b || a < step.s_tmin || a > step.s_tmax)
            continue;
        row const noisy = x + (step.s_noise * a * std::sqrt(gamma * (2 + gamma))) * z;
        p.stages[i].x = noisy + ((b - raised) * a / raised) * F();
        if (i + 1 < p.stages.size() && b != 0) {
            p.stages[i].y = noisy;
            p.stages[i + 1].x = y + ((b - raised) * a / raised / 2) * m(1) + ((b - raised) / 2) * m(0);
        }
    }
    number_draws(p);
    return p;
}

inline plan flow_lcm_plan(plan_input const& in)
{
    if (in.config.has("upscale_mode") && !in.config.numbers("scale_factors").empty()) // null ignores them
        in.config.unsupported("scale_factors", "is given; a plan keeps the shape of its sample, sized_plans() has one "
                                               "for each size");
    return consistency(grid_of(in.grid, sigma_path::flow), {.network = flow_network});
}

/// Steps of the flow's ODE between any two levels; the network is also told the target.
inline plan flow_map_plan(plan_input const& in)
{
    auto const& [c, r, g, step] = in;
    grid levels = grid_of(g, sigma_path::flow);
    if (!step.r_timestep)
        return euler(levels, {.network = flow_network});
    auto const known = std::ranges::find(g.times, *step.r_timestep);
    double const to = known != g.times.end() ? g.sigmas[static_cast<std::size_t>(known - g.times.begin())]
                                             : *step.r_timestep / c.number("num_train_timesteps");
    std::vector<grid_step> steps = steps_of(levels);
    for (grid_step& s : steps)
        s.to = level_of(to, sigma_path::flow);
    return ddim(steps, {.network = flow_network});
}

/// Given levels are times too: the call at the last one is idle. Without noise the class stops at its lower level and
/// does not scale the state up to the next.
inline plan ltx_plan(plan_input const& in)
{
    auto const& [c, r, g, step] = in;
    diffusers_grid moving = g;
    moving.times.resize(g.sigmas.size() - 1);
    grid const levels = grid_of(moving, sigma_path::flow);
    double const eta = c.number("eta"), s_noise = c.number("s_noise");
    plan p;
    if (s_noise > 0 || c.correct()) {
        p = euler_ancestral_flow(levels, {.network = flow_network, .eta = eta, .noise_scale = s_noise});
    } else {
        std::vector<grid_step> steps = steps_of(levels);
        for (grid_step& s : steps)
            s.to = level_of(s.to.sigma * (1 + eta * (s.to.sigma / s.from.sigma - 1)), sigma_path::flow);
        p = ddim(steps, {.network = flow_network});
    }
    for (std::size_t i = moving.times.size(); i < g.times.size(); ++i)
        p.stages.push_back({.time = g.times[i], .x = slots::x});
    return p;
}

/// The velocity points to the data.
inline plan minimax_plan(plan_input const& in)
{
    network_form network = flow_network;
    network.output_scale = -1;
    return euler(grid_of(in.grid, sigma_path::flow), {.network = network});
}

/// TrigFlow: v-prediction on x = cos t x_0 + sin t z, the noise as large as the data. The last time is the end.
inline plan scm_plan(plan_input const& in)
{
    std::vector<grid_step> steps;
    for (std::size_t i = 0; i + 1 < in.grid.times.size(); ++i) {
        double const s = in.grid.times[i], t = in.grid.times[i + 1];
        steps.push_back({s, {std::cos(s), std::sin(s)}, {std::cos(t), std::sin(t)}});
    }
    return consistency(steps, {.network = {.predicts = prediction::v}, .noise_scale = in.config.number("sigma_data")});
}

/// One noise for the whole loop, drawn before it; levels are looked up by the times cut to integers.
inline plan helios_dmd_plan(plan_input const& in)
{
    auto const& [c, r, g, step] = in;
    grid levels = grid_of(g, sigma_path::flow);
    if (c.correct())
        return consistency(levels, {.network = flow_network});
    for (std::size_t i = 0; i < g.times.size(); ++i) {
        auto const far = [&, cut = std::trunc(g.times[i])](double t) { return std::abs(t - cut); };
        auto const nearest = std::ranges::min_element(g.times, {}, far) - g.times.begin();
        levels.levels[i] = level_of(g.sigmas[static_cast<std::size_t>(nearest)], sigma_path::flow);
    }
    levels.levels.back() = {1.0, 0.0};
    plan p = consistency(levels, {.network = flow_network});
    for (stage& s : p.stages)
        s.noise = 0;
    return p;
}

/// pi-Flow: the heads are the velocities of n_grid times; between them x_0 is interpolated, and num_policy_substeps
/// Euler steps (of the whole interval [0, 1]) are made. All of it is linear: one row. Chen et al. 2025, arXiv
/// 2510.14974.
inline plan piflow_plan(plan_input const& in)
{
    auto const& [c, r, g, step] = in;
    double const shift = c.number("shift"), eps = c.number("eps");
    auto const heads = static_cast<std::size_t>(c.integer("n_grid"));
    std::vector<double> places = piflow_places(c, g.times.size());
    places.push_back(eps);
    plan p{.stages = {}, .initial_scale = 1.0, .heads = static_cast<std::uint32_t>(heads)};
    for (std::size_t i = 0; i < g.times.size(); ++i) {
        double const high = places[i], low = places[i + 1], width = std::max(high - low, eps);
        double const start = flow_shifted(high, shift);
        auto const substeps = std::max(std::nearbyint((high - low) * c.number("num_policy_substeps")), 1.0);
        std::vector<double> const path = linspace(high, low, static_cast<std::size_t>(substeps) + 1);
        row state = slots::x;
        for (std::size_t k = 0; k + 1 < path.size(); ++k) {
            double const here = flow_shifted(path[k], shift), there = flow_shifted(path[k + 1], shift);
            double const at = std::clamp((path[k] - low) / width, 0.0, 1.0) * static_cast<double>(heads - 1);
            std::size_t const head = std::min(static_cast<std::size_t>(at), heads - 2);
            double const part = at - static_cast<double>(head); // x_0 = x - start F, x at the start of the step
            row const x_0 = slots::x + (-start * (1 - part)) * slots::F(head) + (-start * part) * slots::F(head + 1);
            state += ((there - here) / std::max(here, eps)) * (state - x_0);
        }
        p.stages.push_back({.time = g.times[i], .x = state});
    }
    return p;
}

/// Flow with a stochastic middle: the score is multiplied by r(t) >= 1, which sharpens the density, and the squared
/// diffusion is 2 g(t) / r^2 inside the window. Masked elements become 0. Geffner et al. 2025, arXiv 2503.00710, (5).
inline plan proteina_plan(plan_input const& in)
{
    auto const& [c, r, g, step] = in;
    double const k = c.number("tsr_k"), width = c.number("tsr_sigma");
    plan p;
    for (std::size_t i = 0; i < g.times.size(); ++i) {
        double const t = g.times[i], after = i + 1 < g.times.size() ? g.times[i + 1] : 1.0;
        double const u = std::clamp(t, 0.0, 1 - 1e-5), angle = (1 - u) * std::numbers::pi / 2;
        double const snr = std::pow(t / (1 - t) * width, 2), ratio = (snr + 1) / (snr / k + 1);
        double const noise = c.text("noise_mode") == "tan"
                                 ? std::numbers::pi / 2 * std::sin(angle) / (std::cos(angle) + 0.01)
                                 : 1 / (u + 0.01);
        bool const still = t > c.number("t_lim_ode") || t < c.number("t_lim_ode_below");
        stage s = sde_step(rectified_flow{}, 1 - t, t - after,
                           {.network = {.predicts = prediction::flow, .output_scale = -1},
                            .diffusion = [=](double) { return still ? 0.0 : 2 * noise / (ratio * ratio); },
                            .epsilon_scale = [=](double) { return ratio; }})
                      .front();
        s.time = t;
        s.masked = row();
        p.stages.push_back(s);
    }
    number_draws(p);
    return p;
}

/// Langevin steps, with the norms' means over the batch, then reverse diffusion between neighbours of a ladder of
/// sigmas.
inline plan score_ve_plan(plan_input const& in)
{
    auto const& [c, r, g, step] = in;
    network_form const network{.predicts = prediction::score};
    std::vector<double> const ladder =
        linspace(std::log(c.number("sigma_min")), std::log(c.number("sigma_max")), g.times.size());
    plan p;
    for (std::size_t i = 0; i < g.times.size(); ++i) {
        auto const k = static_cast<std::size_t>(g.times[i] * static_cast<double>(g.times.size() - 1));
        noise_level const level{1.0, g.sigmas[i]};
        for (int j = 0; j < c.integer("correct_steps"); ++j)
            p.stages.push_back(
                langevin_stage(network, level.sigma, level, 1.0, {.snr = c.number("snr"), .over_batch = true}));
        double const below = k == 0 ? 0.0 : std::exp(ladder[k - 1]);
        p.stages.push_back(reverse_diffusion_stage(network, level.sigma, level,
                                                   make_forward_step({1.0, below}, {1.0, std::exp(ladder[k])})));
    }
    number_draws(p);
    return p;
}

inline plan score_vp_plan(plan_input const& in)
{
    auto const& [c, r, g, step] = in;
    vp_sde const path{c.number("beta_min"), c.number("beta_max")};
    network_form const network{.predicts = prediction::epsilon, .time_scale = c.number("num_train_timesteps") - 1};
    plan p;
    for (double t : g.times)
        p.stages.push_back(sde_step(path, t, -1 / static_cast<double>(g.times.size()), {.network = network}).front());
    number_draws(p);
    return p;
}

// ---- exponential solvers ----------------------------------------------------------------------------------

inline grid solver_levels(plan_input const& in)
{
    sigma_path const on = in.config.flag("use_flow_sigmas") ? sigma_path::flow : sigma_path::preserving;
    return grid_from(grid_of(in.grid, on), in.step.begin_index);
}

/// The DPM solvers and DEIS take 3 for every higher order.
inline unsigned order_up_to_three(diffusers_config const& c)
{
    return static_cast<unsigned>(std::min(c.integer("solver_order"), 3));
}

/// DPM-Solver, DPM-Solver++, their SDEs. The third order is the shipped one, and its SDE has a wrong constant.
inline dpm_options dpm_options_of(plan_input const& in, network_form const& network)
{
    diffusers_config const& c = in.config;
    std::string const name = c.text("algorithm_type", "sde-dpmsolver++"); // the cosine class has no choice
    bool const sde = name.starts_with("sde"), plus = name.ends_with("++");
    unsigned const order = order_up_to_three(c);
    bool const third = c.correct() && order == 3;
    using rule = moment_rule;
    return {.network = network,
            .order = order,
            .form = plus ? memory_form::x_0 : memory_form::epsilon,
            .eta = sde ? 1.0 : 0.0,
            .rule = third ? rule{}
                          : rule{c.text("solver_type") == "heun" ? rule::two_nodes::exact : rule::two_nodes::midpoint,
                                 sde && plus ? rule::three_nodes::wrong_constant : rule::three_nodes::half_curvature},
            .corrected_start = third,
            .lower_order_final = c.flag("lower_order_final") && in.grid.times.size() < 15,
            .euler_at_final = c.flag("euler_at_final")};
}

inline plan dpm_plan(plan_input const& in)
{
    return dpm_multistep(solver_levels(in), dpm_options_of(in, network_of(in.config)));
}

inline plan dpm_single_plan(plan_input const& in)
{
    auto const& [c, r, g, step] = in;
    dpm_options const o = dpm_options_of(in, network_of(c));
    std::vector<unsigned> orders =
        singlestep_orders(grid_of(g, sigma_path::preserving), *o.order, c.flag("lower_order_final"));
    orders.erase(orders.begin(), orders.begin() + static_cast<std::ptrdiff_t>(step.begin_index));
    moment_rule rule{o.rule->two};
    if (*o.eta != 0.0 && !c.correct())
        rule.three = moment_rule::three_nodes::wrong_constant_singlestep;
    plan p = dpm_singlestep(
        solver_levels(in),
        {.network = o.network,
         .order = *o.order,
         .form = *o.form,
         .eta = *o.eta,
         .rule = {.last = rule, .inner = rule, .skip_middle = c.text("solver_type") != "heun" && !c.correct()},
         .orders = orders});
    for (stage& call : p.stages) // which the class counts as steps
        call.ends_step = true;
    return p;
}

inline plan edm_dpm_plan(plan_input const& in)
{
    return dpm_multistep(grid_from(grid_of(in.grid, sigma_path::exploding), in.step.begin_index),
                         dpm_options_of(in, edm_network_of(in.config)));
}

inline plan deis_plan(plan_input const& in)
{
    auto const& [c, r, g, step] = in;
    return deis(solver_levels(in), {.network = network_of(c),
                                    .order = order_up_to_three(c),
                                    .lower_order_final = c.flag("lower_order_final") && g.times.size() < 15});
}

inline plan unipc_on(grid const& levels, network_form network, plan_input const& in)
{
    auto const& [c, r, g, step] = in;
    if (!c.flag("predict_x0"))
        network.operation = {}; // the class thresholds what it remembers as x_0 only
    std::vector<std::size_t> uncorrected;
    for (double i : c.numbers("disable_corrector"))
        if (i >= static_cast<double>(step.begin_index))
            uncorrected.push_back(static_cast<std::size_t>(i) - step.begin_index);
    return unipc(levels, {.network = network,
                          .order = static_cast<unsigned>(c.integer("solver_order")),
                          .form = c.flag("predict_x0") ? memory_form::x_0 : memory_form::epsilon,
                          .variant = c.text("solver_type") == "bh1" ? unipc_variant::bh1 : unipc_variant::bh2,
                          .lower_order_final = c.flag("lower_order_final"),
                          .disable_corrector = uncorrected});
}

inline plan unipc_plan(plan_input const& in)
{
    if (in.config.flag("use_flow_sigmas") && in.grid.sigmas.front() >= 1 &&
        in.config.text("prediction_type") == "epsilon")
        in.config.refuse("prediction_type",
                         "with use_flow_sigmas the first level is sigma = 1, where epsilon says nothing of x_0");
    return unipc_on(solver_levels(in), network_of(in.config), in);
}

/// A stage of Helios's pyramid: Euler, or UniPC with the last level held at 1e-8.
inline plan helios_plan(plan_input const& in)
{
    grid levels = grid_of(in.grid, sigma_path::flow);
    if (in.config.text("scheduler_type") != "unipc")
        return starting_at(euler(levels, {.network = flow_network}), in.step.begin_index);
    levels.levels.back().sigma = std::max(levels.levels.back().sigma, 1e-8);
    return unipc_on(grid_from(levels, in.step.begin_index), {.predicts = prediction_of(in.config)}, in);
}

/// tau_func, a function in the software, is written {"low": a, "high": b, "inside": u, "outside": v}: u where a <= t <=
/// b, else v.
inline std::vector<double> taus_of(diffusers_config const& c, std::span<double const> times)
{
    double low = 200, high = 800, inside = 1, outside = 0;
    if (c.has("tau_func")) {
        nlohmann::json const& f = c["tau_func"];
        low = f["low"], high = f["high"], inside = f["inside"], outside = f["outside"];
    }
    std::vector<double> taus;
    for (double t : times)
        taus.push_back(t >= low && t <= high ? inside : outside);
    return taus;
}

inline plan sa_plan(plan_input const& in)
{
    auto const& [c, r, g, step] = in;
    bool const data = c.text("algorithm_type") == "data_prediction";
    moment_rule rule;
    if (data && !c.correct())
        rule.two = moment_rule::two_nodes::flat;
    return sa_solver(solver_levels(in), {.network = network_of(c),
                                         .predictor_order = static_cast<unsigned>(c.integer("predictor_order")),
                                         .corrector_order = static_cast<unsigned>(c.integer("corrector_order")),
                                         .taus = taus_of(c, std::span(g.times).subspan(step.begin_index)),
                                         .form = data ? memory_form::x_0 : memory_form::epsilon,
                                         .rule = rule,
                                         .lower_order_final = c.flag("lower_order_final")});
}

/// How a class makes its plan. `cuts`: the plan is made whole and cut at begin_index; the others start there.
/// `arguments`: those of its step that change it.
struct plan_maker {
    plan (*make)(plan_input const&);
    bool cuts;
    std::string_view arguments = "";
};

/// A row a class.
inline std::map<std::string, plan_maker, std::less<>> const& plan_makers()
{
    static std::map<std::string, plan_maker, std::less<>> const makers = {
        {"DDPM", {ddpm_plan, true}},
        {"DDPMParallel", {ddpm_plan, true}},
        {"DDIM", {ddim_plan, true, "eta use_clipped_model_output"}},
        {"DDIMParallel", {ddim_plan, true, "eta use_clipped_model_output"}},
        {"DDIMInverse", {ddim_inverse_plan, true}},
        {"CogVideoXDDIM", {cogvideox_ddim_plan, true}},
        {"CogVideoXDPM", {cogvideox_dpm_plan, false}},
        {"LCM", {lcm_plan, true}},
        {"TCD", {tcd_plan, true, "eta"}},
        {"UnCLIP", {ddpm_plan, true, "prev_timestep"}},
        {"PNDM", {pndm_plan, false}},
        {"IPNDM", {ipndm_plan, false}},
        {"RePaint", {repaint_plan, false}},
        {"DDPMWuerstchen", {wuerstchen_plan, true}},
        {"CMStochasticIterative", {cm_plan, true}},
        {"ConsistencyDecoder", {decoder_plan, true}},
        {"KarrasVe", {karras_ve_plan, false}},
        {"EulerDiscrete", {euler_plan, true, "s_churn s_tmin s_tmax s_noise"}},
        {"EulerAncestralDiscrete", {euler_ancestral_plan, true}},
        {"HeunDiscrete", {heun_plan, false}},
        {"KDPM2Discrete", {kdpm2_plan, false}},
        {"KDPM2AncestralDiscrete", {kdpm2_plan, false}},
        {"DPMSolverSDE", {dpm_sde_plan, false, "s_noise"}},
        {"LMSDiscrete", {lms_plan, true, "order"}},
        {"EDMEuler", {edm_euler_plan, true, "s_churn s_tmin s_tmax s_noise"}},
        {"FlowMatchEulerDiscrete", {flow_euler_plan, true}},
        {"FlowMatchHeunDiscrete", {flow_heun_plan, false, "s_churn s_tmin s_tmax s_noise"}},
        {"FlowMatchLCM", {flow_lcm_plan, true}},
        {"FlowMapEulerDiscrete", {flow_map_plan, true, "r_timestep"}},
        {"LTXEulerAncestralRF", {ltx_plan, true}},
        {"MiniMaxH3", {minimax_plan, true}},
        {"SCM", {scm_plan, true}},
        {"HeliosDMD", {helios_dmd_plan, true}},
        {"Piflow", {piflow_plan, true}},
        {"RFD4Proteina", {proteina_plan, true}},
        {"ScoreSdeVe", {score_ve_plan, true}},
        {"ScoreSdeVp", {score_vp_plan, true}},
        {"DPMSolverMultistep", {dpm_plan, false}},
        {"DPMSolverMultistepInverse", {dpm_plan, false}},
        {"DPMSolverSinglestep", {dpm_single_plan, false}},
        {"EDMDPMSolverMultistep", {edm_dpm_plan, false}},
        {"CosineDPMSolverMultistep", {edm_dpm_plan, false}},
        {"DEISMultistep", {deis_plan, false}},
        {"UniPCMultistep", {unipc_plan, false}},
        {"Helios", {helios_plan, false}},
        {"SASolver", {sa_plan, false}},
    };
    return makers;
}

/// Zero terminal SNR leaves nothing of x_0 in the epsilon of its last time.
inline void check_zero_snr(diffusers_config const& c, diffusers_grid const& g)
{
    if (!c.flag("rescale_betas_zero_snr") || c.text("prediction_type") != "epsilon" || !g.sigmas.empty())
        return;
    std::vector<double> const alpha_bar = diffusers_alpha_bar(c);
    for (double t : g.times)
        if (t >= 0 && t < static_cast<double>(alpha_bar.size()) && alpha_bar[static_cast<std::size_t>(t)] == 0.0)
            c.refuse("prediction_type", "with rescale_betas_zero_snr alpha is 0 at time " + shown(t) +
                                            ", where epsilon says nothing of x_0; sample and v_prediction go");
}

/// Throws std::invalid_argument for an argument of `step` that the class does not take, and for a begin_index where the
/// class's loop has one beginning only.
inline void check_arguments(diffusers_config const& c, diffusers_step const& step, std::string_view taken)
{
    auto const see = [&](bool given, std::string_view name, auto value) {
        if (given && !among(name, taken))
            reject("make_plan", name, value,
                   "the step of " + c.class_name() + " takes " +
                       (taken.empty() ? "no such argument" : "only " + std::string(taken)));
    };
    diffusers_step const none;
    see(step.eta.has_value(), "eta", step.eta.value_or(0));
    see(step.use_clipped_model_output, "use_clipped_model_output", true);
    see(step.s_churn != none.s_churn, "s_churn", step.s_churn);
    see(step.s_tmin != none.s_tmin, "s_tmin", step.s_tmin);
    see(step.s_tmax != none.s_tmax, "s_tmax", step.s_tmax);
    see(step.s_noise != none.s_noise, "s_noise", step.s_noise);
    see(step.order != none.order, "order", step.order);
    see(step.r_timestep.has_value(), "r_timestep", step.r_timestep.value_or(0));
    see(step.prev_timestep, "prev_timestep", true);
    require(step.begin_index == 0 || !among(c.class_name(), "CogVideoXDPM PNDM RePaint KarrasVe"), "make_plan",
            "begin_index", step.begin_index, c.class_name() + " begins at the first of its times only");
}

} // namespace detail

/// The classes whose plans this library makes, without their ending "Scheduler", in alphabetical order.
inline std::vector<std::string> diffusers_classes()
{
    std::vector<std::string> names;
    for (auto const& [name, maker] : detail::plan_makers())
        names.push_back(name);
    return names;
}

/// The plan of a configured class after set_timesteps(request), with the arguments of its step. Its initial_scale is
/// the class's init_noise_sigma.
///
/// Throws config_error where the class, an option or a field with these arguments does not go, and
/// std::invalid_argument where an argument is not allowed or not one of the class's.
inline plan make_plan(diffusers_config const& config, diffusers_request const& request, diffusers_step const& step = {})
{
    if (step.correct && !config.correct())
        return make_plan(config.corrected(), request, step);
    auto const maker = detail::plan_makers().find(config.class_name());
    if (maker == detail::plan_makers().end())
        config.unsupported("_class_name", "is a class without a plan here");
    detail::check_arguments(config, step, maker->second.arguments);
    diffusers_grid const g = set_timesteps(config, request);
    detail::check_zero_snr(config, g);
    require(step.begin_index < std::max<std::size_t>(g.times.size(), 1), "make_plan", "begin_index", step.begin_index,
            "it must be a position in the times");
    plan p = detail::blaming_times(config, request, [&] { return maker->second.make({config, request, g, step}); });
    std::size_t const stages =
        1 + (config.class_name() == "ScoreSdeVe" ? static_cast<std::size_t>(config.integer("correct_steps"))
                                                 : 0); // of a time
    if (maker->second.cuts && step.begin_index > 0)
        p = detail::starting_at(p, step.begin_index * stages);
    p.initial_scale = g.initial_scale;
    return p;
}

/// One step without noise at a time for each sample (batch_step_no_noise of the parallel classes): one plan a sample.
/// It ends at alpha-bar 1 whatever set_alpha_to_one says. Throws as `make_plan` does, for another class, and for a
/// begin_index: the times are given.
inline std::vector<plan> batch_step_plans(diffusers_config const& c, diffusers_request const& request,
                                          std::vector<double> const& times, diffusers_step const& step = {})
{
    bool const ancestral = c.class_name() == "DDPMParallel";
    if (!ancestral && c.class_name() != "DDIMParallel")
        c.unsupported("_class_name", "is " + c.class_name() + "; only the parallel classes have batch_step_no_noise");
    if (step.correct && !c.correct())
        return batch_step_plans(c.corrected(), request, times, step);
    detail::check_arguments(c, step, detail::plan_makers().find(c.class_name())->second.arguments);
    detail::check_arguments(c, request, detail::grid_makers().find(c.class_name())->second.arguments);
    require(step.begin_index == 0, "batch_step_plans", "begin_index", step.begin_index, "the times are given");
    detail::table_levels const level(c);
    double const stride = detail::stride_of(c, request);
    std::vector<plan> plans;
    for (double t : times) {
        grid_step const one{t, level(t), t < stride ? noise_level{1.0, 0.0} : level(t - stride)};
        if (ancestral) {
            ddpm_options o = detail::ddpm_options_of(c);
            o.noisy = {false};
            plans.push_back(ddpm(std::vector{one}, o));
        } else {
            plans.push_back(ddim(std::vector{one}, detail::ddim_options_of(c, step)));
        }
    }
    return plans;
}

/// FlowMatchEulerDiscreteScheduler with per_token_timesteps, the grid's times times a weight: one plan a token. Every
/// token goes to the grid's next lower sigma, with the wrong sign of dt that the class has: the state moves away from
/// the data, unless the configuration is a `corrected` one.
inline std::vector<plan> per_token_plans(diffusers_config const& c, diffusers_request const& request,
                                         std::vector<double> const& weights)
{
    using namespace slots;
    if (c.class_name() != "FlowMatchEulerDiscrete")
        c.unsupported("_class_name", "is " + c.class_name() + "; only FlowMatchEulerDiscrete has per_token_timesteps");
    diffusers_grid const g = set_timesteps(c, request);
    std::vector<plan> plans(weights.size());
    for (std::size_t k = 0; k < weights.size(); ++k) {
        for (double t : g.times) {
            double const time = t * weights[k], here = time / c.integer("num_train_timesteps");
            double there = 0;
            for (double sigma : g.sigmas)
                if (sigma < here - 1e-6)
                    there = std::max(there, sigma);
            grid_step const one{time, detail::level_of(here, detail::sigma_path::flow),
                                detail::level_of(there, detail::sigma_path::flow)};
            stage s = ancestral_stage(detail::flow_network, one, {{one.to.alpha, 0.0}, one.to.sigma});
            if (!c.flag("stochastic_sampling"))
                s.x = slots::x + (c.correct() ? there - here : here - there) * F();
            plans[k].stages.push_back(s);
        }
        number_draws(plans[k]);
    }
    return plans;
}

/// The steps of one size. Before them, but for the first plan, the state, which holds no noise then, is resized to
/// `scale` times its first size as the configuration's upscale_mode says.
struct sized_plan {
    double scale = 1.0;
    plan steps{};
};

/// FlowMatchLCMScheduler with scale_factors: one plan a size. After step k the state has scale_factors[k] times its
/// first size, beyond the list the size that it has; the noise is drawn at the new size. Where upscale_mode is null the
/// factors are ignored, as the class does. Throws as `make_plan` does, and for another class.
inline std::vector<sized_plan> sized_plans(diffusers_config const& c, diffusers_request const& request)
{
    using namespace slots;
    if (c.class_name() != "FlowMatchLCM")
        c.unsupported("_class_name", "is " + c.class_name() + "; only FlowMatchLCM has scale_factors");
    diffusers_grid const g = set_timesteps(c, request);
    std::vector<double> const scales = c.has("upscale_mode") ? c.numbers("scale_factors") : std::vector<double>{};
    plan const whole = consistency(detail::grid_of(g, detail::sigma_path::flow), {.network = detail::flow_network});
    std::vector<sized_plan> parts(1);
    for (std::size_t i = 0; i < whole.stages.size(); ++i) {
        parts.back().steps.stages.push_back(whole.stages[i]);
        if (i >= scales.size() || scales[i] == parts.back().scale)
            continue;
        stage& last = parts.back().steps.stages.back();
        double const noise = last.x[z];
        stage const rest{.x = (x + noise * z).pruned(), .calls = false, .noise = last.noise};
        last.x = (last.x - noise * z).pruned();
        last.noise = stage::automatic;
        last.ends_step = false;
        parts.push_back({scales[i], {.stages = {rest}}});
    }
    parts.front().steps.initial_scale = g.initial_scale;
    return parts;
}

} // namespace alphabar
