// SPDX-License-Identifier: MIT
// The numbers are replayed in tests/conformance; here stands what a user of a configuration sees.
#include <alphabar/backends/span.hpp>
#include <alphabar/io/diffusers.hpp>
#include <alphabar/sampler/sample.hpp>

#include <doctest/doctest.h>

#include <cmath>
#include <cstdio>
#include <fstream>
#include <string>
#include <vector>

namespace ab = alphabar;

namespace {

/// The config of Stable Diffusion 1.5 with another class.
std::string sd15(std::string const& name, std::string const& more = "")
{
    return "{\"_class_name\": \"" + name +
           "\", \"_diffusers_version\": \"0.6.0\", \"beta_end\": 0.012, \"beta_schedule\": " +
           "\"scaled_linear\", \"beta_start\": 0.00085, \"clip_sample\": false, \"num_train_timesteps\": 1000, " +
           "\"set_alpha_to_one\": false, \"skip_prk_steps\": true, \"steps_offset\": 1, \"trained_betas\": null" +
           more + "}";
}

} // namespace

TEST_CASE("a file becomes a plan that runs")
{
    std::string const path = "diffusers_test_scheduler_config.json";
    std::ofstream(path) << sd15("DPMSolverMultistepScheduler");
    ab::diffusers_scheduler const scheduler = ab::read_diffusers_config(path);
    std::remove(path.c_str());
    CHECK(scheduler.config().unknown_fields() ==
          std::vector<std::string>{"clip_sample", "set_alpha_to_one", "skip_prk_steps"});
    ab::plan const plan = scheduler.plan(20);
    CHECK(plan.stages.size() == 20);
    CHECK(plan.stages.front().time == 999);

    // a network that knows the data to be 0.5: every solver must arrive there
    std::vector<double> x(8, 1.0);
    auto const noisiest = scheduler.levels({0}); // before set_timesteps the class counts from the end
    CHECK(noisiest[0].noisy.alpha == doctest::Approx(0.0682647).epsilon(1e-5)); // sqrt(0.00466) of the table's end
    auto const network = [&](auto const& input, double time, auto& output) {
        ab::noise_level const level = scheduler.levels({999 - time})[0].noisy;
        for (std::size_t i = 0; i < x.size(); ++i)
            output.data[i] = (input.data[i] - level.alpha * 0.5) / level.sigma;
    };
    ab::sample(plan, ab::view(x, {1, 8}), ab::noise_stream{}, network);
    for (double value : x)
        CHECK(value == doctest::Approx(0.5));
}

TEST_CASE("what is outside the library is said, with its field")
{
    auto const unsupported = [](std::string const& text, std::string const& field) {
        try {
            (void)ab::parse_diffusers_config(text).plan(10);
        } catch (ab::config_error const& problem) {
            CHECK(problem.why() == ab::config_error::kind::unsupported);
            CHECK(problem.field() == field);
            return;
        }
        FAIL("a plan was made of " << text);
    };
    unsupported(sd15("AmusedScheduler"), "_class_name");
    unsupported(sd15("DDPMScheduler", ", \"variance_type\": \"fixed_large_log\""), "variance_type");
    unsupported("{\"_class_name\": \"FlowMatchEulerDiscreteScheduler\", \"use_dynamic_shifting\": true}",
                "use_dynamic_shifting");
    unsupported("{\"_class_name\": \"FlowMatchLCMScheduler\", \"scale_factors\": [1.0, 2.0]}", "scale_factors");
}

TEST_CASE("a state that grows on the way: a plan for each size")
{
    std::string const name = "{\"_class_name\": \"FlowMatchLCMScheduler\"";
    ab::plan const whole = ab::parse_diffusers_config(name + "}").plan(4);
    auto const parts_of = [&](std::string const& factors) {
        ab::diffusers_config const c(name + ", \"scale_factors\": " + factors + "}");
        return ab::sized_plans(c, {.num_inference_steps = 4});
    };
    ab::diffusers_scheduler const kept =
        ab::parse_diffusers_config(name + R"(, "scale_factors": [1.0, 2.0], "upscale_mode": null})");
    CHECK(kept.plan(4) == whole); // the class resizes only by a mode
    CHECK(parts_of("null").size() == 1);
    CHECK(parts_of("null")[0].steps == whole);
    CHECK(parts_of("[1.0, 1.0]")[0].steps == whole);
    auto const parts = parts_of("[1.0, 2.0, 2.0, 4.0]");
    REQUIRE(parts.size() == 3);
    CHECK(parts[1].scale == 2.0);
    CHECK(parts[2].scale == 4.0);
    CHECK(parts[0].steps.stages.size() == 2);
    CHECK(parts[1].steps.stages.size() == 3);
    CHECK(parts[2].steps.stages.size() == 1);
    using namespace ab::slots;
    ab::stage const &before = parts[0].steps.stages[1], &after = parts[1].steps.stages[0];
    CHECK((before.x + after.x - ab::row(x)).pruned() == whole.stages[1].x); // x_0 before, the noise at the new size
    CHECK(!before.ends_step);
    CHECK(after.ends_step);
    CHECK(after.noise == whole.stages[1].noise);
    CHECK(parts[2].steps.stages[0].x == ab::row(x)); // the last step draws none
}

