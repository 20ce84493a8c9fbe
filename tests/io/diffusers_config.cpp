// SPDX-License-Identifier: MIT
#include <alphabar/io/diffusers_config.hpp>

#include <doctest/doctest.h>

#include <string>
#include <vector>

using alphabar::config_error;
using alphabar::diffusers_config;

namespace {

std::string ddim(std::string const& fields) { return "{\"_class_name\": \"DDIMScheduler\", " + fields + "}"; }

/// The error of a text; fails the test where there is none.
config_error error_of(std::string const& text)
{
    try {
        diffusers_config const config(text);
    } catch (config_error const& problem) {
        return problem;
    }
    FAIL("accepted: " << text.substr(0, 200));
    throw;
}

struct bad {
    std::string fields;
    config_error::kind why;
    std::string field;
    std::string value; ///< what stands at the byte that the error names
};

} // namespace

TEST_CASE("a field that is missing has the default of its class")
{
    diffusers_config const config(
        ddim("\"beta_end\": 0.03, \"steps_offset\": 1, \"prediction_type\": \"v_prediction\""));
    CHECK(config.class_name() == "DDIM");
    CHECK(config.integer("num_train_timesteps") == 1000);
    CHECK(config.number("beta_start") == 0.0001);
    CHECK(config.number("beta_end") == 0.03);
    CHECK(config.integer("steps_offset") == 1);
    CHECK(config.text("prediction_type") == "v_prediction");
    CHECK(config.flag("clip_sample"));
    CHECK_FALSE(config.has("trained_betas"));
    CHECK(config.unknown_fields().empty());
}

TEST_CASE("a field of another class or of the future is named and ignored")
{
    diffusers_config const config(
        ddim("\"skip_prk_steps\": true, \"future\": {\"a\": [1]}, \"_diffusers_version\": \"0.6.0\""));
    CHECK(config.unknown_fields() == std::vector<std::string>{"future", "skip_prk_steps"});
    CHECK_FALSE(config.has("skip_prk_steps"));
    CHECK_FALSE(config.flag("skip_prk_steps"));
}

TEST_CASE("carriage returns, a byte order mark and Python's -Infinity are read")
{
    diffusers_config const config("\xEF\xBB\xBF{\r\n\"_class_name\": \"DPMSolverMultistepScheduler\",\r\n"
                                  "\"lambda_min_clipped\": -Infinity,\r\n\"solver_order\": 3}\r\n");
    CHECK(config.number("lambda_min_clipped") == -std::numeric_limits<double>::infinity());
    CHECK(config.integer("solver_order") == 3);
}

TEST_CASE("a bad field gives a typed error that names it and its byte")
{
    using enum config_error::kind;
    std::vector<bad> const cases = {
        {R"("beta_start": NaN)", syntax, "beta_start", "NaN"},
        {R"("beta_start": Infinity)", range, "beta_start", "Infinity"},
        {R"("beta_end": -Infinity)", range, "beta_end", "-Infinity"},
        {R"("beta_end": 1e999)", range, "beta_end", ""},
        {R"("beta_end": -0.02)", range, "beta_end", "-0.02"},
        {R"("beta_end": 1.0)", range, "beta_end", "1.0"},
        {R"("beta_start": 0)", range, "beta_start", "0}"},
        {R"("beta_start": 0.03)", range, "beta_start", "0.03"},
        {R"("beta_start": null)", type, "beta_start", "null"},
        {R"("num_train_timesteps": 0)", range, "num_train_timesteps", "0}"},
        {R"("num_train_timesteps": -1)", range, "num_train_timesteps", "-1"},
        {R"("num_train_timesteps": 1.5)", type, "num_train_timesteps", "1.5"},
        {R"("num_train_timesteps": 1e9)", range, "num_train_timesteps", "1e9"},
        {R"("num_train_timesteps": 2147483648)", range, "num_train_timesteps", "2147483648"},
        {R"("num_train_timesteps": "1000")", type, "num_train_timesteps", "\"1000\""},
        {R"("num_train_timesteps": null)", type, "num_train_timesteps", "null"},
        {R"("num_train_timesteps": true)", type, "num_train_timesteps", "true"},
        {R"("num_train_timesteps": [1000])", type, "num_train_timesteps", "[1000]"},
        {R"("trained_betas": [0.1, 0.2])", range, "trained_betas", "[0.1"},
        {R"("trained_betas": [])", range, "trained_betas", "[]"},
        {R"("trained_betas": [0.1, NaN])", syntax, "trained_betas", "NaN"},
        {R"("num_train_timesteps": 2, "trained_betas": [0.1, "0.2"])", type, "trained_betas[1]", "[0.1"},
        {R"("num_train_timesteps": 2, "trained_betas": [0.1, 2])", range, "trained_betas[1]", "[0.1"},
        {R"("trained_betas": 0.1)", type, "trained_betas", "0.1"},
        {R"("beta_schedule": "quadratic")", range, "beta_schedule", "\"quadratic\""},
        {R"("beta_schedule": "linear scaled_linear")", range, "beta_schedule", "\"linear scaled_linear\""},
        {R"("beta_schedule": "")", range, "beta_schedule", "\"\""},
        {R"("beta_schedule": 7)", type, "beta_schedule", "7"},
        {R"("prediction_type": "noise")", range, "prediction_type", "\"noise\""},
        {R"("timestep_spacing": "middle")", range, "timestep_spacing", "\"middle\""},
        {R"("clip_sample": 1)", type, "clip_sample", "1}"},
        {R"("clip_sample_range": 0)", range, "clip_sample_range", "0}"},
        {R"("beta_end": 0.02, "beta_end": 0.03)", duplicate, "beta_end", ""},
        {R"("future": {"a": 1, "a": 2})", duplicate, "a", ""},
    };
    for (bad const& c : cases) {
        std::string const text = ddim(c.fields);
        CAPTURE(c.fields);
        config_error const problem = error_of(text);
        CHECK(problem.why() == c.why);
        CHECK(problem.field() == c.field);
        CHECK(text.compare(problem.byte(), c.value.size(), c.value) == 0);
        CHECK(std::string(problem.what()).find("byte " + std::to_string(problem.byte())) != std::string::npos);
    }
}

