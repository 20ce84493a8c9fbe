// SPDX-License-Identifier: MIT
// Where diffusers is not right: the corrected configuration's plans. That the others still replay is tests/conformance'
// work.
#include <alphabar/io/diffusers.hpp>

#include <alphabar/grid/sigmas.hpp>
#include <alphabar/grid/spacing.hpp>
#include <alphabar/schedule/gaussian_diffusion.hpp>

#include <doctest/doctest.h>
#include <support/interpret.hpp>

#include <cmath>
#include <numbers>
#include <string>
#include <vector>

namespace ab = alphabar;
using doctest::Approx;

namespace {

ab::gaussian_diffusion const sd(ab::scaled_linear_betas());

ab::diffusers_scheduler scheduler(std::string const& name, std::string const& more = "")
{
    return ab::parse_diffusers_config("{\"_class_name\": \"" + name +
                                      "Scheduler\", \"beta_start\": 0.00085, \"beta_end\": 0.012, \"beta_schedule\": "
                                      "\"scaled_linear\", \"clip_sample\": false" +
                                      more + "}");
}
ab::diffusers_step const correct{.correct = true};
/// The number of steps nearest to n that a class takes unless told more.
int steps_of(std::string const& class_name, int n) { return class_name.starts_with("SCM") ? 2 : n; }

/// The largest difference of two plans' coefficients and times; infinite where they have not the same rows.
double difference(ab::plan const& a, ab::plan const& b)
{
    double most = a.stages.size() == b.stages.size() ? 0.0 : INFINITY;
    auto const see = [&](double u, double v) { most = std::max(most, std::abs(u - v)); };
    auto const rows = [&](ab::row const& u, ab::row const& v) {
        for (ab::term const& t : u.terms())
            see(t.coefficient, v[t.from]);
        for (ab::term const& t : v.terms())
            see(t.coefficient, u[t.from]);
    };
    for (std::size_t i = 0; i < a.stages.size() && i < b.stages.size(); ++i) {
        ab::stage const &s = a.stages[i], &t = b.stages[i];
        see(s.time, t.time);
        see(s.input_scale, t.input_scale);
        see(s.memory.x, t.memory.x);
        see(s.memory.other, t.memory.other);
        rows(s.x, t.x);
        rows(s.y.value_or(ab::row()), t.y.value_or(ab::row()));
        most = s.churn.has_value() == t.churn.has_value() ? most : INFINITY;
    }
    return most;
}

/// The error at the last call of n, where the noise is that of time 0, for data from N(0.5, 0.2^2), whose flow is
/// known: (x / alpha - 0.5)^2 grows as 0.2^2 + (sigma / alpha)^2.
double error_of(ab::plan p)
{
    p.stages.pop_back();
    auto const network = [](support::state const& x, double time) {
        auto const [alpha, sigma] = sd.level(time);
        double const variance = alpha * alpha * 0.04 + sigma * sigma;
        return support::state{sigma * (x[0] - alpha * 0.5) / variance};
    };
    auto const at = [](double ratio, double end) {
        return 0.5 + 1.3 * std::sqrt((0.04 + end * end) / (0.04 + ratio * ratio));
    };
    auto const [alpha, sigma] = sd.level(999);
    double const first = alpha * (0.5 + 1.3);
    double const last = sd.level(0).alpha * at(sigma / alpha, ab::sigma_ratio(sd.level(0)));
    support::state const x = support::interpret(
        p, {first}, network, [](std::uint32_t) { return support::state{0.0}; }, [](auto const&...) {});
    return std::abs(x[0] - last);
}

double order_of(ab::diffusers_scheduler const& s, int n = 80)
{
    return std::log2(error_of(s.plan(n, correct)) / error_of(s.plan(2 * n, correct)));
}

} // namespace

TEST_CASE("DDIM steps to the next time, whatever the spacing")
{
    ab::diffusers_scheduler const s = scheduler("DDIM", ", \"timestep_spacing\": \"trailing\"");
    for (int n : {1, 7, 30, 61}) {
        ab::plan const right = ab::ddim(sd, ab::trailing_grid(static_cast<std::size_t>(n)));
        CHECK(difference(s.plan(n, correct), right) < 1e-12);
        CHECK(difference(s.corrected().plan(n), right) < 1e-12);
    }
    CHECK(difference(s.plan(7), ab::ddim(sd, ab::trailing_grid(7))) > 1e-3);
    // and back again: after inversion the same steps from the data up
    ab::diffusers_scheduler const inverse = scheduler("DDIMInverse", ", \"timestep_spacing\": \"trailing\"");
    ab::plan const up = ab::ddim_inverse(sd, ab::trailing_grid(7));
    CHECK(difference(inverse.plan(7, correct), up) < 1e-12);
    CHECK(difference(inverse.plan(7), up) > 1e-3);
}

