// SPDX-License-Identifier: MIT
// The names that users know, as plans: the samplers and schedules of AUTOMATIC1111's WebUI and Forge, ComfyUI,
// k-diffusion.
#pragma once

#include <alphabar/core/error.hpp>
#include <alphabar/grid/grid.hpp>
#include <alphabar/grid/ramp.hpp>
#include <alphabar/grid/sigmas.hpp>
#include <alphabar/grid/spacing.hpp>
#include <alphabar/io/edit_distance.hpp>
#include <alphabar/sampler/adams.hpp>
#include <alphabar/sampler/cfg_pp.hpp>
#include <alphabar/sampler/consistency.hpp>
#include <alphabar/sampler/ddim.hpp>
#include <alphabar/sampler/ddpm.hpp>
#include <alphabar/sampler/dpm_multistep.hpp>
#include <alphabar/sampler/er_sde.hpp>
#include <alphabar/sampler/euler.hpp>
#include <alphabar/sampler/pndm.hpp>
#include <alphabar/sampler/restart.hpp>
#include <alphabar/sampler/runge_kutta.hpp>
#include <alphabar/sampler/sa_solver.hpp>
#include <alphabar/sampler/two_stage.hpp>
#include <alphabar/sampler/unipc.hpp>
#include <alphabar/schedule/betas.hpp>
#include <alphabar/schedule/gaussian_diffusion.hpp>
#include <alphabar/schedule/paths.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace alphabar {

/// Whose names are meant, where software disagrees: a schedule's rule, the schedule that goes without saying (the WebUI
/// and Forge have one for each sampler, the others have none), for which samplers the last level but one is left out,
/// and whether a table's network is told the nearest whole time (ComfyUI and Forge do so).
enum class software : std::uint8_t { webui = 1, comfyui = 2, k_diffusion = 4, forge = 8 };
constexpr bool is_webui(software s) { return s == software::webui || s == software::forge; }

/// How the WebUI's UniPC spaces its times: equally, equally in their square root, or equally in lambda.
enum class unipc_skip : std::uint8_t { time_uniform, time_quadratic, log_snr };

struct name_options {
    network_form network{};
    software from = software::webui;
    std::optional<double> eta{}; ///< of stochastic solvers; without: the software's
    double noise_scale = 1.0;    ///< s_noise of stochastic solvers
    churn_options churn{};       ///< of Euler, Heun and DPM2
    sigma_range range{};         ///< sigma_min and sigma_max of the schedule
    std::optional<double> rho{}; ///< of Karras and polyexponential
    double beta_alpha = 0.6;     ///< of beta
    double beta_beta = 0.6;
    bool discard_penultimate = false; ///< for every sampler, not only for those whose software does so
    /// Of UniPC: order, variant and lower_order_final are read; the network is the one above, the form that of x_0.
    unipc_options unipc{.order = 3, .variant = unipc_variant::bh1, .lower_order_final = true};
    unipc_skip skip = unipc_skip::time_uniform; ///< of the WebUI's UniPC
};

/// A row of the table of schedules.
template <noise_path Path>
struct named_schedule {
    std::string_view names; ///< separated by |, the first one is shown
    std::string_view call;  ///< what `make` does, as C++
    grid (*make)(Path const& path, std::size_t n, name_options const& o);
    unsigned of = 15;  ///< the software that means this by it, a sum of `software`
    bool flow = false; ///< this is meant on rectified flow only; it stands before the row for other paths
};

/// A row of the table of solvers.
template <noise_path Path>
struct named_solver {
    std::string_view names;
    std::string_view call;
    plan (*make)(Path const& path, grid const& g, name_options const& o);
    std::string_view schedule = "Uniform"; ///< the WebUI's where none is named
    unsigned discards = 0;                 ///< the software that makes N + 1 levels and leaves out the last but one
    bool flow = false;
    std::string_view note = {}; ///< how it differs from the software's
    unsigned of = 15;           ///< the software that means this by it

    /// Whether the WebUI reckons with two calls a step.
    bool two_calls() const
    {
        for (std::string_view start : {"heun(", "dpm_2", "dpmpp_2s_ancestral(", "dpmpp_sde(", "named_restart"})
            if (call.starts_with(start))
                return true;
        return false;
    }
    /// Whether the plan depends on name_options::eta.
    bool reads_eta() const
    {
        return call.find("o.eta") != call.npos || call.starts_with("named_dpm_fast") || call.starts_with("named_sa");
    }
};

