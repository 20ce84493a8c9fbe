// SPDX-License-Identifier: MIT
#include <alphabar/io/parameters.hpp>

#include <doctest/doctest.h>

#include <random>
#include <string>
#include <string_view>
#include <vector>

namespace ab = alphabar;

namespace {

ab::gaussian_diffusion const sd = ab::stable_diffusion_path();

std::string const whole_text =
    "a photo, (a cat:1.2), \"quoted\"\n"
    "second line\n"
    "Negative prompt: blurry, Steps: many\n"
    "bad hands\n"
    "Steps: 20, Sampler: DPM++ 2M, Schedule type: Karras, CFG scale: 7.5, Seed: 18446744073709551615, Size: 512x768, "
    "Model hash: 6ce0161689, Model: v1-5, Variation seed: 3, Variation seed strength: 0.1, Seed resize from: 256x384, "
    "ENSD: 31337, RNG: NV, Clip skip: 2, Lora hashes: \"a: 12, \\\"b\\\\: 34\", "
    "Hashes: {\"vae\": \"c6\", \"model\": \"6c\"}, TI: \"x\\ny\", Version: v1.10.1\n"
    "Template: {a|b}, more";

ab::parameter_error error_of(auto const& call)
{
    try {
        call();
    } catch (ab::parameter_error const& problem) {
        return problem;
    }
    FAIL("nothing was thrown");
    throw;
}

/// The plan of a line.
ab::plan plan_of(std::string const& line, ab::webui_pass pass = ab::webui_pass::first)
{
    return named_plan(ab::parse_parameters(line), sd, {}, pass);
}
ab::plan at_sigma(ab::plan plan, double sigma)
{
    plan.initial_scale = sigma;
    return plan;
}

} // namespace

TEST_CASE("a whole text is read, in order, and nothing is lost")
{
    ab::generation_parameters const p = ab::parse_parameters(whole_text);
    CHECK(p.prompt == "a photo, (a cat:1.2), \"quoted\"\nsecond line");
    CHECK(p.negative_prompt == "blurry, Steps: many\nbad hands");
    CHECK(p.rest == "Template: {a|b}, more");
    REQUIRE(p.fields.size() == 18);
    CHECK(p.fields[0].name == "Steps");
    CHECK(p.fields[5].value == "512x768");
    CHECK(p.text("Lora hashes") == "a: 12, \"b\\: 34");
    CHECK(p.text("Hashes") == "{\"vae\": \"c6\", \"model\": \"6c\"}");
    CHECK(p.text("TI") == "x\ny");
    CHECK(p.text("Model") == "v1-5");
    CHECK(p.find("Eta") == nullptr);
    for (auto const& field : p.fields)
        if (field.name != "Lora hashes" && field.name != "TI")
            CHECK(whole_text.compare(field.byte, field.value.size(), field.value) == 0);
    CHECK(p.guidance_scale() == 7.5);
    CHECK(p.noise_source() == ab::webui_source::nv);
    CHECK(*p.size() == std::pair<std::size_t, std::size_t>{512, 768});
    ab::webui_seeds const seeds = p.seeds(2);
    CHECK(seeds.seeds == std::vector<std::uint64_t>(2, 0xffffffffffffffff));
    CHECK(seeds.subseeds == std::vector<std::uint64_t>{3, 4});
    CHECK(seeds.subseed_strength == 0.1);
    CHECK(seeds.resize_height == 48);
    CHECK(seeds.resize_width == 32);
    CHECK(seeds.eta_noise_seed_delta == 31337);
}

