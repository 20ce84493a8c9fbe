// SPDX-License-Identifier: MIT
// Kind `gaussian`: the q and p distributions of a discrete process, single steps and whole chains.
#include "process.hpp"
#include "replay_plan.hpp"
#include "support.hpp"

#include <alphabar/backends/span.hpp>
#include <alphabar/grid/sigmas.hpp>
#include <alphabar/guidance/classifier.hpp>
#include <alphabar/process/ddim_sample.hpp>
#include <alphabar/process/likelihood.hpp>
#include <alphabar/process/p_sample.hpp>
#include <alphabar/process/posterior.hpp>
#include <alphabar/process/q_sample.hpp>
#include <alphabar/sampler/ddim.hpp>
#include <alphabar/sampler/ddpm.hpp>
#include <alphabar/sampler/dpm_multistep.hpp>
#include <alphabar/sampler/two_stage.hpp>
#include <alphabar/schedule/continuous.hpp>
#include <alphabar/schedule/gaussian_diffusion.hpp>
#include <alphabar/schedule/rescale.hpp>

#include <algorithm>
#include <cmath>
#include <optional>
#include <tuple>

namespace conformance {
namespace {

namespace ab = alphabar;

/// The kept times and the betas of the respaced process.
void spaced(verdict& v)
{
    ab::beta_schedule const betas = betas_of(at(v.given(), "process"));
    std::vector<std::size_t> kept;
    try {
        kept = ab::kept_times(betas.T(), at(v.given(), "respace").get<std::string>());
    } catch (std::invalid_argument const&) {
        v.refused();
        return;
    }
    ab::gaussian_diffusion const diffusion(ab::respace(betas, kept));
    v.compare("timestep_map", array(kept.begin(), kept.end()));
    v.compare("betas", diffusion[ab::table::beta]);
    v.compare("alphas_cumprod", diffusion[ab::table::alpha_bar]);
}

using view = ab::tensor_view<double>;

/// x_0 -> 0.9 x_0, the denoised_fn of the cases.
struct nine_tenths {
    template <class T>
    constexpr T operator()(T x_0) const
    {
        return static_cast<T>(0.9) * x_0;
    }
};

/// What the network of a lucidrains case predicts.
ab::prediction objective_of(json const& given)
{
    static std::map<std::string, ab::prediction> const kinds = {
        {"pred_noise", ab::prediction::epsilon}, {"pred_x0", ab::prediction::x_0}, {"pred_v", ab::prediction::v}};
    return kinds.at(at(given, "objective").get<std::string>());
}

/// The process, the network and the state of a case.
class reverse_case {
public:
    explicit reverse_case(json const& given)
        : betas_(betas_of(at(given, "process"))), time_scale_(1.0), shape_(sized(shape_of(given))),
          model_(model_of(given)), two_heads_(model_.variance == ab::variance_type::learned ||
                                              model_.variance == ab::variance_type::learned_range),
          scaled_(value<std::string>(given, "denoised_fn", "") == "0.9 x"),
          conditional_(value<std::string>(given, "condition", "") == "cosine"), network_(network_of(given)),
          x(initial(shape_.size(), value(given, "initial_scale", 1.0)))
    {
        if (value(given, "rescale_timesteps", false))
            time_scale_ = 1000.0 / static_cast<double>(betas_.T());
        std::string const respace = value<std::string>(given, "respace", "");
        for (std::size_t i = 0; i < betas_.T(); ++i)
            kept_.push_back(i);
        if (!respace.empty()) {
            kept_ = ab::kept_times(betas_.T(), respace);
            betas_ = ab::respace(betas_, kept_);
        }
        diffusion_.emplace(betas_);
        t = given.contains("t") ? numbers(given["t"]) : array(shape_.batch(), static_cast<double>(diffusion_->T() - 1));
    }