namespace detail {

template <noise_path Path, class Spec>
grid named_made(Path const& path, Spec const& spec)
{
    if constexpr (grid_spec<Spec, Path>)
        return make_grid(path, spec);
    reject("named_grid", "the path", "continuous", "this schedule counts the times of a table");
}

/// The times of the WebUI's DDIM, PLMS and UniPC for N steps, from the least noisy: 1 + k (T // N), at most T - 1.
inline std::vector<double> webui_timesteps(std::size_t T, std::size_t n)
{
    require(n >= 1 && n <= T, "named_plan", "the number of steps", n,
            "it must lie in [1, " + std::to_string(T) + "], the times of the table");
    std::vector<double> times;
    for (std::size_t t = 0; t < T; t += T / n)
        times.push_back(static_cast<double>(std::min(t + 1, T - 1)));
    return times;
}

/// The WebUI's DDIM and PLMS: one call fewer than there are `webui_timesteps`, of which the first `kept` are used; the
/// last step goes to the level of time 1.
inline auto webui_timesteps_grid(std::size_t n, std::optional<std::size_t> kept = {})
{
    return [=]<table_path Path>(Path const& path) -> grid {
        std::vector<double> times = webui_timesteps(path.T(), n);
        times.resize(std::min(kept.value_or(times.size()), times.size()));
        require(times.size() > 1, "named_plan", "the number of steps", n, "the WebUI's sampler makes no call with it");
        grid g{.times{times.rbegin(), times.rend() - 1}, .levels = {}, .end_time = times[0]};
        for (double t : g.times)
            g.levels.push_back(path.level(t));
        g.levels.push_back(path.level(times[0]));
        if (g.times.size() > 1 && g.times[0] == g.times[1]) // from T / 2 steps on
            g.direction = grid::course::as_given;
        return g;
    };
}

/// The WebUI's UniPC: as many calls as there are `webui_timesteps`, or as are `kept` of them, from the last time, or
/// the last one kept, to time 0, which is the end. Between the entries of the table log alpha is interpolated, not log
/// sigma.
inline auto webui_unipc_grid(std::size_t n, name_options const& o, std::optional<std::size_t> kept = {})
{
    return [n, kept, skip = o.skip, order = o.unipc.order]<table_path Path>(Path const& path) -> grid {
        std::vector<double> const times = webui_timesteps(path.T(), n);
        std::size_t const calls = std::min(kept.value_or(times.size()), times.size());
        require(calls >= order, "named_plan", "the number of steps", n, "the WebUI's UniPC needs as many as its order");
        auto const log_alpha_at = [&](double t) { return std::log(path.level(t).alpha); };
        double const T = static_cast<double>(path.T()), top = kept ? times[calls - 1] + 1.0 : T; // counted from 1 to T
        auto const lambda_of = [](double log_alpha) {
            return log_alpha - 0.5 * std::log(-std::expm1(2.0 * log_alpha));
        };
        double const high = lambda_of(log_alpha_at(top - 1.0)), low = lambda_of(log_alpha_at(0.0));
        grid g{};
        for (std::size_t i = 0; i <= calls; ++i) {
            double const u = static_cast<double>(i) / static_cast<double>(calls);
            double const root = std::sqrt(top) + u * (1.0 - std::sqrt(top));
            double at = (skip == unipc_skip::time_quadratic ? root * root : top + u * (1.0 - top)) - 1.0;
            if (skip == unipc_skip::log_snr && i > 0 && i < calls) {
                double const lambda = high + u * (low - high), log_alpha = -0.5 * std::log1p(std::exp(-2.0 * lambda));
                double const below = std::floor(path.time(std::exp(-lambda)));
                double const here = log_alpha_at(below), next = log_alpha_at(below + 1.0);
                at = below + (log_alpha - here) / (next - here);
            } else if (skip == unipc_skip::log_snr) {
                at = i == 0 ? top - 1.0 : 0.0;
            }
            double const below = std::min(std::floor(at), T - 2.0), w = at - below;
            double const log_alpha = (1.0 - w) * log_alpha_at(below) + w * log_alpha_at(below + 1.0);
            g.levels.push_back(w == 0.0 || w == 1.0
                                   ? path.level(at)
                                   : noise_level{std::exp(log_alpha), std::sqrt(-std::expm1(2.0 * log_alpha))});
            if (i < calls)
                g.times.push_back(at);
        }
        return g;
    };
}

/// The table that the WebUI's LCM lives on: every (T / 50)th entry of the path's, the last one included.
template <table_path Path>
gaussian_diffusion lcm_table(Path const& path)
{
    std::size_t const stride = path.T() / 50;
    require(stride > 0, "named_plan", "T", path.T(), "LCM needs a table of at least 50 times");
    std::vector<double> betas;
    for (double before = 1.0, t = static_cast<double>(path.T() - 49 * stride - 1); betas.size() < 50;
         t += static_cast<double>(stride)) {
        noise_level const level = path.level(t);
        double const kept = level.alpha * level.alpha;
        betas.push_back(1.0 - kept / before);
        before = kept;
    }
    return gaussian_diffusion(beta_schedule({betas.begin(), betas.end()}));
}

/// The whole time that is nearest, of two the lower one.
inline double nearest_time(double t) { return std::ceil(t - 0.5); }

/// The grid on `lcm_table` with the network told the entry of the path's table that is nearest.
template <table_path Path>
grid on_whole_table(Path const& path, grid g)
{
    double const stride = static_cast<double>(path.T() / 50), last = static_cast<double>(path.T() - 1);
    for (double& t : g.times)
        t = last - stride * (49.0 - nearest_time(t));
    return g;
}

/// Throws std::invalid_argument where an eta is given to a sampler that has none, or is below 0.
template <noise_path Path>
void check_eta(named_solver<Path> const& solver, name_options const& o)
{
    require(!o.eta || solver.reads_eta(), "named_plan", "eta", o.eta.value_or(0.0), "this sampler has none");
    require(o.eta.value_or(0.0) >= 0.0, "named_plan", "eta", o.eta.value_or(0.0), "it must be at least 0");
}

/// The plan as ComfyUI and Forge run it on a table: the network is told the nearest whole time.
template <noise_path Path>
plan as_called(named_solver<Path> const& solver, plan p, name_options const& o)
{
    bool const counted = solver.schedule.ends_with("timesteps"); // rounds halves to even
    if (table_path<Path> && (o.from == software::comfyui || o.from == software::forge) &&
        o.network.clock == network_clock::path)
        for (stage& s : p.stages) {
            double const t = s.time / o.network.time_scale;
            s.time = o.network.time_scale * (counted ? std::nearbyint(t) : nearest_time(t));
        }
    return p;
}

/// The grid with its last state as k-diffusion leaves it, x / alpha: that matters where sigma does not end at 0.
auto unscaled_end(auto const& spec)
{
    return [=](noise_path auto const& path) -> grid {
        grid g = make_grid(path, spec);
        g.levels.back() = {1.0, sigma_ratio(g.levels.back())};
        return g;
    };
}

inline sigma_range through(sigma_range range, final_level end)
{
    range.end = end;
    return through(range);
}
inline sigma_range rounding(sigma_range range, bool round)
{
    range.round_times = round;
    return range;
}

/// A number of calls from the first to the last noisy level of `g`, in steps of three, equal in lambda.
template <noise_path Path>
plan named_dpm_fast(Path const& path, grid const& g, name_options const& o)
{
    require(g.levels[g.steps() - 1].alpha > 0.0, "named_plan", "the number of steps", g.steps(),
            "DPM fast needs 2 where the grid starts at alpha = 0");
    std::vector<runge_kutta_method> const methods = fast_methods(g.steps());
    sigma_range const range{sigma_of(path, g.levels[g.steps() - 1]), sigma_of(path, g.levels[0])};
    return runge_kutta(path, unscaled_end(exponential_grid(methods.size(), through(range, final_level::first))),
                       {.network = o.network,
                        .methods = methods,
                        .form = memory_form::epsilon,
                        .eta = o.eta.value_or(is_webui(o.from) ? 1.0 : 0.0),
                        .stays_above = true,
                        .noise_scale = o.noise_scale});
}

/// The WebUI's intervals: from 20 steps on 9 of them, from 36 on two times a quarter of them, go from sigma 2 down to
/// 0.1 once more, and the others are a Karras grid.
template <noise_path Path>
plan named_restart(Path const& path, grid const& g, name_options const& o)
{
    std::size_t const n = g.steps(), times = n >= 36 ? 2 : 1, again = n >= 36 ? n / 4 : 9;
    restart_options const heun{.network = o.network, .noise_scale = o.noise_scale};
    if (n < 20)
        return restart(path, g, {}, heun);
    sigma_range const range{sigma_of(path, g.levels[n - 1]), sigma_of(path, g.levels[0])};
    grid const first = make_grid(path, karras_grid(n - times * again, {.range = range}));
    auto const near = [&](double sigma) {
        auto const distance = [&](noise_level level) { return std::abs(sigma_of(path, level) - sigma); };
        return sigma_of(path, *std::ranges::min_element(first.levels, {}, distance));
    };
    return restart(path, first, {{.low = near(0.1), .high = near(2.0), .steps = again, .times = times}}, heun);
}

/// ComfyUI's SA-Solver: noise where a step ends between 80 and 20 % of the path's times, and orders that fall to 1
/// before a step to sigma = 0, which has no corrector but in PECE.
template <noise_path Path>
plan named_sa_solver(Path const& path, grid const& g, name_options const& o, bool pece = false)
{
    auto const ratio_at = [&](double part) {
        if constexpr (std::is_same_v<Path, variance_exploding>) // its times are counted in log sigma
            return std::pow(path.sigma_min, 1.0 - part) * std::pow(path.sigma_max, part);
        else
            return sigma_ratio(path.level(part * path.final_time()));
    };
    std::size_t const n = g.steps();
    adams_options a{
        .predictor = rising_orders(g, 3), .corrector = rising_orders(g, 4), .noise_scale = o.noise_scale, .pece = pece};
    for (std::size_t i = 0; i < n; ++i) {
        double const ratio = sigma_ratio(g.levels[i + 1]);
        a.tau.push_back(ratio >= ratio_at(0.2) && ratio <= ratio_at(0.8) ? o.eta.value_or(1.0) : 0.0);
        if (g.levels[n].sigma == 0.0) {
            a.predictor[i] = std::min(a.predictor[i], static_cast<unsigned>(std::max<std::size_t>(n - i, 2) - 1));
            a.corrector[i] = i + 1 == n && !pece ? 0 : std::min(a.corrector[i], static_cast<unsigned>(n - i));
        }
    }
    return adams(g, o.network, a);
}

/// ComfyUI's factors of D - U in steps of CFG++ of order 2: the correction of 2M is taken from D, and res_multistep
/// moves on from x + D - U.
inline double comfyui_2m(stage const& s, noise_level, noise_level to) { return to.alpha - s.x[slots::m(1)]; }
inline double comfyui_res(stage const& s, noise_level from, noise_level to)
{
    return s.x.reads(slots::m(1)) ? from.alpha * s.x[slots::x] : to.alpha;
}

inline constexpr std::string_view one_tree = "the software draws from one Brownian path";

} // namespace detail

