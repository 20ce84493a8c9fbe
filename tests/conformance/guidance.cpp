// SPDX-License-Identifier: MIT
// Kind `guidance`: the guiders of diffusers, and the two rules of DPM-Solver's code.
#include "support.hpp"

#include <alphabar/backends/span.hpp>
#include <alphabar/guidance/adaptive_projected.hpp>
#include <alphabar/guidance/classifier.hpp>
#include <alphabar/guidance/classifier_free.hpp>
#include <alphabar/guidance/frequency_decoupled.hpp>
#include <alphabar/guidance/interval.hpp>
#include <alphabar/guidance/rescale.hpp>
#include <alphabar/guidance/weighted.hpp>
#include <alphabar/schedule/betas.hpp>
#include <alphabar/schedule/continuous.hpp>
#include <alphabar/schedule/gaussian_diffusion.hpp>

#include <algorithm>
#include <cmath>
#include <limits>
#include <tuple>

namespace conformance {
namespace {

namespace ab = alphabar;

/// The arguments of a guider; one that nobody asked for makes the case unsupported.
class arguments {
public:
    explicit arguments(json const& fields) : fields_(fields) {}
    bool has(char const* name) const { return fields_.contains(name) && !fields_[name].is_null(); }
    template <class T>
    T get(char const* name, T otherwise)
    {
        known_.insert(name);
        return value(fields_, name, otherwise);
    }
    /// A number for each of n levels, written as one number, one for each, or not at all.
    array each(char const* name, std::size_t n, double otherwise)
    {
        known_.insert(name);
        if (!has(name))
            return array(n, otherwise);
        return fields_[name].is_array() ? numbers(fields_[name]) : array(n, number(fields_[name]));
    }
    void finish() const
    {
        for (auto const& [name, unused] : fields_.items())
            if (!known_.contains(name))
                throw unsupported("the argument " + name);
    }

private:
    json const& fields_;
    std::set<std::string> known_;
};

/// The stand-ins of the predictions at step k.
struct predictions {
    array c, u, skipped, smoothed, stg, modality;

    predictions(std::size_t count, double k)
    {
        for (std::size_t i = 0; i < count; ++i) {
            double const n = static_cast<double>(i + 1), carrier = std::sin(0.9 * n + 0.4 * k);
            c.push_back(1.2 * carrier);
            u.push_back(0.5 * carrier + 0.8 * std::sin(0.6 * n + 0.3 + 0.25 * k));
            skipped.push_back(0.9 * carrier + 0.3 * std::cos(0.7 * n + 0.2 * k));
            smoothed.push_back(0.8 * carrier - 0.35 * std::cos(0.5 * n + 0.1 * k));
            stg.push_back(0.7 * carrier + 0.25 * std::cos(0.8 * n));
            modality.push_back(0.95 * carrier - 0.2 * std::sin(0.3 * n));
        }
    }
};

/// One case of diffusers: `run(rule)` guides at every step that is asked for and compares.
struct guider_case {
    verdict& v;
    ab::shape shape;
    arguments given;
    ab::step_window window;
    bool excess;

    explicit guider_case(verdict& of)
        : v(of), shape(shape_of(of.given())), given(at(of.given(), "arguments")),
          window{given.get("start", 0.0), given.get("stop", 1.0)}, excess(given.get("use_original_formulation", false))
    {
        if (!given.get("enabled", true))
            window.stop = window.start;
    }

    double scale(char const* name, double otherwise)
    {
        double const w = given.get(name, otherwise);
        if (w == (excess ? 0 : 1)) // diffusers then takes c, whatever the rule
            window.stop = window.start;
        return counted(w);
    }
    double counted(double w) const { return excess ? w + 1 : w; }
    double rescale() { return given.get("guidance_rescale", 0.0); }

