// SPDX-License-Identifier: MIT
// For each scheduler class of diffusers the call of this library that makes the plan of its default configuration. The
// page shows the text of a call; the program compares what it makes with the plan of the class.
#pragma once

#include <alphabar/alphabar.hpp>
#include <alphabar/io/names.hpp>

#include <cmath>
#include <cstddef>
#include <numbers>
#include <string_view>
#include <vector>

// What stands between the two lines of dashes is shown on the page.
namespace classes {

using namespace alphabar;

// ----
// A table in sigma / alpha, the x of k-diffusion. Between whole times sigma is linear, and back log sigma.
struct exploding_table {
    gaussian_diffusion table;

    noise_level level(double t) const
    {
        double const low = sigma_ratio(table.level(std::floor(t))), high = sigma_ratio(table.level(std::ceil(t)));
        return {1.0, low + (t - std::floor(t)) * (high - low)};
    }
    double time(double ratio) const { return table.time(ratio); }
    double final_time() const { return table.final_time(); }
    double first_time() const { return 0.0; }
};
// A solver gets the sigma that it asks for, whatever time stands nearest.
inline grid_point point_at_sigma(exploding_table const& on, double sigma) { return {on.time(sigma), {1.0, sigma}}; }

gaussian_diffusion const path(linear_betas()), cosine(cosine_betas()), sd = stable_diffusion_path();
exploding_table const exploding{path}, mild{gaussian_diffusion(linear_betas(1000, 0.00085, 0.012))};
rectified_flow const flow;
network_form const seen{.input = network_input::variance_preserving};
x0_operation const clip{.what = x0_operation::kind::clip};
// ----

struct class_call {
    std::string_view name;
    std::string_view code{}; ///< none: there is no call
    plan (*make)(std::size_t n) = nullptr;
    std::string_view note{};              ///< why not, or when
    std::vector<int> steps = {5, 8, 20};  ///< compared at these
    bool numbers_noise_otherwise = false; ///< the class draws more than it uses