#define ALPHABAR_GRID(...)                                                                                             \
    #__VA_ARGS__, []([[maybe_unused]] Path const& path, std::size_t n, [[maybe_unused]] name_options const& o) {       \
        return detail::named_made(path, __VA_ARGS__);                                                                  \
    }
#define ALPHABAR_PLAN(...)                                                                                             \
    #__VA_ARGS__,                                                                                                      \
        []([[maybe_unused]] Path const& path, grid const& g, name_options const& o) -> plan { return __VA_ARGS__; }

/// The table of schedules.
template <noise_path Path>
std::vector<named_schedule<Path>> const& named_schedules()
{
    using detail::through, detail::rounding, detail::unscaled_end, detail::webui_timesteps_grid,
        detail::webui_unipc_grid;
    constexpr unsigned webui = static_cast<unsigned>(software::webui) | static_cast<unsigned>(software::forge);
    static std::vector<named_schedule<Path>> const rows = {
        {"Uniform|Normal|normal", ALPHABAR_GRID(normal_grid(n, o.range))},
        {"Karras|karras|ka", ALPHABAR_GRID(karras_grid(n, {.rho = o.rho.value_or(7.0), .range = o.range}))},
        {"Exponential|exponential", ALPHABAR_GRID(exponential_grid(n, o.range))},
        {"Polyexponential", ALPHABAR_GRID(polyexponential_grid(n, {.rho = o.rho.value_or(1.0), .range = o.range}))},
        {"SGM Uniform|sgm_uniform", ALPHABAR_GRID(sgm_uniform_grid(n, o.range))},
        {"KL Optimal", ALPHABAR_GRID(unscaled_end(kl_optimal_grid(n, through(o.range, final_level::first)))), webui},
        {"KL Optimal|kl_optimal", ALPHABAR_GRID(kl_optimal_grid(n, o.range))},
        {"Align Your Steps|ays|Align Your Steps 11",
         ALPHABAR_GRID(list_grid(n, level_list::ays_sd15, {.through_end = false}))},
        {"Align Your Steps SDXL|ays sdxl", ALPHABAR_GRID(list_grid(n, level_list::ays_sdxl, {.through_end = false}))},
        {"Align Your Steps GITS|ays gits", ALPHABAR_GRID(list_grid(n, level_list::gits_sd15, {.through_end = false}))},
        {"Align Your Steps GITS SDXL|ays gits sdxl",
         ALPHABAR_GRID(list_grid(n, level_list::gits_sdxl, {.through_end = false}))},
        {"Align Your Steps 32|ays 32", ALPHABAR_GRID(list_grid(n, level_list::ays32_sd15, {.through_end = false}))},
        {"Align Your Steps 32 SDXL|ays 32 sdxl",
         ALPHABAR_GRID(list_grid(n, level_list::ays32_sdxl, {.through_end = false}))},
        {"Simple|simple", ALPHABAR_GRID(trailing_grid(n)), 7, true},
        {"Simple|simple", ALPHABAR_GRID(simple_grid(n, arithmetic::numpy))},
        {"DDIM|ddim_uniform", ALPHABAR_GRID(ddim_uniform_grid(n))},
        {"Beta", ALPHABAR_GRID(beta_grid(n, {.alpha = o.beta_alpha, .beta = o.beta_beta, .range = o.range})), webui},
        {"Beta|beta",
         ALPHABAR_GRID(beta_time_grid(
             n, {.alpha = o.beta_alpha, .beta = o.beta_beta, .range = rounding(o.range, table_path<Path>)}))},
        {"beta57",
         ALPHABAR_GRID(beta_time_grid(n, {.alpha = 0.5, .beta = 0.7, .range = rounding(o.range, table_path<Path>)}))},
        {"linear_quadratic", ALPHABAR_GRID(linear_quadratic_grid(n, {.range = o.range}))},
        {"bong_tangent", ALPHABAR_GRID(bong_tangent_grid(n, o.range))},
        {"smoothstep", ALPHABAR_GRID(smoothstep_grid(n, rounding(o.range, table_path<Path>)))},
        {"Turbo|trailing", ALPHABAR_GRID(trailing_grid(n))},
        {"leading", ALPHABAR_GRID(leading_grid(n))},
        {"linspace", ALPHABAR_GRID(linspace_grid(n))},
        {"VP", ALPHABAR_GRID(vp_grid(n))},
        {"time_uniform", ALPHABAR_GRID(sgm_uniform_grid(n, through(o.range, final_level::first)))},
        {"time_quadratic", ALPHABAR_GRID(time_quadratic_grid(n))},
        {"logSNR", ALPHABAR_GRID(exponential_grid(n, through(o.range, final_level::first)))},
        {"timesteps", ALPHABAR_GRID(webui_timesteps_grid(n)), webui},
        {"UniPC timesteps", ALPHABAR_GRID(webui_unipc_grid(n, o)), webui},
        {"LCM", ALPHABAR_GRID(lcm_grid(n))},
    };
    return rows;
}