TEST_CASE("text and value are the same thing")
{
    for (std::string const& text :
         {whole_text, std::string("Steps: 20, Sampler: Euler a, CFG scale: 7, Seed: 42"),
          std::string("cat\nSteps: 1, Sampler: LCM"), std::string("Negative prompt: dog\nSteps: 1, Sampler: LCM")}) {
        ab::generation_parameters const p = ab::parse_parameters(text);
        CHECK(ab::parse_parameters(to_text(p)) == p);
        CHECK(to_text(ab::parse_parameters(to_text(p))) == to_text(p));
    }
    ab::generation_parameters p = ab::parse_parameters("Steps: 3, Sampler: Euler");
    for (char const* odd : {"a, b: \"c\"\\\r\n\t", " a ", "", "[a", "}", "{\"a\": 1}"})
        p.fields.push_back({"Odd", odd});
    CHECK(ab::parse_parameters(to_text(p)) == p);
    CHECK(ab::parse_parameters("a\r\nNegative prompt: b\r\nSteps: 3, Sampler: Euler\r\n").text("Sampler") == "Euler");
    CHECK(ab::parse_parameters("a cat\nSampler: Euler, Steps: 5, Seed: 1\n").prompt == "a cat"); // the last line
    CHECK(ab::parse_parameters("Steps: 3, Extra: a, b, Seed: 1").text("Extra") == "a, b");
}

TEST_CASE("the sampler with its schedule, and without")
{
    double const top = sd.level(999).sigma;
    CHECK(plan_of("Steps: 20, Sampler: DPM++ 2M Karras, CFG scale: 7, Seed: 42") ==
          at_sigma(ab::dpmpp_2m(sd, ab::karras_grid(20)), top));
    CHECK(plan_of("Steps: 20, Sampler: DPM++ 2M, Schedule type: Karras") ==
          at_sigma(ab::dpmpp_2m(sd, ab::karras_grid(20)), top));
    CHECK(plan_of("Steps: 20, Sampler: DPM++ 2M, Schedule type: Automatic") ==
          at_sigma(ab::dpmpp_2m(sd, ab::karras_grid(20)), top));
    CHECK(plan_of("Steps: 15, Sampler: Euler a, Schedule type: SGM Uniform, Eta: 0.67, Sigma noise: 1.01") ==
          at_sigma(ab::euler_ancestral(sd, ab::sgm_uniform_grid(15), {.eta = 0.67, .noise_scale = 1.01}), top));
    CHECK(plan_of("Steps: 15, Sampler: Heun, Sigma churn: 5, Sigma tmin: 0.1, Sigma tmax: 9, Schedule rho: 5, Schedule "
                  "type: Karras, Schedule min sigma: 0.1, Schedule max sigma: 10") ==
          at_sigma(ab::heun(sd, ab::karras_grid(15, {.rho = 5, .range = {.sigma_min = 0.1, .sigma_max = 10}}),
                            {.churn = {.amount = 5, .low = 0.1, .high = 9}}),
                   ab::variance_preserving_level(10).sigma));
    CHECK(plan_of("Steps: 10, Sampler: UniPC, UniPC variant: bh2") == plan_of("Steps: 10, Sampler: UniPC bh2"));
}

