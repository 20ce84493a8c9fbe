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
        {R"("beta_end": 1e999)", range, "beta_end", "1e999"},
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
        {R"("trained_betas": [0.1, NaN])", syntax, "trained_betas[1]", "NaN"},
        {R"("trained_betas": [0.1, [1], 1e999])", range, "trained_betas[2]", "1e999"},
        {R"("num_train_timesteps": 2, "trained_betas": [0.1, "0.2"])", type, "trained_betas[1]", "\"0.2\""},
        {R"("num_train_timesteps": 2, "trained_betas": [0.1, 2])", range, "trained_betas[1]", "2]"},
        {R"("num_train_timesteps": 3, "trained_betas": [ 0.1 ,0.2 , -0.3])", range, "trained_betas[2]", "-0.3"},
        {R"("trained_betas": 0.1)", type, "trained_betas", "0.1"},
        {R"("beta_schedule": "quadratic")", range, "beta_schedule", "\"quadratic\""},
        {R"("beta_schedule": "linear scaled_linear")", range, "beta_schedule", "\"linear scaled_linear\""},
        {R"("beta_schedule": "")", range, "beta_schedule", "\"\""},
        {R"("beta_schedule": 7)", type, "beta_schedule", "7"},
        {R"("prediction_type": "noise")", range, "prediction_type", "\"noise\""},
        {R"("timestep_spacing": "middle")", range, "timestep_spacing", "\"middle\""},
        {R"("clip_sample": 1)", type, "clip_sample", "1}"},
        {R"("clip_sample_range": 0)", range, "clip_sample_range", "0}"},
        {R"("beta_start": 02)", syntax, "beta_start", "02"},
        {R"("beta_start": nan)", syntax, "beta_start", "nan"},
        {R"("beta_start": .5)", syntax, "beta_start", ".5"},
        {R"("future": [1, {"a": [2, 03]}])", syntax, "future[1].a[1]", "03"},
        {R"("beta_end": 0.02, "beta_end": 0.03)", duplicate, "beta_end", "\"beta_end\": 0.03"},
        {R"("future": {"a": 1, "a": 2})", duplicate, "future.a", "\"a\": 2"},
        {R"("future": [[], {"b": [{}, {"a": 1, "a": 2}]}])", duplicate, "future[1].b[1].a", "\"a\": 2"},
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

TEST_CASE("every field of every class has a rule, which its default keeps")
{
    for (auto const& [name, defaults] : alphabar::detail::diffusers_class_defaults().items()) {
        std::string const known = name.substr(0, name.size() - 9);
        for (auto const& entry : defaults.items()) {
            CAPTURE(known);
            CAPTURE(entry.key());
            CHECK(alphabar::detail::rule_of(known, entry.key()) != nullptr);
        }
        if (known != "RFD4Proteina") // whose constructor needs what has no default
            CHECK(diffusers_config("{\"_class_name\": \"" + name + "\"}").class_name() == known);
    }
}

