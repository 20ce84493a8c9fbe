// SPDX-License-Identifier: MIT
// The numbers are replayed in tests/conformance; here stands what a user of a configuration sees.
#include <alphabar/backends/span.hpp>
#include <alphabar/io/diffusers.hpp>
#include <alphabar/sampler/sample.hpp>

#include <doctest/doctest.h>

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