TEST_CASE("image to image takes the last steps, Hires. fix has two runs")
{
    ab::plan const whole = plan_of("Steps: 20, Sampler: Euler");
    ab::plan const part = plan_of("Steps: 20, Sampler: Euler, Denoising strength: 0.7");
    REQUIRE(part.stages.size() == 15);
    for (std::size_t i = 0; i < 15; ++i)
        CHECK(part.stages[i].time == whole.stages[i + 5].time);
    CHECK(plan_of("Steps: 20, Sampler: Euler, Denoising strength: 1").stages.size() == 20);
    CHECK(plan_of("Steps: 20, Sampler: Euler, Denoising strength: 0.01").stages.size() == 1);
    CHECK(plan_of("Steps: 20, Sampler: DDIM, Denoising strength: 0.7").stages.size() == 13);
    ab::webui_run const ddim =
        ab::run_of(ab::parse_parameters("Steps: 20, Sampler: DDIM, Denoising strength: 0.5"), sd);
    CHECK(ddim.plan.stages.front().time == 451); // the noise is that of one time above
    CHECK(ddim.start == sd.level(501));
    CHECK(plan_of("Steps: 20, Sampler: Euler, Denoising strength: 0").stages.size() == 1);
    // 31 levels instead of 30: with this sampler the WebUI counts from the first
    CHECK(plan_of("Steps: 30, Sampler: Euler, Schedule type: DDIM, Denoising strength: 1").stages.size() == 31);
    CHECK(plan_of("Steps: 30, Sampler: Euler, Schedule type: DDIM, Denoising strength: 0.5").stages.size() == 17);
    CHECK(plan_of("Steps: 30, Sampler: DDIM, Denoising strength: 0.5").stages.size() == 14);
    CHECK(plan_of("Steps: 20, Sampler: Euler, First pass size: 512x512, Denoising strength: 0.7") ==
          whole); // old Hires. fix
    CHECK(plan_of("Steps: 20, Sampler: Euler, Hires steps: 0, Hires upscale: 2, Denoising strength: 0.5",
                  ab::webui_pass::hires)
              .stages.size() == 20);
    std::string const hires = "Steps: 20, Sampler: Euler, Denoising strength: 0.5, Hires upscale: 2, Hires steps: 8, "
                              "Hires sampler: DPM++ 2M, Hires schedule type: Karras";
    CHECK(plan_of(hires) == whole);
    ab::plan const second = plan_of(hires, ab::webui_pass::hires); // the last 8 of 16
    ab::plan const sixteen = named_plan("DPM++ 2M Karras", sd, 16);
    REQUIRE(second.stages.size() == 8);
    CHECK(second.stages[0].time == sixteen.stages[8].time);
    CHECK(second.initial_scale == sd.level(second.stages[0].time).sigma);
}

