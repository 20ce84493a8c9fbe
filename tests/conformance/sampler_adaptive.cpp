// SPDX-License-Identifier: MIT
// Kind `sampler`: k-diffusion's dpm_adaptive.
#include "replay_adaptive.hpp"

namespace conformance {

bool replay_adaptive(verdict& v, options& o)
{
    json const& given = v.given();
    if (at(given, "sampler") != "dpm_adaptive")
        return false;
    alphabar::adaptive_options const chosen{
        .network = denoiser,
        .order = o.get("order", 3u),
        .range = {.sigma_min = o.get("sigma_min", 0.0), .sigma_max = o.get("sigma_max", 0.0)},
        .rtol = o.get("rtol", 0.05),
        .atol = o.get("atol", 0.0078),
        .first_step = o.get("h_init", 0.05),
        .norm = alphabar::error_norm::batch,
        .control = {.safety = o.get("accept_safety", 0.81),
                    .p = o.get("pcoeff", 0.0),
                    .i = o.get("icoeff", 1.0),
                    .d = o.get("dcoeff", 0.0)},
        .eta = o.get("eta", 0.0),
        .noise_scale = o.get("s_noise", 1.0)};
    replay_adaptive(v, o, alphabar::variance_exploding{}, chosen);
    return true;
}

} // namespace conformance
