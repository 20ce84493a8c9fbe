// SPDX-License-Identifier: MIT
// Kind `parameters`: what the WebUI and Forge run for the line that they write with a picture, on Stable Diffusion's
// table.
#include "replay_plan.hpp"
#include "support.hpp"

#include <alphabar/io/parameters.hpp>

#include <array>

namespace conformance {

void replay_parameters(verdict& v)
{
    namespace ab = alphabar;
    static ab::gaussian_diffusion const path = ab::stable_diffusion_path();
    json const& given = v.given();
    auto const p = ab::parse_parameters(at(given, "parameters").get<std::string>());
    bool const hires = at(given, "pass").get<std::string>() == "hires";
    auto const pass = hires ? ab::webui_pass::hires : ab::webui_pass::first;
    ab::webui_run const ours = ab::run_of(p, path, {}, pass);
    array times;
    for (ab::stage const& s : ours.plan.stages)
        if (s.calls)
            times.push_back(s.time);
    v.compare("times", times);
    v.compare("start", std::array{ours.start.sigma});
    if (v.expects("levels")) {
        array levels;
        for (ab::noise_level const level :
             named_plan_grid(p.sampler(pass), path, *p.whole("Steps"), options_of(p), p.schedule(pass)).levels)
            levels.push_back(ab::sigma_ratio(level));
        v.compare("levels", levels);
    }
    extents const shape = shape_of(given);
    std::size_t const n = size_of(shape);
    array x = initial(n, ours.start.sigma), image = data(n);
    for (std::size_t i = 0; i < n; ++i)
        x[i] += ours.start.alpha * image[i];
    model network = model_named("tanh");
    if (ours.plan.heads == 2) // the unconditional prediction and the guided one
        network = [one = network](std::span<double const> in, std::span<double const> t) {
            array const guided = one(in, t);
            array out;
            for (std::size_t i = 0; i < in.size(); ++i)
                out.push_back(std::sin(in[i]) + 0.1 * guided[i]);
            out.insert(out.end(), guided.begin(), guided.end());
            return out;
        };
    recording const r =
        run({ours.plan}, x, shape, network, [n](std::size_t s, std::size_t j) { return noise(n, s, j); });
    v.compare("final", r.final);
}

} // namespace conformance
