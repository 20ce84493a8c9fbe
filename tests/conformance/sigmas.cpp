// SPDX-License-Identifier: MIT
// Kind `sigmas`: grids of noise levels and of times.
#include "process.hpp"
#include "solver_schedule.hpp"
#include "support.hpp"

#include <alphabar/grid/shift.hpp>
#include <alphabar/grid/sigmas.hpp>
#include <alphabar/grid/spacing.hpp>
#include <alphabar/loss/densities.hpp>
#include <alphabar/schedule/continuous.hpp>
#include <alphabar/schedule/gaussian_diffusion.hpp>
#include <alphabar/schedule/ladders.hpp>
#include <alphabar/schedule/paths.hpp>

namespace conformance {
namespace {

namespace ab = alphabar;

/// The noise levels of a grid spec, the end included.
template <class Spec, class Path = ab::variance_exploding>
array levels(Spec const& spec, Path const& path = {})
{
    array sigmas;
    for (ab::noise_level const level : ab::make_grid(path, spec).levels)
        sigmas.push_back(std::is_same_v<Path, ab::gaussian_diffusion> ? ab::sigma_ratio(level) : level.sigma);
    return sigmas;
}

std::size_t count(json const& a) { return at(a, "n").get<std::size_t>(); }

ab::sigma_range range_of(json const& a)
{
    if (!a.contains("sigma_min"))
        return {};
    return {.sigma_min = number(a["sigma_min"]), .sigma_max = number(at(a, "sigma_max"))};
}

array karras(json const& a)
{
    return levels(ab::karras_grid(count(a), {.rho = value(a, "rho", 7.0), .range = range_of(a)}));
}
array exponential(json const& a) { return levels(ab::exponential_grid(count(a), range_of(a))); }
array polyexponential(json const& a)
{
    return levels(ab::polyexponential_grid(count(a), {.rho = value(a, "rho", 1.0), .range = range_of(a)}));
}
array vp(json const& a)
{
    return levels(
        ab::vp_grid(count(a), {value(a, "beta_d", 19.9), value(a, "beta_min", 0.1)}, value(a, "eps_s", 1e-3)));
}
array kl_optimal(json const& a) { return levels(ab::kl_optimal_grid(count(a), range_of(a))); }
array kl_optimal_through_end(json const& a)
{
    ab::sigma_range range = range_of(a);
    range.end = ab::final_level::first;
    range.through_end = true;
    return levels(ab::kl_optimal_grid(count(a), range));
}
array flow(json const& a, ab::double_double shift)
{
    return levels(ab::flow_grid(count(a), {.shift = shift}), ab::rectified_flow{});
}

/// k-diffusion's get_sigmas on a table. The length of the table does not stand among the arguments, where `n` is the
/// number of steps: it is told by the number of values where there is no n (the table itself), and else by the first
/// value, the largest sigma of the table, which rises with its length.
array discrete_sigmas(json const& a, array const& want)
{
    auto const table_of = [&](std::size_t T) {
        return ab::gaussian_diffusion(betas_of({{"schedule", at(a, "betas")}, {"arguments", a}, {"T", T}}));
    };
    if (at(a, "n").is_null())
        return levels(ab::normal_grid(want.size() - 1), table_of(want.size() - 1));
    std::size_t T = 2;
    for (std::size_t high = ab::beta_schedule::max_T; T < high;) {
        std::size_t const middle = (T + high) / 2;
        auto const table = table_of(middle);
        if (ab::sigma_ratio(table.level(table.final_time())) < want.at(0) * (1 - 1e-9))
            T = middle + 1;
        else
            high = middle;
    }
    return levels(ab::normal_grid(count(a)), table_of(T));
}

/// of(u, index) for every uniform draw of the case.
template <class Formula>
array of_each(json const& a, Formula const& of)
{
    array values = numbers(at(a, "u"));
    for (std::size_t i = 0; i < values.size(); ++i)
        values[i] = of(values[i], i);
    return values;
}

/// The entries at the indices of the case.
array indexed(json const& a, std::span<double const> entries)
{
    array values;
    for (json const& i : at(a, "index"))
        values.push_back(entries[i.get<std::size_t>()]);
    return values;
}

std::map<std::string, array (*)(json const&)> const& makers()
{
    static std::map<std::string, array (*)(json const&)> const all = {
        {"get_sigmas_karras", karras},
        {"get_sigmas_exponential", exponential},
        {"get_sigmas_polyexponential", polyexponential},
        {"get_sigmas_vp", vp},
        {"karras", karras},
        {"exponential", exponential},
        {"polyexponential", polyexponential},
        {"vp", vp},
        {"kl_optimal_comfy", kl_optimal},
        {"kl_optimal_forge", kl_optimal_through_end},
        {"flow_shift", [](json const& a) { return flow(a, number(at(a, "shift"))); }},
        {"flow_time_shift_exponential",
         [](json const& a) { return flow(a, ab::exponential_shift(number(at(a, "mu")))); }},
        {"flow_time_shift_linear", [](json const& a) { return flow(a, number(at(a, "mu"))); }},
        {"ays",
         [](json const& a) {
             return levels(ab::list_grid(count(a), numbers(at(a, "sigmas")), {.through_end = false}));
         }},
        {"iddpm",
         [](json const& a) {
             return ab::iddpm_levels(at(a, "M").get<std::size_t>(), number(at(a, "C_1")), number(at(a, "C_2")));
         }},
        {"iDDPMPrecond.u", [](json const& a) { return indexed(a, ab::iddpm_levels()); }},
        {"calculate_shift",
         [](json const& a) {
             return array{ab::flux_mu(number(at(a, "image_seq_len")), value(a, "base_seq_len", 256.0),
                                      value(a, "max_seq_len", 4096.0), value(a, "base_shift", 0.5),
                                      value(a, "max_shift", 1.15))};
         }},
        {"compute_empirical_mu",
         [](json const& a) { return array{ab::flux2_mu(number(at(a, "image_seq_len")), number(at(a, "num_steps")))}; }},
        {"linear_quadratic_schedule",
         [](json const& a) {
             array values =
                 levels(ab::linear_quadratic_grid(at(a, "num_steps").get<std::size_t>(),
                                                  {.threshold_noise = number(at(a, "threshold_noise")),
                                                   .linear_steps = value(a, "linear_steps", std::size_t{0})}),
                        ab::rectified_flow{});
             values.pop_back();
             return values;
         }},
        {"AysSchedules",
         [](json const& a) {
             static std::map<std::string, ab::level_list> const names = {
                 {"StableDiffusionTimesteps", ab::level_list::ays_sd15_times},
                 {"StableDiffusionSigmas", ab::level_list::ays_sd15},
                 {"StableDiffusionXLTimesteps", ab::level_list::ays_sdxl_times},
                 {"StableDiffusionXLSigmas", ab::level_list::ays_sdxl},
                 {"StableDiffusionVideoSigmas", ab::level_list::ays_svd}};
             std::string const name = at(a, "name").get<std::string>();
             ab::level_list const list = names.at(name);
             auto const values = ab::values_of(list);
             return name.ends_with("Sigmas") ? levels(ab::list_grid(values.size() - 1, list))
                                             : array(values.begin(), values.end());
         }},
        {"rand_log_normal",
         [](json const& a) { // the source keeps u away from 0 and 1
             return of_each(a, [&](double u, std::size_t) {
                 return ab::log_normal_sigma(u * (1 - 2e-7) + 1e-7, number(at(a, "loc")), number(at(a, "scale")));
             });
         }},
        {"rand_log_uniform",
         [](json const& a) {
             return of_each(a, [&](double u, std::size_t) {
                 return ab::log_uniform_sigma(u, number(at(a, "min_value")), number(at(a, "max_value")));
             });
         }},
        {"rand_log_logistic",
         [](json const& a) {
             return of_each(a, [&](double u, std::size_t) {
                 return ab::log_logistic_sigma(u, number(at(a, "loc")), number(at(a, "scale")),
                                               number(at(a, "min_value")), number(at(a, "max_value")));
             });
         }},
        {"rand_v_diffusion",
         [](json const& a) {
             return of_each(a, [&](double u, std::size_t) {
                 return ab::v_diffusion_sigma(u, number(at(a, "sigma_data")), number(at(a, "min_value")),
                                              number(at(a, "max_value")));
             });
         }},
        {"rand_split_log_normal",
         [](json const& a) {
             array const n = numbers(at(a, "n"));
             return of_each(a, [&](double u, std::size_t i) {
                 return ab::split_log_normal_sigma(u, n[i], number(at(a, "loc")), number(at(a, "scale_1")),
                                                   number(at(a, "scale_2")));
             });
         }},
        {"rand_cosine_interpolated",
         [](json const& a) {
             ab::interpolated_cosine const o{.image_d = number(at(a, "image_d")),
                                             .noise_d_low = number(at(a, "noise_d_low")),
                                             .noise_d_high = number(at(a, "noise_d_high")),
                                             .sigma_min = number(at(a, "min_value")),
                                             .sigma_max = number(at(a, "max_value"))};
             return of_each(a, [&](double u, std::size_t) { return ab::interpolated_cosine_sigma(1 - u, o); });
         }},
        {"stratified_uniform",
         [](json const& a) {
             return of_each(a, [&](double u, std::size_t i) {
                 return ab::stratified_uniform(u, i, at(a, "u").size(), at(a, "group").get<std::size_t>(),
                                               at(a, "groups").get<std::size_t>());
             });
         }},
        {"LogNormalSampler", // of one rank, whose parts stand side by side
         [](json const& a) {
             std::size_t const n = at(a, "u").size(), rank = at(a, "rank").get<std::size_t>();
             return of_each(a, [&](double u, std::size_t i) {
                 return ab::log_normal_sigma(
                     ab::stratified_uniform(u, n * rank + i, n * at(a, "size").get<std::size_t>()),
                     number(at(a, "p_mean")), number(at(a, "p_std")));
             });
         }},
        {"get_time_steps",
         [](json const& a) {
             return solver_schedule(a).grid_times(at(a, "skip_type").get<std::string>(), number(at(a, "t_T")),
                                                  number(at(a, "t_0")), at(a, "N").get<std::size_t>());
         }},
        {"get_snr",
         [](json const& a) {
             ab::gaussian_diffusion const table(ab::cosine_betas(at(a, "steps").get<std::size_t>()));
             return indexed(a, table[ab::table::snr]);
         }},
    };
    return all;
}

} // namespace

void replay_sigmas(verdict& v)
{
    json const& given = v.given();
    std::string const family = at(given, "family").get<std::string>(), name = at(given, "function").get<std::string>();
    json const& a = at(given, "arguments");
    if (name == "DiscreteSchedule.get_sigmas")
        return v.compare("values", discrete_sigmas(a, numbers(at(v.expect(), "values"))));
    if (name == "get_orders_and_timesteps_for_singlestep_solver") {
        std::vector<std::size_t> const orders =
            outer_orders(at(a, "steps").get<std::size_t>(), at(a, "order").get<std::size_t>());
        v.compare("orders", array(orders.begin(), orders.end()));
        return v.compare("values", outer_times(solver_schedule(a), orders, at(a, "skip_type").get<std::string>(),
                                               number(at(a, "t_T")), number(at(a, "t_0"))));
    }
    if (name == "tables") {
        std::size_t const N = at(a, "N").get<std::size_t>();
        if (at(a, "sde") == "VE")
            return v.compare(
                "discrete_sigmas",
                indexed(a, ab::make_ve_ladder(N, number(at(a, "sigma_min")), number(at(a, "sigma_max"))).sigma));
        ab::gaussian_diffusion const table(ab::vp_sde_betas(N, number(at(a, "beta_min")), number(at(a, "beta_max"))));
        v.compare("discrete_betas", indexed(a, table[ab::table::beta]));
        v.compare("alphas_cumprod", indexed(a, table[ab::table::alpha_bar]));
        return v.compare("sqrt_1m_alphas_cumprod", indexed(a, table[ab::table::sqrt_one_minus_alpha_bar]));
    }
    v.compare("values", entry(makers(), name, family + "'s ")(a));
}

} // namespace conformance
