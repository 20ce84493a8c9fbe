// SPDX-License-Identifier: MIT
// What flow_matching, SiT and score_sde ask of a path, and forward processes on paths.
#include "function.hpp"
#include "sampler.hpp"

#include <alphabar/sampler/sde.hpp>
#include <alphabar/schedule/betas.hpp>
#include <alphabar/schedule/continuous.hpp>
#include <alphabar/schedule/ladders.hpp>
#include <alphabar/schedule/paths.hpp>

#include <cmath>
#include <utility>
#include <variant>

namespace conformance {
namespace {

using namespace alphabar;

/// Any of the paths. Its time is the library's, noise at 1; flow_matching and SiT have data there.
class some_path {
public:
    explicit some_path(json const& a)
    {
        std::string const name = a.contains("scheduler") ? a["scheduler"].get<std::string>()
                                 : a.contains("path")    ? a["path"].get<std::string>()
                                                         : at(a, "sde").get<std::string>();
        if (name == "PolynomialConvex")
            path_ = polynomial_flow{number(at(a, "n"))};
        else if (name == "VP")
            path_ = vp_sde{value(a, "beta_min", 0.1), value(a, "beta_max", 20.0)};
        else if (name == "VE")
            path_ = ve_sde{value(a, "sigma_min", 0.01), value(a, "sigma_max", 50.0)};
        else if (name == "LinearVP")
            path_ = linear_vp{};
        else if (name == "Cosine" || name == "GVP")
            path_ = trigonometric_path{};
        else if (name != "CondOT" && name != "Linear")
            throw unsupported("the path " + name);
    }
    noise_level level(double t) const
    {
        return std::visit([t](auto const& p) { return p.level(t); }, path_);
    }
    path_slope slope(double t) const
    {
        return std::visit([t](auto const& p) { return p.slope(t); }, path_);
    }
    double time(double ratio) const
    {
        return std::visit([ratio](auto const& p) { return p.time(ratio); }, path_);
    }
    double final_time() const { return 1.0; }
    double squared_diffusion(double t) const
    {
        return std::visit([t](auto const& p) { return alphabar::squared_diffusion(p, t); }, path_);
    }

private:
    std::variant<rectified_flow, polynomial_flow, vp_sde, ve_sde, linear_vp, trigonometric_path> path_;
};

/// of(time of the sample, element of the state) for every element.
template <class Formula>
array each(array const& t, std::size_t n, Formula const& of)
{
    array values(n);
    for (std::size_t i = 0; i < n; ++i)
        values[i] = of(t[i / (n / t.size())], i);
    return values;
}

void coefficients(verdict& v, json const& a)
{
    some_path const path(a);
    auto const compare = [&](char const* name, auto const& of) {
        if (v.expects(name))
            v.compare(name, of_numbers(a, "t", [&](double u) { return of(path.level(1 - u), path.slope(1 - u)); }));
    };
    compare("alpha", [](noise_level l, path_slope) { return l.alpha; });
    compare("sigma", [](noise_level l, path_slope) { return l.sigma; });
    compare("d_alpha", [](noise_level, path_slope s) { return -s.alpha; });
    compare("d_sigma", [](noise_level, path_slope s) { return -s.sigma; });
    compare("d_alpha_over_alpha", [](noise_level l, path_slope s) { return -s.alpha / l.alpha; });
}

void snr_inverse(verdict& v, json const& a) // alpha / sigma
{
    some_path const path(a);
    v.compare("values", of_numbers(a, "snr", [&](double r) { return 1 - path.time(1 / r); }));
}

void kappa_inverse(verdict& v, json const& a) // alpha
{
    some_path const path(a);
    v.compare("values", of_numbers(a, "kappa", [&](double k) { return 1 - path.time((1 - k) / k); }));
}

/// A prediction as another one; the velocity points to the data.
template <prediction From, prediction To>
void convert(verdict& v, json const& a)
{
    some_path const path(a);
    array const t = numbers(at(a, "t")), x = state_of(a), input = values_named(a, "input", x.size());
    v.compare("values", each(t, x.size(), [&](double u, std::size_t i) {
                  noise_level const level = path.level(1 - u);
                  path_slope const slope = path.slope(1 - u);
                  network_form const network{.predicts = From,
                                             .output_scale = From == prediction::velocity ? -1.0 : 1.0};
                  network_maps const maps = maps_at(network, level, slope);
                  double const x_0 = maps.x_0.x * x[i] + maps.x_0.other * input[i],
                               eps = maps.epsilon.x * x[i] + maps.epsilon.other * input[i];
                  return To == prediction::x_0       ? x_0
                         : To == prediction::epsilon ? eps
                         : To == prediction::score   ? -eps / level.sigma
                                                     : -(slope.alpha * x_0 + slope.sigma * eps);
              }));
}

/// The velocity along `new` of a model made under `original`: the same levels up to a scale.
void schedule_transform(verdict& v, json const& a)
{
    some_path const made(at(a, "original")), used(at(a, "new"));
    array const t = numbers(at(a, "t")), x = state_of(a);
    model const network = model_named(at(a, "model").get<std::string>());
    array scales, times, seen(x.size());
    for (double u : t) {
        times.push_back(made.time(sigma_ratio(used.level(1 - u))));
        scales.push_back(made.level(times.back()).sigma / used.level(1 - u).sigma);
    }
    std::size_t const block = x.size() / t.size();
    for (std::size_t i = 0; i < x.size(); ++i)
        seen[i] = scales[i / block] * x[i];
    array model_times;
    for (double s : times)
        model_times.push_back(1 - s);
    array const output = network(seen, model_times);
    v.compare("values", each(t, x.size(), [&](double u, std::size_t i) {
                  double const s = times[i / block];
                  network_maps const maps =
                      maps_at({.predicts = prediction::velocity, .output_scale = -1}, made.level(s), made.slope(s));
                  path_slope const slope = used.slope(1 - u);
                  return -(slope.alpha * (maps.x_0.x * seen[i] + maps.x_0.other * output[i]) +
                           slope.sigma * (maps.epsilon.x * seen[i] + maps.epsilon.other * output[i]));
              }));
}

/// f x and g of the forward SDE dx = f x dt + g dW; `given`: what the source makes of g^2; `time`: the path's.
template <class Time, class Given>
void forward_sde(verdict& v, json const& a, Time const& time, Given const& given)
{
    some_path const path(a);
    array const t = numbers(at(a, "t")), x = state_of(a);
    v.compare("drift", each(t, x.size(), [&](double u, std::size_t i) {
                  return path.slope(time(u)).alpha / path.level(time(u)).alpha * x[i];
              }));
    v.compare("diffusion", of_numbers(a, "t", [&](double u) { return given(path.squared_diffusion(time(u))); }));
}

// ---- SiT --------------------------------------------------------------------------------------------------

void compute_diffusion(verdict& v, json const& a)
{
    diffusion_form const form = diffusion_form_named(at(a, "form").get<std::string>());
    auto const w = diffusion_of(some_path(a), form, number(at(a, "norm")));
    array values = of_numbers(a, "t", [&](double u) { return w(1 - u) / 2; });
    if (form == diffusion_form::constant) // one number for all times
        values.resize(1);
    v.compare("values", values);
}

// ---- score_sde --------------------------------------------------------------------------------------------

/// The forward steps of the process in N steps, one a time: index t (N - 1), cut to an integer.
std::vector<stage::churn_map> discrete_steps(json const& a)
{
    auto const N = at(a, "N").get<std::size_t>();
    std::vector<stage::churn_map> all;
    if (at(a, "sde") == "VE") {
        double below = 0.0;
        for (double sigma : make_ve_ladder(N, number(at(a, "sigma_min")), number(at(a, "sigma_max"))).sigma)
            all.push_back(make_forward_step({1, std::exchange(below, sigma)}, {1, sigma}));
    } else {
        beta_schedule const betas = vp_sde_betas(N, number(at(a, "beta_min")), number(at(a, "beta_max")));
        for (double_double beta : betas.values())
            all.push_back({std::sqrt(1 - beta.high), std::sqrt(beta.high)});
    }
    std::vector<stage::churn_map> steps;
    for (double t : numbers(at(a, "t")))
        steps.push_back(all[static_cast<std::size_t>(t * static_cast<double>(N - 1))]);
    return steps;
}

void discretize(verdict& v, json const& a)
{
    std::vector<stage::churn_map> const steps = discrete_steps(a);
    array const x = state_of(a);
    array drift(x.size()), diffusion;
    for (std::size_t i = 0; i < x.size(); ++i)
        drift[i] = (steps[i * steps.size() / x.size()].keep - 1) * x[i];
    for (auto const [keep, add] : steps)
        diffusion.push_back(add);
    v.compare("drift", drift);
    v.compare("diffusion", diffusion);
}

void reverse(verdict& v, json const& a)
{
    some_path const path(a);
    std::vector<stage::churn_map> const steps = discrete_steps(a);
    array const t = numbers(at(a, "t")), x = state_of(a);
    bool const flow = at(a, "probability_flow").get<bool>();
    array const score = model_named("soft_score")(x, of_numbers(a, "t", [&](double s) { return path.level(s).sigma; }));
    std::size_t const block = x.size() / t.size();
    array discrete, diffusion;
    for (auto const [keep, add] : steps)
        discrete.push_back(flow ? 0.0 : add);
    for (double s : t)
        diffusion.push_back(flow ? 0.0 : std::sqrt(path.squared_diffusion(s)));
    v.compare("drift", each(t, x.size(), [&](double s, std::size_t i) {
                  double const w = flow ? 0.0 : path.squared_diffusion(s);
                  pair_map const slope =
                      slope_call({.predicts = prediction::score}, s, path.level(s), slope_terms_at(path, s, w)).memory;
                  return slope.x * x[i] + slope.other * score[i];
              }));
    v.compare("diffusion", diffusion);
    v.compare("discrete_drift", each(t, x.size(), [&](double, std::size_t i) {
                  auto const [keep, add] = steps[i / block];
                  return (keep - 1) * x[i] - (flow ? 0.5 : 1.0) * add * add * score[i];
              }));
    v.compare("discrete_diffusion", discrete);
}

} // namespace

function_table const& flow_functions()
{
    using enum prediction;
    static function_table const functions = {
        {"sit coefficients", coefficients},
        {"sit compute_drift",
         [](verdict& v, json const& a) {
             forward_sde(v, a, [](double u) { return 1 - u; }, [](double g2) { return g2 / 2; });
         }},
        {"sit compute_diffusion", compute_diffusion},
        {"sit get_score_from_velocity", convert<velocity, score>},
        {"sit get_velocity_from_score", convert<score, velocity>},
        {"sit get_noise_from_velocity", convert<velocity, epsilon>},
        {"score_sde sde",
         [](verdict& v, json const& a) {
             forward_sde(v, a, [](double t) { return t; }, [](double g2) { return std::sqrt(g2); });
         }},
        {"score_sde discretize", discretize},
        {"score_sde reverse", reverse},
        {"flow_matching posterior_to_velocity",
         [](verdict&, json const&) { throw unsupported("paths of discrete tokens, another process"); }},
        {"flow_matching scheduler", coefficients},
        {"flow_matching snr_inverse", snr_inverse},
        {"flow_matching kappa_inverse", kappa_inverse},
        {"flow_matching schedule_transform", schedule_transform},
        {"flow_matching epsilon_to_target", convert<epsilon, x_0>},
        {"flow_matching epsilon_to_velocity", convert<epsilon, velocity>},
        {"flow_matching target_to_epsilon", convert<x_0, epsilon>},
        {"flow_matching target_to_velocity", convert<x_0, velocity>},
        {"flow_matching velocity_to_epsilon", convert<velocity, epsilon>},
        {"flow_matching velocity_to_target", convert<velocity, x_0>},
    };
    return functions;
}

/// Paths sampled forward: `noisy` and `velocity` (towards the data), or `mean` and `std`.
void replay_flow_forward(verdict& v)
{
    json const& given = v.given();
    std::string const kind = value<std::string>(given, "path", "");
    if (kind == "mixture")
        throw unsupported("paths of discrete tokens, another process");
    json described = given;
    if (given.contains("scheduler"))
        described.erase("path");
    some_path const path(described);
    if (kind == "geodesic")
        return replay_geodesic(v,
                               [&](double u) { return std::pair(path.level(1 - u).alpha, -path.slope(1 - u).alpha); });
    array const t = numbers(at(given, "t"));
    std::size_t const n = size_of(shape_of(given));
    array const x_0 = data(n), z = noise(n, 0, 0);
    bool const sde = given.contains("sde");
    auto const blend = [&](auto const& of) {
        return each(t, n, [&](double u, std::size_t i) {
            auto const [alpha, sigma] = of(sde ? u : 1 - u);
            return alpha * x_0[i] + sigma * z[i];
        });
    };
    if (sde) {
        v.compare("mean", each(t, n, [&](double u, std::size_t i) { return path.level(u).alpha * x_0[i]; }));
        v.compare("std", of_numbers(given, "t", [&](double u) { return path.level(u).sigma; }));
        return;
    }
    v.compare("noisy", blend([&](double s) { return path.level(s); }));
    v.compare("velocity", blend([&](double s) { return path_slope{-path.slope(s).alpha, -path.slope(s).sigma}; }));
}

} // namespace conformance