    ab::gaussian_diffusion const& diffusion() const { return *diffusion_; }
    ab::reverse_model<> const& model() const { return model_; }
    bool two_heads() const { return two_heads_; }
    bool conditional() const { return conditional_; }
    view of(array& values) const { return ab::view(values, shape_); }
    array like_x() const { return array(shape_.size()); }

    /// Calls with the reverse model of the case, denoised_fn included.
    template <class Call>
    void with_model(Call call) const
    {
        if (scaled_)
            call(with_denoised_fn(model_, nine_tenths{}));
        else
            call(model_);
    }
    /// The network at x and t: the prediction, then the variance half.
    std::pair<array, array> output() const
    {
        array heads = network_(x, network_times());
        array second(heads.begin() + static_cast<std::ptrdiff_t>(shape_.size()), heads.end());
        heads.resize(shape_.size());
        return {heads, second};
    }
    /// The gradient of the classifier.
    array gradient() const
    {
        array values = like_x(), times = network_times();
        for (std::size_t i = 0; i < values.size(); ++i)
            values[i] = 0.1 * std::cos(x[i]) - 0.05 * x[i] * times[i / shape_.sample_size()] / 1000;
        return values;
    }
    std::vector<std::size_t> times() const { return {t.begin(), t.end()}; }

private:
    static ab::shape sized(extents const& sizes) { return ab::shape(std::span<std::size_t const>(sizes)); }
    static ab::reverse_model<> model_of(json const& given)
    {
        ab::reverse_model<> m;
        m.clip_denoised = value(given, "clip_denoised", true);
        if (given.contains("objective")) { // lucidrains
            m.predicts = objective_of(given);
            m.variance_floor = 1e-20;
        }
        if (!given.contains("mean_type"))
            return m;
        m.predicts = ab::parse_prediction(given["mean_type"].get<std::string>());
        m.variance = ab::parse_variance_type(at(given, "variance_type").get<std::string>());
        m.clip_denoised = value(given, "clip_denoised", true);
        if (value<std::string>(given, "software", "") ==
            "dit") { // DiT has a learned range only, and reads previous_x as epsilon
            if (m.variance == ab::variance_type::learned)
                m.variance = ab::variance_type::learned_range;
            if (m.predicts == ab::prediction::previous_x)
                m.predicts = ab::prediction::epsilon;
        }
        return m;
    }
    static conformance::model network_of(json const& given)
    {
        return given.contains("model") ? model_named(given["model"].get<std::string>()) : conformance::model();
    }
    array network_times() const
    {
        array times;
        for (double i : t)
            times.push_back(time_scale_ * static_cast<double>(kept_.at(static_cast<std::size_t>(i))));
        return times;
    }

