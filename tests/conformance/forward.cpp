// SPDX-License-Identifier: MIT
// Kind `forward`: add_noise, scale_noise and get_velocity of the diffusers classes.
#include "diffusers.hpp"
#include "support.hpp"

#include <alphabar/io/diffusers_forward.hpp>

namespace conformance {

void replay_forward(verdict& v)
{
    json const& given = v.given();
    if (!given.contains("scheduler") || !given["scheduler"].is_object())
        return replay_flow_forward(v);
    scheduler_case const c(given);
    array const times = numbers(at(given, "timesteps"));
    std::optional<std::size_t> begin;
    if (given.contains("begin_index"))
        begin = given["begin_index"].get<std::size_t>();
    std::vector<alphabar::diffusers_levels> const levels =
        supported([&] { return forward_levels(c.config, c.request, times, begin); });
    std::size_t const n = size_of(shape_of(given)), block = n / times.size();
    array const x_0 = data(n), z = noise(n, 0, 0);
    array noisy(n), velocity(n);
    for (std::size_t i = 0; i < n; ++i) {
        auto const& [level, of_velocity] = levels[i / block];
        noisy[i] = level.alpha * x_0[i] + level.sigma * z[i];
        velocity[i] = of_velocity.alpha * z[i] - of_velocity.sigma * x_0[i];
    }
    v.compare("noisy", noisy);
    if (v.expects("velocity"))
        v.compare("velocity", velocity);
}

} // namespace conformance