TEST_CASE("one step starts at the noisiest time")
{
    for (char const* name : {"EulerDiscrete", "DDIM", "DDPM"}) {
        ab::diffusers_scheduler const s = scheduler(name, ", \"timestep_spacing\": \"linspace\"");
        CHECK(s.plan(1, correct).stages.front().time == 999);
    }
    CHECK(scheduler("EulerDiscrete").plan(1).stages.front().time == 0);
}

TEST_CASE("DDPM draws at every step but the last")
{
    std::string const more = ", \"steps_offset\": 1, \"variance_type\": \"";
    ab::diffusers_scheduler const s = scheduler("DDPM", more + "fixed_large\"");
    CHECK(ab::draws_noise(s.plan(10).stages.back())); // time 1 to nothing, still with noise
    ab::plan const right = s.plan(10, correct);
    CHECK_FALSE(ab::draws_noise(right.stages.back()));
    CHECK(ab::draws_noise(right.stages[8]));
    CHECK(difference(scheduler("DDPM", more + "fixed_large_log\"").plan(10, correct), right) == 0.0);
    ab::plan const learned = scheduler("DDPM", more + "learned\"").plan(10, correct);
    CHECK(learned.stages[3].spread->what == ab::noise_spread::kind::log_variance);
}

TEST_CASE("times belong to their levels")
{
    for (char const* name :
         {"DPMSolverMultistep", "UniPCMultistep", "SASolver", "DPMSolverSinglestep", "DEISMultistep"})
        for (char const* grid : {"karras", "exponential", "beta"}) {
            ab::diffusers_scheduler const s = scheduler(name, std::string(", \"use_") + grid + "_sigmas\": true");
            ab::diffusers_grid const g = s.corrected().grid(12), shipped = s.grid(12);
            double far = 0;
            for (std::size_t i = 0; i < 12; ++i) {
                CHECK(ab::sigma_ratio(sd.level(g.times[i])) == Approx(g.sigmas[i]).epsilon(1e-10));
                far = std::max(far, std::abs(ab::sigma_ratio(sd.level(shipped.times[i])) / g.sigmas[i] - 1));
            }
            CHECK(far > 1e-4);
        }
}

TEST_CASE("solvers have the order that they promise")
{
    std::string const grid = ", \"use_exponential_sigmas\": true, \"euler_at_final\": true, \"solver_order\": ";
    CHECK(order_of(scheduler("DPMSolverMultistep", grid + "2")) == Approx(2.0).epsilon(0.08));
    CHECK(order_of(scheduler("DPMSolverMultistep", grid + "3")) == Approx(3.0).epsilon(0.08));
    CHECK(order_of(scheduler("UniPCMultistep", grid + "2")) == Approx(3.0).epsilon(0.08)); // the corrector adds one
    CHECK(order_of(scheduler("DEISMultistep", grid + "2")) == Approx(2.0).epsilon(0.08));
    // as it is shipped, times cut to integers leave no order at all
    ab::diffusers_scheduler const s = scheduler("DPMSolverMultistep", grid + "3");
    CHECK(error_of(s.plan(160)) > 100 * error_of(s.plan(160, correct)));
}

TEST_CASE("the third order of the SDE has the right constant")
{
    std::string const more =
        ", \"use_karras_sigmas\": true, \"solver_order\": 3, \"algorithm_type\": \"sde-dpmsolver++\"";
    ab::diffusers_scheduler const s = scheduler("DPMSolverMultistep", more);
    CHECK(difference(s.plan(20, correct), ab::dpmpp_3m_sde(sd, ab::karras_grid(20))) < 1e-8);
    // weights of the memories before vanish as steps shrink, but for the wrong constant
    CHECK(std::abs(s.plan(400).stages[200].x[ab::slots::m(2)]) > 0.2);
    CHECK(std::abs(s.plan(400, correct).stages[200].x[ab::slots::m(2)]) < 0.01);
}

TEST_CASE("SA-Solver without noise has order two exactly")
{
    std::string const more =
        ", \"use_exponential_sigmas\": true, \"tau_func\": {\"low\": 0, \"high\": 1, \"inside\": 0, "
        "\"outside\": 0}, \"corrector_order\": 2";
    CHECK(order_of(scheduler("SASolver", more), 320) == Approx(2.0).epsilon(0.08));
}