/// The table of solvers.
template <noise_path Path>
std::vector<named_solver<Path>> const& named_solvers()
{
    using detail::comfyui_2m, detail::comfyui_res, detail::named_dpm_fast, detail::named_restart,
        detail::named_sa_solver;
    constexpr auto webui = static_cast<unsigned>(software::webui) | static_cast<unsigned>(software::forge),
                   comfyui = static_cast<unsigned>(software::comfyui);
    constexpr std::string_view flow_note = "on rectified flow ComfyUI and Forge split noise and step otherwise";
    constexpr std::string_view heads_note = "the network has two heads, the unconditional and the guided prediction";
    constexpr std::string_view tree_note = detail::one_tree;
    static std::vector<named_solver<Path>> const rows = {
        {"Euler|euler", ALPHABAR_PLAN(euler(path, g, {.network = o.network, .churn = o.churn}))},
        {"Euler a|euler_ancestral",
         ALPHABAR_PLAN(euler_ancestral_flow(
             path, g, {.network = o.network, .eta = o.eta.value_or(1.0), .noise_scale = o.noise_scale})),
         "Uniform", 0, true},
        {"Euler a|euler_ancestral",
         ALPHABAR_PLAN(euler_ancestral(
             path, g, {.network = o.network, .eta = o.eta.value_or(1.0), .noise_scale = o.noise_scale}))},
        {"Heun|heun", ALPHABAR_PLAN(heun(path, g, {.network = o.network, .churn = o.churn}))},
        {"heunpp2", ALPHABAR_PLAN(heunpp2(path, g, {.network = o.network, .churn = o.churn}))},
        {"LMS|lms", ALPHABAR_PLAN(lms(path, g, {.network = o.network, .euler_at_zero = o.from == software::comfyui}))},
        {"iPNDM|ipndm",
         ALPHABAR_PLAN(ipndm(path, g, {.network = o.network, .euler_at_zero = o.from != software::forge}))},
        {"iPNDM v|ipndm_v", ALPHABAR_PLAN(lms(path, g, {.network = o.network, .euler_at_zero = true})), "Uniform", 0,
         false, "the exact weights of unequal steps; shipped ones differ from order 3 on"},
        {"gradient_estimation|euler_ge", ALPHABAR_PLAN(gradient_estimation(path, g, {.network = o.network}))},
        {"exp_heun_2_x0", ALPHABAR_PLAN(runge_kutta(path, g, {.network = o.network, .methods = {res_2s(1.0)}}))},
        {"exp_heun_2_x0_sde",
         ALPHABAR_PLAN(runge_kutta(path, g,
                                   {.network = o.network,
                                    .methods = {res_2s(1.0)},
                                    .tau = std::sqrt(o.eta.value_or(1.0)),
                                    .noise_scale = o.noise_scale})),
         "Uniform", 0, false, "ComfyUI draws one more noise in each step and does not use it"},
        {"SEEDS-2|seeds_2", ALPHABAR_PLAN(runge_kutta(path, g,
                                                      {.network = o.network,
                                                       .methods = {dpm_2s()},
                                                       .tau = std::sqrt(o.eta.value_or(1.0)),
                                                       .noise_scale = o.noise_scale}))},
        {"SEEDS-3|seeds_3", ALPHABAR_PLAN(runge_kutta(path, g,
                                                      {.network = o.network,
                                                       .methods = {dpm_3s()},
                                                       .tau = std::sqrt(o.eta.value_or(1.0)),
                                                       .noise_scale = o.noise_scale}))},
        {"DPM2|dpm_2", ALPHABAR_PLAN(dpm_2(path, g, {.network = o.network, .churn = o.churn})), "Karras",
         webui | comfyui},
        {"DPM2 a|dpm_2_ancestral",
         ALPHABAR_PLAN(dpm_2_ancestral(path, g, {.network = o.network, .eta = o.eta, .noise_scale = o.noise_scale})),
         "Karras", webui | comfyui, false, flow_note},
        {"DPM++ 2S a|dpmpp_2s_ancestral",
         ALPHABAR_PLAN(dpmpp_2s_ancestral(path, g, {.network = o.network, .eta = o.eta, .noise_scale = o.noise_scale})),
         "Karras", 0, false, flow_note},
        {"DPM++ 2M|dpmpp_2m", ALPHABAR_PLAN(dpmpp_2m(path, g, {.network = o.network})), "Karras"},
        {"DPM++ SDE|dpmpp_sde",
         ALPHABAR_PLAN(dpmpp_sde(path, g, {.network = o.network, .eta = o.eta, .noise_scale = o.noise_scale})),
         "Karras", 0, false, tree_note},
        {"DPM++ 2M SDE|dpmpp_2m_sde",
         ALPHABAR_PLAN(dpmpp_2m_sde(path, g, {.network = o.network, .eta = o.eta, .noise_scale = o.noise_scale})),
         "Exponential", 0, false, tree_note},
        {"DPM++ 2M SDE Heun|dpmpp_2m_sde_heun",
         ALPHABAR_PLAN(dpmpp_2m_sde(
             path, g, {.network = o.network, .eta = o.eta, .rule = moment_rule{}, .noise_scale = o.noise_scale})),
         "Exponential", 0, false, tree_note},
        {"DPM++ 3M SDE|dpmpp_3m_sde",
         ALPHABAR_PLAN(
             dpmpp_3m_sde_shipped(path, g, {.network = o.network, .eta = o.eta, .noise_scale = o.noise_scale})),
         "Exponential", webui, false, tree_note},
        {"res_multistep", ALPHABAR_PLAN(res_multistep(path, g, {.network = o.network}))},
        {"res_multistep_ancestral",
         ALPHABAR_PLAN(
             res_multistep_ancestral(path, g, {.network = o.network, .eta = o.eta, .noise_scale = o.noise_scale})),
         "Uniform", 0, false, flow_note},
        {"DPM fast|dpm_fast", ALPHABAR_PLAN(named_dpm_fast(path, g, o))},
        {"Restart", ALPHABAR_PLAN(named_restart(path, g, o)), "Karras"},
        {"ER-SDE|er_sde",
         ALPHABAR_PLAN(er_sde(path, g, {.network = o.network, .noise_scale = o.noise_scale, .shipped = true}))},
        {"euler_cfg_pp", ALPHABAR_PLAN(euler_cfg_pp(path, g, {.network = o.network})), "Uniform", 0, false, heads_note},
        {"DDIM CFG++",
         ALPHABAR_PLAN(euler_ancestral_cfg_pp(
             path, g, {.network = o.network, .eta = o.eta.value_or(0.0), .noise_scale = o.noise_scale})),
         "timesteps", 0, false, heads_note},
        {"euler_ancestral_cfg_pp",
         ALPHABAR_PLAN(euler_ancestral_cfg_pp(
             path, g, {.network = o.network, .eta = o.eta.value_or(1.0), .noise_scale = o.noise_scale})),
         "Uniform", 0, false, heads_note},
        {"dpmpp_2m_cfg_pp", ALPHABAR_PLAN(cfg_pp_of<dpmpp_2m>{comfyui_2m}(path, g, {.network = o.network})), "Karras",
         0, false, heads_note},
        {"dpmpp_2s_ancestral_cfg_pp",
         ALPHABAR_PLAN(
             dpmpp_2s_ancestral_cfg_pp(path, g, {.network = o.network, .eta = o.eta, .noise_scale = o.noise_scale})),
         "Karras", 0, false, heads_note},
        {"res_multistep_cfg_pp", ALPHABAR_PLAN(cfg_pp_of<res_multistep>{comfyui_res}(path, g, {.network = o.network})),
         "Uniform", 0, false, heads_note},
        {"res_multistep_ancestral_cfg_pp",
         ALPHABAR_PLAN(cfg_pp_of<res_multistep_ancestral>{comfyui_res}(
             path, g, {.network = o.network, .eta = o.eta, .noise_scale = o.noise_scale})),
         "Uniform", 0, false, heads_note},
        {"gradient_estimation_cfg_pp", ALPHABAR_PLAN(gradient_estimation_cfg_pp(path, g, {.network = o.network})),
         "Uniform", 0, false, heads_note},
        {"UniPC|uni_pc",
         ALPHABAR_PLAN(unipc(path, g,
                             {.network = o.network,
                              .order = o.unipc.order,
                              .variant = o.unipc.variant,
                              .lower_order_final = o.unipc.lower_order_final})),
         "UniPC timesteps", comfyui, false, "ComfyUI ends at sigma 0.001"},
        {"UniPC bh2|uni_pc_bh2",
         ALPHABAR_PLAN(unipc(
             path, g, {.network = o.network, .order = o.unipc.order, .lower_order_final = o.unipc.lower_order_final})),
         "UniPC timesteps", comfyui, false, "ComfyUI ends at sigma 0.001"},
        {"DEIS|deis", ALPHABAR_PLAN(deis(path, g, {.network = o.network, .order = 3})), "Uniform", 0, false,
         "polynomials in log sigma, as diffusers has them; ComfyUI's are in time"},
        {"SA-Solver|sa_solver", ALPHABAR_PLAN(named_sa_solver(path, g, o))},
        {"SA-Solver PECE|sa_solver_pece", ALPHABAR_PLAN(named_sa_solver(path, g, o, true))},
        {"DDIM|ddim", ALPHABAR_PLAN(ddim(path, g, {.network = o.network, .eta = o.eta.value_or(0.0)})), "timesteps"},
        {"PLMS", ALPHABAR_PLAN(pndm(path, g, {.network = o.network})), "timesteps"},
        {"TCD", ALPHABAR_PLAN(tcd(path, g, {.network = o.network, .gamma = o.eta.value_or(0.3)})), "LCM"},
        {"DDPM|ddpm", ALPHABAR_PLAN(ddpm(path, g, {.network = o.network}))},
        {"LCM",
         ALPHABAR_PLAN(consistency(path, g, {.network = o.network, .noise_scale = o.noise_scale})),
         "Uniform",
         0,
         true,
         {},
         webui},
        {"LCM", ALPHABAR_PLAN(lcm_sampler(path, g, {.network = o.network, .unscaled_skip = true})), "Uniform", 0, false,
         "schedules act on every 20th time of the table", webui},
        {"LCM|lcm", ALPHABAR_PLAN(consistency(path, g, {.network = o.network, .noise_scale = o.noise_scale}))},
    };
    return rows;
}

