// SPDX-License-Identifier: MIT
// The samplers of score_sde, SiT, rectified flow, VDM and consistency_models.
#include "sampler.hpp"

#include <alphabar/grid/sigmas.hpp>
#include <alphabar/sampler/consistency.hpp>
#include <alphabar/sampler/ddim.hpp>
#include <alphabar/sampler/euler.hpp>
#include <alphabar/sampler/langevin.hpp>
#include <alphabar/sampler/sde.hpp>
#include <alphabar/sampler/two_stage.hpp>
#include <alphabar/schedule/continuous.hpp>
#include <alphabar/schedule/ladders.hpp>
#include <alphabar/schedule/paths.hpp>

#include <algorithm>
#include <cmath>

namespace conformance {
namespace {

using namespace alphabar;
using alphabar::plan;
using namespace alphabar::slots;

/// A plan, and what the source does to the network and to the result.
struct made_sampler {
    plan p;
    std::function<void(recording&)> finish{};
    model network{}; ///< in place of the case's
    array images{};  ///< the known part of the data
};

array linspace(double first, double last, std::size_t count)
{
    array values(count, first);
    for (std::size_t i = 1; i < count; ++i)
        values[i] = first + (last - first) * static_cast<double>(i) / static_cast<double>(count - 1);
    return values;
}

void append(plan& p, std::vector<stage> const& stages)
{
    p.stages.insert(p.stages.end(), stages.begin(), stages.end());
}

double no_diffusion(double) { return 0.0; }

/// The draws of a case in their order, given to those of the plan.
void number_as_drawn(plan& p, json const& given)
{
    std::vector<std::uint32_t> indices;
    if (given.contains("draws"))
        for (json const& draw : given["draws"])
            indices.push_back(noise_index(draw.at(0).get<std::uint32_t>(), draw.at(1).get<std::uint32_t>()));
    std::size_t next = 0;
    auto const take = [&] {
        if (next == indices.size())
            throw unsupported("the plan draws more noise than the source");
        return indices[next++];
    };
    for (stage& s : p.stages) {
        if (s.churn)
            s.churn_noise = take();
        if (draws_noise(s))
            s.noise = take();
    }
}

// ---- score_sde --------------------------------------------------------------------------------------------

plan score_sde(json const& given, options& o)
{
    bool const exploding = at(given, "sde") == "VE", continuous = o.get("continuous", true);
    auto const N = at(given, "N").get<std::size_t>();
    auto const predictor = o.get<std::string>("predictor", ""), corrector = o.get<std::string>("corrector", "");
    langevin_options const c{.snr = o.get("snr", 0.16), .annealed = corrector == "ald", .over_batch = true};
    unsigned const corrections = corrector == "none" ? 0 : o.get("n_steps", 1u);
    if (o.get("probability_flow", false))
        throw unsupported("probability_flow");
    o.get("n_steps", 1u);
    bool const denoise = o.get("denoise", true);
    double const low = value(given, exploding ? "sigma_min" : "beta_min", exploding ? 0.01 : 0.1);
    double const high = value(given, exploding ? "sigma_max" : "beta_max", exploding ? 50.0 : 20.0);
    ve_sde const ve{exploding ? low : 0.01, exploding ? high : 50.0};
    vp_sde const vp{exploding ? 0.1 : low, exploding ? 20.0 : high};
    double const n = static_cast<double>(N);
    array const ladder = exploding ? make_ve_ladder(N, low, high).sigma : linspace(low / n, high / n, N);
    array alpha_bar(N, 1.0);
    for (std::size_t i = 0; i < N && !exploding; ++i)
        alpha_bar[i] = (i == 0 ? 1.0 : alpha_bar[i - 1]) * (1 - ladder[i]);
    plan p;
    for (double t : linspace(1, o.get("eps", 1e-3), N)) {
        auto const k = static_cast<std::size_t>(t * (n - 1));
        network_form const network{.predicts = exploding ? prediction::score : prediction::epsilon,
                                   .clock = exploding ? network_clock::sigma : network_clock::path,
                                   .time_scale = exploding    ? 1.0
                                                 : continuous ? 999
                                                              : n - 1};
        noise_level const level = exploding    ? ve.level(t)
                                  : continuous ? vp.level(t)
                                               : noise_level{std::sqrt(alpha_bar[k]), std::sqrt(1 - alpha_bar[k])};
        double const below = exploding && k > 0 ? ladder[k - 1] : 0.0;
        stage::churn_map const forward = exploding ? make_forward_step({1, below}, {1, ladder[k]})
                                                   : stage::churn_map{std::sqrt(1 - ladder[k]), std::sqrt(ladder[k])};
        for (unsigned j = 0; j < corrections; ++j)
            p.stages.push_back(langevin_stage(network, t, level, forward.keep, c));
        double const deviation = forward.add;
        if (predictor == "reverse_diffusion")
            p.stages.push_back(reverse_diffusion_stage(network, t, level, forward));
        else if (predictor == "ancestral_sampling")
            p.stages.push_back(score_stage(network, t, level, 1 / forward.keep, deviation * deviation / forward.keep,
                                           exploding ? below * deviation / ladder[k] : deviation));
        else if (predictor == "euler_maruyama")
            append(p, exploding ? sde_step(ve, t, -1 / n, {.network = network})
                                : sde_step(vp, t, -1 / n, {.network = network}));
        else if (predictor != "none")
            throw unsupported("the predictor " + predictor);
    }
    if (denoise && predictor != "none")
        p.stages.back().x += -p.stages.back().x[z] * z;
    for (stage& s : p.stages)
        s.x = s.x.pruned();
    return p;
}

// ---- SiT --------------------------------------------------------------------------------------------------

template <class Path>
plan sit_on(Path const& path, std::string const& name, json const& given, options& o)
{
    static std::map<std::string, prediction> const kinds = {
        {"velocity", prediction::velocity}, {"noise", prediction::epsilon}, {"score", prediction::score}};
    prediction const kind = kinds.at(at(given, "prediction").get<std::string>());
    bool const velocity = kind == prediction::velocity, vp = std::is_same_v<Path, vp_sde>;
    network_form const network{
        .predicts = kind, .clock = network_clock::reversed, .output_scale = velocity ? -1.0 : 1.0};
    auto const n = o.get<std::size_t>("num_steps", 0);
    auto const method = o.get<std::string>("sampling_method", "");
    double const eps = vp || !velocity ? 1e-3 : 0.0; // the source's sample_eps
    plan p;
    if (name == "ode") {
        bool const back = o.get("reverse", false);
        double const first = vp || velocity ? 0.0 : eps, last = vp || !velocity ? 1 - eps : 1.0;
        array const u = back ? linspace(1 - first, 1 - last, n) : linspace(first, last, n);
        for (std::size_t i = 0; i + 1 < n; ++i)
            append(p, sde_step(path, 1 - u[i], u[i] - u[i + 1],
                               {.network = network, .method = method_named(method), .diffusion = no_diffusion}, false));
        return p;
    }
    auto const form = diffusion_form_named(o.get<std::string>("diffusion_form", "SBDM"));
    auto const end = o.get<std::string>("last_step", "none");
    double const norm = o.get("diffusion_norm", 1.0), size = o.get("last_step_size", 0.04);
    sde_options s{.network = network,
                  .method = method == "Heun" ? res_2s(1.0) : rk_1(),
                  .diffusion = diffusion_of(path, form, norm)};
    double const first = !vp && (form == diffusion_form::path || !velocity) ? eps : 0.0,
                 last = 1 - (end == "none" ? eps : size);
    array const u = linspace(first, last, n);
    for (std::size_t i = 0; i + 1 < n; ++i) {
        append(p, sde_step(path, 1 - u[i], u[0] - u[1], s));
        if (s.method.c.size() == 1) // the source draws before its call
            p.stages.back().noise = noise_index(static_cast<std::uint32_t>(i), 0);
    }
    s.method = rk_1();
    if (end == "Mean") {
        append(p, sde_step(path, 1 - last, -size, s, false));
    } else if (end == "Euler") {
        s.diffusion = no_diffusion;
        append(p, sde_step(path, 1 - last, -size, s, false));
    } else if (end == "Tweedie") {
        network_maps const maps = maps_at(network, path.level(1 - last), path.slope(1 - last));
        p.stages.push_back({.time = last, .x = row(m(0)), .memory = maps.x_0, .input_scale = maps.input_scale});
    } else {
        p.stages.push_back({.x = row(x), .calls = false});
    }
    return p;
}

plan sit(std::string const& name, json const& given, options& o)
{
    std::string const path = at(given, "path").get<std::string>();
    return path == "Linear" ? sit_on(rectified_flow{}, name, given, o)
           : path == "GVP"  ? sit_on(trigonometric_path{}, name, given, o)
                            : sit_on(vp_sde{}, name, given, o);
}

// ---- rectified flow ---------------------------------------------------------------------------------------

/// Times i / N (1 - eps) + eps with steps 1 / N. With sigma_var > 0 the source adds noise, and a drift that is not the
/// one that would keep the marginals.
plan rectified(std::string const& name, options& o)
{
    auto const n = o.get<std::size_t>(name == "euler" ? "sample_N" : "N", 1);
    double const eps = o.get("eps", 1e-3), var = o.get("sigma_var", 0.0), scale = o.get("noise_scale", 1.0);
    double const dt = 1 / static_cast<double>(n);
    plan p;
    for (std::size_t i = 0; i < n; ++i) {
        double const t = static_cast<double>(i) * dt * (1 - eps) + eps, sigma = (1 - t) * var;
        stage s = sde_step(rectified_flow{}, 1 - t, -dt,
                           {.network = {.predicts = prediction::velocity,
                                        .clock = network_clock::reversed,
                                        .time_scale = 999,
                                        .output_scale = -1},
                            .diffusion = no_diffusion})
                      .front();
        if (var > 0) {
            double const weight = sigma * sigma / (2 * scale * scale * (1 - t) * (1 - t));
            s.x = (1 - dt * weight * 0.5 * (2 - t)) * x + dt * (1 + weight * 0.5 * t * (1 - t)) * F() +
                  (sigma * std::sqrt(dt)) * z;
        }
        p.stages.push_back(s);
    }
    return p;
}

// ---- VDM --------------------------------------------------------------------------------------------------

plan vdm(options& o)
{
    auto const T = o.get<std::size_t>("T", 1);
    log_snr_path<vdm_fixed_linear> const path{{o.get("gamma_min", -13.3), o.get("gamma_max", 5.0)}};
    grid g{.times = {}, .levels = {}, .direction = grid::course::down};
    for (std::size_t i = T + 1; i-- > 0;) {
        g.times.push_back(static_cast<double>(i) / static_cast<double>(T));
        g.levels.push_back(path.level(g.times.back()));
    }
    g.times.pop_back();
    return ddim(g, {.eta = 1.0});
}

// ---- consistency_models -----------------------------------------------------------------------------------

/// Consistency sampling along the places ts of a ramp of `count` Karras levels.
plan iterative(options& o, network_form const& network, std::size_t count, double low, double high, double rho)
{
    array const places = o.get<array>("ts", {0.0});
    auto const level = [&](double place) {
        double const a = std::pow(high, 1 / rho), b = std::pow(low, 1 / rho);
        return std::pow(a + place / static_cast<double>(count - 1) * (b - a), rho);
    };
    std::vector<grid_step> steps;
    for (std::size_t i = 0; i + 1 < places.size(); ++i) {
        double const t = level(places[i]), after = std::clamp(level(places[i + 1]), low, high);
        double const left =
            after * after - low * low + network.boundary * network.boundary; // consistency takes the last
        steps.push_back({t, {1.0, t}, {1.0, std::sqrt(std::max(left, 0.0))}});
    }
    return consistency(steps, {.network = network});
}

/// The second-order step whose middle is at the mean of the cube roots, also where the step ends at 0.
plan dpm(grid const& g, network_form const& network, churn_options const& churn)
{
    variance_exploding const path;
    plan p;
    for (churned_step const& churned : churned_steps(path, g, churn)) {
        grid_step const& step = churned.step;
        double const a = step.from.sigma, b = step.to.sigma, middle = std::pow((std::cbrt(a) + std::cbrt(b)) / 2, 3);
        double const c = (middle - a) / (b - a);
        runge_kutta_method const method = butcher({0.0, c}, {{c}, {0.0, 1.0}});
        std::vector<stage> stages =
            sde_step(path, a, b - a, {.network = network, .method = method, .diffusion = no_diffusion});
        stages.front().churn = churned.churn;
        append(p, stages);
    }
    return p;
}

/// x + P (y - x): the part of an image [batch, channel, row, column] that a measurement knows comes from y. It is the
/// grey of each pixel (iterative_colorization), or the means of patches of 8 x 8 (iterative_superres).
array with_known_part(std::string const& name, array x, array const& y, extents const& shape)
{
    std::size_t const channels = shape[1], rows = shape[2], columns = shape[3], area = rows * columns;
    array const grey{0.2989, 0.5870, 0.1140};
    std::vector<std::vector<std::pair<std::size_t, double>>> directions; // sparse and orthogonal
    if (name == "iterative_colorization") {
        for (std::size_t i = 0; i < x.size(); ++i)
            if (i / area % channels == 0)
                directions.push_back({{i, grey[0]}, {i + area, grey[1]}, {i + 2 * area, grey[2]}});
    } else {
        directions.resize(x.size() / 64);
        for (std::size_t i = 0; i < x.size(); ++i) {
            std::size_t const patch = i / area * (area / 64) + i / columns % rows / 8 * (columns / 8) + i % columns / 8;
            directions[patch].push_back({i, 1.0});
        }
    }
    for (auto const& direction : directions) {
        double along = 0, square = 0;
        for (auto const& [i, weight] : direction) {
            along += weight * (y[i] - x[i]);
            square += weight * weight;
        }
        for (auto const& [i, weight] : direction)
            x[i] += along / square * weight;
    }
    return x;
}

made_sampler consistency_models(std::string name, json const& given, options& o)
{
    made_sampler made;
    bool const whole = name == "karras_sample";
    network_form network = denoiser;
    grid g{.times = {}, .levels = {}, .direction = grid::course::as_given};
    if (whole) {
        name = o.get<std::string>("sampler", "");
        network = {.input = network_input::edm,
                   .sigma_data = value(given, "sigma_data", 0.5),
                   .clock = network_clock::edm,
                   .time_scale = 1000};
        if (value(given, "boundary_condition", false))
            network.boundary = value(given, "sigma_min", 0.002);
        if (o.get("clip_denoised", false))
            network.operation = {.what = x0_operation::kind::clip, .bound = 1.0};
        auto const n = o.get<std::size_t>("steps", 40);
        g = make_grid(variance_exploding{}, karras_grid(name == "progdist" ? n + 1 : n));
        made.finish = [](recording& r) { // the source's last line, whatever its options
            for (double& v : r.final)
                v = std::clamp(v, -1.0, 1.0);
        };
    } else if (given.contains("sigmas")) {
        g = sigma_levels(given);
    }
    variance_exploding const path;
    churn_options const churn{.amount = o.get("s_churn", 0.0),
                              .low = o.get("s_tmin", 0.0),
                              .high = o.get("s_tmax", std::numeric_limits<double>::infinity()),
                              .noise_scale = o.get("s_noise", 1.0)};
    if (name == "progdist") { // it stops before the last level
        g.times.pop_back();
        g.levels.pop_back();
        made.p = euler(g, {.network = network});
    } else if (name == "onestep") {
        made.p = consistency(std::vector{grid_step{g.times[0], g.levels[0], {1.0, 0.0}}}, {.network = network});
    } else if (name == "multistep" || name == "stochastic_iterative") {
        auto const count = o.get<std::size_t>("steps", 40);
        made.p = iterative(o, network, count, o.get("t_min", 0.002), o.get("t_max", 80.0), o.get("rho", 7.0));
    } else if (name == "iterative_colorization" || name == "iterative_superres") {
        auto const count = o.get<std::size_t>("steps", 40);
        made.p = iterative(o, network, count, o.get("t_min", 0.002), o.get("t_max", 80.0), o.get("rho", 7.0));
        extents const shape = shape_of(given);
        array const images = with_known_part(name, array(size_of(shape), 0.0), data(size_of(shape)), shape);
        made.network = [=, of_case = model_named(at(given, "model").get<std::string>())](auto x, auto times) {
            array x_0 = of_case(x, times);
            for (double& u : x_0)
                u = std::clamp(u, -1.0, 1.0);
            return with_known_part(name, x_0, images, shape);
        };
        made.images = images;
    } else if (name == "heun") {
        made.p = heun(path, g, {.network = network, .churn = churn});
    } else if (name == "dpm") {
        made.p = dpm(g, network, churn);
    } else if (name == "euler") {
        made.p = euler(g, {.network = network});
    } else if (name == "euler_ancestral" || name == "ancestral") {
        made.p = euler_ancestral(g, {.network = network});
    } else {
        throw unsupported("consistency_models' " + name);
    }
    made.p.initial_scale = whole ? 80.0 : 1.0;
    return made;
}

} // namespace

diffusion_form diffusion_form_named(std::string const& name)
{
    static std::map<std::string, diffusion_form> const forms = {
        {"SBDM", diffusion_form::path},
        {"constant", diffusion_form::constant},
        {"sigma", diffusion_form::sigma},
        {"linear", diffusion_form::linear},
        {"decreasing", diffusion_form::decreasing},
        {"inccreasing-decreasing", diffusion_form::increasing_decreasing}}; // the source's spelling
    return entry(forms, name, "the diffusion ");
}

bool replay_flow(verdict& v, options& o)
{
    json const& given = v.given();
    std::string const family = at(given, "family").get<std::string>(), name = at(given, "sampler").get<std::string>();
    made_sampler made;
    if (family == "score_sde" && name == "pc")
        made.p = score_sde(given, o);
    else if (family == "sit")
        made.p = sit(name, given, o);
    else if (family == "rectified_flow")
        made.p = rectified(name, o);
    else if (family == "vdm")
        made.p = vdm(o);
    else if (family == "consistency_models")
        made = consistency_models(name, given, o);
    else
        return false;
    if (family == "score_sde" || family == "vdm")
        number_as_drawn(made.p, given);
    number_draws(made.p);
    if (v.expects("images"))
        v.compare("images", made.images);
    replay(v, o, made.p, made.network, made.finish);
    return true;
}

} // namespace conformance