TEST_CASE("churn comes before the call, at its own time")
{
    ab::diffusers_scheduler const s = scheduler("EulerDiscrete", ", \"use_karras_sigmas\": true");
    ab::plan const right = s.plan(10, {.s_churn = 3, .correct = true});
    ab::grid g = make_grid(sd, ab::karras_grid(10));
    for (ab::noise_level& level : g.levels)
        level = {1.0, ab::sigma_ratio(level)};
    ab::network_form const network{.input = ab::network_input::variance_preserving};
    ab::plan const direct = ab::euler(ab::variance_exploding{}, g, {.network = network, .churn = {.amount = 3}});
    REQUIRE(right.stages.size() == 10);
    for (std::size_t i = 0; i < 10; ++i) {
        REQUIRE(right.stages[i].churn);
        CHECK(right.stages[i].churn->add == Approx(direct.stages[i].churn->add).epsilon(1e-6));
        double const raised = ab::sigma_ratio(g.levels[i]) * 1.3;
        CHECK(right.stages[i].time == Approx(sd.time(raised)).epsilon(1e-6)); // beyond the table: its last time
    }
    CHECK_FALSE(s.plan(10, {.s_churn = 3}).stages[0].churn);
    ab::plan const edm = scheduler("EDMEuler").plan(10, {.s_churn = 3, .correct = true});
    CHECK(edm.stages[0].time == Approx(0.25 * std::log(80 * 1.3)));
}

TEST_CASE("LMS begun in the middle starts with Euler's step")
{
    ab::diffusers_scheduler const s = scheduler("LMSDiscrete");
    ab::diffusers_grid const g = s.grid(10);
    auto const sum = [&](ab::plan const& p, std::size_t i) {
        double weights = 0;
        for (std::size_t j = 0; j < 4; ++j)
            weights += p.stages[i].x[ab::slots::m(j)];
        return weights / (g.sigmas[5 + i] - g.sigmas[4 + i]);
    };
    for (std::size_t i = 0; i < 5; ++i)
        CHECK(sum(s.plan(10, {.begin_index = 4, .correct = true}), i) == Approx(-1.0 * -1.0));
    CHECK(sum(s.plan(10, {.begin_index = 4}), 0) > 1.5);
}

TEST_CASE("flow matching is shifted once, its tokens go to the data")
{
    ab::diffusers_scheduler const s =
        ab::parse_diffusers_config(R"({"_class_name": "FlowMatchEulerDiscreteScheduler", "shift": 3.0})");
    auto const shifted = [](double t) { return 3 * t / (1 + 2 * t); };
    CHECK(s.corrected().grid(5).sigmas[4] == Approx(shifted(0.001)));
    CHECK(s.grid(5).sigmas[4] == Approx(shifted(shifted(0.001))));
    ab::diffusers_request const request{.num_inference_steps = 5};
    ab::stage const right = per_token_plans(s.config().corrected(), request, {1.0})[0].stages[0];
    CHECK(right.x[ab::slots::F()] < 0);
    CHECK(per_token_plans(s.config(), request, {1.0})[0].stages[0].x[ab::slots::F()] > 0);
    ab::diffusers_scheduler const unipc = ab::parse_diffusers_config(
        R"({"_class_name": "UniPCMultistepScheduler", "use_flow_sigmas": true,
            "prediction_type": "flow_prediction", "flow_shift": 3})");
    CHECK(unipc.corrected().grid(8).sigmas[0] == 1.0);
    for (ab::stage const& stage : unipc.plan(8, correct).stages)
        for (ab::term const& t : stage.x.terms())
            CHECK(std::isfinite(t.coefficient));
}

TEST_CASE("laplace's alpha-bar is the square of the shipped one")
{
    std::vector<double> shipped(1000), right(1000);
    tabulate(ab::table::alpha_bar, ab::laplace_betas(1000).values(), shipped);
    tabulate(ab::table::alpha_bar, ab::laplace_betas(1000, 0.999, true).values(), right);
    for (std::size_t t : {10u, 250u, 500u, 750u})
        CHECK(right[t] == Approx(shipped[t] * shipped[t]).epsilon(1e-5));
    ab::diffusers_scheduler const s =
        ab::parse_diffusers_config(R"({"_class_name": "DDPMScheduler", "beta_schedule": "laplace"})");
    CHECK(difference(s.plan(10), s.plan(10, correct)) > 1e-3);
}