#undef ALPHABAR_GRID
#undef ALPHABAR_PLAN

namespace detail {

/// A name without what users write differently: DPM++ 2M, dpmpp_2m, sample_dpmpp_2m and k_dpmpp_2m are one.
inline std::string plain_name(std::string_view name)
{
    for (std::string_view prefix : {"sample_", "get_sigmas_", "k_"})
        if (name.starts_with(prefix))
            name.remove_prefix(prefix.size());
    std::string plain(name);
    if (std::size_t const at = plain.find("_gpu"); at != plain.npos) // where the noise is made
        plain.erase(at, 4);
    for (char c : std::exchange(plain, {}))
        if (c == '+')
            plain += 'p';
        else if (c >= 'A' && c <= 'Z')
            plain += static_cast<char>(c - 'A' + 'a');
        else if (c != ' ' && c != '_' && c != '-')
            plain += c;
    return plain;
}

inline std::vector<std::string_view> names_of(std::string_view names)
{
    std::vector<std::string_view> each;
    for (std::size_t begin = 0; begin <= names.size();) {
        std::size_t const end = std::min(names.find('|', begin), names.size());
        each.push_back(names.substr(begin, end - begin));
        begin = end + 1;
    }
    return each;
}

/// A name that users know, and the row that it stands for.
struct known_name {
    std::string name;
    std::pair<std::size_t, std::size_t> row{};
};

/// Throws std::invalid_argument with the nearest of the known names, one of each row, and none that is mostly other
/// letters.
[[noreturn]] inline void unknown_name(std::string_view function, std::string_view what, std::string_view name,
                                      std::vector<known_name> const& known)
{
    std::string_view const looked_at = name.substr(0, 64); // no name is longer, and distances take time
    std::string const plain = plain_name(looked_at);
    std::vector<std::pair<std::size_t, known_name const*>> near;
    for (known_name const& k : known)
        if (std::size_t const distance = edit_distance(plain, plain_name(k.name)); 2 * distance <= plain.size())
            near.emplace_back(distance, &k);
    std::ranges::stable_sort(near, {}, [](auto const& entry) { return entry.first; });
    std::vector<std::pair<std::size_t, std::size_t>> said;
    std::string hint = "it is not known";
    for (auto const& [distance, k] : near) {
        if (said.size() == 3 || distance > near[0].first + 1)
            break;
        if (std::ranges::find(said, k->row) != said.end())
            continue;
        hint.append(said.empty() ? "; the nearest: \"" : ", \"").append(k->name) += '"';
        said.push_back(k->row);
    }
    reject(function, what, "\"" + std::string(looked_at) + "\"", hint);
}

/// The row of this name (already plain) that the software means, on this path; null where there is none.
template <class Row>
Row const* row_of(std::vector<Row> const& rows, std::string_view plain, bool flow, unsigned of)
{
    for (Row const& row : rows) {
        if (row.flow && !flow)
            continue;
        if ((row.of & of) == 0)
            continue;
        for (std::string_view name : names_of(row.names))
            if (plain_name(name) == plain)
                return &row;
    }
    return nullptr;
}

/// Names that users know and that stand for no plan.
inline constexpr std::pair<std::string_view, std::string_view> names_without_plan[] = {
    {"DPM adaptive|dpm_ad", "its steps are found while it runs: call adaptive(path, x, noise, network, options)"},
};

template <noise_path Path>
struct name_lookup {
    static constexpr bool flow = std::is_same_v<Path, rectified_flow>;
    named_solver<Path> const* solver;
    named_schedule<Path> const* schedule; ///< null where the name has none