TEST_CASE("bad input gives an error that names the field and its byte")
{
    struct bad {
        std::string text, field;
        std::string value; ///< what stands at the byte
    };
    auto const plan = [](std::string const& text) {
        auto const pass = text.find("Hires") != text.npos ? ab::webui_pass::hires : ab::webui_pass::first;
        return error_of([&] { (void)plan_of(text, pass); });
    };
    std::vector<bad> const cases = {
        {"Steps: 2x, Sampler: Euler", "Steps", "2x"},
        {"Steps: , Sampler: Euler", "Steps", ", Sampler"},
        {"Steps: -1, Sampler: Euler", "Steps", "-1"},
        {"Steps: 0, Sampler: Euler", "Steps", "0,"},
        {"Steps: 1e9, Sampler: Euler", "Steps", "1e9"},
        {"Steps: 99999999999999999999, Sampler: Euler", "Steps", "999"},
        {"cat\nSteps: 20, Sampler: Euler, Eta: nan", "Eta", "nan"},
        {"Steps: 20, Sampler: Euler, Eta: 1,5x: 3, Eta: 2", "Eta", "2"},
        {"Steps: 20, Sampler: Euler, Schedule rho: 7 7", "Schedule rho", "7 7"},
        {"Steps: 20, Sampler: Euler, Denoising strength: 1.5", "Denoising strength", "1.5"},
        {"Steps: 20, Sampler: DDIM, Denoising strength: 0", "Denoising strength", "0"},
        {"Steps: 20, Sampler: Euler, Hires upscale: 2, Denoising strength: 0", "Denoising strength", "0"},
        {"Steps: 20, Sampler: Euler, Hires upscale: 2, Denoising strength: 1e-300", "Denoising strength", "1e-300"},
        {"Steps: 20, Sampler: Euler, Discard penultimate sigma: yes", "Discard penultimate sigma", "yes"},
        {"Steps: 20, Sampler: UniPC, UniPC order: 8", "UniPC order", "8"},
        {"Steps: 20, Sampler: UniPC, UniPC variant: nonsense", "UniPC variant", "nonsense"},
        {"Steps: 20, Sampler: UniPC, UniPC skip type: nonsense", "UniPC skip type", "nonsense"},
        {"Steps: 20, Sampler: Euler, X: \"a", "X", "\"a"},
        {"Steps: 20, Sampler: Euler, X: \"a\\q\"", "X", "\\q"},
        {"Steps: 20, Sampler: Euler, X: \"\\ud800\"", "X", "\\ud8"},
    };
    for (bad const& c : cases) {
        CAPTURE(c.text);
        ab::parameter_error const problem = plan(c.text);
        CHECK(problem.field() == c.field);
        CHECK(c.text.compare(problem.byte(), c.value.size(), c.value) == 0);
        CHECK(std::string(problem.what()).find(c.field) != std::string::npos);
    }
    CHECK(plan("Steps: 20").field() == "Sampler");
    CHECK(std::string(plan("Steps: 20, sampler: Euler").what()).find("\"sampler\"") != std::string::npos);
    CHECK(plan("Sampler: Euler, Seed: 1, Size: 1x1").field() == "Steps");
    auto const refused = [](std::string const& text) {
        return error_of([&] { (void)ab::parse_parameters(text); }).field().empty();
    };
    CHECK(refused(""));
    CHECK(refused("\n\n"));
    CHECK(refused("just a prompt"));
    CHECK(refused(": 3"));
    CHECK(refused(std::string(100u << 20, 'x')));
    ab::generation_parameters const p =
        ab::parse_parameters("Steps: 3, Size: 5x, Size-2: x, RNG: QPU, Seed: -1, ENSD: a");
    CHECK(error_of([&] { (void)p.size(); }).field() == "Size");
    CHECK(error_of([&] { (void)p.size("Size-2"); }).field() == "Size-2");
    CHECK(error_of([&] { (void)p.noise_source(); }).field() == "RNG");
    CHECK(error_of([&] { (void)p.seeds(); }).field() == "ENSD");
    CHECK(error_of([&] { (void)p.guidance_scale(); }).field() == "CFG scale");
    CHECK(error_of([] {
              (void)ab::parse_parameters("Steps: 3, Seed: 1, Seed resize from: 65537x512").seeds();
          }).field() == "Seed resize from");
    CHECK(std::string(plan("Steps: 20, Sampler: UniPC, UniPC variant: x").what()).find("bh1, bh2, vary_coeff") !=
          std::string::npos);
    CHECK_THROWS_WITH_AS((void)plan_of("Steps: 3, Sampler: DPM++ 2N"), doctest::Contains("DPM++ 2M"),
                         std::invalid_argument);
}

TEST_CASE("a damaged text is read, or refused by an error of a known type")
{
    std::string const bits = "\"\\,:{}[]\n x09.-e";
    std::mt19937 random(7);
    int read = 0;
    for (int i = 0; i < 2000; ++i) {
        std::string text = whole_text;
        for (std::size_t k = 1 + random() % 5; k > 0; --k) {
            std::size_t const at = random() % text.size();
            if (random() % 2)
                text[at] = bits[random() % bits.size()];
            else
                text.erase(at, random() % 9);
        }
        CAPTURE(text);
        try {
            ab::generation_parameters const p = ab::parse_parameters(text);
            ++read;
            CHECK(ab::parse_parameters(to_text(p)) == p);
            (void)p.seeds();
            if (i % 20 == 0)
                (void)named_plan(p, sd);
        } catch (std::invalid_argument const&) { // parameter_error too
        }
    }
    CHECK(read > 1000);
}

TEST_CASE("texts of 4 MiB that ask for much looking ahead")
{
    for (std::string const part : {"a:{\"\",", "a:\"\"", "a:b,c,", "a:[{"}) {
        std::string text = "Steps: 3, ";
        while (text.size() + part.size() < (4u << 20))
            text += part;
        CHECK(ab::parse_parameters(text).fields[0].value == "3"); // in no time: each letter is read a few times
    }
}

