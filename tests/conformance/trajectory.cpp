// SPDX-License-Identifier: MIT
// Kind `trajectory`: the step loops of the diffusers classes.
#include "diffusers.hpp"
#include "replay_plan.hpp"
#include "support.hpp"

#include <alphabar/io/diffusers_plan.hpp>

#include <cmath>

namespace conformance {
namespace {

alphabar::diffusers_step step_of(json const& given)
{
    alphabar::diffusers_step step;
    step.begin_index = value<std::size_t>(given, "begin_index", 0);
    step.prev_timestep = value<std::string>(given, "loop", "default") == "previous_timestep";
    auto const field = given.find("step");
    if (field == given.end())
        return step;
    for (auto const& [name, argument] : field->items()) {
        if (name == "eta")
            step.eta = number(argument);
        else if (name == "use_clipped_model_output")
            step.use_clipped_model_output = argument.get<bool>();
        else if (name == "s_churn")
            step.s_churn = number(argument);
        else if (name == "s_tmin")
            step.s_tmin = number(argument);
        else if (name == "s_tmax")
            step.s_tmax = number(argument);
        else if (name == "s_noise")
            step.s_noise = number(argument);
        else if (name == "r_timestep")
            step.r_timestep = number(argument);
        else if (name == "order")
            step.order = argument.get<unsigned>();
        else
            throw unsupported("step(" + name + ")");
    }
    return step;
}

std::vector<alphabar::plan> plans_of(scheduler_case const& c, json const& given)
{
    std::string const loop = value<std::string>(given, "loop", "default");
    static std::set<std::string> const alike = {"default",       "all_but_last", "helios_dmd",  "previous_timestep",
                                                "cogvideox_dpm", "wuerstchen",   "karras_ve",   "repaint",
                                                "proteina",      "score_sde_ve", "score_sde_vp"};
    if (alike.contains(loop))
        return {make_plan(c.config, c.request, step_of(given))};
    if (loop == "batch_step_no_noise")
        return batch_step_plans(c.config, c.request, numbers(at(given, "timesteps")), step_of(given));
    if (loop == "per_token") {
        extents const shape = shape_of(given);
        array const weights = numbers(at(given, "weights"));
        array of_tokens;
        for (std::size_t i = 0; i < shape.at(0) * shape.at(1); ++i)
            of_tokens.push_back(weights[i % weights.size()]);
        return per_token_plans(c.config, c.request, of_tokens);
    }
    throw unsupported("the loop " + loop);
}

/// Rows and columns, the last two axes, resized to the nearest.
array resized(array const& x, extents const& from, extents const& to)
{
    std::size_t const r = from.size() - 2, rows = to[r], columns = to[r + 1];
    array y(size_of(to));
    for (std::size_t i = 0; i < y.size(); ++i) {
        std::size_t const row = i / columns % rows * from[r] / rows, column = i % columns * from[r + 1] / columns;
        y[i] = x[(i / (rows * columns) * from[r] + row) * from[r + 1] + column];
    }
    return y;
}

/// The state grows on the way.
void replay_sized(verdict& v, scheduler_case const& c)
{
    json const& given = v.given();
    if (c.config.text("upscale_mode") != "nearest")
        throw unsupported("the upscale_mode " + c.config.text("upscale_mode"));
    extents const first = shape_of(given);
    extents shape = first;
    array state = initial(size_of(shape), number(at(given, "initial_scale")));
    recording all;
    for (auto const& [scale, steps] : sized_plans(c.config, c.request)) {
        extents larger = first;
        for (std::size_t axis = first.size() - 2; axis < first.size(); ++axis)
            larger[axis] = static_cast<std::size_t>(std::nearbyint(scale * static_cast<double>(first[axis])));
        state = resized(state, shape, larger);
        shape = larger;
        recording const r = run({steps}, state, shape, model_named(at(given, "model").get<std::string>()),
                                [&](std::size_t s, std::size_t j) { return noise(size_of(shape), s, j); });
        all.steps.insert(all.steps.end(), r.steps.begin(), r.steps.end());
        all.times.insert(all.times.end(), r.times.begin(), r.times.end());
        state = r.final;
    }
    compare(v, all, "timesteps");
    v.compare("sigmas", c.grid().sigmas);
}

} // namespace

void replay_trajectory(verdict& v)
{
    json const& given = v.given();
    scheduler_case const c(given);
    if (c.config.class_name() == "FlowMatchLCM" && c.config.has("scale_factors"))
        return replay_sized(v, c);
    std::vector<alphabar::plan> const plans = supported([&] { return plans_of(c, given); });
    extents const shape = shape_of(given);
    std::size_t const n = size_of(shape);
    std::string network = at(given, "model").get<std::string>();
    if (network == "tanh_grid")
        network += ":" + std::to_string(plans.front().heads);
    known_values known;
    if (value<std::string>(given, "loop", "default") == "repaint") {
        known = {data(n), array(n)};
        for (std::size_t i = 0; i < n; i += 2)
            known.mask[i] = 1;
    }
    if (given.contains("emit_mask")) { // one a residue: where it is 0, elements become 0
        array const emitted = numbers(given["emit_mask"]);
        known.data.assign(n, 0.0);
        for (std::size_t i = 0; i < n; ++i)
            known.mask.push_back(emitted[i * emitted.size() / n] == 0 ? 1.0 : 0.0);
    }
    auto const replay = [&](std::vector<alphabar::plan> const& chosen) {
        return run(
            chosen, initial(n, number(at(given, "initial_scale"))), shape, model_named(network),
            [n](std::size_t s, std::size_t j) { return noise(n, s, j); }, known);
    };
    recording r = replay(plans);
    if (value<std::string>(given, "loop", "default").starts_with("score_sde")) { // the mean of the last step, too
        std::vector<alphabar::plan> calm = plans;
        calm[0].stages.back().x += -calm[0].stages.back().x[alphabar::slots::z] * alphabar::slots::z;
        r.steps.push_back(replay(calm).final);
    }
    compare(v, r, "timesteps");
    if (v.expects("sigmas"))
        v.compare("sigmas", c.grid().sigmas);
}

} // namespace conformance