    static named_schedule<Path> const* schedule_of(std::string_view plain, software from)
    {
        return row_of(named_schedules<Path>(), plain, flow, static_cast<unsigned>(from));
    }
    static named_solver<Path> const* solver_of(std::string_view plain, software from)
    {
        return row_of(named_solvers<Path>(), plain, flow, static_cast<unsigned>(from));
    }
    /// The names that mean a row to this software.
    template <class Row>
    static std::vector<known_name> known_names(std::vector<Row> const& rows, software from)
    {
        std::vector<known_name> all;
        for (std::size_t i = 0; i < rows.size(); ++i)
            for (std::string_view name : names_of(rows[i].names))
                if (row_of(rows, plain_name(name), flow, static_cast<unsigned>(from)) == &rows[i])
                    all.push_back({std::string(name), {i, 0}});
        return all;
    }
    /// "DPM++ 2M Karras": the longest solver's name at its start whose rest is empty or a schedule.
    static name_lookup parse(std::string_view name, software from)
    {
        std::string const plain = plain_name(name);
        for (std::size_t length = std::min<std::size_t>(plain.size(), 64); length > 0; --length)
            if (auto const* solver = solver_of(plain.substr(0, length), from)) {
                if (length == plain.size() || plain.substr(length) == "automatic")
                    return {solver, nullptr};
                if (auto const* schedule = schedule_of(plain.substr(length), from))
                    return {solver, schedule};
            }
        for (auto const& [other, why] : names_without_plan)
            for (std::string_view each : names_of(other))
                if (plain.starts_with(plain_name(each)))
                    reject("named_plan", "the sampler", "\"" + std::string(each) + "\"", why);
        if (schedule_of(plain, from))
            reject("named_plan", "the sampler", "\"" + std::string(name) + "\"",
                   "it is a schedule; name the sampler before it, as in \"DPM++ 2M Karras\"");
        std::vector<known_name> known = known_names(named_solvers<Path>(), from);
        std::vector<known_name> const solvers = known, schedules = known_names(named_schedules<Path>(), from);
        for (auto const& [solver, row] : solvers)
            for (auto const& [schedule, behind] : schedules)
                known.push_back({solver + " " + schedule, {row.first, behind.first + 1}});
        unknown_name("named_plan", "the sampler", name, known);
    }
    static named_schedule<Path> const& schedule_named(std::string_view name, software from)
    {
        if (auto const* schedule = schedule_of(plain_name(name), from))
            return *schedule;
        unknown_name("named_grid", "the schedule", name, known_names(named_schedules<Path>(), from));
    }
};

/// The grid without the last level but one.
inline grid without_penultimate(grid g)
{
    require(g.steps() > 1, "named_plan", "the number of steps", g.steps(), "the last level but one is left out");
    g.times.pop_back();
    g.levels.erase(g.levels.end() - 2);
    return g;
}

} // namespace detail

