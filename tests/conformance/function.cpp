// SPDX-License-Identifier: MIT
//
// Kind `function`: maps between times and noise levels, and preconditionings.
#include "process.hpp"
#include "support.hpp"

#include <alphabar/process/preconditioning.hpp>
#include <alphabar/schedule/gaussian_diffusion.hpp>

#include <cmath>

namespace conformance {
namespace {

namespace ab = alphabar;

/// The table of a k-diffusion case, whose arguments stand side by side.
ab::gaussian_diffusion table_of(json const& a)
{
    return ab::gaussian_diffusion(betas_of({{"schedule", at(a, "betas")}, {"arguments", a}, {"T", at(a, "n")}}));
}

void sigma_to_t(verdict& v, json const& a)
{
    ab::gaussian_diffusion const diffusion = table_of(a);
    array values = numbers(at(a, "sigma"));
    for (double& x : values)
        x = value(a, "quantize", false) ? std::nearbyint(diffusion.time(x)) : diffusion.time(x);
    v.compare("values", values);
}

void t_to_sigma(verdict& v, json const& a)
{
    ab::gaussian_diffusion const diffusion = table_of(a);
    array values = numbers(at(a, "t"));
    for (double& x : values)
        x = ab::sigma_ratio(diffusion.level(x));
    v.compare("values", values);
}

void scalings(verdict& v, json const& a)
{
    array skip, out, in;
    for (double sigma : numbers(at(a, "sigma"))) {
        ab::preconditioning const c = ab::edm_preconditioning(sigma, value(a, "sigma_data", 0.5));
        skip.push_back(c.c_skip);
        out.push_back(c.c_out);
        in.push_back(c.c_in);
    }
    v.compare("c_skip", skip);
    v.compare("c_out", out);
    v.compare("c_in", in);
}

/// EDM's, with c_noise beside them.
void edm_scalings(verdict& v, json const& a)
{
    scalings(v, a);
    array times = numbers(at(a, "sigma"));
    for (double& sigma : times)
        sigma = ab::edm_preconditioning(sigma, value(a, "sigma_data", 0.5)).c_noise;
    v.compare("c_noise", times);
}

} // namespace

void replay_function(verdict& v)
{
    static std::map<std::string, void (*)(verdict&, json const&)> const functions = {
        {"k-diffusion DiscreteSchedule.sigma_to_t", sigma_to_t},
        {"k-diffusion DiscreteSchedule.t_to_sigma", t_to_sigma},
        {"k-diffusion Denoiser.get_scalings", scalings},
        {"consistency_models get_scalings", scalings},
        {"edm EDMPrecond", edm_scalings},
    };
    std::string const name =
        at(v.given(), "family").get<std::string>() + " " + at(v.given(), "function").get<std::string>();
    auto const function = functions.find(name);
    if (function == functions.end())
        throw unsupported(name);
    function->second(v, at(v.given(), "arguments"));
}

} // namespace conformance