TEST_CASE("what diffusers refuses, or reads as something else, does not pass for another plan")
{
    struct row {
        char const *name, *fields, *field, *said;
    };
    for (
        row const& r : std::initializer_list<row>{
            {"EulerDiscrete", R"("use_beta_sigmas": true, "use_karras_sigmas": true)", "use_beta_sigmas",
             "so is use_karras_sigmas"},
            {"EulerDiscrete", R"("use_karras_sigmas": null)", "use_karras_sigmas", "is null"},
            {"EulerDiscrete", R"("sigma_min": 9, "sigma_max": 3)", "sigma_min", "below sigma_max, 3"},
            {"EulerDiscrete", R"("beta_schedule": "laplace")", "beta_schedule", "linear, scaled_linear or squared"},
            {"DPMSolverMultistep", R"("algorithm_type": "noise_prediction")", "algorithm_type", "sde-dpmsolver++"},
            {"DPMSolverMultistep", R"("algorithm_type": "dpmsolver")", "algorithm_type", "is sigma_min"},
            {"DPMSolverMultistep", R"("algorithm_type": "deis")", "algorithm_type", "is sigma_min"},
            {"DPMSolverMultistep",
             R"("algorithm_type": "dpmsolver", "final_sigmas_type": "sigma_min", "prediction_type": "flow_prediction")",
             "prediction_type", "v_prediction"},
            {"DPMSolverMultistep", R"("use_flow_sigmas": true, "use_exponential_sigmas": true)",
             "use_exponential_sigmas", "use_flow_sigmas"},
            {"DPMSolverMultistepInverse", R"("algorithm_type": "sde-dpmsolver++")", "algorithm_type", "dpmsolver++"},
            {"DPMSolverSinglestep", R"("solver_order": 4)", "solver_order", "[1, 3]"},
            {"SASolver", R"("algorithm_type": "dpmsolver++")", "algorithm_type", "data_prediction or noise_prediction"},
            {"SASolver", R"("predictor_order": 5)", "predictor_order", "[1, 4]"},
            {"SASolver", R"("tau_func": 3)", "tau_func", "an object"},
            {"SASolver", R"("tau_func": {"low": 1})", "tau_func", "inside"},
            {"DEISMultistep", R"("algorithm_type": "data_prediction")", "algorithm_type", "deis"},
            {"EDMDPMSolverMultistep", R"("algorithm_type": "dpmsolver")", "algorithm_type", "dpmsolver++"},
            {"EDMEuler", R"("prediction_type": "sample")", "prediction_type", "epsilon or v_prediction"},
            {"EDMEuler", R"("sigma_min": 90)", "sigma_min", "below sigma_max, 80"},
            {"SCM", R"("prediction_type": "epsilon")", "prediction_type", "it must be trigflow"},
            {"UnCLIP", R"("beta_schedule": "linear")", "beta_schedule", "it must be squaredcos_cap_v2"},
            {"UniPCMultistep", R"("solver_p": {})", "solver_p", "only null"},
            {"UniPCMultistep", R"("shift_terminal": 0.1)", "shift_terminal", "use_flow_sigmas"},
            {"UniPCMultistep", R"("disable_corrector": [0, 1.5])", "disable_corrector[1]", "whole number"},
            {"Helios", R"("scheduler_type": "dpm")", "scheduler_type", "unipc or euler"},
            {"Helios", R"("stage_range": [])", "stage_range", "3"},
            {"FlowMatchLCM", R"("upscale_mode": 3)", "upscale_mode", "a string"},
            {"FlowMatchEulerDiscrete", R"("base_shift": "x")", "base_shift", "a number"},
            {"FlowMatchEulerDiscrete", R"("shift": Infinity)", "shift", "be finite and above 0"},
            {"RFD4Proteina", R"("tsr_k": 2)", "noise_mode", "it must be tan or 1/t"},
            {"DPMSolverSDE", R"("noise_sampler_seed": "x")", "noise_sampler_seed", "a number"},
            {"CMStochasticIterative", R"("clip_denoised": 3)", "clip_denoised", "true or false"},
            {"KarrasVe", R"("s_min": "x")", "s_min", "a number"},
        }) {
        CAPTURE(r.name);
        CAPTURE(r.fields);
        config_error const problem =
            error_of("{\"_class_name\": \"" + std::string(r.name) + "Scheduler\", " + r.fields + "}");
        CHECK(problem.field() == r.field);
        CHECK_MESSAGE(problem.reason().find(r.said) != std::string::npos, problem.what());
    }
}

TEST_CASE("words that a class takes for another, and null flags, are read as the class reads them")
{
    auto const config = [](std::string const& name, std::string const& fields) {
        return diffusers_config("{\"_class_name\": \"" + name + "Scheduler\", " + fields + "}");
    };
    CHECK(config("DEISMultistep", R"("algorithm_type": "dpmsolver++")").text("algorithm_type") == "deis");
    CHECK(config("UniPCMultistep", R"("solver_type": "midpoint")").text("solver_type") == "bh2");
    CHECK(config("EulerDiscrete", R"("prediction_type": "original_sample")").text("prediction_type") == "sample");
    CHECK_FALSE(config("DDIM", R"("clip_sample": null)").flag("clip_sample"));
    CHECK_FALSE(config("FlowMatchLCM", R"("upscale_mode": null)").has("upscale_mode"));
}

TEST_CASE("an unknown class is answered with the nearest; one on tokens is said to be")
{
    auto const said = [](std::string const& name) { return error_of("{\"_class_name\": \"" + name + "\"}").reason(); };
    CHECK(said("DDIMSchedular").find("nearest: DDIMScheduler") != std::string::npos);
    CHECK(said("DDIM").find("nearest: DDIMScheduler") != std::string::npos);
    CHECK(said("EulerDiscrete").find("nearest: EulerDiscreteScheduler") != std::string::npos);
    CHECK(said("Qwertyuiop").find("nearest") == std::string::npos);
    CHECK(said("AmusedScheduler").find("tokens") != std::string::npos);
    // where there is no text there is no byte
    CHECK(std::string(error_of(ddim("\"beta_end\": 2")).what()).find("byte") != std::string::npos);
    try {
        (void)diffusers_config(nlohmann::json{{"_class_name", "DDIMScheduler"}, {"beta_end", 2}});
        FAIL("accepted");
    } catch (config_error const& problem) {
        CHECK(problem.byte() == config_error::no_byte);
        CHECK(std::string(problem.what()).find("byte") == std::string::npos);
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