/// The table of Stable Diffusion 1 and 2, for named_plan and parsed parameters: scaled_linear betas from 0.00085 to
/// 0.012.
inline gaussian_diffusion stable_diffusion_path() { return gaussian_diffusion(scaled_linear_betas()); }

/// The schedule of a name, a spec as any other: "Karras", "sgm_uniform", "KL Optimal". Case, spaces, underscores and
/// hyphens do not matter. Throws std::invalid_argument for an unknown name, with the nearest ones, and as the grid
/// itself does.
inline auto named_grid(std::string name, std::size_t n, name_options o = {})
{
    return [name = std::move(name), n, o = std::move(o)]<noise_path Path>(Path const& path) -> grid {
        return detail::name_lookup<Path>::schedule_named(name, o.from).make(path, n, o);
    };
}

/// The sampler of a name on this grid: "DPM++ 2M", "Euler a", "dpmpp_2m_sde_gpu", "sample_heun". What the software does
/// is done, its flaws included (3M SDE has half the curvature). Every solver acts in the path's own lambda = log(alpha
/// / sigma); ComfyUI and Forge take -log sigma on flow models. Throws as named_grid does, and as the solver itself.
template <noise_path Path, grid_for<Path> Spec>
plan named_plan(std::string_view solver, Path const& path, Spec const& spec, name_options const& o = {})
{
    auto const found = detail::name_lookup<Path>::parse(solver, o.from);
    require(!found.schedule, "named_plan", "the sampler", "\"" + std::string(solver.substr(0, 64)) + "\"",
            "the grid is given; leave out the schedule");
    detail::check_eta(*found.solver, o);
    return detail::as_called(*found.solver, found.solver->make(path, make_grid(path, spec), o), o);
}

