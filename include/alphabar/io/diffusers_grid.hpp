// SPDX-License-Identifier: MIT
// The times and noise levels that the scheduler classes of diffusers visit, to the last integer time: what
// set_timesteps does.
#pragma once

#include <alphabar/grid/shift.hpp>
#include <alphabar/grid/sigmas.hpp>
#include <alphabar/grid/spacing.hpp>
#include <alphabar/io/diffusers_config.hpp>
#include <alphabar/schedule/betas.hpp>
#include <alphabar/schedule/paths.hpp>
#include <alphabar/schedule/rescale.hpp>
#include <alphabar/schedule/tables.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <functional>
#include <map>
#include <numbers>
#include <optional>
#include <set>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace alphabar {

/// The arguments of set_timesteps. With none of them the class's initial times are meant: all training times,
/// descending.
struct diffusers_request {
    std::optional<int> num_inference_steps{};
    std::optional<std::vector<double>> timesteps{};
    std::optional<std::vector<double>> sigmas{};
    std::optional<double> mu{};
    /// In place of mu: from the number of image tokens, by the configuration's base_shift, max_shift,
    /// base_image_seq_len and max_image_seq_len (Flux' numbers where the class has not these fields).
    std::optional<int> image_tokens{};
    /// Arguments of single classes by their names: stage_index, sampling_eps, start_time, ... ; true is 1, None NaN.
    std::map<std::string, double, std::less<>> more{};

    bool empty() const { return !num_inference_steps && !timesteps && !sigmas && more.empty(); }
    double argument(std::string_view name, double otherwise) const
    {
        auto const found = more.find(name);
        return found == more.end() ? otherwise : found->second;
    }
};

/// What set_timesteps leaves: the time of every network call, the class's own noise levels with the final one (none for
/// the classes on a table), and init_noise_sigma.
struct diffusers_grid {
    std::vector<double> times;
    std::vector<double> sigmas{};
    double initial_scale = 1.0;
};