    ab::beta_schedule betas_;
    double time_scale_;
    ab::shape shape_;
    ab::reverse_model<> model_;
    bool two_heads_, scaled_, conditional_;
    conformance::model network_;
    std::vector<std::size_t> kept_;
    std::optional<ab::gaussian_diffusion> diffusion_;

public:
    array x, t;
};

/// A number of every sample.
template <class Numbers>
array each(std::vector<Numbers> const& all, double Numbers::* member)
{
    array values;
    for (Numbers const& one : all)
        values.push_back(one.*member);
    return values;
}

void q_sample(verdict& v)
{
    reverse_case c(v.given());
    array x_0 = data(c.x.size()), z = noise(c.x.size(), 0, 0), x_t = c.like_x();
    ab::q_sample(c.diffusion(), c.of(x_0), c.times(), c.of(z), c.of(x_t));
    v.compare("x_t", x_t);
}

void q_mean_variance(verdict& v)
{
    reverse_case c(v.given());
    array x_0 = data(c.x.size()), mean = c.like_x();
    auto const spread = ab::q_mean_variance(c.diffusion(), c.of(x_0), c.times(), c.of(mean));
    v.compare("mean", mean);
    v.compare("variance", each(spread, &ab::variances::variance));
    v.compare("log_variance", each(spread, &ab::variances::log_variance));
}

void q_posterior(verdict& v)
{
    reverse_case c(v.given());
    array x_0 = data(c.x.size()), mean = c.like_x();
    auto const posterior = ab::q_posterior(c.diffusion(), c.of(x_0), c.of(c.x), c.times(), c.of(mean));
    v.compare("mean", mean);
    v.compare("variance", each(posterior, &ab::posterior::variance));
    v.compare("log_variance", each(posterior, &ab::posterior::log_variance));
}

void p_mean_variance(verdict& v)
{
    reverse_case c(v.given());
    std::pair<array, array> output = c.output();
    array &F = output.first, &second = output.second;
    array mean = c.like_x(), x_0 = c.like_x(), variance = c.like_x(), log_variance = c.like_x();
    c.with_model([&](auto const& model) {
        if (c.two_heads()) {
            ab::p_mean_variance(c.diffusion(), model, c.of(c.x), c.times(), c.of(F), c.of(second), c.of(mean),
                                c.of(x_0), c.of(variance), c.of(log_variance));
            return;
        }
        auto const spread =
            ab::p_mean_variance(c.diffusion(), model, c.of(c.x), c.times(), c.of(F), c.of(mean), c.of(x_0));
        variance = each(spread, &ab::variances::variance);
        log_variance = each(spread, &ab::variances::log_variance);
    });
    v.compare("mean", mean);
    v.compare("pred_xstart", x_0);
    if (v.expects("variance"))
        v.compare("variance", variance);
    if (v.expects("log_variance"))
        v.compare("log_variance", log_variance);
}

/// One step from c.x at c.t: the sample and the predicted x_0.
std::pair<array, array> p_step(reverse_case& c, array z)
{
    std::pair<array, array> output = c.output();
    array &F = output.first, &second = output.second;
    array sample = c.like_x(), x_0 = c.like_x(), g = c.gradient();
    view const f = c.of(F), h = c.of(second.empty() ? F : second), gradient = c.of(g), noise_view = c.of(z),
               state = c.of(c.x);
    view to = c.of(sample), clean = c.of(x_0);
    c.with_model([&](auto const& model) {
        auto const step = [&](auto const& halves) {
            if (c.conditional())
                ab::p_sample(c.diffusion(), model, state, c.times(), halves, noise_view, std::tie(to, clean), gradient);
            else
                ab::p_sample(c.diffusion(), model, state, c.times(), halves, noise_view, std::tie(to, clean));
        };
        if (c.two_heads())
            step(std::tie(f, h));
        else
            step(f);
    });
    return {sample, x_0};
}

/// x_0 of the network at c.x, moved by the classifier where there is one.
array predicted_x_0(reverse_case& c)
{
    array F = c.output().first;
    array x_0 = c.like_x(), g = c.gradient();
    c.with_model(
        [&](auto const& model) { ab::predict_x_0(c.diffusion(), model, c.of(c.x), c.times(), c.of(F), c.of(x_0)); });
    if (c.conditional())
        ab::classifier_guide(c.diffusion(), ab::prediction::x_0, 1.0, c.times(), c.of(x_0), c.of(g), c.of(x_0));
    return x_0;
}

std::pair<array, array> ddim_step(reverse_case& c, double eta, array z)
{
    array x_0 = predicted_x_0(c), sample = c.like_x();
    ab::ddim_sample(c.diffusion(), c.of(c.x), c.times(), c.of(x_0), eta, c.of(z), c.of(sample));
    return {sample, x_0};
}

double eta_of(verdict const& v) { return value(v.given(), "eta", 0.0); }

void p_sample(verdict& v)
{
    reverse_case c(v.given());
    auto const [sample, x_0] = p_step(c, noise(c.x.size(), 1, 0));
    v.compare("sample", sample);
    v.compare("pred_xstart", x_0);
}

void ddim_sample(verdict& v)
{
    reverse_case c(v.given());
    auto const [sample, x_0] = ddim_step(c, eta_of(v), noise(c.x.size(), 1, 0));
    v.compare("sample", sample);
    v.compare("pred_xstart", x_0);
}

void ddim_reverse_sample(verdict& v)
{
    reverse_case c(v.given());
    array x_0 = predicted_x_0(c), sample = c.like_x();
    ab::ddim_reverse_sample(c.diffusion(), c.of(c.x), c.times(), c.of(x_0), c.of(sample));
    v.compare("sample", sample);
    v.compare("pred_xstart", x_0);
}

void condition_mean(verdict& v)
{
    reverse_case c(v.given());
    array F = c.output().first;
    array mean = c.like_x(), x_0 = c.like_x(), g = c.gradient();
    c.with_model([&](auto const& model) {
        auto const spread =
            ab::p_mean_variance(c.diffusion(), model, c.of(c.x), c.times(), c.of(F), c.of(mean), c.of(x_0));
        ab::condition_mean(c.of(mean), spread, c.of(g), c.of(mean));
    });
    v.compare("mean", mean);
}

void condition_score(verdict& v)
{
    reverse_case c(v.given());
    array x_0 = predicted_x_0(c), mean = c.like_x();
    ab::q_posterior(c.diffusion(), c.of(x_0), c.of(c.x), c.times(), c.of(mean));
    v.compare("mean", mean);
    v.compare("pred_xstart", x_0);
}

/// From the last time to 0; step(case, noise) is one step.
template <class Step>
void loop(verdict& v, Step step)
{
    reverse_case c(v.given());
    std::size_t const T = c.diffusion().T();
    for (std::size_t i = 0; i < T; ++i) {
        c.t.assign(c.t.size(), static_cast<double>(T - 1 - i));
        c.x = step(c, noise(c.x.size(), i + 1, 0)).first;
    }
    v.compare("final", c.x);
}

/// lucidrains' DDIM: a list of times that ends with -1, where x_0 itself is returned.
void ddim_over_times(verdict& v)
{
    json const& given = v.given();
    ab::gaussian_diffusion const diffusion(betas_of(at(given, "process")));
    array const times = numbers(at(given, "times"));
    auto const level = [&](double t) { return t < 0 ? ab::noise_level{1.0, 0.0} : diffusion.level(t); };
    std::vector<ab::grid_step> steps;
    for (std::size_t i = 0; i + 1 < times.size(); ++i)
        steps.push_back({times[i], level(times[i]), level(times[i + 1])});
    ab::network_form network{.predicts = objective_of(given)};
    if (value(given, "clip_denoised", true))
        network.operation = {.what = ab::x0_operation::kind::clip, .bound = 1.0};
    extents const shape = shape_of(given);
    std::size_t const n = size_of(shape);
    recording const r =
        run({ab::ddim(steps, {.network = network, .eta = eta_of(v)})}, initial(n, number(at(given, "initial_scale"))),
            shape, model_named(at(given, "model").get<std::string>()),
            [n](std::size_t s, std::size_t j) { return noise(n, s, j); });
    v.compare("final", r.final);
}

// ---- lucidrains in continuous time, and its EDM ------------------------------------------------------------

/// The log-SNR of a variant at a time.
double log_snr(json const& given, double t)
{
    std::string const variant = at(given, "variant").get<std::string>();
    if (variant == "continuous_linear")
        return ab::log_snr_path<ab::log_snr_linear>{}.log_snr(t);
    if (variant == "continuous_cosine" || variant == "v_param")
        return ab::log_snr_path<ab::log_snr_cosine>{}.log_snr(t);
    double const size = value(given, "image_size", 1.0), noise_d = value(given, "noise_d", size);
    auto const shifted = [&](double d) {
        return ab::log_snr_path<ab::log_snr_simple_cosine>{{.noise_d = d, .image_d = size}}.log_snr(t);
    };
    if (!given.contains("noise_d_low"))
        return shifted(noise_d);
    return t * shifted(number(given["noise_d_low"])) + (1 - t) * shifted(number(given["noise_d_high"]));
}

/// Ancestral steps through these times; no noise on the way to 0.
array walked(json const& given, array const& times)
{
    std::string const variant = at(given, "variant").get<std::string>();
    ab::ddpm_options o{.network = {.predicts = variant == "v_param" || variant == "simple_v"
                                                   ? ab::prediction::v
                                                   : ab::prediction::epsilon}};
    if (value(given, "clip_denoised", true))
        o.network.operation = {.what = ab::x0_operation::kind::clip, .bound = 1.0};
    auto const level = [](double l) {
        return ab::noise_level{std::sqrt(1 / (1 + std::exp(-l))), std::sqrt(1 / (1 + std::exp(l)))};
    };
    std::vector<ab::grid_step> steps;
    for (std::size_t i = 0; i + 1 < times.size(); ++i) {
        double const l = log_snr(given, times[i]);
        steps.push_back({l, level(l), level(log_snr(given, times[i + 1]))});
        o.noisy.push_back(times[i + 1] != 0);
    }
    extents const shape = shape_of(given);
    std::size_t const n = size_of(shape);
    return run({ab::ddpm(steps, o)}, initial(n, number(at(given, "initial_scale"))), shape,
               model_named(at(given, "model").get<std::string>()),
               [n](std::size_t s, std::size_t j) { return noise(n, s, j); })
        .final;
}

/// [-1, 1] to [0, 1].
array unnormalised(array x)
{
    for (double& v : x)
        v = (std::clamp(v, -1.0, 1.0) + 1) / 2;
    return x;
}

void continuous_p_sample(verdict& v)
{
    v.compare("sample", walked(v.given(), {number(at(v.given(), "time")), number(at(v.given(), "time_next"))}));
}

void continuous_p_sample_loop(verdict& v)
{
    auto const n = at(v.given(), "steps").get<std::size_t>();
    array times;
    for (std::size_t i = 0; i <= n; ++i)
        times.push_back(1 - static_cast<double>(i) / static_cast<double>(n));
    v.compare("final", unnormalised(walked(v.given(), times)));
}

/// Heun with churn, or DPM-Solver++(2M), on the Karras grid.
void elucidated(verdict& v)
{
    json const& given = v.given();
    ab::network_form network{.input = ab::network_input::edm,
                             .sigma_data = number(at(given, "sigma_data")),
                             .clock = ab::network_clock::edm};
    auto const grid =
        ab::karras_grid(at(given, "steps").get<std::size_t>(),
                        {.rho = number(at(given, "rho")),
                         .range = ab::sigma_range{number(at(given, "sigma_min")), number(at(given, "sigma_max"))}});
    ab::plan p;
    if (at(given, "function") == "sample") {
        if (value(given, "clip_denoised", true))
            network.operation = {.what = ab::x0_operation::kind::clip, .bound = 1.0};
        p = ab::heun(ab::variance_exploding{}, grid,
                     {.network = network,
                      .churn = {.amount = number(at(given, "S_churn")),
                                .low = number(at(given, "S_tmin")),
                                .high = number(at(given, "S_tmax")),
                                .noise_scale = number(at(given, "S_noise"))}});
    } else {
        p = ab::dpmpp_2m(ab::variance_exploding{}, grid, {.network = network});
    }
    extents const shape = shape_of(given);
    std::size_t const n = size_of(shape);
    recording const r = run({p}, initial(n, number(at(given, "initial_scale")) * p.initial_scale), shape,
                            model_named(at(given, "model").get<std::string>()),
                            [n](std::size_t s, std::size_t j) { return noise(n, s, j); });
    v.compare("final", unnormalised(r.final));
}

// ---- pieces of the likelihood -----------------------------------------------------------------------------

/// A list of numbers, or a formula by name.
array input(json const& given, char const* name)
{
    json const& field = at(given, name);
    if (field.is_array())
        return numbers(field);
    std::string const formula = field.get<std::string>();
    auto const n = at(given, "count").get<std::size_t>();
    if (formula == "data")
        return data(n);
    if (formula == "initial sample, scale 1")
        return initial(n, 1.0);
    if (formula != "sin(0.2 (i+1))")
        throw unsupported("the formula " + formula);
    array values;
    for (std::size_t i = 0; i < n; ++i)
        values.push_back(std::sin(0.2 * static_cast<double>(i + 1)));
    return values;
}

void normal_kl(verdict& v)
{
    array const m1 = input(v.given(), "mean1"), l1 = input(v.given(), "logvar1"), m2 = input(v.given(), "mean2"),
                l2 = input(v.given(), "logvar2");
    std::vector<ab::normal_kl_term> terms;
    for (std::size_t i = 0; i < m1.size(); ++i)
        terms.push_back(ab::normal_kl(m1[i], l1[i], m2[i], l2[i]));
    v.compare("values", each(terms, &ab::normal_kl_term::value));
}

void cdf(verdict& v)
{
    array values = input(v.given(), "x");
    for (double& x : values)
        x = ab::approx_standard_normal_cdf(x);
    v.compare("values", values);
}

void discretized(verdict& v)
{
    array const x = input(v.given(), "x"), means = input(v.given(), "means"), scales = input(v.given(), "log_scales");
    std::vector<ab::log_likelihood_term> terms;
    for (std::size_t i = 0; i < x.size(); ++i)
        terms.push_back(ab::discretized_gaussian_log_likelihood(x[i], means[i], scales[i]));
    v.compare("values", each(terms, &ab::log_likelihood_term::value));
    v.compare("grad_means", each(terms, &ab::log_likelihood_term::mean));
    v.compare("grad_log_scales", each(terms, &ab::log_likelihood_term::log_scale));
}

void continuous(verdict& v)
{
    array const x = input(v.given(), "x"), means = input(v.given(), "means"), scales = input(v.given(), "log_scales");
    array values;
    for (std::size_t i = 0; i < x.size(); ++i)
        values.push_back(ab::continuous_gaussian_log_likelihood(x[i], means[i], scales[i]));
    v.compare("values", values);
}

} // namespace

void replay_gaussian(verdict& v)
{
    static std::map<std::string, void (*)(verdict&)> const functions = {
        {"spaced", spaced},
        {"q_sample", q_sample},
        {"q_mean_variance", q_mean_variance},
        {"q_posterior_mean_variance", q_posterior},
        {"p_mean_variance", p_mean_variance},
        {"p_sample", p_sample},
        {"ddim_sample", [](verdict& c) { c.given().contains("times") ? ddim_over_times(c) : ddim_sample(c); }},
        {"ddim_reverse_sample", ddim_reverse_sample},
        {"condition_mean", condition_mean},
        {"condition_score", condition_score},
        {"p_sample_loop", [](verdict& c) { loop(c, p_step); }},
        {"ddim_sample_loop",
         [](verdict& c) {
             loop(c, [&](reverse_case& state, array z) { return ddim_step(state, eta_of(c), std::move(z)); });
         }},
        {"normal_kl", normal_kl},
        {"approx_standard_normal_cdf", cdf},
        {"discretized_gaussian_log_likelihood", discretized},
        {"continuous_gaussian_log_likelihood", continuous},
    };
    json const& given = v.given();
    std::string const name = at(given, "function").get<std::string>();
    static std::map<std::string, void (*)(verdict&)> const variants = {{"p_sample", continuous_p_sample},
                                                                       {"p_sample_loop", continuous_p_sample_loop},
                                                                       {"sample", elucidated},
                                                                       {"sample_using_dpmpp", elucidated}};
    if (auto const variant = variants.find(name); given.contains("variant") && variant != variants.end())
        return variant->second(v);
    entry(functions, name, "")(v);
}

} // namespace conformance