/// The grid of N steps that goes with a sampler's name: the schedule that follows it ("DPM++ 2M Karras"), or
/// `schedule`, or the WebUI's own one. Throws as named_plan does, and std::invalid_argument where no schedule is named
/// and the software has none.
template <noise_path Path>
grid named_plan_grid(std::string_view name, Path const& path, std::size_t n, name_options const& o = {},
                     std::string_view schedule = {})
{
    using names = detail::name_lookup<Path>;
    names const found = names::parse(name, o.from);
    bool const automatic = schedule.empty() || detail::plain_name(schedule) == "automatic";
    if (automatic && !found.schedule && !is_webui(o.from))
        reject("named_plan", "the schedule", "missing", "name it behind the sampler, for example \"euler normal\"");
    auto const& row = !automatic       ? names::schedule_named(schedule, o.from)
                      : found.schedule ? *found.schedule
                                       : names::schedule_named(found.solver->schedule, o.from);
    if constexpr (table_path<Path>)
        // its schedules act on a table of its own
        if (found.solver->call.find("unscaled_skip") != std::string_view::npos)
            return detail::on_whole_table(
                path, detail::name_lookup<gaussian_diffusion>::schedule_named(detail::names_of(row.names)[0], o.from)
                          .make(detail::lcm_table(path), n, o));
    bool const counted = row.names.ends_with("timesteps"); // the WebUI takes one step more and leaves nothing out
    bool const discards = o.discard_penultimate || (found.solver->discards & static_cast<unsigned>(o.from)) != 0;
    grid const g = row.make(path, discards ? n + 1 : n, o);
    return discards && !counted ? detail::without_penultimate(g) : g;
}

/// The plan of a name: named_plan("DPM++ 2M Karras", path, 20). Throws as named_plan_grid and named_plan on a grid do.
template <noise_path Path>
plan named_plan(std::string_view name, Path const& path, std::size_t n, name_options const& o = {})
{
    auto const& solver = *detail::name_lookup<Path>::parse(name, o.from).solver;
    detail::check_eta(solver, o);
    return detail::as_called(solver, solver.make(path, named_plan_grid(name, path, n, o), o), o);
}

} // namespace alphabar