TEST_CASE("what is not a scheduler's configuration is refused whole")
{
    using enum config_error::kind;
    CHECK(error_of("").why() == syntax);
    CHECK(error_of("[1, 2]").why() == syntax);
    CHECK(error_of("3").why() == syntax);
    CHECK(error_of("{}").why() == type);
    CHECK(error_of("{}").field() == "_class_name");
    CHECK(error_of(R"({"_class_name": 3})").why() == type);
    CHECK(error_of(R"({"_class_name": "NoScheduler"})").why() == unsupported);
    CHECK(error_of(ddim("\"a\": 1") + "x").why() == syntax);
    CHECK(error_of(ddim("\"a\": 1").substr(0, 30)).why() == syntax);
    CHECK(error_of(std::string("\xFF\xFE{\0}\0", 6)).why() == syntax); // UTF-16
    CHECK(error_of(ddim("\"a\": " + std::string(100000, '['))).why() == syntax);
    CHECK(error_of(ddim("\"a\": " + std::string(100000, '{'))).why() == syntax);
    CHECK(error_of(ddim("\"a\": \"" + std::string(100u << 20, 'x') + "\"")).why() == syntax);
}

TEST_CASE("unknown fields are kept with their values")
{
    diffusers_config const config(ddim("\"skip_prk_steps\": true, \"future\": {\"a\": [1]}"));
    CHECK(config.unknown() == nlohmann::json::parse(R"({"skip_prk_steps": true, "future": {"a": [1]}})"));
}

TEST_CASE("a bare NaN is called by its name")
{
    CHECK(std::string(error_of(ddim("\"beta_start\": NaN")).what()).find("NaN") != std::string::npos);
    CHECK(std::string(error_of(ddim("\"trained_betas\": [0.1, NaN]")).what()).find("NaN") != std::string::npos);
}

TEST_CASE("bad bytes are refused")
{
    using enum config_error::kind;
    for (std::string const& value :
         {std::string("\"\xC0\xAF\""), std::string("\"\xff\""), std::string("\"\\ud800\""), std::string("\"a\0b\"", 5),
          std::string("\"\xED\xA0\x80\""), std::string("'a'"), std::string("0x10"), std::string("01"),
          std::string("+1"), std::string(".5"), std::string("1."), std::string("1,")}) {
        config_error const problem = error_of(ddim("\"future\": " + value));
        CHECK(problem.why() == syntax);
        CHECK(problem.byte() <= ddim("\"future\": " + value).size());
    }
    CHECK(error_of(ddim("\"future\": 1e400")).why() == range);
    CHECK(error_of(std::string(100u << 20, '[')).why() == syntax);
    CHECK(error_of(std::string(100u << 20, '\0')).why() == syntax);
    CHECK(error_of(ddim("\"a\": " + std::string(32, '[') + std::string(32, ']'))).why() == syntax);
    CHECK(diffusers_config(ddim("\"a\": " + std::string(31, '[') + std::string(31, ']'))).unknown_fields().size() == 1);
}
