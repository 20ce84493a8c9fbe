// SPDX-License-Identifier: MIT
#include "process.hpp"

#include <alphabar/schedule/rescale.hpp>

namespace conformance {

alphabar::beta_schedule betas_of(json const& process)
{
    namespace ab = alphabar;
    std::string const name = at(process, "schedule").get<std::string>();
    json const arguments = value(process, "arguments", json::object());
    auto const T = at(process, "T").get<std::size_t>();
    auto const of = [&](char const* field, double otherwise) {
        return arguments.contains(field) ? number(arguments[field]) : otherwise;
    };
    double const start = of("beta_start", 0), end = of("beta_end", 0), cap = of("max_beta", 0.999);
    if (name == "linear")
        return ab::linear_betas(T, start, end);
    if (name == "linear_openai")
        return ab::linear_betas_scaled(T);
    if (name == "scaled_linear")
        return ab::scaled_linear_betas(T, start, end);
    if (name == "squaredcos_cap_v2")
        return ab::cosine_betas(T, cap);
    if (name == "cosine_normalised")
        return ab::cosine_betas_normalised(T, of("s", 0.008));
    if (name == "sigmoid_geodiff")
        return ab::sigmoid_betas(T, start, end);
    if (name == "sigmoid_jabri")
        return ab::sigmoid_alpha_bar_betas(T, of("start", -3), of("end", 3), of("tau", 1));
    if (name == "exp")
        return ab::exp_betas(T, cap);
    if (name == "laplace")
        return ab::laplace_betas(T, cap);
    if (name == "const")
        return ab::constant_betas(T, end);
    if (name == "jsd")
        return ab::jsd_betas(T);
    if (name == "warmup")
        return ab::warmup_betas(T, start, end, of("fraction", 0.1));
    if (name == "cosine_beta")
        return ab::simple_cosine_betas(T, of("beta_max", 0.02));
    if (name == "vp_sde")
        return ab::vp_sde_betas(T, of("beta_min", 0.1), of("beta_max", 20));
    throw unsupported("the schedule " + name);
}

alphabar::beta_schedule transformed_betas(json const& given)
{
    alphabar::beta_schedule betas = betas_of(given);
    for (json const& transform : value(given, "transform", json::array())) {
        std::string const name = at(transform, "name").get<std::string>();
        if (name == "zero_terminal_snr")
            betas = alphabar::zero_terminal_snr(betas);
        else if (name == "snr_shift")
            betas = alphabar::snr_shift(betas, number(at(transform, "scale")));
        else if (name == "respace")
            betas = alphabar::respace(
                betas, alphabar::kept_times(betas.T(), at(transform, "section_counts").get<std::string>()));
        else
            throw unsupported("the transform " + name);
    }
    return betas;
}

} // namespace conformance