TEST_CASE("networks with a clock of their own, and paths without a table")
{
    std::string const line = "Steps: 10, Sampler: Euler a, CFG scale: 5, Seed: 7, RNG: NV, NGMS: 3";
    ab::webui_run const plain = run_of(ab::parse_parameters(line), sd);
    CHECK(plain.sigmas.size() == 10);
    for (ab::network_form const& network :
         {ab::network_form{.clock = ab::network_clock::edm}, ab::network_form{.time_scale = 1000.0}})
        CHECK(run_of(ab::parse_parameters(line), sd, {.network = network}).sigmas == plain.sigmas);
    ab::rectified_flow const flow;
    CHECK(run_of(ab::parse_parameters("Steps: 4, Sampler: Euler, Schedule type: Simple"), flow,
                 {.network = {.time_scale = 1000.0}})
              .plan.stages[0]
              .time > 1.0);
    for (char const* sampler : {"DDIM", "PLMS", "UniPC"})
        CHECK(error_of([&] {
                  (void)run_of(ab::parse_parameters(std::string("Steps: 9, Sampler: ") + sampler), flow);
              }).field() == "Sampler");
}

TEST_CASE("the noise of the picture")
{
    ab::generation_parameters const p = ab::parse_parameters("Steps: 3, Sampler: Euler, Seed: 7, RNG: CPU");
    ab::webui_noise<ab::torch_cpu_generator> const noise(p.seeds(), {1, 4, 8, 8});
    std::vector<float> z(256);
    ab::torch_cpu_generator(7).randn(std::span<float>(z));
    CHECK(noise.initial().values == z);
}

TEST_CASE("values as the WebUI reads them")
{
    auto const value = [](std::string const& text, char const* name) { return ab::parse_parameters(text).text(name); };
    std::string const cut = "Steps: 3, Sampler: Euler, Model: [v1, Schedule type: Karras, Seed: 1";
    CHECK(value(cut, "Model") == "[v1");
    CHECK(value(cut, "Schedule type") == "Karras");
    CHECK(value("Steps: 3, Hashes: {\"a\": \"}, x: \\\"\", \"b\": [1, 2]}, Seed: 1", "Seed") == "1");
    CHECK(value("Steps: 3, X: \"\\ud83d\\ude00\", Seed: 1", "X") == "\xf0\x9f\x98\x80");
    CHECK(value("Steps: 3, X: \"\\u20ac\", Seed: 1", "X") == "\xe2\x82\xac");
    auto const same = [](std::string const& a, std::string const& b) { return plan_of(a) == plan_of(b); };
    CHECK(same("Steps: 9, Sampler: Euler, Schedule type: Karras, Schedule rho: 0, Schedule min sigma: 0, Sigma tmax: 0",
               "Steps: 9, Sampler: Euler, Schedule type: Karras"));
    CHECK(same("Steps: 9, Sampler: Euler, Scheduler: Karras", "Steps: 9, Sampler: Euler Karras"));
    for (char const* sampler : {"DDIM", "PLMS", "UniPC", "DDIM CFG++"}) { // which have no schedule
        std::string const line = std::string("Steps: 9, Sampler: ") + sampler;
        CHECK(same(line + ", Schedule type: Karras", line));
        CHECK(plan_of(line).initial_scale == 1);
    }
    CHECK_FALSE(same("Steps: 9, Sampler: DDIM, Eta DDIM: 0.5", "Steps: 9, Sampler: DDIM"));
    CHECK(same("Steps: 9, Sampler: Euler, Eta: 0.5", "Steps: 9, Sampler: Euler"));
    CHECK(plan_of("Steps: 9, Sampler: UniPC, UniPC variant: vary_coeff, UniPC order: 2") ==
          at_sigma(ab::unipc(sd, named_plan_grid("UniPC", sd, 9),
                             {.order = 2, .variant = ab::unipc_variant::vary_shipped, .lower_order_final = true}),
                   1));
}