TEST_CASE("image tokens give the shift that the configuration says")
{
    auto const flux = ab::parse_diffusers_config(
        R"({"_class_name": "FlowMatchEulerDiscreteScheduler", "use_dynamic_shifting": true, "base_shift": 0.6,
            "max_shift": 1.4, "base_image_seq_len": 300, "max_image_seq_len": 2300})");
    CHECK(flux.plan({.num_inference_steps = 5, .image_tokens = 1300}) ==
          flux.plan({.num_inference_steps = 5, .mu = 1.0})); // half way
    CHECK_THROWS_AS((void)flux.plan({.num_inference_steps = 5, .mu = 1.0, .image_tokens = 1300}),
                    std::invalid_argument);
    CHECK_THROWS_AS((void)flux.plan({.num_inference_steps = 5, .image_tokens = 0}), std::invalid_argument);
    auto const message = [&] {
        try {
            (void)flux.plan(5);
        } catch (ab::config_error const& problem) {
            return std::string(problem.what());
        }
        return std::string();
    }();
    CHECK(message.find(".image_tokens") != std::string::npos);
}

TEST_CASE("arguments that a class does not take are refused, not ignored")
{
    auto const refused = [](std::string const& name, ab::diffusers_request const& request,
                            ab::diffusers_step const& step, std::string const& argument) {
        try {
            (void)ab::parse_diffusers_config(sd15(name)).plan(request, step);
        } catch (std::invalid_argument const& problem) {
            CHECK_MESSAGE(std::string(problem.what()).find(": " + argument + " is ") != std::string::npos,
                          problem.what());
            return;
        }
        FAIL_CHECK(name << " takes " << argument);
    };
    std::vector<double> const list{900, 500, 100};
    refused("LCMScheduler", {.num_inference_steps = 4, .more = {{"strenght", 0.5}}}, {}, "strenght");
    refused("DDIMScheduler", {.sigmas = list}, {}, "sigmas");
    refused("PNDMScheduler", {.timesteps = list}, {}, "timesteps");
    refused("DDIMScheduler", {.num_inference_steps = 4, .mu = 1.0}, {}, "mu");
    refused("DDPMScheduler", {.num_inference_steps = 4, .timesteps = list}, {}, "timesteps");
    refused("LMSDiscreteScheduler", {.num_inference_steps = 4}, {.eta = 0.5}, "eta");
    refused("LMSDiscreteScheduler", {.num_inference_steps = 4}, {.s_churn = 1}, "s_churn");
    refused("DDIMScheduler", {.num_inference_steps = 4}, {.order = 2}, "order");
    for (char const* name : {"LCMScheduler", "TCDScheduler", "RePaintScheduler", "DPMSolverMultistepScheduler",
                             "UniPCMultistepScheduler", "SASolverScheduler"})
        refused(name, {}, {}, "num_inference_steps");
    refused("DDPMScheduler", {.timesteps = std::vector<double>{}}, {}, "timesteps");
    refused("EulerDiscreteScheduler", {.sigmas = std::vector<double>{}}, {}, "sigmas");
    refused("FlowMatchEulerDiscreteScheduler", {.timesteps = list, .sigmas = std::vector<double>{1.0, 0.5}}, {},
            "the number of sigmas");
    for (double index : {-1.0, 0.5, 3.0})
        refused("HeliosDMDScheduler", {.num_inference_steps = 4, .more = {{"stage_index", index}}}, {}, "stage_index");
    refused("RePaintScheduler", {.num_inference_steps = 40, .more = {{"jump_n_sample", 0}}}, {}, "jump_n_sample");
    refused("SCMScheduler", {.num_inference_steps = 3}, {}, "num_inference_steps");
    for (char const* name : {"CogVideoXDPMScheduler", "PNDMScheduler", "RePaintScheduler", "KarrasVeScheduler"})
        refused(name, {.num_inference_steps = 4}, {.begin_index = 1}, "begin_index");
    CHECK(ab::parse_diffusers_config(sd15("SCMScheduler"))
              .plan({.num_inference_steps = 3, .more = {{"intermediate_timesteps", NAN}}})
              .stages.size() == 3);
    CHECK_THROWS_AS(
        (void)ab::parse_diffusers_config(sd15("DPMSolverMultistepScheduler",
                                              ", \"use_flow_sigmas\": true, \"prediction_type\": \"flow_prediction\""))
            .plan({.timesteps = list}),
        ab::config_error);
    CHECK(ab::parse_diffusers_config(sd15("LMSDiscreteScheduler")).plan(4, {.order = 2}).stages.size() == 4);
    CHECK_THROWS_AS((void)ab::parse_diffusers_config(sd15("EulerDiscreteScheduler", ", \"use_karras_sigmas\": true"))
                        .plan({.timesteps = list}),
                    ab::config_error);
}

