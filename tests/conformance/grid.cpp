// SPDX-License-Identifier: MIT
// Kind `grid`: what set_timesteps of a diffusers class leaves.
#include "diffusers.hpp"
#include "support.hpp"

#include <array>

namespace conformance {

void replay_grid(verdict& v)
{
    scheduler_case const c(v.given());
    alphabar::diffusers_grid const g = c.grid();
    v.compare_times("timesteps", g.times);
    if (v.expects("sigmas"))
        v.compare("sigmas", g.sigmas);
    if (v.expects("init_noise_sigma"))
        v.compare("init_noise_sigma", std::array{g.initial_scale});
}

} // namespace conformance
