// SPDX-License-Identifier: MIT
#include "samplers.hpp"

#include <alphabar/grid/sigmas.hpp>
#include <alphabar/grid/spacing.hpp>
#include <alphabar/sampler/ddim.hpp>
#include <alphabar/sampler/ddpm.hpp>
#include <alphabar/sampler/dpm_multistep.hpp>
#include <alphabar/sampler/euler.hpp>
#include <alphabar/sampler/sa_solver.hpp>
#include <alphabar/sampler/two_stage.hpp>
#include <alphabar/sampler/unipc.hpp>
#include <alphabar/schedule/betas.hpp>
#include <alphabar/schedule/gaussian_diffusion.hpp>
#include <alphabar/schedule/paths.hpp>

#include <algorithm>
#include <array>
#include <cmath>

namespace mnist {

namespace {

using alphabar::network_form;
using alphabar::plan;

// The network knows a noise level by its log(sigma / alpha) and sees x / (alpha + sigma), so that
// it serves every path: the tables of DDPM, where samplers step in t, and the variance-exploding
// path, where they step in sigma.
alphabar::gaussian_diffusion const& tables()
{
    static alphabar::gaussian_diffusion const made(alphabar::linear_betas(1000));
    return made;
}
constexpr alphabar::variance_exploding in_sigma{.sigma_min = 0.01, .sigma_max = 80};

template <class Path>
sampler on_path(Path const& path, plan steps)
{
    return {std::move(steps), [path](double time) {
                auto const [alpha, sigma] = path.level(time);
                return std::log(sigma / alpha);
            }};
}
alphabar::grid karras(std::uint32_t calls) { return alphabar::make_grid(in_sigma, alphabar::karras_grid(calls)); }

constexpr std::array<sampler_kind, 11> kinds{{
    {"dpmpp_2m", "DPM-Solver++(2M)", 10, false,
     [](std::uint32_t n, network_form const& f) {
         return on_path(in_sigma, alphabar::dpmpp_2m(karras(n), {.network = f}));
     }},
    {"dpmpp_2m_sde", "SDE-DPM-Solver++(2M)", 15, true,
     [](std::uint32_t n, network_form const& f) {
         return on_path(in_sigma, alphabar::dpmpp_2m_sde(karras(n), {.network = f}));
     }},
    {"dpmpp_3m", "DPM-Solver++(3M)", 10, false,
     [](std::uint32_t n, network_form const& f) {
         return on_path(in_sigma, alphabar::dpmpp_3m(karras(n), {.network = f}));
     }},
    {"unipc", "UniPC", 10, false,
     [](std::uint32_t n, network_form const& f) {
         return on_path(in_sigma, alphabar::unipc(karras(n), {.network = f}));
     }},
    {"deis", "DEIS", 10, false,
     [](std::uint32_t n, network_form const& f) {
         return on_path(in_sigma, alphabar::deis(karras(n), {.network = f}));
     }},
    {"sa_solver", "SA-Solver", 15, true,
     [](std::uint32_t n, network_form const& f) {
         return on_path(in_sigma, alphabar::sa_solver(karras(n), {.network = f}));
     }},
    // Two calls a step, one in the last.
    {"heun", "Heun", 19, false,
     [](std::uint32_t n, network_form const& f) {
         return on_path(in_sigma, alphabar::heun(karras((n + 1) / 2), {.network = f}));
     }},
    // Equal steps of the flow's time, from sigma = 80.
    {"euler", "Euler", 10, false,
     [](std::uint32_t n, network_form const& f) {
         constexpr alphabar::rectified_flow flow;
         std::vector<double> times(n);
         for (std::size_t i = 0; i < n; ++i)
             times[i] = flow.time(in_sigma.sigma_max) * static_cast<double>(n - i) / n;
         return on_path(flow, alphabar::euler(flow, alphabar::times_grid(times), {.network = f}));
     }},
    {"euler_ancestral", "Euler ancestral", 20, true,
     [](std::uint32_t n, network_form const& f) {
         return on_path(in_sigma, alphabar::euler_ancestral(karras(n), {.network = f}));
     }},
    {"ddim", "DDIM", 50, false,
     [](std::uint32_t n, network_form const& f) {
         return on_path(tables(), alphabar::ddim(tables(), alphabar::trailing_grid(n), {.network = f}));
     }},
    {"ddpm", "DDPM", 1000, true,
     [](std::uint32_t n, network_form const& f) {
         return on_path(tables(), alphabar::ddpm(tables(), alphabar::trailing_grid(n), {.network = f}));
     }},
}};

} // namespace

std::span<sampler_kind const> sampler_kinds() { return kinds; }

sampler_kind const& sampler_named(std::string const& name)
{
    return *std::ranges::find(kinds, name, &sampler_kind::name);
}

sampler fine_solution(network_form const& form)
{
    return on_path(in_sigma, alphabar::heun(karras(100), {.network = form}));
}

} // namespace mnist