    class_call only(std::vector<int> const& at, std::string_view when) const
    {
        class_call c = *this;
        c.steps = at;
        c.note = when;
        return c;
    }
    class_call with_idle_draws() const
    {
        class_call c = *this;
        c.numbers_noise_otherwise = true;
        c.note = "but the class draws one noise more in most steps";
        return c;
    }
};

/// The rest is the call.
#define ALPHABAR_ROW(name, ...)                                                                                        \
    class_call                                                                                                         \
    {                                                                                                                  \
        #name, #__VA_ARGS__, []([[maybe_unused]] std::size_t n) -> plan { return __VA_ARGS__; }                        \
    }

/// A class that no one call makes.
inline class_call without(std::string_view name, std::string_view why) { return {.name = name, .note = why}; }

inline std::vector<class_call> const& calls()
{
    static std::vector<class_call> const rows = {
        ALPHABAR_ROW(CMStochasticIterative,
                     consistency(variance_exploding{},
                                 sigma_grid(
                                     n, {.end = final_level::first, .through_end = true},
                                     [n](auto low, auto high, auto u) {
                                         return karras_law(7.0)(low, high, static_cast<double>(40 / n * n) / 39.0 * u);
                                     },
                                     "levels"),
                                 {.network = {.input = network_input::edm,
                                              .operation = clip,
                                              .boundary = 0.002,
                                              .clock = network_clock::edm,
                                              .time_scale = 1000.0}})),
        ALPHABAR_ROW(CogVideoXDDIM, ddim(gaussian_diffusion(snr_shift(scaled_linear_betas(), 3.0)), leading_grid(n))),
        ALPHABAR_ROW(CogVideoXDPM,
                     dpmpp_2m_sde(gaussian_diffusion(snr_shift(scaled_linear_betas(), 3.0)), leading_grid(n)))
            .with_idle_draws(),
        ALPHABAR_ROW(ConsistencyDecoder, consistency(gaussian_diffusion(cosine_betas(1024)), times_grid({1008, 512}),
                                                     {.network = {.input = network_input::edm}})),
        ALPHABAR_ROW(CosineDPMSolverMultistep,
                     dpmpp_2m_sde(variance_exploding{0.3, 500.0},
                                  with_times(exponential_grid(n),
                                             [](double sigma) { return std::atan(sigma) * 2.0 / std::numbers::pi; }),
                                  {.network = {.input = network_input::edm_v, .sigma_data = 1.0}})),
        ALPHABAR_ROW(DDIM, ddim(path, leading_grid(n), {.network = {.operation = clip}, .network_epsilon = true})),
        ALPHABAR_ROW(DDIMInverse, ddim_inverse(path,
                                               [n](auto const& on) {
                                                   grid g = reversed(leading_grid(n)(on));
                                                   g.times.erase(g.times.begin());
                                                   g.times.push_back(g.end_time);
                                                   return g;
                                               },
                                               {.network = {.operation = clip}, .network_epsilon = true})),
        ALPHABAR_ROW(DDIMParallel,
                     ddim(path, leading_grid(n), {.network = {.operation = clip}, .network_epsilon = true})),
        ALPHABAR_ROW(DDPM, ddpm(path, leading_grid(n), {.network = {.operation = clip}})),
        ALPHABAR_ROW(DDPMParallel, ddpm(path, leading_grid(n), {.network = {.operation = clip}})),
        ALPHABAR_ROW(DDPMWuerstchen, ddpm(log_snr_path<log_snr_wuerstchen>{},
                                          [n](auto const& on) {
                                              grid g = trailing_grid(n)(on);
                                              g.levels.back() = on.level(0.0);
                                              return g;
                                          },
                                          {.noisy =
                                               [n] {
                                                   std::vector<bool> noisy(n, true);
                                                   noisy.back() = false;
                                                   return noisy;
                                               }()})),
        ALPHABAR_ROW(DEISMultistep, deis(path, linspace_grid(n, {.without_lowest = true, .end = final_level::first}),
                                         {.order = 2, .lower_order_final = true})),
        ALPHABAR_ROW(DPMSolverMultistep, dpmpp_2m(path, linspace_grid(n, {.without_lowest = true}))),
        ALPHABAR_ROW(DPMSolverMultistepInverse,
                     dpmpp_2m(path, [n](auto const& on) { return grid_from(reversed(linspace_grid(n + 1)(on)), 1); },
                              {.lower_order_final = true})),
        ALPHABAR_ROW(DPMSolverSDE, dpmpp_sde(mild, linspace_grid(n), {.network = seen})),
        ALPHABAR_ROW(DPMSolverSinglestep, dpm_singlestep(path, linspace_grid(n, {.without_lowest = true}))),
        ALPHABAR_ROW(EDMDPMSolverMultistep,
                     dpmpp_2m(variance_exploding{}, karras_grid(n),
                              {.network = {.input = network_input::edm, .clock = network_clock::edm}})),
        ALPHABAR_ROW(EDMEuler, euler(variance_exploding{}, karras_grid(n),
                                     {.network = {.input = network_input::edm, .clock = network_clock::edm}})),
        ALPHABAR_ROW(EulerAncestralDiscrete, euler_ancestral(exploding, linspace_grid(n), {.network = seen})),
        ALPHABAR_ROW(EulerDiscrete, euler(exploding, linspace_grid(n), {.network = seen})),
        ALPHABAR_ROW(FlowMapEulerDiscrete, euler(flow, trailing_grid(n), {.network = {.time_scale = 1000.0}})),
        ALPHABAR_ROW(FlowMatchEulerDiscrete, euler(flow, linspace_grid(n), {.network = {.time_scale = 1000.0}})),
        ALPHABAR_ROW(FlowMatchHeunDiscrete, heun(flow, linspace_grid(n), {.network = {.time_scale = 1000.0}})),
        ALPHABAR_ROW(FlowMatchLCM, consistency(flow, linspace_grid(n), {.network = {.time_scale = 1000.0}})),
        without("Helios", "its levels and its times run over different ranges"),
        without("HeliosDMD", "it draws one noise for all steps"),
        ALPHABAR_ROW(HeunDiscrete, heun(mild, linspace_grid(n), {.network = seen})),
        without("IPNDM", "it throws its first call away"),
        ALPHABAR_ROW(KDPM2AncestralDiscrete, dpm_2_ancestral(mild, linspace_grid(n), {.network = seen})),
        ALPHABAR_ROW(KDPM2Discrete, dpm_2(mild, linspace_grid(n), {.network = seen})),
        ALPHABAR_ROW(KarrasVe, heun(variance_exploding{4e-4, 1e4}, exponential_grid(n),
                                    {.churn = {.amount = 80.0, .low = 0.05, .high = 50.0, .noise_scale = 1.007}})),
        ALPHABAR_ROW(LCM, lcm_sampler(sd, lcm_grid(n))),
        ALPHABAR_ROW(LMSDiscrete, lms(exploding, linspace_grid(n), {.network = seen})),
        ALPHABAR_ROW(LTXEulerAncestralRF,
                     euler_ancestral_flow(flow, linspace_grid(n), {.network = {.time_scale = 1000.0}})),
        ALPHABAR_ROW(MiniMaxH3, euler(flow, shifted_grid(trailing_grid(n - 1), 12.0),
                                      {.network = {.clock = network_clock::reversed, .output_scale = -1.0}})),
        ALPHABAR_ROW(PNDM, pndm(path, leading_grid(n, {.end = final_level::first}), {.runge_kutta = true}))
            .only({5, 10, 20}, "where 1000 // n is even; else the class cuts half of it to a whole time"),
        without("Piflow", "the network gives ten velocities, and a step makes many small ones of them"),
        without("RFD4Proteina", "four of its fields have no default"),
        ALPHABAR_ROW(RePaint, repaint(path, leading_grid(n), {.network = {.operation = clip}, .eta = 0.0}))
            .only({5, 8}, "up to 10 steps, where nothing jumps; the class's jumps go up time by time"),
        ALPHABAR_ROW(SASolver, sa_solver(path, linspace_grid(n, {.without_lowest = true, .end = final_level::first}),
                                         {.low = sigma_ratio(path.level(200.0)),
                                          .high = sigma_ratio(path.level(800.0)),
                                          .rule = {.two = moment_rule::two_nodes::flat},
                                          .lower_order_final = true})),
        ALPHABAR_ROW(SCM, consistency({{1.5708, {std::cos(1.5708), std::sin(1.5708)}, {std::cos(1.3), std::sin(1.3)}},
                                       {1.3, {std::cos(1.3), std::sin(1.3)}, {1.0, 0.0}}},
                                      {.network = {.predicts = prediction::v}, .noise_scale = 0.5}))
            .only({2}, "of two steps; for another number the class has no times by itself"),
        without("ScoreSdeVe", "the network is told levels a little above those that it steps between"),
        without("ScoreSdeVp", "its steps are 1 / n long, its times 0.999 / (n - 1) apart"),
        without("TCD", "it rounds the time that a step goes down to, 0.7 of the next one"),
        ALPHABAR_ROW(UnCLIP, ddpm(
                                 [n] {
                                     std::vector<grid_step> steps;
                                     for (double t : linspace_times(1000, n))
                                         steps.push_back({t, cosine.level(t),
                                                          t > 0.0 ? cosine.level(t - 1.0) : noise_level{1.0, 0.0}});
                                     return steps;
                                 }(),
                                 {.network = {.operation = clip}})),
        ALPHABAR_ROW(UniPCMultistep, unipc(path, linspace_grid(n, {.without_lowest = true}))),
    };
    return rows;
}

} // namespace classes
