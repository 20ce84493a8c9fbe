// SPDX-License-Identifier: MIT
// Denoisers in sigma: k-diffusion's wrappers, EDM's and consistency models' preconditionings.
#include "function.hpp"
#include "process.hpp"

#include <alphabar/loss/frequency.hpp>
#include <alphabar/schedule/continuous.hpp>
#include <alphabar/schedule/gaussian_diffusion.hpp>
#include <alphabar/schedule/ladders.hpp>

#include <cmath>
#include <numbers>

namespace conformance {
namespace {

namespace ab = alphabar;
using ab::preconditioning;

/// The table of a k-diffusion case, whose arguments stand side by side.
ab::gaussian_diffusion table_of(json const& a)
{
    return ab::gaussian_diffusion(betas_of({{"schedule", at(a, "betas")}, {"arguments", a}, {"T", at(a, "n")}}));
}

double table_time(json const& a, ab::gaussian_diffusion const& table, double sigma)
{
    return value(a, "quantize", false) ? std::nearbyint(table.time(sigma)) : table.time(sigma);
}

/// k-diffusion's VDenoiser: the angle of sigma in quarter turns.
double angle(double sigma) { return std::atan(sigma) * 2 / std::numbers::pi; }

ab::edm_vp vp_of(json const& a) { return {value(a, "beta_d", 19.9), value(a, "beta_min", 0.1)}; }
std::size_t steps_of(json const& a) { return value(a, "M", std::size_t{1000}); }
array iddpm_of(json const& a) { return ab::iddpm_levels(steps_of(a), value(a, "C_1", 0.001), value(a, "C_2", 0.008)); }

/// The preconditioning of every noise level of a case.
std::vector<preconditioning> all(json const& a, std::function<preconditioning(double)> const& of)
{
    std::vector<preconditioning> c;
    for (double sigma : numbers(at(a, "sigma")))
        c.push_back(of(sigma));
    return c;
}

std::vector<preconditioning> edm(json const& a)
{
    return all(a, [&](double s) { return ab::edm_preconditioning(s, value(a, "sigma_data", 0.5)); });
}
std::vector<preconditioning> vp(json const& a)
{
    return all(a, [&](double s) { return ab::vp_preconditioning(s, vp_of(a), steps_of(a)); });
}
std::vector<preconditioning> ve(json const& a) { return all(a, ab::ve_preconditioning); }
std::vector<preconditioning> iddpm(json const& a)
{
    array const levels = iddpm_of(a);
    return all(a, [&](double s) { return ab::iddpm_preconditioning(s, levels); });
}
std::vector<preconditioning> epsilon(json const& a)
{
    ab::gaussian_diffusion const table = table_of(a);
    return all(a, [&](double s) { return ab::epsilon_preconditioning(s, table_time(a, table, s)); });
}
std::vector<preconditioning> v_table(json const& a)
{
    ab::gaussian_diffusion const table = table_of(a);
    return all(a, [&](double s) { return ab::v_preconditioning(s, table_time(a, table, s)); });
}
std::vector<preconditioning> v_continuous(json const& a)
{
    return all(a, [](double s) { return ab::v_preconditioning(s, angle(s)); });
}
std::vector<preconditioning> consistency(json const& a)
{
    bool const boundary = value(a, "boundary_condition", true);
    double const data = value(a, "sigma_data", 0.5), least = value(a, "sigma_min", 0.002);
    return all(a, [=](double s) {
        preconditioning const b = ab::consistency_preconditioning(s, data, least);
        preconditioning const e = ab::edm_preconditioning(s, data);
        return boundary ? b : preconditioning{e.c_skip, e.c_out, e.c_in, b.c_noise};
    });
}

template <std::vector<preconditioning> (*Of)(json const&)>
void scalings(verdict& v, json const& a)
{
    std::vector<preconditioning> const all = Of(a);
    for (auto const& [name, part] :
         {std::pair("c_skip", &preconditioning::c_skip), std::pair("c_out", &preconditioning::c_out),
          std::pair("c_in", &preconditioning::c_in), std::pair("c_noise", &preconditioning::c_noise)}) {
        array values;
        for (preconditioning const& c : all)
            values.push_back(c.*part);
        if (v.expects(name))
            v.compare(name, values);
    }
}

/// D = c_skip x + c_out F(c_in x, c_noise), each sample at its level.
template <std::vector<preconditioning> (*Of)(json const&)>
void denoised(verdict& v, json const& a)
{
    std::vector<preconditioning> const all = Of(a);
    array const x = state_of(a);
    std::size_t const block = x.size() / all.size();
    array input = x, times, out = x;
    for (std::size_t i = 0; i < x.size(); ++i)
        input[i] *= all[i / block].c_in;
    for (preconditioning const& c : all)
        times.push_back(c.c_noise);
    array const F = model_named(at(a, "model").get<std::string>())(input, times);
    for (std::size_t i = 0; i < x.size(); ++i)
        out[i] = all[i / block].c_skip * x[i] + all[i / block].c_out * F[i];
    v.compare("values", out);
    if (v.expects("model_times"))
        v.compare("model_times", times);
    if (v.expects("model_output"))
        v.compare("model_output", F);
}

void range(verdict& v, double low, double high)
{
    v.compare("sigma_min", std::array{low});
    v.compare("sigma_max", std::array{high});
}

} // namespace

function_table const& denoiser_functions()
{
    static function_table const functions = {
        {"k-diffusion DiscreteSchedule.sigma_to_t",
         [](verdict& v, json const& a) {
             ab::gaussian_diffusion const table = table_of(a);
             v.compare("values", of_numbers(a, "sigma", [&](double s) { return table_time(a, table, s); }));
         }},
        {"k-diffusion DiscreteSchedule.t_to_sigma",
         [](verdict& v, json const& a) {
             ab::gaussian_diffusion const table = table_of(a);
             v.compare("values", of_numbers(a, "t", [&](double t) { return ab::sigma_ratio(table.level(t)); }));
         }},
        {"k-diffusion VDenoiser.sigma_to_t",
         [](verdict& v, json const& a) { v.compare("values", of_numbers(a, "sigma", angle)); }},
        {"k-diffusion VDenoiser.t_to_sigma",
         [](verdict& v, json const& a) {
             v.compare("values", of_numbers(a, "t", [](double t) { return std::tan(t * std::numbers::pi / 2); }));
         }},
        {"k-diffusion freq_weight_nd",
         [](verdict& v, json const& a) {
             v.compare("values", ab::frequency_weights(shape_of(a), number(at(a, "scales"))));
         }},
        {"k-diffusion Denoiser.get_scalings", scalings<edm>},
        {"k-diffusion DiscreteEpsDDPMDenoiser.get_scalings", scalings<epsilon>},
        {"k-diffusion DiscreteEpsDDPMDenoiser.forward", denoised<epsilon>},
        {"k-diffusion DiscreteVDDPMDenoiser.get_scalings", scalings<v_table>},
        {"k-diffusion DiscreteVDDPMDenoiser.forward", denoised<v_table>},
        {"k-diffusion VDenoiser.get_scalings", scalings<v_continuous>},
        {"k-diffusion VDenoiser.forward", denoised<v_continuous>},
        {"consistency_models get_scalings", scalings<edm>},
        {"consistency_models get_scalings_for_boundary_condition", scalings<consistency>},
        {"consistency_models denoise", denoised<consistency>},
        {"edm EDMPrecond", scalings<edm>},
        {"edm EDMPrecond.forward", denoised<edm>},
        {"edm VPPrecond", scalings<vp>},
        {"edm VPPrecond.forward", denoised<vp>},
        {"edm VEPrecond", scalings<ve>},
        {"edm VEPrecond.forward", denoised<ve>},
        {"edm iDDPMPrecond", scalings<iddpm>},
        {"edm iDDPMPrecond.forward", denoised<iddpm>},
        {"edm VPPrecond.sigma",
         [](verdict& v, json const& a) {
             v.compare("values", of_numbers(a, "t", [&](double t) { return vp_of(a).sigma_ratio(t); }));
         }},
        {"edm VPPrecond.sigma_inv",
         [](verdict& v, json const& a) {
             v.compare("values", of_numbers(a, "sigma", [&](double s) { return vp_of(a).unbounded_time(s); }));
         }},
        {"edm VPPrecond.range",
         [](verdict& v, json const& a) { // from the time of its loss, 1e-5
             range(v, vp_of(a).sigma_ratio(value(a, "epsilon_t", 1e-5)), vp_of(a).sigma_ratio(1.0));
         }},
        {"edm VEPrecond.range", [](verdict& v, json const&) { range(v, 0.02, 100.0); }},
        {"edm iDDPMPrecond.range",
         [](verdict& v, json const& a) {
             array const levels = iddpm_of(a);
             range(v, levels[levels.size() - 2], levels.front());
         }},
        {"edm iDDPMPrecond.round_sigma",
         [](verdict& v, json const& a) {
             array const levels = iddpm_of(a);
             array const indices =
                 of_numbers(a, "sigma", [&](double s) { return static_cast<double>(ab::nearest_level(levels, s)); });
             array values;
             for (double i : indices)
                 values.push_back(levels[static_cast<std::size_t>(i)]);
             v.compare("values", values);
             v.compare("indices", indices);
         }},
    };
    return functions;
}

} // namespace conformance
