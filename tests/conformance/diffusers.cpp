// SPDX-License-Identifier: MIT
#include "diffusers.hpp"

namespace conformance {
namespace {

std::optional<array> list(json const& arguments, char const* name)
{
    auto const field = arguments.find(name);
    if (field == arguments.end() || field->is_null())
        return std::nullopt;
    return numbers(*field);
}

alphabar::diffusers_request request_of(json const& given)
{
    alphabar::diffusers_request r;
    auto const field = given.find("set_timesteps");
    if (field == given.end() || field->is_null())
        return r;
    static std::set<std::string> const more = {"max_timesteps",
                                               "intermediate_timesteps",
                                               "stage_index",
                                               "is_amplify_first_chunk",
                                               "sampling_eps",
                                               "start_time",
                                               "strength",
                                               "jump_length",
                                               "original_inference_steps",
                                               "jump_n_sample"};
    for (auto const& [name, argument] : field->items()) {
        if (more.contains(name))
            r.more[name] = argument.is_boolean() ? argument.get<bool>() : argument.is_null() ? NAN : number(argument);
        else if (name != "num_inference_steps" && name != "timesteps" && name != "sigmas" && name != "mu")
            throw unsupported("set_timesteps(" + name + ")");
    }
    if (int const n = value(*field, "num_inference_steps", 0); n != 0)
        r.num_inference_steps = n;
    r.timesteps = list(*field, "timesteps");
    r.sigmas = list(*field, "sigmas");
    if (double const none = -1e300, mu = value(*field, "mu", none); mu != none)
        r.mu = mu;
    return r;
}

} // namespace

scheduler_case::scheduler_case(json const& given)
    : config(supported([&] { return alphabar::diffusers_config(at(given, "scheduler")); })), request(request_of(given))
{
}

alphabar::diffusers_grid scheduler_case::grid() const
{
    return supported([&] { return alphabar::set_timesteps(config, request); });
}

} // namespace conformance