TEST_CASE("the guidance scale of each run")
{
    ab::generation_parameters const p = ab::parse_parameters(
        "Steps: 9, Sampler: DDIM CFG++, CFG scale: 7, Hires sampler: Euler, Hires CFG Scale: 3, Hires steps: 4");
    CHECK(p.guidance_scale() == 7 / 12.5);
    CHECK(p.guidance_scale(ab::webui_pass::hires) == 3);
    CHECK(ab::parse_parameters("Steps: 9, Sampler: Euler, CFG scale: 7").guidance_scale(ab::webui_pass::hires) == 7);
}

TEST_CASE("all of a picture")
{
    ab::shape const latent{2, 4, 2, 2};
    auto const of = [&](std::string const& more, ab::reproduction_options const& o = {}) {
        return reproduce(
            ab::parse_parameters("a cat\nSteps: 10, Sampler: Euler a, CFG scale: 5, Seed: 7, RNG: NV" + more), sd,
            latent, o);
    };
    ab::reproduction const r = of(", Size: 16x16, Model: x, Version: v1.10.1, NGMS: 3, Lora hashes: \"a: b\"");
    CHECK(r.plan == at_sigma(named_plan("Euler a", sd, 10), sd.level(999).sigma));
    CHECK(r.start.alpha == 0);
    CHECK(r.start.sigma == r.plan.initial_scale);
    CHECK(r.not_reproduced.empty());
    CHECK(r.noise.initial().values == ab::webui_noise<>({.seeds = {7, 8}}, latent).initial().values);
    // odd calls below sigma 3 are left to the conditional prediction
    for (std::size_t call = 0; call < 10; ++call) {
        double const sigma = sigma_ratio(sd.level(r.plan.stages[call].time));
        double const excess = r.guidance.weights({.call = call}).d[0];
        CHECK(excess == (call % 2 == 1 && sigma < 3 ? 0.0 : 4.0));
    }
    CHECK(of(", NGMS: 3, NGMS all steps: True").guidance.weights({.call = 8}).d[0] == 0);
    ab::reproduction const early = of(", Skip Early CFG: 0.3");
    for (std::size_t call = 0; call < 10; ++call)
        CHECK(early.guidance.weights({.call = call}).d[0] == (call <= 3 ? 0.0 : 4.0));
    CHECK(of(", SGM noise multiplier: True").start.sigma == doctest::Approx(1).epsilon(1e-12));

    // what matters and is not reproduced is said, and what is not known
    auto const left = [&](std::string const& more) {
        std::string names;
        for (auto const& f : of(more).not_reproduced)
            names += f.field + ";";
        return names;
    };
    CHECK(
        left(", Noise Schedule: Zero Terminal SNR, Downcast alphas_cumprod: True, Refiner: x, Refiner switch at: 0.8, "
             "Image CFG scale: 1.5, Distilled CFG Scale: 3.5, Shift: 3, Mask blur: 4, Foo: 1") ==
        "Noise Schedule;Downcast alphas_cumprod;Refiner;Refiner switch at;Image CFG scale;Distilled CFG "
        "Scale;Shift;Mask "
        "blur;Foo;");
    CHECK(reproduce(ab::parse_parameters("a AND b\nSteps: 5, Sampler: DPM++ SDE, CFG scale: 5, Seed: 7, RNG: CPU"), sd,
                    latent)
              .not_reproduced.size() == 2);
    CHECK(error_of([&] {
              (void)reproduce(ab::parse_parameters("Steps: 5, Sampler: Euler, CFG scale: 5, Seed: 7"), sd, latent);
          }).field() == "RNG");
    CHECK(of("", {.device = ab::cuda_devices::a100}).plan.stages.size() == 10);

    // from an image
    ab::reproduction const image = of(", Denoising strength: 0.5, Noise multiplier: 1.1, Extra noise: 0.2");
    double const time = image.plan.stages[0].time;
    CHECK(image.start.alpha == sd.level(time).alpha);
    CHECK(image.start.sigma ==
          doctest::Approx(1.1 * (sd.level(time).sigma + 0.2 * sd.level(time).alpha)).epsilon(1e-14));
}