    template <class Guide>
    void each_step(Guide guide)
    {
        given.finish();
        for (json const& step : at(v.given(), "steps")) {
            auto const k = step.get<std::size_t>();
            predictions p(shape.size(), static_cast<double>(k));
            array out(shape.size());
            guide(ab::guidance_point{.step = k, .steps = at(v.given(), "num_inference_steps").get<std::size_t>()}, out,
                  p);
            v.compare("values", std::to_string(k), out);
        }
    }
    template <class Rule>
    void run(Rule const& rule)
    {
        double const part = rescale();
        each_step([&](ab::guidance_point const& point, array& out, predictions const& p) {
            ab::guide(ab::rescaled{ab::within{rule, window}, part}, point, ab::view(out, shape), ab::view(p.c, shape),
                      ab::view(p.u, shape));
        });
    }
};

/// diffusers' options of adaptive projected guidance; where r is 0 there is no radius.
ab::adaptive_projected projected(guider_case& c, double radius, double eta)
{
    ab::adaptive_projected rule{.eta = c.given.get("eta", eta), .from_u = !c.excess};
    radius = c.given.get("adaptive_projected_guidance_rescale", radius);
    rule.radius = radius > 0 ? radius : std::numeric_limits<double>::infinity();
    return rule;
}

template <class Rule>
void run_with_momentum(guider_case& c, Rule const& rule)
{
    double const part = c.rescale();
    if (json const axes = c.given.get<json>("adaptive_projected_guidance_norm_dim", nullptr); !axes.is_null()) {
        // norms over the last axes: the others are the batch
        if (axes != json{-1, -2} || c.shape.rank() != 4)
            throw unsupported("norms over these axes");
        c.shape = {c.shape[0] * c.shape[1], c.shape[2], c.shape[3]};
    }
    array average(c.shape.size());
    c.each_step([&](ab::guidance_point const& point, array& out, predictions const& p) {
        auto const to = ab::view(out, c.shape), memory = ab::view(average, c.shape);
        ab::guide(ab::rescaled{ab::within{rule, c.window}, part}, point, std::tie(to, memory), ab::view(p.c, c.shape),
                  ab::view(p.u, c.shape));
    });
}

/// Guidance with a third prediction. diffusers' window of it begins one step late, and where u's term is off it counts
/// its scale from the third prediction.
void perturbed(guider_case& c, char const* scale, char const* start, char const* stop, double usual_stop, bool smoothed)
{
    double const w = c.given.get("guidance_scale", 7.5), s = c.given.get(scale, 2.8), part = c.rescale();
    double const begin = c.given.get(start, smoothed ? 0.0 : 0.01), end = c.given.get(stop, usual_stop);
    c.each_step([&](ab::guidance_point const& point, array& out, predictions const& p) {
        double const n = static_cast<double>(point.steps);
        bool const plain = c.window(point) && c.counted(w) != 1;
        double const first = (std::floor(begin * n) + 1) / n;
        auto const rule = ab::perturbed(c.counted(w), plain || c.excess ? s : s - 1, {0, plain ? 1.0 : 0.0},
                                        {first, std::max(end, first)});
        ab::guide(ab::rescaled{rule, part}, point, ab::view(out, c.shape), ab::view(p.c, c.shape),
                  ab::view(p.u, c.shape), ab::view(smoothed ? p.smoothed : p.skipped, c.shape));
    });
}

void frequency_decoupled(guider_case& c)
{
    array const scales = c.given.each("guidance_scales", 2, 5.0);
    std::size_t const n = scales.size();
    array const parallel = c.given.each("parallel_weights", n, 1.0), phi = c.given.each("guidance_rescale", n, 0.0);
    ab::frequency_decoupled rule{.levels = {},
                                 .rescale_image = c.given.get<std::string>("guidance_rescale_space", "data") == "data",
                                 .from_u = !c.excess};
    for (std::size_t l = 0; l < n; ++l)
        rule.levels.push_back(
            {.scale = c.counted(scales[l]), .parallel = parallel[l], .rescale = phi[l], .window = c.window});
    c.each_step([&](ab::guidance_point const& point, array& out, predictions const& p) {
        ab::guide(rule, point, ab::view(out, c.shape), ab::view(p.c, c.shape), ab::view(p.u, c.shape));
    });
}

void diffusers(verdict& v)
{
    using maker = void (*)(guider_case&);
    static std::map<std::string, maker> const makers = {
        {"ClassifierFreeGuidance", [](guider_case& c) { c.run(ab::classifier_free{c.scale("guidance_scale", 7.5)}); }},
        {"AutoGuidance", [](guider_case& c) { c.run(ab::autoguidance{c.scale("guidance_scale", 7.5)}); }},
        {"ClassifierFreeZeroStarGuidance",
         [](guider_case& c) {
             c.run(ab::zero_star{c.scale("guidance_scale", 7.5), c.given.get<std::size_t>("zero_init_steps", 1)});
         }},
        {"MagnitudeAwareGuidance",
         [](guider_case& c) {
             c.run(ab::magnitude_aware{c.scale("guidance_scale", 10.0), c.given.get("alpha", 8.0)});
         }},
        {"TangentialClassifierFreeGuidance",
         [](guider_case& c) { c.run(ab::tangential{c.scale("guidance_scale", 7.5)}); }},
        {"AdaptiveProjectedGuidance",
         [](guider_case& c) {
             ab::adaptive_projected rule = projected(c, 15.0, 1.0);
             rule.scale = c.scale("guidance_scale", 7.5);
             rule.momentum = c.given.get("adaptive_projected_guidance_momentum", 0.0);
             run_with_momentum(c, rule);
         }},
        {"AdaptiveProjectedMixGuidance",
         [](guider_case& c) {
             ab::adaptive_projected rule = projected(c, 10.0, 0.0);
             rule.scale = c.counted(c.given.get("adaptive_projected_guidance_scale", 10.0));
             rule.momentum = c.given.get("adaptive_projected_guidance_momentum", -0.5);
             ab::classifier_free const plain{c.scale("guidance_scale", 3.5)};
             auto const last_plain = c.given.get<std::size_t>("adaptive_projected_guidance_start_step", 5);
             auto const first_steps = [=](ab::guidance_point const& p) { return p.step <= last_plain; };
             run_with_momentum(c, ab::within{plain, first_steps, rule});
         }},
        {"PerturbedAttentionGuidance",
         [](guider_case& c) {
             perturbed(c, "perturbed_guidance_scale", "perturbed_guidance_start", "perturbed_guidance_stop", 0.2,
                       false);
         }},
        {"SkipLayerGuidance",
         [](guider_case& c) {
             perturbed(c, "skip_layer_guidance_scale", "skip_layer_guidance_start", "skip_layer_guidance_stop", 0.2,
                       false);
         }},
        {"SmoothedEnergyGuidance",
         [](guider_case& c) {
             perturbed(c, "seg_guidance_scale", "seg_guidance_start", "seg_guidance_stop", 1.0, true);
         }},
        {"LTX2Guidance",
         [](guider_case& c) {
             auto const rule = ab::multimodal(c.given.get("guidance_scale", 1.0), c.given.get("stg_scale", 0.0),
                                              c.given.get("modality_scale", 1.0));
             double const part = c.rescale();
             c.each_step([&](ab::guidance_point const& point, array& out, predictions const& p) {
                 ab::guide(ab::rescaled{ab::within{rule, c.window}, part}, point, ab::view(out, c.shape),
                           ab::view(p.c, c.shape), ab::view(p.u, c.shape), ab::view(p.stg, c.shape),
                           ab::view(p.modality, c.shape));
             });
         }},
        {"FrequencyDecoupledGuidance", frequency_decoupled},
        {"rescale_noise_cfg",
         [](guider_case& c) {
             double const part = c.rescale();
             c.each_step([&](ab::guidance_point const& point, array& out, predictions const& p) {
                 auto const to = ab::view(out, c.shape);
                 auto const conditional = ab::view(p.c, c.shape);
                 ab::guide(ab::classifier_free{5.0}, point, to, conditional, ab::view(p.u, c.shape));
                 ab::guide(ab::rescaled{ab::classifier_free{0.0}, part}, point, to, conditional, to);
             });
         }},
    };
    auto const make = entry(makers, at(v.given(), "rule").get<std::string>(), "the rule ");
    guider_case c(v);
    make(c);
}

/// The guided noise prediction of DPM-Solver's model_wrapper at per-sample t.
void dpm_solver(verdict& v)
{
    json const &given = v.given(), &schedule = at(given, "schedule");
    ab::shape const shape(shape_of(given));
    array const t = numbers(at(given, "t")), x = initial(shape.size(), value(given, "initial_scale", 1.0));
    double const scale = number(at(given, "scale"));
    array out(shape.size()), other(shape.size());
    auto const guided = [&](auto const& path, array const& times, double model_unit) {
        bool const classifier = at(given, "rule") == "classifier";
        for (std::size_t i = 0; i < x.size(); ++i) {
            double const slope = 0.2 * x[i] * times[i / shape.sample_size()] / model_unit;
            out[i] = 0.6 * std::tanh(x[i] + (classifier ? 0.0 : 0.3)) + slope;
            other[i] = classifier ? -std::sin(x[i]) : 0.6 * std::tanh(x[i]) + slope;
        }
        auto const to = ab::view(out, shape), second = ab::view(other, shape);
        if (classifier)
            ab::classifier_guide(path, ab::prediction::epsilon, scale, times, to, second, to);
        else
            ab::guide(ab::classifier_free{scale}, to, to, second);
    };
    std::string const model = at(given, "model").get<std::string>(), kind = at(schedule, "schedule").get<std::string>();
    if (model != "conditional" && model != (kind == "discrete" ? "tanh" : "tanh_unit"))
        throw unsupported("the model " + model);
    if (value(given, "gradient", std::string("-sin(x)")) != "-sin(x)")
        throw unsupported("the gradient");
    if (kind == "linear") {
        guided(ab::vp_sde{number(at(schedule, "beta_0")), number(at(schedule, "beta_1"))}, t, 1.0);
    } else if (kind == "discrete" && at(schedule, "betas") == "linear") {
        auto const n = at(schedule, "n").get<std::size_t>();
        array times;
        for (double each : t)
            times.push_back(std::round(static_cast<double>(n) * each - 1)); // the table's own times
        guided(ab::gaussian_diffusion(
                   ab::linear_betas(n, number(at(schedule, "beta_start")), number(at(schedule, "beta_end")))),
               times, 1000.0);
    } else {
        throw unsupported("the schedule " + kind);
    }
    v.compare("values", out);
}

} // namespace

void replay_guidance(verdict& v)
{
    if (value<std::string>(v.given(), "family", "") == "dpm-solver")
        dpm_solver(v);
    else
        diffusers(v);
}

} // namespace conformance