TEST_CASE("corrected levels are those of the times")
{
    auto const near = [](ab::noise_level a, ab::noise_level b) {
        CHECK(a.alpha == Approx(b.alpha).epsilon(1e-9));
        CHECK(a.sigma == Approx(b.sigma).epsilon(1e-9));
    };
    for (char const* name : {"DPMSolverMultistep", "DPMSolverSinglestep", "DEISMultistep", "UniPCMultistep", "SASolver",
                             "DDIM", "DPMSolverMultistepInverse"})
        for (double t : {0.0, 1.0, 500.0, 999.0})
            near(scheduler(name).corrected().levels({t})[0].noisy, sd.level(t));
    CHECK(scheduler("DPMSolverMultistep").levels({0.0})[0].noisy.sigma > 0.99); // the class counts from the end
    for (char const* name : {"EulerDiscrete", "EulerAncestralDiscrete", "HeunDiscrete", "LMSDiscrete"})
        for (double t : {0.0, 500.0, 999.0}) {
            ab::diffusers_scheduler const s = scheduler(name);
            double const ratio = ab::sigma_ratio(sd.level(t));
            near(s.corrected().levels({t}, {.num_inference_steps = 7})[0].noisy, {1.0, ratio}); // in the grid or not
            if (name == std::string("EulerDiscrete"))
                near(s.corrected().levels({t}, {.num_inference_steps = 7})[0].velocity, sd.level(t));
        }
    ab::diffusers_scheduler const twice = scheduler("KDPM2Discrete").corrected(); // the second call in the middle
    ab::diffusers_grid const g = twice.grid(5);
    near(twice.levels({g.times[1]}, {.num_inference_steps = 5})[0].noisy, {1.0, std::sqrt(g.sigmas[0] * g.sigmas[1])});
    near(twice.levels({g.times[2]}, {.num_inference_steps = 5})[0].noisy, {1.0, g.sigmas[2]});
    ab::diffusers_scheduler const s = scheduler("EulerDiscrete");
    CHECK(s.levels({999.0})[0].velocity.sigma < 0.1); // the class takes alpha-bar of position 0 for the noisiest time
    near(scheduler("EDMEuler").corrected().levels({0.25 * std::log(3.0)})[0].noisy, {1.0, 3.0});
    near(scheduler("CosineDPMSolverMultistep").corrected().levels({std::atan(3.0) * 2 / std::numbers::pi})[0].noisy,
         {1.0, 3.0});
    near(scheduler("FlowMatchEulerDiscrete").corrected().levels({250.0}, {.num_inference_steps = 7})[0].noisy,
         {0.75, 0.25});
    CHECK_THROWS_AS((void)s.corrected().levels({1000.0}), std::invalid_argument);
    CHECK_THROWS_AS((void)s.levels({3.0}, {.num_inference_steps = 7}, 7), std::invalid_argument);
}

TEST_CASE("IPNDM uses its first call, which is -x_0 at pure noise")
{
    using namespace ab::slots;
    ab::diffusers_scheduler const s = scheduler("IPNDM");
    ab::stage const right = s.corrected().plan(10).stages[0], shipped = s.plan(10).stages[0];
    CHECK(shipped.x[F()] == 0);
    double const sigma = shipped.x[x];
    CHECK(right.x[x] == sigma);
    CHECK(right.x[F()] == Approx(-std::sqrt(1 - sigma * sigma)));
}

TEST_CASE("flow matching's churn keeps to the path")
{
    ab::diffusers_scheduler const s = scheduler("FlowMatchHeunDiscrete");
    ab::plan const p = s.plan(5, {.s_churn = 1, .correct = true});
    REQUIRE(p.stages.size() == 9);
    CHECK_FALSE(p.stages[0].churn); // there is no more noise than all
    ab::diffusers_grid const g = s.corrected().grid(5);
    for (std::size_t i = 2; i < 9; i += 2) {
        double const sigma = g.sigmas[i], raised = 1.2 * sigma / (1 - sigma) / (1 + 1.2 * sigma / (1 - sigma));
        REQUIRE(p.stages[i].churn);
        CHECK(p.stages[i].time == Approx(1000 * raised));
        double const keep = p.stages[i].churn->keep, add = p.stages[i].churn->add;
        CHECK(keep * (1 - sigma) == Approx(1 - raised));
        CHECK(std::hypot(keep * sigma, add) == Approx(raised));
    }
    CHECK(difference(s.plan(5, correct), s.plan(5, {.s_churn = 1, .s_tmin = 2, .correct = true})) < 1e-12);
    CHECK(s.plan(5, {.s_churn = 1, .begin_index = 4, .correct = true}).stages.size() == 5);
}