TEST_CASE("begun in the middle a class keeps its calls of a time, and its one noise")
{
    ab::diffusers_scheduler const s = ab::parse_diffusers_config(sd15("ScoreSdeVeScheduler", ", \"correct_steps\": 2"));
    ab::plan const whole = s.plan(5), part = s.plan(5, {.begin_index = 2});
    REQUIRE(whole.stages.size() == 15);
    REQUIRE(part.stages.size() == 9);
    for (std::size_t i = 0; i < 8; ++i) {
        CHECK(part.stages[i].time == whole.stages[i + 6].time);
        CHECK(part.stages[i].noise == whole.stages[i].noise); // counted from where it begins
    }
    for (ab::stage const& stage :
         ab::parse_diffusers_config(sd15("HeliosDMDScheduler")).plan(4, {.begin_index = 1}).stages)
        CHECK(stage.noise == 0);
}

TEST_CASE("starts and positions beyond the end are refused")
{
    ab::diffusers_scheduler const proteina = ab::parse_diffusers_config(
        sd15("RFD4ProteinaScheduler", ", \"schedule_mode\": \"log\", \"noise_mode\": \"tan\", \"tsr_k\": 2, "
                                      "\"tsr_sigma\": 1, \"tail_steps\": 2"));
    CHECK_FALSE(proteina.plan({.num_inference_steps = 8, .more = {{"start_time", 0.4}}}).stages.empty());
    CHECK_THROWS_WITH_AS((void)proteina.plan({.num_inference_steps = 8, .more = {{"start_time", 1.0}}}),
                         doctest::Contains("start_time"), std::invalid_argument);
    // EulerDiscrete takes alpha-bar by the position
    ab::diffusers_request const request{.sigmas = ab::detail::linspace(14.0, 0.1, 1002)};
    ab::diffusers_scheduler const euler = ab::parse_diffusers_config(sd15("EulerDiscreteScheduler"));
    CHECK(euler.levels({3.0}, request, 999).size() == 1);
    CHECK_THROWS_AS((void)euler.levels({3.0}, request, 1000), std::invalid_argument);
}

TEST_CASE("a batch's plans take the class's arguments")
{
    ab::diffusers_config const ddim(sd15("DDIMParallelScheduler")), ddpm(sd15("DDPMParallelScheduler"));
    ab::diffusers_request const request{.num_inference_steps = 10};
    CHECK(batch_step_plans(ddim, request, {900, 400}, {.eta = 0.5}).size() == 2);
    CHECK_THROWS_AS((void)batch_step_plans(ddim, request, {900}, {.begin_index = 1}), std::invalid_argument);
    CHECK_THROWS_AS((void)batch_step_plans(ddim, request, {900}, {.order = 2}), std::invalid_argument);
    CHECK_THROWS_AS((void)batch_step_plans(ddpm, request, {900}, {.eta = 0.5}), std::invalid_argument);
}

TEST_CASE("fields that do not go with the arguments are named")
{
    auto const field = [](std::string const& name, std::string const& more, int n) {
        try {
            (void)ab::parse_diffusers_config(sd15(name, more)).plan(n);
        } catch (ab::config_error const& problem) {
            return problem.field();
        }
        return std::string();
    };
    CHECK(field("DPMSolverMultistepScheduler", ", \"lambda_min_clipped\": 100", 10) == "lambda_min_clipped");
    CHECK(field("DDIMScheduler", ", \"rescale_betas_zero_snr\": true, \"timestep_spacing\": \"trailing\"", 10) ==
          "prediction_type");
    CHECK(field("LCMScheduler", ", \"original_inference_steps\": 5", 10) == "original_inference_steps");
    CHECK(field("EulerDiscreteScheduler", ", \"beta_end\": 0.9999, \"beta_start\": 0.9", 10) == "beta_end");
    CHECK(field("DPMSolverMultistepScheduler", ", \"solver_order\": 5", 10).empty()); // 3 to the class
    ab::plan const of_three =
        ab::parse_diffusers_config(sd15("DPMSolverMultistepScheduler", ", \"solver_order\": 3")).plan(20);
    CHECK(ab::parse_diffusers_config(sd15("DPMSolverMultistepScheduler", ", \"solver_order\": 5")).plan(20) ==
          of_three);
}

TEST_CASE("bad arguments are refused")
{
    auto const scheduler = ab::parse_diffusers_config(sd15("DDIMScheduler"));
    CHECK_THROWS_AS((void)scheduler.plan(0), std::invalid_argument);
    CHECK_THROWS_AS((void)scheduler.plan(-5), std::invalid_argument);
    CHECK_THROWS_AS((void)scheduler.plan(1001), std::invalid_argument);
    CHECK_THROWS_AS((void)scheduler.plan(10, {.begin_index = 10}), std::invalid_argument);
    CHECK_THROWS_AS((void)scheduler.plan({.num_inference_steps = 1, .timesteps = std::vector<double>{1000.0}}),
                    std::invalid_argument);
    CHECK_THROWS_AS((void)ab::read_diffusers_config("no such file"), std::exception);
}
