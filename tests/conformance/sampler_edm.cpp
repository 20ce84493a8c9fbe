// SPDX-License-Identifier: MIT
// Kind `sampler`: EDM's and EDM2's.
#include "sampler.hpp"

#include <alphabar/grid/sigmas.hpp>
#include <alphabar/sampler/runge_kutta.hpp>
#include <alphabar/sampler/two_stage.hpp>

#include <algorithm>
#include <limits>
#include <numbers>

namespace conformance {
namespace {

using alphabar::grid;
using alphabar::noise_level;
using alphabar::plan;

alphabar::churn_options churn(options& o)
{
    return {.amount = o.get("S_churn", 0.0),
            .low = o.get("S_min", 0.0),
            .high = o.get("S_max", std::numeric_limits<double>::infinity()),
            .noise_scale = o.get("S_noise", 1.0)};
}

/// The levels that the network supports, within what is asked for.
alphabar::sigma_range range_of(json const& given, options& o, double low, double high)
{
    json const network = value(given, "network", json::object());
    return {std::max(o.get("sigma_min", low), value(network, "sigma_min", 0.0)),
            std::min(o.get("sigma_max", high), value(network, "sigma_max", std::numeric_limits<double>::infinity()))};
}

/// Heun with churn on the Karras grid.
plan edm_sampler(json const& given, options& o, std::size_t steps)
{
    return alphabar::heun(alphabar::variance_exploding{},
                          alphabar::karras_grid(o.get("num_steps", steps),
                                                {.rho = o.get("rho", 7.0), .range = range_of(given, o, 0.002, 80.0)}),
                          {.network = denoiser, .churn = churn(o)});
}

/// sigma(t) and s(t) of the ablation: x = s x_0 + s sigma epsilon.
struct ablation_path {
    std::string schedule, scaling;
    double beta_d = 19.9, beta_min = 0.1;

    double sigma(double t) const
    {
        return schedule == "vp"   ? std::sqrt(std::expm1(0.5 * beta_d * t * t + beta_min * t))
               : schedule == "ve" ? std::sqrt(t)
                                  : t;
    }
    double d_sigma(double t) const
    {
        return schedule == "vp"   ? 0.5 * (beta_min + beta_d * t) * (sigma(t) + 1 / sigma(t))
               : schedule == "ve" ? 0.5 / std::sqrt(t)
                                  : 1.0;
    }
    double time(double ratio) const
    {
        return schedule == "vp"
                   ? (std::sqrt(beta_min * beta_min + 2 * beta_d * std::log1p(ratio * ratio)) - beta_min) / beta_d
               : schedule == "ve" ? ratio * ratio
                                  : ratio;
    }
    double scale(double t) const { return scaling == "vp" ? 1 / std::hypot(1.0, sigma(t)) : 1.0; }
    noise_level level(double t) const { return {scale(t), scale(t) * sigma(t)}; }
    double final_time() const { return 1e9; }
    alphabar::path_slope slope(double t) const
    {
        double const s = scale(t), d_s = scaling == "vp" ? -sigma(t) * d_sigma(t) * s * s * s : 0.0;
        return {d_s, d_s * sigma(t) + s * d_sigma(t)};
    }
};

plan ablation_sampler(json const& given, options& o)
{
    std::string const kind = o.get<std::string>("discretization", "edm");
    auto const n = o.get<std::size_t>("num_steps", 18);
    double const epsilon = o.get("epsilon_s", 1e-3), C_1 = o.get("C_1", 0.001), C_2 = o.get("C_2", 0.008),
                 rho = o.get("rho", 7.0);
    auto const M = o.get<std::size_t>("M", 1000);
    ablation_path const usual{"vp", "none"};
    double const low_of_kind = kind == "vp" ? usual.sigma(epsilon) : kind == "ve" ? 0.02 : 0.002;
    double const high_of_kind = kind == "vp" ? usual.sigma(1.0) : kind == "ve" ? 100.0 : kind == "iddpm" ? 81.0 : 80.0;
    alphabar::sigma_range const range = range_of(given, o, low_of_kind, high_of_kind);
    double const low = *range.sigma_min, high = *range.sigma_max;
    ablation_path path{o.get<std::string>("schedule", "linear"), o.get<std::string>("scaling", "none")};
    // the VP process through (epsilon, low) and (1, high)
    path.beta_d = 2 * (std::log1p(low * low) / epsilon - std::log1p(high * high)) / (epsilon - 1);
    path.beta_min = std::log1p(high * high) - 0.5 * path.beta_d;
    ablation_path const process{"vp", "none", path.beta_d, path.beta_min};
    array iddpm{0.0};
    for (std::size_t j = M; j > 0 && kind == "iddpm"; --j) {
        auto const bar = [&](std::size_t i) {
            double const u = static_cast<double>(i) / static_cast<double>(M);
            return std::pow(std::sin(0.5 * std::numbers::pi * u / (C_2 + 1)), 2);
        };
        iddpm.push_back(std::sqrt((iddpm.back() * iddpm.back() + 1) / std::max(bar(j - 1) / bar(j), C_1) - 1));
    }
    std::erase_if(iddpm, [&](double u) { return u < low || u > high; });
    std::ranges::reverse(iddpm);
    grid g;
    for (std::size_t i = 0; i < n; ++i) {
        double const u = static_cast<double>(i) / static_cast<double>(n - 1);
        double const top = std::pow(high, 1 / rho);
        double const sigma =
            kind == "vp"   ? process.sigma(1 + u * (epsilon - 1))
            : kind == "ve" ? high * std::pow(low / high, u)
            : kind == "iddpm"
                ? iddpm[static_cast<std::size_t>(std::nearbyint(static_cast<double>(iddpm.size() - 1) * u))]
                : std::pow(top + u * (std::pow(low, 1 / rho) - top), rho);
        g.times.push_back(path.time(sigma));
        g.levels.push_back(path.level(g.times.back()));
    }
    g.levels.push_back({1.0, 0.0});
    using namespace alphabar;
    double const alpha = o.get("alpha", 1.0);
    plan p = runge_kutta(path, g,
                         {.network = {.predicts = prediction::x_0, .input = network_input::variance_exploding},
                          .methods = {o.get<std::string>("solver", "heun") == "euler" ? rk_1() : res_2s(alpha)},
                          .in_time = true,
                          .churn = churn(o)});
    p.initial_scale = g.levels[0].sigma;
    for (stage& s : p.stages)
        s.time = path.sigma(s.time);
    return p;
}

} // namespace

bool replay_edm(verdict& v, options& o)
{
    json const& given = v.given();
    std::string const name = at(given, "sampler").get<std::string>();
    if (name == "edm_sampler")
        replay(v, o, edm_sampler(given, o, 18));
    else if (name == "ablation_sampler")
        replay(v, o, ablation_sampler(given, o));
    else if (name == "edm2_sampler") { // guided by a lesser model
        double const w = o.get("guidance", 1.0);
        model const main = model_named(at(given, "model").get<std::string>()), lesser = model_named("tanh_unit");
        replay(v, o, edm_sampler(given, o, 32), [=](std::span<double const> x, std::span<double const> t) {
            array const zero(t.size(), 0.0), good = main(x, t);
            array out = lesser(x, zero);
            for (std::size_t i = 0; i < out.size(); ++i)
                out[i] += w * (good[i] - out[i]);
            return out;
        });
    } else {
        return false;
    }
    return true;
}

} // namespace conformance