namespace detail {

// ---- NumPy's ways of making times, kept to the bit --------------------------------------------------------

/// linspace(start, stop, count): start + k step, the last point set to stop.
inline std::vector<double> linspace(double start, double stop, std::size_t count)
{
    std::vector<double> values(count, start);
    if (count < 2)
        return values;
    double const step = (stop - start) / static_cast<double>(count - 1);
    for (std::size_t k = 0; k < count; ++k)
        values[k] = static_cast<double>(k) * step + start;
    values.back() = stop;
    return values;
}

/// arange(last, 0, -step): last + k d with d = (last - step) - last.
inline std::vector<double> arange_down(double last, double step)
{
    auto const count = static_cast<std::size_t>(std::ceil(last / step));
    double const d = (last - step) - last;
    std::vector<double> values(count);
    for (std::size_t k = 0; k < count; ++k)
        values[k] = last + static_cast<double>(k) * d;
    return values;
}

/// Half to even.
inline std::vector<double> rounded(std::vector<double> values)
{
    for (double& v : values)
        v = std::nearbyint(v);
    return values;
}

inline std::vector<double> reversed(std::vector<double> values)
{
    std::ranges::reverse(values);
    return values;
}

inline std::vector<double> shifted(std::vector<double> values, double by)
{
    for (double& v : values)
        v += by;
    return values;
}

/// interp: piecewise linear through (xs, ys), xs ascending, held at the ends.
inline double interpolate(double x, std::vector<double> const& xs, std::vector<double> const& ys)
{
    auto const above = std::ranges::upper_bound(xs, x);
    if (above == xs.begin())
        return ys.front();
    if (above == xs.end())
        return ys.back();
    auto const j = static_cast<std::size_t>(above - xs.begin()) - 1;
    return (ys[j + 1] - ys[j]) / (xs[j + 1] - xs[j]) * (x - xs[j]) + ys[j];
}

/// The noise levels of a grid spec on the variance-exploding path, without the end.
template <class Spec>
std::vector<double> sigmas_of(Spec const& spec)
{
    grid const g = make_grid(variance_exploding{}, spec);
    std::vector<double> sigmas;
    for (std::size_t i = 0; i < g.steps(); ++i)
        sigmas.push_back(g.levels[i].sigma);
    return sigmas;
}

/// From `first` to `last` in either direction: make(range) is the spec of the descending grid.
template <class Make>
std::vector<double> sigmas_between(double first, double last, std::size_t count, Make const& make)
{
    if (count == 1)
        return {first};
    std::vector<double> const down = sigmas_of(make(sigma_range{std::min(first, last), std::max(first, last)}));
    return first < last ? reversed(down) : down;
}

inline std::vector<double> exponential_sigmas(double first, double last, std::size_t count)
{
    return sigmas_between(first, last, count, [=](sigma_range const& range) { return exponential_grid(count, range); });
}

inline std::vector<double> karras_sigmas(double first, double last, std::size_t count, double rho)
{
    return sigmas_between(first, last, count,
                          [=](sigma_range const& range) { return karras_grid(count, {.rho = rho, .range = range}); });
}

// ---- levels -----------------------------------------------------------------------------------------------

inline beta_schedule diffusers_betas(diffusers_config const& c)
{
    auto const T = static_cast<std::size_t>(c.integer("num_train_timesteps"));
    if (c.has("trained_betas"))
        return custom_betas(c.numbers("trained_betas"));
    std::string const name = c.text("beta_schedule", "squaredcos_cap_v2");
    if (name == "linear")
        return linear_betas(T, c.number("beta_start"), c.number("beta_end"));
    if (name == "scaled_linear")
        return scaled_linear_betas(T, c.number("beta_start"), c.number("beta_end"));
    if (name == "sigmoid")
        return sigmoid_betas(T, c.number("beta_start"), c.number("beta_end"));
    return name == "exp" ? exp_betas(T) : name == "laplace" ? laplace_betas(T, 0.999, c.correct()) : cosine_betas(T);
}

/// The table of cumulative alphas of a class. Some classes take 2^-24 in place of the 0 of zero terminal SNR.
inline std::vector<double> diffusers_alpha_bar(diffusers_config const& c)
{
    static std::set<std::string, std::less<>> const patched = {"EulerDiscrete", "EulerAncestralDiscrete",
                                                               "DPMSolverMultistep", "UniPCMultistep"};
    beta_schedule betas = diffusers_betas(c);
    if (c.has("snr_shift_scale"))
        betas = snr_shift(betas, c.number("snr_shift_scale"));
    bool const rescaled = c.flag("rescale_betas_zero_snr");
    if (rescaled)
        betas = zero_terminal_snr(betas);
    std::vector<double> alpha_bar(betas.T());
    tabulate(table::alpha_bar, betas.values(), alpha_bar);
    if (rescaled && patched.contains(c.class_name()))
        alpha_bar.back() = 0x1p-24;
    return alpha_bar;
}

/// sigma/alpha of every training time, ascending. Throws config_error where it is infinite.
inline std::vector<double> ve_table(diffusers_config const& c)
{
    std::vector<double> const alpha_bar = diffusers_alpha_bar(c);
    auto const end = std::ranges::find(alpha_bar, 0.0);
    if (end != alpha_bar.end())
        c.fail(config_error::kind::range,
               c.has("trained_betas") ? "trained_betas"
               : c.has("beta_end")    ? "beta_end"
                                      : "beta_schedule",
               "gives alpha-bar 0 at time " + std::to_string(end - alpha_bar.begin()) +
                   ", where sigma / alpha is infinite");
    std::vector<double> table(alpha_bar.size());
    for (std::size_t i = 0; i < table.size(); ++i)
        table[i] = std::sqrt((1 - alpha_bar[i]) / alpha_bar[i]);
    return table;
}

inline std::vector<double> positions(std::size_t count) { return linspace(0, static_cast<double>(count) - 1, count); }

/// sigma at fractional times of the table.
inline std::vector<double> sigmas_at(std::vector<double> const& times, std::vector<double> const& table)
{
    std::vector<double> const at = positions(table.size());
    std::vector<double> values(times.size());
    std::ranges::transform(times, values.begin(), [&](double t) { return interpolate(t, at, table); });
    return values;
}

/// The inverse, log-linear.
inline std::vector<double> times_at(std::vector<double> const& sigmas, std::vector<double> table)
{
    std::vector<double> const at = positions(table.size());
    for (double& s : table)
        s = std::log(s);
    std::vector<double> values(sigmas.size());
    std::ranges::transform(sigmas, values.begin(),
                           [&](double s) { return interpolate(std::log(std::max(s, 1e-10)), table, at); });
    return values;
}

/// The noise levels that the use_..._sigmas switches ask for; none where no switch is on.
inline std::optional<std::vector<double>> respaced_sigmas(diffusers_config const& c, double low, double high,
                                                          std::size_t count)
{
    double const bottom = c.number("sigma_min", low), top = c.number("sigma_max", high);
    if (c.flag("use_karras_sigmas"))
        return karras_sigmas(top, bottom, count, 7.0);
    if (c.flag("use_lu_lambdas"))
        return exponential_sigmas(high, low, count); // equal steps of lambda = -log sigma
    if (c.flag("use_exponential_sigmas"))
        return exponential_sigmas(top, bottom, count);
    if (c.flag("use_beta_sigmas"))
        return sigmas_between(top, bottom, count,
                              [=](sigma_range const& range) { return beta_grid(count, {.range = range}); });
    return std::nullopt;
}

/// logit(sigma) + log s.
inline double flow_shifted(double sigma, double s) { return s * sigma / (1 + (s - 1) * sigma); }

inline std::vector<double> flow_shifted(std::vector<double> sigmas, double s)
{
    for (double& sigma : sigmas)
        sigma = flow_shifted(sigma, s);
    return sigmas;
}

inline std::vector<double> dynamically_shifted(std::vector<double> sigmas, diffusers_config const& c,
                                               diffusers_request const& r)
{
    if (!r.mu)
        c.unsupported(
            "use_dynamic_shifting",
            "is true; the shift is an argument: plan({.num_inference_steps = n, .mu = mu}), or .image_tokens");
    return flow_shifted(std::move(sigmas), c.text("time_shift_type") == "linear" ? *r.mu : std::exp(*r.mu));
}

/// 1 - sigma scaled so that the last sigma is `terminal`.
inline std::vector<double> stretched(std::vector<double> sigmas, double terminal)
{
    if (sigmas.back() == 1) // one step: diffusers divides by 0
        return sigmas;
    double const factor = (1 - terminal) / (1 - sigmas.back());
    for (double& sigma : sigmas)
        sigma = 1 - (1 - sigma) * factor;
    return sigmas;
}

// ---- the families of classes ------------------------------------------------------------------------------

inline std::size_t step_count(diffusers_config const& c, diffusers_request const& r)
{
    if (!r.num_inference_steps)
        reject("set_timesteps", "num_inference_steps", "not given", c.class_name() + " needs it");
    require(*r.num_inference_steps > 0 && *r.num_inference_steps <= 10000, "set_timesteps", "num_inference_steps",
            *r.num_inference_steps, "it must lie in [1, 10000]");
    return static_cast<std::size_t>(*r.num_inference_steps);
}

inline std::size_t table_length(diffusers_config const& c)
{
    return static_cast<std::size_t>(c.integer("num_train_timesteps"));
}
inline std::size_t steps_offset(diffusers_config const& c)
{
    return static_cast<std::size_t>(c.integer("steps_offset", 0));
}

/// `count` times of a table of T, descending, as NumPy makes them.
inline std::vector<double> spaced_times(diffusers_config const& c, std::string const& spacing, std::size_t T,
                                        std::size_t count, bool round)
{
    spacing_options o{.rounding = c.correct() ? arithmetic::exact : arithmetic::numpy};
    if (spacing == "leading") {
        o.steps_offset = steps_offset(c);
        return leading_times(T, count, o);
    }
    if (spacing != "linspace")
        return trailing_times(T, count, o);
    o.rounded = round;
    return linspace_times(T, count, o);
}

/// DDPM, DDIM (rounded) and the classes on sigmas (linspace not rounded).
inline std::vector<double> class_times(diffusers_config const& c, diffusers_request const& r, bool round)
{
    return spaced_times(c, c.text("timestep_spacing", "leading"), table_length(c), step_count(c, r), round);
}

inline std::vector<double> all_times(diffusers_config const& c)
{
    return reversed(positions(static_cast<std::size_t>(c.integer("num_train_timesteps"))));
}

/// Classes on integer times of the table of cumulative alphas.
inline diffusers_grid table_grid(diffusers_config const& c, diffusers_request const& r)
{
    if (r.empty())
        return {all_times(c)};
    if (r.timesteps)
        return {*r.timesteps};
    std::vector<double> const t = class_times(c, r, true);
    return {c.class_name() == "DDIMInverse" ? reversed(t) : t};
}

/// Two network calls a step: every level but the first and the last stands twice, with its own time.
inline diffusers_grid doubled(diffusers_grid const& g)
{
    diffusers_grid twice{{g.times.front()}, {g.sigmas.front()}, g.initial_scale};
    for (std::size_t i = 1; i < g.times.size(); ++i) {
        twice.times.insert(twice.times.end(), 2, g.times[i]);
        twice.sigmas.insert(twice.sigmas.end(), 2, g.sigmas[i]);
    }
    twice.sigmas.push_back(g.sigmas.back());
    return twice;
}

/// Two network calls a step, the second in the middle of it in log sigma; ancestral steps end lower.
inline diffusers_grid with_middles(diffusers_grid const& g, std::vector<double> const& table, bool ancestral)
{
    diffusers_grid twice = doubled(g);
    for (std::size_t i = 1; i < g.times.size(); ++i) {
        double const from = g.sigmas[i - 1], to = g.sigmas[i];
        double const middle = std::sqrt(from * (ancestral ? to * (to / from) : to));
        twice.times[2 * i - 1] = times_at({middle}, table).front();
    }
    return twice;
}

/// Classes on noise levels sigma/alpha.
inline diffusers_grid sigma_grid(diffusers_config const& c, diffusers_request const& r)
{
    std::vector<double> const table = ve_table(c);
    diffusers_grid g;
    double final = c.text("final_sigmas_type") == "sigma_min" ? table.front() : 0.0;
    if (r.empty()) {
        g.times = all_times(c);
        g.sigmas = reversed(table);
    } else if (r.sigmas) {
        g.sigmas = *r.sigmas;
        require(g.sigmas.size() > 1, "set_timesteps", "the number of sigmas", g.sigmas.size(), "it must be at least 2");
        final = g.sigmas.back();
        g.sigmas.pop_back();
        g.times = times_at(g.sigmas, table);
    } else {
        g.times = r.timesteps ? *r.timesteps : class_times(c, r, false);
        g.sigmas = sigmas_at(g.times, table);
        std::size_t const n = r.num_inference_steps ? step_count(c, r) : g.times.size();
        if (c.text("interpolation_type") == "log_linear")
            g.sigmas = exponential_sigmas(table.back(), table.front(), n + 1);
        if (auto const other = respaced_sigmas(c, g.sigmas.back(), g.sigmas.front(), n)) {
            g.sigmas = *other;
            g.times = times_at(g.sigmas, table);
            if (c.flag("use_karras_sigmas") && c.class_name().starts_with("KDPM2") && !c.correct())
                g.times = rounded(g.times);
        }
    }
    if (c.text("timestep_type") == "continuous" && c.text("prediction_type") == "v_prediction")
        for (std::size_t i = 0; i < g.times.size(); ++i)
            g.times[i] = 0.25 * std::log(g.sigmas[i]);
    g.sigmas.push_back(final);
    double const peak = *std::ranges::max_element(g.sigmas);
    g.initial_scale = c.text("timestep_spacing") == "leading" ? std::sqrt(peak * peak + 1) : peak;
    std::string const& name = c.class_name();
    if (name == "HeunDiscrete")
        return doubled(g);
    if (name == "DPMSolverSDE")
        return with_middles(g, table, false);
    if (name.starts_with("KDPM2")) {
        g = with_middles(g, table, name == "KDPM2AncestralDiscrete");
        g.sigmas.insert(g.sigmas.end(), 2, final); // the last level stands three times
    }
    return g;
}

/// The exponential solvers: n + 1 points of a table cut to `last` entries; the inverse ones go up and leave out the
/// highest, the others the lowest. `trailing` has n points, counted from the cut with the stride of the whole table.
inline std::vector<double> solver_times(diffusers_config const& c, std::size_t n, std::size_t last)
{
    std::string const spacing = c.text("timestep_spacing", "linspace");
    bool const up = c.class_name().ends_with("Inverse");
    if (spacing == "trailing" && !c.correct()) {
        double const stride = static_cast<double>(table_length(c)) / static_cast<double>(n);
        std::vector<double> const down = shifted(rounded(arange_down(static_cast<double>(last), stride)), -1);
        return up ? reversed(down) : down;
    }
    bool const whole = spacing == "trailing";
    std::vector<double> times = spaced_times(c, spacing, last, whole ? n : n + 1, true);
    if (up)
        times = reversed(times);
    if (!whole)
        times.pop_back();
    return times;
}

/// Times cut to integers; the inverse solver drops repetitions.
inline std::vector<double> integer_times(std::vector<double> times, bool unique)
{
    std::set<double> seen;
    std::vector<double> kept;
    for (double t : times)
        if (double const cut = std::trunc(t); !unique || seen.insert(cut).second)
            kept.push_back(cut);
    return kept;
}

inline diffusers_grid solver_grid(diffusers_config const& c, diffusers_request const& r)
{
    std::string const& name = c.class_name();
    bool const inverse = name.ends_with("Inverse"), uni = name == "UniPCMultistep";
    bool const repeat_last =
        inverse || name == "DEISMultistep" || name == "SASolver"; // no final_sigmas_type: the last level twice
    auto const T = static_cast<double>(c.integer("num_train_timesteps"));
    std::vector<double> const table = ve_table(c);
    double const lambda_min = c.number("lambda_min_clipped", -std::numeric_limits<double>::infinity());
    auto const cut = std::ranges::count_if(table, [&](double sigma) { return -std::log(sigma) < lambda_min; });
    std::size_t const last = table.size() - static_cast<std::size_t>(cut);
    if (last == 0)
        c.refuse("lambda_min_clipped", "it leaves nothing of the table");

    diffusers_grid g;
    std::size_t n = 0;
    if (r.timesteps) {
        g.times = *r.timesteps;
        n = g.times.size();
    } else if (uni && r.sigmas) {
        n = r.sigmas->size();
    } else if (r.empty()) {
        return {inverse ? reversed(all_times(c)) : all_times(c), c.correct() && !inverse ? reversed(table) : table,
                1.0}; // the class's ascend in either case
    } else {
        n = step_count(c, r);
        if (cut > 0 && n >= last)
            c.refuse("lambda_min_clipped",
                     "it leaves " + std::to_string(last) + " times, too few for " + std::to_string(n) + " steps");
        g.times = solver_times(c, n, last);
    }
    double const low = inverse ? table.back() : table.front(), high = inverse ? table.front() : table.back();
    double const flow_shift = r.mu && !uni ? std::exp(*r.mu) : c.number("flow_shift", 1.0);
    double final = 0;
    if (auto const other = respaced_sigmas(c, low, high, n)) {
        g.sigmas = *other;
        g.times = times_at(g.sigmas, table);
        bool const round = (c.flag("use_karras_sigmas") || c.flag("use_lu_lambdas")) && !c.correct();
        if (round && !(name == "DPMSolverMultistep" && c.text("beta_schedule") == "squaredcos_cap_v2"))
            g.times = rounded(g.times);
        if (uni && c.flag("use_flow_sigmas") && c.flag("use_karras_sigmas"))
            for (std::size_t i = 0; i < n; ++i) {
                g.sigmas[i] = g.sigmas[i] / (g.sigmas[i] + 1);
                g.times[i] = g.sigmas[i] * T;
            }
        final = uni || repeat_last ? g.sigmas.back() : table.front();
    } else if (c.flag("use_flow_sigmas")) {
        if (uni) {
            g.sigmas = r.sigmas ? *r.sigmas : linspace(1, 1 / T, n + 1);
            g.sigmas.resize(n);
            g.sigmas = c.flag("use_dynamic_shifting") ? dynamically_shifted(g.sigmas, c, r)
                                                      : flow_shifted(g.sigmas, flow_shift);
            if (c.has("shift_terminal"))
                g.sigmas = stretched(g.sigmas, c.number("shift_terminal"));
            if (std::abs(g.sigmas.front() - 1) < 1e-6 && !c.correct())
                g.sigmas.front() -= 1e-6;
        } else {
            g.sigmas = linspace(1, 1 / T, n + 1);
            for (double& sigma : g.sigmas)
                sigma = flow_shifted(1 - sigma, flow_shift);
            g.sigmas = reversed(g.sigmas);
            g.sigmas.pop_back();
        }
        g.times = g.sigmas;
        for (double& t : g.times)
            t *= T;
        final = uni || repeat_last ? g.sigmas.back() : table.front();
    } else {
        if (uni && r.sigmas)
            c.unsupported("use_flow_sigmas", "is false; sigmas are an argument of flow matching only");
        g.sigmas = sigmas_at(g.times, table);
        final = inverse ? table[last - 1] : table.front();
    }
    if (!repeat_last && c.text("final_sigmas_type") != "sigma_min")
        final = 0;
    g.sigmas.push_back(final);
    if (!c.correct())
        g.times = integer_times(g.times, inverse);
    return g;
}

/// The Karras levels at places u of the ramp from 0 to 1.
inline std::vector<double> ramped_karras_sigmas(double first, double last, std::vector<double> u, double rho)
{
    return karras_levels(std::move(u), last, first, rho);
}

/// EDMEuler, EDMDPMSolverMultistep, CosineDPMSolverMultistep.
inline diffusers_grid edm_grid(diffusers_config const& c, diffusers_request const& r)
{
    bool const euler = c.class_name() == "EDMEuler";
    double const low = c.number("sigma_min"), high = c.number("sigma_max");
    std::size_t const n = r.sigmas    ? r.sigmas->size() // the ramp of the Karras grid
                          : r.empty() ? static_cast<std::size_t>(c.integer("num_train_timesteps"))
                                      : step_count(c, r);
    diffusers_grid g;
    if (c.correct() && r.sigmas)
        g.sigmas = *r.sigmas;
    else if (c.text("sigma_schedule") == "karras")
        g.sigmas = r.sigmas ? ramped_karras_sigmas(high, low, *r.sigmas, c.number("rho"))
                            : karras_sigmas(high, low, n, c.number("rho"));
    else
        g.sigmas = c.correct() ? exponential_sigmas(high, low, n)
                               : reversed(exponential_sigmas(low, high, n)); // one step: sigma_min
    for (double sigma : g.sigmas)
        g.times.push_back(c.class_name().starts_with("Cosine") ? std::atan(sigma) * 2 / std::numbers::pi
                                                               : 0.25 * std::log(sigma));
    double const last = n > 1 || euler ? g.sigmas.back() : low;
    g.sigmas.push_back(c.text("final_sigmas_type") == "sigma_min" ? last : 0.0);
    g.initial_scale = std::sqrt(high * high + 1);
    return g;
}

/// The flow-matching classes. A static shift acts on the ends, which are stored shifted, and on all levels again.
inline diffusers_grid flow_grid(diffusers_config const& c, diffusers_request const& r)
{
    auto const T = static_cast<double>(c.integer("num_train_timesteps"));
    bool const dynamic = c.flag("use_dynamic_shifting"), invert = c.flag("invert_sigmas");
    double const shift = c.number("shift");
    diffusers_grid g;
    if (r.sigmas) {
        g.sigmas = *r.sigmas;
        require(!r.timesteps || r.timesteps->size() == g.sigmas.size(), "set_timesteps", "the number of sigmas",
                g.sigmas.size(), "it must be that of the timesteps");
    } else if (r.timesteps) {
        g.sigmas = *r.timesteps;
    } else if (r.empty()) {
        g.sigmas = shifted(all_times(c), 1);
    } else {
        double const bottom = dynamic || c.correct() ? 1 / T : flow_shifted(1 / T, shift);
        g.sigmas = linspace(dynamic ? T : flow_shifted(1, shift) * T, bottom * T, step_count(c, r));
    }
    if (!r.sigmas)
        for (double& sigma : g.sigmas)
            sigma /= T;
    g.sigmas = dynamic ? dynamically_shifted(g.sigmas, c, r) : flow_shifted(g.sigmas, shift);
    if (c.has("shift_terminal"))
        g.sigmas = stretched(g.sigmas, c.number("shift_terminal"));
    if (auto const other = respaced_sigmas(c, g.sigmas.back(), g.sigmas.front(), g.sigmas.size()))
        g.sigmas = *other;
    if (invert)
        for (double& sigma : g.sigmas)
            sigma = 1 - sigma;
    g.times = g.sigmas;
    for (double& t : g.times)
        t *= T;
    if (r.timesteps && !invert)
        g.times = *r.timesteps;
    g.sigmas.push_back(invert ? 1.0 : 0.0);
    return c.class_name() == "FlowMatchHeunDiscrete" ? doubled(g) : g;
}

/// Times sigma T of these levels, and the level `end` after them.
inline diffusers_grid timed_grid(std::vector<double> const& sigmas, double T, std::optional<double> end = 0.0)
{
    diffusers_grid g{.times = sigmas, .sigmas = sigmas};
    for (double& t : g.times)
        t *= T;
    if (end)
        g.sigmas.push_back(*end);
    return g;
}

inline diffusers_grid flow_map_grid(diffusers_config const& c, diffusers_request const& r)
{
    double const T = c.number("num_train_timesteps");
    std::vector<double> sigmas = r.sigmas ? *r.sigmas : r.timesteps ? *r.timesteps : std::vector<double>{};
    if (r.timesteps && !r.sigmas)
        for (double& sigma : sigmas)
            sigma /= T;
    if (sigmas.empty()) {
        sigmas = linspace(1, 0, (r.num_inference_steps ? step_count(c, r) : table_length(c)) + 1);
        sigmas.pop_back();
    }
    return timed_grid(flow_shifted(sigmas, c.number("shift")), T);
}

/// Given levels end where they say; each is a time as well, and the last call is idle.
inline diffusers_grid ltx_grid(diffusers_config const& c, diffusers_request const& r)
{
    double const T = c.number("num_train_timesteps");
    if (r.sigmas || r.timesteps)
        return timed_grid(r.sigmas ? *r.sigmas : *r.timesteps, T, std::nullopt);
    std::vector<double> sigmas = linspace(T, 1, step_count(c, r));
    for (double& sigma : sigmas)
        sigma /= T;
    return timed_grid(sigmas, T);
}

/// The model's time runs from noise to data.
inline diffusers_grid minimax_grid(diffusers_config const& c, diffusers_request const& r)
{
    diffusers_grid g;
    g.sigmas = r.sigmas ? *r.sigmas : flow_shifted(linspace(1, 0, step_count(c, r)), c.number("shift"));
    require(g.sigmas.size() > 1, "set_timesteps", "the number of sigmas", g.sigmas.size(), "it must be at least 2");
    for (std::size_t i = 0; i + 1 < g.sigmas.size(); ++i)
        g.times.push_back(1 - g.sigmas[i]);
    return g;
}

/// Angles of TrigFlow, the end included.
inline diffusers_grid scm_grid(diffusers_config const& c, diffusers_request const& r)
{
    if (r.empty())
        return {all_times(c)};
    if (r.timesteps)
        return {*r.timesteps};
    double const top = r.argument("max_timesteps", 1.5708), middle = r.argument("intermediate_timesteps", 1.3);
    std::size_t const n = step_count(c, r);
    require(!(middle >= 0) || n == 2, "set_timesteps", "num_inference_steps", n,
            "with intermediate_timesteps, 1.3 unless given, it must be 2; set them to NaN for another number");
    return {middle >= 0 ? std::vector{top, middle, 0.0} : linspace(top, 0, n + 1)};
}

/// Helios and HeliosDMD: stages of a pyramid, each with its own range of times; the sigmas run over the whole range in
/// each.
inline diffusers_grid helios_grid(diffusers_config const& c, diffusers_request const& r)
{
    double const T = c.number("num_train_timesteps"), shift = c.number("shift");
    std::size_t const stages = static_cast<std::size_t>(c.integer("stages"));
    bool const dmd = c.class_name() == "HeliosDMD" || c.text("scheduler_type") == "dmd";
    bool const twice = dmd && r.argument("is_amplify_first_chunk", 0) != 0;
    std::size_t const n = step_count(c, r) * (twice ? 2 : 1) + (dmd ? 1 : 0);
    bool const linear = c.text("time_shift_type") == "linear";
    diffusers_grid g;
    double low = 0, high = T;
    if (stages == 1) {
        g.sigmas = linspace(1, 1 / T, n + 1);
        g.sigmas.pop_back();
        if (shift != 1)
            g.sigmas = flow_shifted(g.sigmas, linear ? shift : std::exp(shift));
        g = timed_grid(g.sigmas, T);
    } else {
        std::vector<double> table = linspace(1, 1 / T, table_length(c) + 1);
        for (double& sigma : table)
            sigma = flow_shifted(1 - sigma, shift);
        table = reversed(table);
        table.pop_back();
        std::vector<double> const edges = c.numbers("stage_range");
        std::vector<double> ends{0};
        for (std::size_t k = 0; k < stages && k + 1 < edges.size(); ++k) {
            auto const first = static_cast<std::size_t>(edges[k] * T),
                       last = static_cast<std::size_t>(edges[k + 1] * T);
            double start = table.at(first), const_end = last < table.size() ? table[last] : 0;
            if (k > 0) { // the level that up-sampled noise really has
                double const clean = 1 - start;
                start = 1 - clean / (std::sqrt(1 + 1 / c.number("gamma")) * (1 - clean) + clean);
            }
            ends.push_back(ends.back() + start - const_end);
        }
        require(ends.back() > 0.0, "set_timesteps", "what stage_range covers of num_train_timesteps", ends.back(),
                "it must be positive");
        double const index = r.argument("stage_index", 0);
        require(index >= 0 && index + 1 < static_cast<double>(ends.size()) && index == std::trunc(index),
                "set_timesteps", "stage_index", index, "it must be a whole number below stages");
        auto const k = static_cast<std::size_t>(index);
        auto const clock = [&](std::size_t end) {
            double const ratio = end + 1 == ends.size() ? 0.9999999999999999 : ends[end] / ends.back();
            return table[std::min(static_cast<std::size_t>(ratio * T), table.size() - 1)] * T;
        };
        high = std::min(clock(k), 999.0);
        low = linspace(high, clock(k + 1), table_length(c) + 1)[table_length(c) - 1];
        g.times = linspace(high, low, n);
        g.sigmas = linspace(0.999, linspace(0.999, 0, table_length(c) + 1)[table_length(c) - 1], n);
        g.sigmas.push_back(0);
    }
    if (dmd) {
        g.times.pop_back();
        g.sigmas.erase(g.sigmas.end() - 2);
    }
    if (c.flag("use_dynamic_shifting")) {
        g.sigmas.pop_back();
        g.sigmas = dynamically_shifted(g.sigmas, c, r);
        for (std::size_t i = 0; i < g.times.size(); ++i)
            g.times[i] = stages == 1 ? g.sigmas[i] * T : low + g.sigmas[i] * (high - low);
        g.sigmas.push_back(0);
    }
    return g;
}

/// pi-Flow's times before the shift, n of them: 1 - i / (n - 1 + final_step_size_scale).
inline std::vector<double> piflow_places(diffusers_config const& c, std::size_t n)
{
    std::vector<double> places;
    for (std::size_t i = 0; i < n; ++i)
        places.push_back(1 -
                         static_cast<double>(i) / (static_cast<double>(n) - (1 - c.number("final_step_size_scale"))));
    return places;
}

inline diffusers_grid piflow_grid(diffusers_config const& c, diffusers_request const& r)
{
    return timed_grid(flow_shifted(piflow_places(c, step_count(c, r)), c.number("shift")),
                      c.number("num_train_timesteps"));
}

/// Proteina's times from noise to data, n + 1 of them; the last `tail` steps are `multiple` times as fine.
inline std::vector<double> proteina_times(std::string const& mode, std::size_t n, std::size_t tail,
                                          std::size_t multiple)
{
    if (tail > 0) {
        std::size_t const base = n - (multiple - 1) * tail, first = (base - tail) * multiple;
        std::vector<double> const fine = proteina_times(mode, base * multiple, 0, 1);
        std::vector<double> times;
        for (std::size_t i = 0; i < fine.size(); i += i < first ? multiple : 1)
            times.push_back(fine[i]);
        return times;
    }
    std::vector<double> times = mode == "power" ? linspace(std::sqrt(0.001), 1, n + 1) : linspace(-2, 0.001, n + 1);
    if (mode == "power") {
        for (double& t : times)
            t *= t;
        return times;
    }
    times = reversed(times);
    for (double& t : times)
        t = 1 - std::pow(10.0, t);
    double const least = times.front();
    for (double& t : times)
        t -= least - 0.001;
    for (double& t : times)
        t /= times.back();
    return times;
}

inline diffusers_grid proteina_grid(diffusers_config const& c, diffusers_request const& r)
{
    std::size_t const n = step_count(c, r);
    if (static_cast<std::size_t>(c.integer("tail_steps") * c.integer("tail_step_multiplier")) > n)
        c.refuse("tail_steps",
                 "times tail_step_multiplier it must not be above the number of steps, " + std::to_string(n));
    auto const make = [&](std::size_t count) {
        return proteina_times(c["schedule_mode"], count, static_cast<std::size_t>(c.integer("tail_steps")),
                              static_cast<std::size_t>(c.integer("tail_step_multiplier")));
    };
    std::vector<double> t = make(n);
    if (double const start = r.argument("start_time", -1); start >= 0) { // a longer grid with n steps above the start
        require(start < 1, "set_timesteps", "start_time", start, "it must lie below 1");
        std::size_t const dense = std::max<std::size_t>(n * 100, 1000);
        std::vector<double> const fine = make(dense);
        auto const below = static_cast<std::size_t>(std::ranges::lower_bound(fine, start - 1e-6) - fine.begin());
        double const above = static_cast<double>(std::max<std::size_t>(dense - std::min(below, dense), 1));
        t = make(static_cast<std::size_t>(std::nearbyint(static_cast<double>(n * dense) / above)));
    }
    return {{t.end() - static_cast<std::ptrdiff_t>(n) - 1, t.end() - 1}};
}

inline diffusers_grid score_ve_grid(diffusers_config const& c, diffusers_request const& r)
{
    double const low = c.number("sigma_min"), high = c.number("sigma_max");
    diffusers_grid g{linspace(1, r.argument("sampling_eps", c.number("sampling_eps")), step_count(c, r)), {}, high};
    for (double t : g.times)
        g.sigmas.push_back(low * std::pow(high / low, t));
    return g;
}

inline diffusers_grid score_vp_grid(diffusers_config const& c, diffusers_request const& r)
{
    return {linspace(1, c.number("sampling_eps"), step_count(c, r))};
}

// ---- single classes ---------------------------------------------------------------------------------------

/// LCM, TCD: a subset of the times of the teacher's grid.
inline diffusers_grid distilled_grid(diffusers_config const& c, diffusers_request const& r)
{
    if (r.empty())
        return {all_times(c)};
    double const strength = r.argument("strength", 1.0), given = r.argument("original_inference_steps", NAN);
    require(strength > 0.0 && strength <= 1.0, "set_timesteps", "strength", strength, "it must lie in (0, 1]");
    auto const part = [=](double of) { return static_cast<std::size_t>(of * strength); };
    if (r.timesteps) {
        std::vector<double> const& t = *r.timesteps;
        std::size_t const kept = std::max<std::size_t>(part(static_cast<double>(t.size())), 1);
        return {{t.end() - static_cast<std::ptrdiff_t>(kept), t.end()}};
    }
    double const T = c.integer("num_train_timesteps");
    double const origin = std::isnan(given) ? c.integer("original_inference_steps") : given;
    bool const whole = !std::isnan(given) && c.class_name() == "TCD"; // every time of the table
    std::size_t const n = step_count(c, r), own = part(whole ? T : origin);
    if (std::isnan(given) && (origin > T || n > own))
        c.refuse("original_inference_steps", "it must not be above num_train_timesteps, " + shown(T) +
                                                 ", and times strength not below the number of steps, " +
                                                 std::to_string(n));
    require(origin >= 1.0 && origin <= T, "set_timesteps", "original_inference_steps", origin,
            "it must lie in [1, num_train_timesteps]");
    std::vector<double> teacher;
    for (std::size_t k = 0; k < own; ++k)
        teacher.push_back(whole ? static_cast<double>(k) : static_cast<double>(k + 1) * std::floor(T / origin) - 1);
    require(n <= teacher.size(), "set_timesteps", "num_inference_steps", n,
            "it must not be above original_inference_steps times strength");
    diffusers_grid g;
    for (std::size_t i = 0; i < n; ++i) {
        double const at = static_cast<double>(i) * (static_cast<double>(teacher.size()) / static_cast<double>(n));
        g.times.push_back(teacher[teacher.size() - 1 - static_cast<std::size_t>(at)]);
    }
    return g;
}

inline diffusers_grid unclip_grid(diffusers_config const& c, diffusers_request const& r)
{
    if (r.empty())
        return {all_times(c)};
    std::size_t const n = step_count(c, r);
    require(n > 1, "set_timesteps", "num_inference_steps", n, "UnCLIP needs at least 2");
    double const stride = (c.integer("num_train_timesteps") - 1) / static_cast<double>(n - 1);
    std::vector<double> times = positions(n);
    for (double& t : times)
        t *= stride;
    return {reversed(rounded(times))};
}

/// The number of calls of PNDM's Runge-Kutta start.
inline std::size_t runge_kutta_calls(diffusers_config const& c) { return c.flag("skip_prk_steps") ? 0 : 12; }

/// The first three steps four calls each, or the second time twice.
inline diffusers_grid pndm_grid(diffusers_config const& c, diffusers_request const& r)
{
    if (r.empty())
        return {all_times(c)};
    std::vector<double> const t = class_times(c, r, true);
    std::size_t const n = t.size();
    diffusers_grid g;
    if (runge_kutta_calls(c) == 0) {
        g.times = t;
        if (n > 1)
            g.times.insert(g.times.begin() + 1, t[1]);
        return g;
    }
    require(n >= 4, "set_timesteps", "num_inference_steps", n, "PNDM with Runge-Kutta steps needs at least 4");
    double const half = std::floor(std::floor(c.integer("num_train_timesteps") / static_cast<double>(n)) / 2);
    for (std::size_t i = 0; i < 3; ++i)
        for (double time : {t[i], t[i + 1] + half, t[i + 1] + half, t[i + 1]})
            g.times.push_back(time);
    g.times.insert(g.times.end(), t.begin() + 3, t.end());
    return g;
}

/// Jumps back up by jump_length: times rise there.
inline diffusers_grid repaint_grid(diffusers_config const& c, diffusers_request const& r)
{
    if (r.empty())
        return {all_times(c)};
    int const T = static_cast<int>(c.integer("num_train_timesteps"));
    int const n = std::min(T, static_cast<int>(step_count(c, r)));
    double const length = r.argument("jump_length", 10), count = r.argument("jump_n_sample", 10);
    require(length >= 1 && length <= T, "set_timesteps", "jump_length", length,
            "it must lie in [1, num_train_timesteps]");
    require(count >= 1 && count <= 1000, "set_timesteps", "jump_n_sample", count, "it must lie in [1, 1000]");
    int const jump = static_cast<int>(length);
    std::map<int, int> jumps;
    for (int j = 0; j < n - jump; j += jump)
        jumps[j] = static_cast<int>(count) - 1;
    diffusers_grid g;
    double const stride = T / n;
    for (int t = n - 1; t >= 0; --t) {
        g.times.push_back(t * stride);
        if (jumps[t] > 0) {
            --jumps[t];
            for (int up = 0; up < jump; ++up)
                g.times.push_back(++t * stride);
        }
    }
    return g;
}

inline diffusers_grid cm_grid(diffusers_config const& c, diffusers_request const& r)
{
    double const T = c.integer("num_train_timesteps"), low = c.number("sigma_min"), high = c.number("sigma_max");
    std::size_t const n = r.timesteps ? 0 : r.empty() ? static_cast<std::size_t>(T) : step_count(c, r);
    std::vector<double> ramp = r.timesteps ? reversed(*r.timesteps) : positions(n);
    for (double& u : ramp)
        u *= (r.timesteps ? 1 : std::floor(T / static_cast<double>(n))) / std::max(T - 1, 1.0);
    diffusers_grid g{{}, ramped_karras_sigmas(high, low, ramp, c.number("rho")), high};
    for (double sigma : g.sigmas)
        g.times.push_back(250 * std::log(sigma + 1e-44));
    g.sigmas.push_back(low);
    return g;
}

/// The class takes sigma^2 for sigma, ascending.
inline diffusers_grid karras_ve_grid(diffusers_config const& c, diffusers_request const& r)
{
    std::size_t const n = step_count(c, r);
    require(n > 1, "set_timesteps", "num_inference_steps", n, "KarrasVe needs at least 2");
    double const low = c.number("sigma_min"), high = c.number("sigma_max");
    diffusers_grid g{reversed(positions(n)), {}, high};
    for (double t : g.times)
        g.sigmas.push_back(std::pow(high * std::pow(low / high, t / static_cast<double>(n - 1)), c.correct() ? 1 : 2));
    return g;
}

inline diffusers_grid wuerstchen_grid(diffusers_config const& c, diffusers_request const& r)
{
    return {r.timesteps ? *r.timesteps : linspace(1, 0, step_count(c, r) + 1)};
}

/// sigma of IPNDM's levels on the circle, the final one included.
inline std::vector<double> ipndm_betas(diffusers_config const& c, diffusers_request const& r)
{
    if (c.has("trained_betas"))
        return c.numbers("trained_betas");
    std::vector<double> betas = linspace(1, 0, step_count(c, r) + 1);
    for (double& b : betas)
        b = std::pow(std::sin(b * std::numbers::pi / 2), 2);
    return betas;
}

inline diffusers_grid ipndm_grid(diffusers_config const& c, diffusers_request const& r)
{
    diffusers_grid g;
    for (double b : ipndm_betas(c, r))
        g.times.push_back(std::atan2(b, std::sqrt(1 - b * b)) * 2 / std::numbers::pi);
    g.times.pop_back();
    return g;
}

/// Two steps, whatever is asked.
inline diffusers_grid decoder_grid(diffusers_config const& c, diffusers_request const&)
{
    return {{1008, 512}, {}, std::sqrt(1 - diffusers_alpha_bar(c).at(1008))};
}

/// How a class makes its grid, and which arguments its set_timesteps takes besides num_inference_steps.
struct grid_maker {
    diffusers_grid (*make)(diffusers_config const&, diffusers_request const&);
    std::string_view arguments = "";
};

/// A row a class.
inline std::map<std::string, grid_maker, std::less<>> const& grid_makers()
{
    static std::map<std::string, grid_maker, std::less<>> const makers = {
        {"DDPM", {table_grid, "timesteps"}},
        {"DDPMParallel", {table_grid, "timesteps"}},
        {"DDIM", {table_grid}},
        {"DDIMParallel", {table_grid}},
        {"DDIMInverse", {table_grid}},
        {"CogVideoXDDIM", {table_grid}},
        {"CogVideoXDPM", {table_grid}},
        {"LCM", {distilled_grid, "timesteps original_inference_steps strength"}},
        {"TCD", {distilled_grid, "timesteps original_inference_steps strength"}},
        {"UnCLIP", {unclip_grid}},
        {"PNDM", {pndm_grid}},
        {"IPNDM", {ipndm_grid}},
        {"RePaint", {repaint_grid, "jump_length jump_n_sample"}},
        {"DDPMWuerstchen", {wuerstchen_grid, "timesteps"}},
        {"CMStochasticIterative", {cm_grid, "timesteps"}},
        {"ConsistencyDecoder", {decoder_grid}},
        {"KarrasVe", {karras_ve_grid}},
        {"EulerDiscrete", {sigma_grid, "timesteps sigmas"}},
        {"EulerAncestralDiscrete", {sigma_grid}},
        {"HeunDiscrete", {sigma_grid, "timesteps"}},
        {"KDPM2Discrete", {sigma_grid}},
        {"KDPM2AncestralDiscrete", {sigma_grid}},
        {"DPMSolverSDE", {sigma_grid}},
        {"LMSDiscrete", {sigma_grid}},
        {"DPMSolverMultistep", {solver_grid, "timesteps mu"}},
        {"DPMSolverMultistepInverse", {solver_grid}},
        {"DPMSolverSinglestep", {solver_grid, "timesteps mu"}},
        {"DEISMultistep", {solver_grid, "mu"}},
        {"UniPCMultistep", {solver_grid, "sigmas mu"}},
        {"SASolver", {solver_grid}},
        {"EDMEuler", {edm_grid, "sigmas"}},
        {"EDMDPMSolverMultistep", {edm_grid}},
        {"CosineDPMSolverMultistep", {edm_grid}},
        {"FlowMatchEulerDiscrete", {flow_grid, "timesteps sigmas mu"}},
        {"FlowMatchHeunDiscrete", {flow_grid}},
        {"FlowMatchLCM", {flow_grid, "timesteps sigmas mu"}},
        {"FlowMapEulerDiscrete", {flow_map_grid, "timesteps sigmas"}},
        {"LTXEulerAncestralRF", {ltx_grid, "timesteps sigmas mu"}},
        {"MiniMaxH3", {minimax_grid, "sigmas"}},
        {"SCM", {scm_grid, "timesteps max_timesteps intermediate_timesteps"}},
        {"Helios", {helios_grid, "stage_index mu is_amplify_first_chunk"}},
        {"HeliosDMD", {helios_grid, "stage_index mu is_amplify_first_chunk"}},
        {"Piflow", {piflow_grid}},
        {"RFD4Proteina", {proteina_grid, "start_time"}},
        {"ScoreSdeVe", {score_ve_grid, "sampling_eps"}},
        {"ScoreSdeVp", {score_vp_grid}},
    };
    return makers;
}

/// Throws std::invalid_argument for an argument that the class does not take.
inline void check_arguments(diffusers_config const& c, diffusers_request const& r, std::string_view taken)
{
    auto const see = [&](bool given, std::string_view name, std::string const& value = "given") {
        if (given && !among(name, taken))
            reject("set_timesteps", name, value,
                   c.class_name() + " takes num_inference_steps" +
                       (taken.empty() ? " alone" : " " + std::string(taken)));
    };
    see(r.timesteps.has_value(), "timesteps");
    see(r.sigmas.has_value(), "sigmas");
    see(r.mu || r.image_tokens, "mu");
    for (auto const& [name, value] : r.more)
        see(true, name, shown(value));
    require(!r.timesteps || !r.timesteps->empty(), "set_timesteps", "timesteps", "empty", "give at least one");
    require(!r.sigmas || !r.sigmas->empty(), "set_timesteps", "sigmas", "empty", "give at least one");
    if (r.timesteps && !c.has("shift")) { // where the class would ignore one of the two
        bool const twice = c.class_name() != "SCM" && (r.num_inference_steps || r.sigmas);
        require(!twice, "set_timesteps", "timesteps", "given", "give one of num_inference_steps, timesteps and sigmas");
        for (char const* spaced :
             {"use_karras_sigmas", "use_exponential_sigmas", "use_beta_sigmas", "use_lu_lambdas", "use_flow_sigmas"})
            if (c.flag(spaced))
                c.refuse(spaced, "with timesteps of one's own it must be false");
    }
}

/// make(), whose error names num_train_timesteps where there are more steps than times.
template <class Make>
auto blaming_times(diffusers_config const& c, diffusers_request const& r, Make const& make)
{
    try {
        return make();
    } catch (config_error const&) {
        throw;
    } catch (std::invalid_argument const& problem) {
        if (r.num_inference_steps && c.has("num_train_timesteps") &&
            *r.num_inference_steps > c.integer("num_train_timesteps"))
            c.refuse("num_train_timesteps",
                     "these are too few times for " + std::to_string(*r.num_inference_steps) + " steps");
        throw;
    }
}

/// The request with mu for its image_tokens.
inline diffusers_request with_mu(diffusers_config const& c, diffusers_request r)
{
    if (!r.image_tokens)
        return r;
    require(!r.mu, "set_timesteps", "image_tokens", *r.image_tokens, "give it or mu, not both");
    require(*r.image_tokens > 0, "set_timesteps", "image_tokens", *r.image_tokens, "it must be above 0");
    double const few = c.number("base_image_seq_len", 256), many = c.number("max_image_seq_len", 4096);
    if (few >= many)
        c.refuse("base_image_seq_len", "it must be below max_image_seq_len, " + shown(many));
    r.mu = flux_mu(*r.image_tokens, few, many, c.number("base_shift", 0.5), c.number("max_shift", 1.15));
    r.image_tokens.reset();
    return r;
}

} // namespace detail

/// The grid that set_timesteps(request) of the configured class makes. Throws config_error where the class, an option
/// or a field with these arguments does not go, std::invalid_argument where an argument is not allowed or not one of
/// the class's.
inline diffusers_grid set_timesteps(diffusers_config const& config, diffusers_request const& request)
{
    auto const maker = detail::grid_makers().find(config.class_name());
    if (maker == detail::grid_makers().end())
        config.unsupported("_class_name", "is a class without a grid here");
    detail::check_arguments(config, request, maker->second.arguments);
    return detail::blaming_times(config, request,
                                 [&] { return maker->second.make(config, detail::with_mu(config, request)); });
}

} // namespace alphabar
