// SPDX-License-Identifier: MIT
// The noise levels at which diffusers' add_noise, scale_noise and get_velocity work.
#pragma once

#include <alphabar/io/diffusers_config.hpp>
#include <alphabar/io/diffusers_grid.hpp>
#include <alphabar/io/diffusers_plan.hpp>
#include <alphabar/schedule/ladders.hpp>
#include <alphabar/schedule/noise_level.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <map>
#include <numbers>
#include <optional>
#include <string>
#include <vector>

namespace alphabar {

/// x_t = noisy.alpha x_0 + noisy.sigma eps;  v = velocity.alpha eps - velocity.sigma x_0. They differ in one class
/// only: EulerDiscreteScheduler has noisy.alpha = 1 and a velocity on the path of the table, whose level it takes by
/// the position of the time among the times of the grid, not by the time (corrected: by the time).
struct diffusers_levels {
    noise_level noisy;
    noise_level velocity;
};

namespace detail {

/// of_time: sigma is the time itself in training times; reversed: sigma = 1 - time; ladder: sigma of a position in the
/// VE ladder.
enum class forward_path { table, exploding, preserving, flow, of_time, reversed, ladder };

inline forward_path forward_path_of(diffusers_config const& c)
{
    using enum forward_path;
    static std::map<std::string, forward_path, std::less<>> const paths = {
        {"DDPM", table},
        {"DDPMParallel", table},
        {"DDIM", table},
        {"DDIMParallel", table},
        {"DDIMInverse", table},
        {"PNDM", table},
        {"LCM", table},
        {"TCD", table},
        {"UnCLIP", table},
        {"SASolver", table},
        {"CogVideoXDDIM", table},
        {"CogVideoXDPM", table},
        {"EulerDiscrete", exploding},
        {"EulerAncestralDiscrete", exploding},
        {"HeunDiscrete", exploding},
        {"LMSDiscrete", exploding},
        {"KDPM2Discrete", exploding},
        {"KDPM2AncestralDiscrete", exploding},
        {"DPMSolverSDE", exploding},
        {"CMStochasticIterative", exploding},
        {"DDPMWuerstchen", table},
        {"EDMEuler", exploding},
        {"EDMDPMSolverMultistep", exploding},
        {"CosineDPMSolverMultistep", exploding},
        {"ScoreSdeVe", ladder},
        {"DPMSolverMultistep", preserving},
        {"DPMSolverMultistepInverse", preserving},
        {"DPMSolverSinglestep", preserving},
        {"DEISMultistep", preserving},
        {"UniPCMultistep", preserving},
        {"FlowMatchEulerDiscrete", flow},
        {"FlowMatchHeunDiscrete", flow},
        {"FlowMatchLCM", flow},
        {"HeliosDMD", flow},
        {"FlowMapEulerDiscrete", of_time},
        {"MiniMaxH3", reversed},
        {"RFD4Proteina", reversed},
    };
    auto const path = paths.find(c.class_name());
    if (path == paths.end())
        c.unsupported("_class_name", "is a class that adds no noise to data");
    return c.flag("use_flow_sigmas") ? flow : path->second;
}

inline bool same_time(double t, double time) { return std::abs(t - time) <= 1e-12 * std::max(1.0, std::abs(time)); }

/// Where a time stands in the times of the grid, up to rounding: its second place where it has two, the last where it
/// is not there.
inline std::size_t index_of(double time, std::vector<double> const& times)
{
    auto const same = [time](double t) { return same_time(t, time); };
    auto const first = std::ranges::find_if(times, same);
    if (first == times.end())
        return times.size() - 1;
    auto const second = std::find_if(first + 1, times.end(), same);
    return static_cast<std::size_t>((second == times.end() ? first : second) - times.begin());
}

/// The sigma of a time of training, by the time itself: that of the grid where the time is one of its times, and
/// log-linear between the times of the table.
inline double sigma_of_time(diffusers_config const& c, diffusers_grid const& g, forward_path path, double time)
{
    std::string const& name = c.class_name();
    // classes with a call in the middle of a step keep the level of its end beside that call's time
    std::size_t const stride = name.starts_with("KDPM2") || name == "DPMSolverSDE" ? 2 : 1;
    for (std::size_t i = 0; i < g.times.size(); i += stride)
        if (same_time(g.times[i], time))
            return g.sigmas[i];
    double const T = c.number("num_train_timesteps");
    if (name.starts_with("EDM") || (c.text("timestep_type") == "continuous" && c.text("prediction_type")[0] == 'v'))
        return std::exp(4 * time);
    if (name.starts_with("Cosine"))
        return std::tan(time * std::numbers::pi / 2);
    if (name.starts_with("CM"))
        return std::exp(time / 250);
    require(name != "HeliosDMD", "forward_levels", "a time", time, "it must be one of the stage's times");
    require(time >= 0 && time <= (path == forward_path::flow ? T : T - 1), "forward_levels", "a time", time,
            "it must be a time of training");
    if (path == forward_path::flow)
        return time / T;
    std::vector<double> table = ve_table(c);
    for (double& sigma : table)
        sigma = std::log(sigma);
    return std::exp(sigmas_at({time}, table).front());
}

} // namespace detail

/// The levels of add_noise(x_0, z, times) after set_timesteps(request); after set_begin_index(*begin), which makes the
/// class ignore the times. A class with sigmas takes them from the grid, for a time outside it the last one, and before
/// set_timesteps some count them from the wrong end; a `corrected` configuration has the level of each time. Throws as
/// set_timesteps does, where a time is outside the table and where there is no position *begin.
inline std::vector<diffusers_levels> forward_levels(diffusers_config const& c, diffusers_request const& request,
                                                    std::vector<double> const& times,
                                                    std::optional<std::size_t> begin = {})
{
    using detail::forward_path;
    forward_path const path = detail::forward_path_of(c);
    std::vector<diffusers_levels> levels;
    if (c.class_name() == "DDPMWuerstchen") {
        for (double t : times) {
            noise_level const level = detail::wuerstchen_path(c).level(t);
            levels.push_back({level, level});
        }
        return levels;
    }
    if (path == forward_path::table) {
        std::vector<double> const alpha_bar = detail::diffusers_alpha_bar(c);
        for (double t : times) {
            require(t >= 0 && t < static_cast<double>(alpha_bar.size()), "forward_levels", "a time", t,
                    "it must lie in [0, num_train_timesteps - 1]");
            double const bar = alpha_bar[static_cast<std::size_t>(t)];
            noise_level const level{std::sqrt(bar), std::sqrt(1 - bar)};
            levels.push_back({level, level});
        }
        return levels;
    }
    if (path == forward_path::of_time || path == forward_path::reversed) {
        for (double t : times) {
            double const sigma = path == forward_path::reversed ? 1.0 - t : t / c.number("num_train_timesteps");
            levels.push_back({{1.0 - sigma, sigma}, {1.0 - sigma, sigma}});
        }
        return levels;
    }
    if (path == forward_path::ladder) {
        std::vector<double> const sigmas =
            make_ve_ladder(detail::step_count(c, request), c.number("sigma_min"), c.number("sigma_max")).sigma;
        for (double t : times) {
            require(t >= 0 && t < static_cast<double>(sigmas.size()), "forward_levels", "a time", t,
                    "it must be a position in the ladder of noise levels");
            levels.push_back({{1.0, sigmas[static_cast<std::size_t>(t)]}, {1.0, sigmas[static_cast<std::size_t>(t)]}});
        }
        return levels;
    }
    diffusers_grid const g = set_timesteps(c, request);
    auto const on = path == forward_path::exploding ? detail::sigma_path::exploding
                    : path == forward_path::flow    ? detail::sigma_path::flow
                                                    : detail::sigma_path::preserving;
    require(!begin || *begin < g.times.size(), "forward_levels", "begin_index", begin.value_or(0),
            "it must be a position in the times");
    std::vector<double> alpha_bar; // which EulerDiscrete takes by position
    if (c.class_name() == "EulerDiscrete" && !c.correct())
        alpha_bar = detail::diffusers_alpha_bar(c);
    for (double t : times) {
        std::size_t const at = begin ? *begin : detail::index_of(t, g.times);
        double const sigma = c.correct() && !begin ? detail::sigma_of_time(c, g, path, t) : g.sigmas[at];
        noise_level const level = detail::level_of(sigma, on);
        levels.push_back({level, level});
        if (c.class_name() == "EulerDiscrete" && c.correct()) {
            levels.back().velocity = detail::level_of(sigma, detail::sigma_path::preserving);
        } else if (c.class_name() == "EulerDiscrete") {
            require(at < alpha_bar.size(), "forward_levels", "the position of a time", at,
                    "it must be below num_train_timesteps, by which the class takes it");
            double const bar = alpha_bar[at];
            levels.back().velocity = {std::sqrt(bar), std::sqrt(1 - bar)};
        }
    }
    return levels;
}

} // namespace alphabar