TEST_CASE("LTX without noise is the limit of little noise")
{
    ab::diffusers_scheduler const still = scheduler("LTXEulerAncestralRF", ", \"s_noise\": 0.0"),
                                  little = scheduler("LTXEulerAncestralRF", ", \"s_noise\": 1e-9");
    CHECK(difference(still.corrected().plan(6), little.corrected().plan(6)) < 1e-8);
    CHECK(difference(still.plan(6), little.plan(6)) > 1e-3);
}

TEST_CASE("HeliosDMD draws a noise for each step")
{
    ab::diffusers_scheduler const s = scheduler("HeliosDMD");
    ab::plan const right = s.corrected().plan(4), shipped = s.plan(4);
    CHECK(right.stages[1].noise != right.stages[0].noise);
    CHECK(shipped.stages[1].noise == shipped.stages[0].noise);
    ab::diffusers_grid const g = s.corrected().grid(4);
    for (std::size_t i = 0; i + 1 < right.stages.size(); ++i)
        CHECK(right.stages[i].x[ab::slots::z] == Approx(g.sigmas[i + 1]));
}

TEST_CASE("whatever stands in a field, there is a finite plan or an error that names it")
{
    std::vector<std::string> const values = {"null",      "true",     "-1",           "0",         "1",  "2.5",
                                             "1e300",     "Infinity", "\"x\"",        "\"\"",      "[]", "[1]",
                                             "[0, 1, 1]", "{}",       "{\"low\": 1}", "\"linear\""};
    for (auto const& [name, defaults] : ab::detail::diffusers_class_defaults().items()) {
        nlohmann::json given = {{"_class_name", name}};
        if (name == "RFD4ProteinaScheduler")
            given = {{"_class_name", name}, {"schedule_mode", "log"}, {"noise_mode", "tan"},
                     {"tsr_k", 2},          {"tsr_sigma", 1},         {"tail_steps", 2}};
        for (auto const& [field, otherwise] : defaults.items())
            for (std::string const& value : values)
                for (bool right : {false, true}) {
                    nlohmann::json fields = given;
                    fields.erase(field);
                    if (defaults.contains("num_train_timesteps") && field != "num_train_timesteps")
                        fields["num_train_timesteps"] = name == "ConsistencyDecoderScheduler" ? 1010 : 50;
                    std::string text = fields.dump();
                    text = text.substr(0, text.size() - 1) + ",\"" + field + "\":" + value + "}";
                    CAPTURE(text);
                    try {
                        for (ab::stage const& s :
                             ab::parse_diffusers_config(text).plan(steps_of(name, 4), {.correct = right}).stages)
                            for (ab::term const& t : s.x.terms())
                                CHECK((std::isfinite(s.time) && std::isfinite(t.coefficient)));
                    } catch (ab::config_error const& problem) {
                        bool const named = problem.field().substr(0, problem.field().find('[')) == field ||
                                           problem.reason().find(field) != std::string::npos;
                        CHECK_MESSAGE(named, problem.what());
                    } catch (std::invalid_argument const& problem) {
                        FAIL_CHECK("no field is named: " << problem.what());
                    }
                }
    }
}

TEST_CASE("every class has a corrected plan, finite throughout")
{
    for (auto const& row : ab::detail::plan_makers()) {
        std::string const& name = row.first;
        CAPTURE(name);
        std::string const needed = name == "RFD4Proteina"
                                       ? R"(, "schedule_mode": "log", "noise_mode": "tan", "tsr_k": 2,
            "tsr_sigma": 1, "tail_steps": 4)"
                                       : "";
        ab::diffusers_scheduler const s =
            ab::parse_diffusers_config("{\"_class_name\": \"" + name + "Scheduler\"" + needed + "}");
        CHECK_FALSE(s.plan(steps_of(name, 8)).stages.empty());
        ab::plan const right = s.plan(steps_of(name, 8), correct);
        CHECK_FALSE(right.stages.empty());
        for (ab::stage const& stage : right.stages) {
            CHECK(std::isfinite(stage.time));
            for (ab::term const& t : stage.x.terms())
                CHECK(std::isfinite(t.coefficient));
        }
    }
}
