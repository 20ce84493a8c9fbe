// SPDX-License-Identifier: MIT
#include <alphabar/grid/shift.hpp>
#include <alphabar/io/names.hpp>

#include <doctest/doctest.h>
#include <support/interpret.hpp>

#include <array>
#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

namespace ab = alphabar;

namespace {

ab::gaussian_diffusion const sd = ab::stable_diffusion_path();
using from = ab::software;

std::string complaint(auto const& call)
{
    try {
        call();
    } catch (std::invalid_argument const& problem) {
        return problem.what();
    }
    return "nothing was thrown";
}

} // namespace

TEST_CASE("a name is the plan made directly")
{
    CHECK(named_plan("DPM++ 2M Karras", sd, 20) == ab::dpmpp_2m(sd, ab::karras_grid(20)));
    CHECK(named_plan("Euler a", sd, 20) == ab::euler_ancestral(sd, ab::normal_grid(20)));
    CHECK(named_plan("Euler a", sd, 20, {.eta = 0.5}) == ab::euler_ancestral(sd, ab::normal_grid(20), {.eta = 0.5}));
    CHECK(named_plan("UniPC trailing", sd, 8) ==
          ab::unipc(sd, ab::trailing_grid(8),
                    {.order = 3, .variant = ab::unipc_variant::bh1, .lower_order_final = true}));
    CHECK(named_plan("Heun", sd, 10, {.churn = {.amount = 3}}) ==
          ab::heun(sd, ab::normal_grid(10), {.churn = {.amount = 3}}));
    CHECK(named_plan("DPM++ SDE Karras", sd, 10) == ab::dpmpp_sde(sd, ab::karras_grid(10)));
    CHECK(named_plan("DPM++ 2M SDE", sd, 10, {.noise_scale = 1.003}) ==
          ab::dpmpp_2m_sde(sd, ab::exponential_grid(10), {.noise_scale = 1.003}));
    CHECK(named_plan("dpmpp_2s_ancestral karras", sd, 10) == ab::dpmpp_2s_ancestral(sd, ab::karras_grid(10)));
    CHECK(named_plan("DPM++ 2M SDE Heun Karras", sd, 10) ==
          ab::dpmpp_2m_sde(sd, ab::karras_grid(10), {.rule = ab::moment_rule{}}));
    CHECK(named_plan("Euler AYS SDXL", sd, 11) ==
          ab::euler(sd, ab::list_grid(11, ab::level_list::ays_sdxl, {.through_end = false})));
    ab::name_options const v{.network = {.predicts = ab::prediction::v}};
    CHECK(named_plan("Euler", sd, 10, v) == ab::euler(sd, ab::normal_grid(10), {.network = v.network}));
}

TEST_CASE("what users write differently does not matter")
{
    ab::plan const plan = named_plan("DPM++ 2M SDE Karras", sd, 12);
    for (char const* name : {"dpm++ 2m sde karras", "dpmpp_2m_sde karras", "dpmpp_2m_sde_karras", "DPM++2M-SDE Karras",
                             "sample_dpmpp_2m_sde karras", "k_dpmpp_2m_sde KARRAS", "dpm++_2m_sde_karras"})
        CHECK(named_plan(name, sd, 12) == plan);
    CHECK(named_plan("dpmpp_2m_sde_gpu", sd, ab::karras_grid(12)) == plan);
    for (char const* name : {"dpmpp_2m_sde_gpu karras", "dpmpp_2m_sde_gpu_karras", "k_dpmpp_2m_sde_ka"})
        CHECK(named_plan(name, sd, 12) == plan);
    CHECK(named_plan("dpmpp_2m_sde_gpu sgm_uniform", sd, 12, {.from = from::comfyui}) ==
          named_plan("DPM++ 2M SDE SGM Uniform", sd, 12, {.from = from::forge}));
    CHECK(named_plan("k_dpm_2_a_ka", sd, 12) == named_plan("DPM2 a Karras", sd, 12));
    CHECK(named_plan("DPM++ 2M Automatic", sd, 12) == named_plan("DPM++ 2M Karras", sd, 12));
    CHECK(named_plan("Euler Align Your Steps 11", sd, 12) == named_plan("Euler Align Your Steps", sd, 12));
    CHECK(make_grid(sd, ab::named_grid("get_sigmas_karras", 12)) == make_grid(sd, ab::karras_grid(12)));
    CHECK(make_grid(sd, ab::named_grid("SGMUniform", 12)) == make_grid(sd, ab::sgm_uniform_grid(12)));
}

TEST_CASE("the WebUI and ComfyUI mean different grids by some names")
{
    auto const grid = [](char const* name, from whose, std::size_t n) {
        return make_grid(sd, ab::named_grid(name, n, {.from = whose}));
    };
    ab::grid const webui = grid("kl_optimal", from::webui, 7), comfyui = grid("kl_optimal", from::comfyui, 7);
    CHECK(sigma_ratio(webui.levels.back()) == sigma_ratio(sd.level(0))); // which ends at sigma_min, x / alpha
    CHECK(webui.levels.back().alpha == 1);
    CHECK(comfyui == make_grid(sd, ab::kl_optimal_grid(7)));
    CHECK(webui.levels[1] != comfyui.levels[1]);
    CHECK(grid("Beta", from::webui, 7) == make_grid(sd, ab::beta_grid(7)));
    for (double time : grid("beta", from::comfyui, 7).times)
        CHECK(time == std::round(time));
    CHECK(grid("simple", from::comfyui, 7) == grid("Simple", from::webui, 7));
}

TEST_CASE("some samplers leave out the last level but one")
{
    ab::grid const whole = make_grid(sd, ab::karras_grid(11)), cut = named_plan_grid("DPM2 a", sd, 10);
    REQUIRE(cut.steps() == 10);
    for (std::size_t i = 0; i < 10; ++i) {
        CHECK(cut.times[i] == whole.times[i]);
        CHECK(cut.levels[i] == whole.levels[i]);
    }
    CHECK(cut.levels.back() == ab::noise_level{1, 0});
    CHECK(named_plan("DPM2 a", sd, 10) == ab::dpm_2_ancestral(sd, cut));
    CHECK(named_plan_grid("dpm_2 karras", sd, 10, {.from = from::k_diffusion}) == make_grid(sd, ab::karras_grid(10)));
    CHECK(named_plan_grid("dpmpp_3m_sde karras", sd, 10, {.from = from::comfyui}).levels[9] ==
          make_grid(sd, ab::karras_grid(10)).levels[9]);
    CHECK(named_plan_grid("DPM++ 3M SDE Karras", sd, 10).levels[9] != make_grid(sd, ab::karras_grid(10)).levels[9]);
    CHECK(named_plan_grid("Euler Karras", sd, 10, {.discard_penultimate = true}) == cut);
}

// All of it is replayed against the software's own numbers by tests/conformance (kind `parameters`).
TEST_CASE("the WebUI's samplers on times")
{
    CHECK(named_plan("lcm simple", sd, 8, {.from = from::comfyui}) ==
          ab::consistency(sd, ab::simple_grid(8, ab::arithmetic::numpy)));
    CHECK(named_plan_grid("LCM", sd, 4).times == std::vector<double>{999, 679, 339, 19});
    CHECK(named_plan("PLMS", sd, 20).stages.size() == 20); // 19 steps, the first with two calls
    CHECK(named_plan("DDIM", sd, 30).stages.size() == 30);
    CHECK(named_plan("DDIM", sd, 1000).stages.size() == 999); // time 999 twice
    ab::grid const g = named_plan_grid("DDIM", sd, 20);
    CHECK(g.times.front() == 951);
    CHECK(g.times.back() == 51);
    CHECK(g.levels.back() == sd.level(1));
    ab::grid const u = named_plan_grid("UniPC", sd, 30); // 999 to 0 in 31 intervals, in UniPC's own code
    REQUIRE(u.steps() == 31);
    CHECK(u.times[1] == doctest::Approx(999.0 * 30 / 31));
    CHECK(u.levels.back() == sd.level(0));
    CHECK(complaint([&] { (void)named_plan("DDIM", sd, 1); }).find("makes no call") != std::string::npos);
    CHECK(complaint([&] { (void)named_plan("UniPC", sd, 2); }).find("order") != std::string::npos);
    for (ab::unipc_skip skip : {ab::unipc_skip::time_quadratic, ab::unipc_skip::log_snr})
        CHECK(named_plan_grid("UniPC", sd, 10, {.skip = skip}).levels.back() == sd.level(0));
}

TEST_CASE("ComfyUI and Forge tell the network the nearest whole time")
{
    for (from whose : {from::comfyui, from::forge})
        for (ab::stage const& s : named_plan("dpmpp_2m karras", sd, 9, {.from = whose}).stages)
            CHECK(s.time == std::round(s.time));
    ab::plan const a = named_plan("dpmpp_2m karras", sd, 9),
                   b = named_plan("dpmpp_2m karras", sd, 9, {.from = from::forge});
    for (std::size_t i = 0; i < 9; ++i) {
        CHECK(a.stages[i].x == b.stages[i].x);
        CHECK(std::abs(a.stages[i].time - b.stages[i].time) <= 0.5);
    }
    CHECK(a.stages[3].time != b.stages[3].time);
}

TEST_CASE("an eta that a sampler has not is refused")
{
    CHECK(complaint([&] { (void)named_plan("Euler", sd, 6, {.eta = 0.0}); }).find("eta") != std::string::npos);
    CHECK(complaint([&] { (void)named_plan("ER-SDE", sd, 6, {.eta = 0.0}); }).find("eta") != std::string::npos);
    CHECK(complaint([&] { (void)named_plan("DDPM", sd, 6, {.eta = 0.5}); }).find("eta") != std::string::npos);
    CHECK(complaint([&] { (void)named_plan("Euler a", sd, 6, {.eta = -0.5}); }).find("at least 0") !=
          std::string::npos);
    CHECK(named_plan("DDIM CFG++", sd, 6, {.eta = 0.5}) != named_plan("DDIM CFG++", sd, 6));
    CHECK(named_plan("DPM fast", sd, 6, {.eta = 0.5}) != named_plan("DPM fast", sd, 6));
}

TEST_CASE("on rectified flow and on paths without a table")
{
    ab::rectified_flow const flow;
    CHECK(named_plan("Euler Simple", flow, 4) == ab::euler(flow, ab::trailing_grid(4)));
    CHECK(named_plan("Euler a simple", flow, 4) == ab::euler_ancestral_flow(flow, ab::trailing_grid(4)));
    CHECK(named_plan("LCM simple", flow, 4) == ab::consistency(flow, ab::trailing_grid(4)));
    CHECK(named_plan("LCM", flow, ab::trailing_grid(4)) == ab::consistency(flow, ab::trailing_grid(4)));
    CHECK(complaint([&] { (void)named_plan("LCM Karras", ab::variance_exploding{}, 4); }).find("`consistency`") !=
          std::string::npos);
    CHECK(named_plan("euler", flow, ab::shifted_grid(ab::named_grid("sgm_uniform", 4), 3.0)).stages.size() == 4);
    CHECK(named_plan("DPM++ 2M Karras", ab::variance_exploding{0.03, 14.6}, 9) ==
          ab::dpmpp_2m(ab::variance_exploding{0.03, 14.6}, ab::karras_grid(9)));
    CHECK(complaint([&] { (void)named_plan("Euler ddim_uniform", flow, 4); }).find("table") != std::string::npos);
    CHECK(complaint([&] { (void)named_plan("Euler ays", flow, 4); }).find("on rectified flow") != std::string::npos);
    CHECK(complaint([&] { (void)named_plan("dpm_fast simple", flow, 1); }).find("DPM fast needs 2") !=
          std::string::npos);
}

TEST_CASE("every row of both tables makes a plan on Stable Diffusion's table")
{
    for (auto const& solver : ab::named_solvers<ab::gaussian_diffusion>())
        for (std::string_view name : ab::detail::names_of(solver.names)) {
            CAPTURE(name);
            ab::plan const plan = named_plan(name, sd, 6);
            CHECK(plan.stages.size() >= 6);
            for (ab::stage const& s : plan.stages)
                for (ab::term const& t : s.x.terms())
                    CHECK(std::isfinite(t.coefficient));
        }
    for (auto const& schedule : ab::named_schedules<ab::gaussian_diffusion>())
        for (std::string_view name : ab::detail::names_of(schedule.names))
            for (std::size_t n : {std::size_t{1}, std::size_t{2}, std::size_t{20}})
                for (from whose : {from::webui, from::comfyui, from::k_diffusion, from::forge}) {
                    if (name.ends_with("timesteps") && (n < 20 || !ab::is_webui(whose)))
                        continue; // it makes no call, or is not theirs
                    CAPTURE(name);
                    CAPTURE(n);
                    ab::grid const g = make_grid(sd, ab::named_grid(std::string(name), n, {.from = whose}));
                    CHECK(g.steps() >= std::min<std::size_t>(n, 18)); // times that fall together are one
                }
}

TEST_CASE("no two rows share a name, and no name can be read in two ways")
{
    auto const& solvers = ab::named_solvers<ab::gaussian_diffusion>();
    auto const& schedules = ab::named_schedules<ab::gaussian_diffusion>();
    for (auto const& solver : solvers)
        for (std::string_view name : ab::detail::names_of(solver.names))
            for (auto const& schedule : schedules)
                for (std::string_view behind : ab::detail::names_of(schedule.names)) {
                    std::string const both = std::string(name) + " " + std::string(behind);
                    from const whose = (schedule.of & 2) != 0 && (solver.of & 2) != 0 ? from::comfyui : from::webui;
                    auto const found = ab::detail::name_lookup<ab::gaussian_diffusion>::parse(both, whose);
                    CAPTURE(both);
                    CHECK(ab::detail::names_of(found.solver->names).front() ==
                          ab::detail::names_of(solver.names).front());
                    REQUIRE(found.schedule);
                    CHECK(ab::detail::names_of(found.schedule->names).front() ==
                          ab::detail::names_of(schedule.names).front());
                }
}

TEST_CASE("names that are no plan say what to do")
{
    CHECK(complaint([] { (void)named_plan("DPM adaptive", sd, 6); }).find("call adaptive(") != std::string::npos);
    CHECK(complaint([] { (void)named_plan("sample_dpm_adaptive", sd, 6); }).find("call adaptive(") !=
          std::string::npos);
    for (auto const& [known, why] : ab::detail::names_without_plan)
        for (char const* behind : {"", " Karras"}) {
            std::string const name = std::string(ab::detail::names_of(known).back()) + behind;
            CAPTURE(name);
            CHECK(complaint([&] { (void)named_plan(name, sd, 6); }).find(why) != std::string::npos);
        }
}

TEST_CASE("ComfyUI's samplers, all of its list")
{
    for (char const* name : {"euler",
                             "euler_cfg_pp",
                             "euler_ancestral",
                             "euler_ancestral_cfg_pp",
                             "heun",
                             "heunpp2",
                             "exp_heun_2_x0",
                             "exp_heun_2_x0_sde",
                             "dpm_2",
                             "dpm_2_ancestral",
                             "lms",
                             "dpm_fast",
                             "dpmpp_2s_ancestral",
                             "dpmpp_2s_ancestral_cfg_pp",
                             "dpmpp_sde",
                             "dpmpp_sde_gpu",
                             "dpmpp_2m",
                             "dpmpp_2m_cfg_pp",
                             "dpmpp_2m_sde",
                             "dpmpp_2m_sde_gpu",
                             "dpmpp_2m_sde_heun",
                             "dpmpp_2m_sde_heun_gpu",
                             "dpmpp_3m_sde",
                             "dpmpp_3m_sde_gpu",
                             "ddpm",
                             "lcm",
                             "ipndm",
                             "ipndm_v",
                             "deis",
                             "res_multistep",
                             "res_multistep_cfg_pp",
                             "res_multistep_ancestral",
                             "res_multistep_ancestral_cfg_pp",
                             "gradient_estimation",
                             "gradient_estimation_cfg_pp",
                             "er_sde",
                             "seeds_2",
                             "seeds_3",
                             "sa_solver",
                             "sa_solver_pece",
                             "ddim",
                             "uni_pc",
                             "uni_pc_bh2"})
        for (std::size_t n : {std::size_t{1}, std::size_t{2}, std::size_t{9}}) {
            CAPTURE(name);
            ab::plan const p = named_plan(std::string(name) + " karras", sd, n, {.from = from::comfyui});
            for (ab::stage const& s : p.stages)
                for (ab::term const& t : s.x.terms())
                    CHECK(std::isfinite(t.coefficient));
        }
}

namespace {

enum class run { plain, with_eta, on_flow, above_zero, churned };
struct recorded {
    char const* name;
    run how;
    std::array<double, 3> end;
};
// Ends that ComfyUI's functions gave in double, with the network and the noise of the test below.
recorded const comfyui_ends[] = {
    {"heunpp2", run::plain, {-1.16113233601154, 0.384783909314234, 0.99229096467867}},
    {"heunpp2", run::on_flow, {-1.06256431359927, 0.308583981329949, 0.888053439657061}},
    {"heunpp2", run::above_zero, {-0.999409073611492, 0.321035791018327, 0.845906400552769}},
    {"seeds_2", run::plain, {0.0348672566444109, 0.0257995529061862, -0.0584988469488691}},
    {"seeds_2", run::with_eta, {-0.181444906363347, 0.0582527277675401, 0.129186866672981}},
    {"seeds_2", run::on_flow, {0.0827746237454669, 0.0392028577107267, -0.0961056734854775}},
    {"seeds_3", run::plain, {-0.395387557004595, 0.148137250683099, 0.340383389656496}},
    {"seeds_3", run::with_eta, {-0.521114264128777, 0.15224572220094, 0.441756316331001}},
    {"seeds_3", run::on_flow, {-0.100369709409664, 0.0769469301238006, 0.0776242463253576}},
    {"seeds_3", run::above_zero, {-0.331873033000521, 0.123932442926177, 0.285421160931731}},
    {"exp_heun_2_x0_sde", run::plain, {-0.147797489119559, -0.0224837477223501, 0.126976661196843}},
    {"exp_heun_2_x0_sde", run::with_eta, {-0.301870158171088, 0.0130250574510692, 0.249951275282096}},
    {"exp_heun_2_x0_sde", run::on_flow, {-0.0318329476282921, 0.104784307376811, 0.00112664161330268}},
    {"sa_solver", run::plain, {0.135467374751435, 0.105093001856247, -0.163587856917305}},
    {"sa_solver", run::on_flow, {-0.0489850383976956, -0.111884520697593, 0.0522264708515241}},
    {"sa_solver", run::above_zero, {0.161394763326598, -0.571430118359084, -0.0220282487257691}},
    {"sa_solver_pece", run::plain, {0.0103353114420591, -0.0059506740215807, -0.0294205909652258}},
    {"sa_solver_pece", run::on_flow, {0.0160176184872252, -0.101514332929239, -0.019075453078116}},
    {"sa_solver_pece", run::above_zero, {-0.562914814587002, -0.385408059804203, 0.641365369862727}},
    {"res_multistep_ancestral", run::plain, {-0.0445088972280209, -0.171992770209797, 0.0747881442243615}},
    {"res_multistep_ancestral", run::with_eta, {-0.735802711596329, 0.0698633274792624, 0.629340589303243}},
    {"res_multistep_ancestral", run::above_zero, {-0.0372182750774886, -0.143916907769182, 0.0625432413053185}},
    {"res_multistep", run::plain, {-1.43290282436375, 0.470916122507946, 1.23166349163675}},
    {"res_multistep_cfg_pp", run::plain, {-1.40525329255202, 0.903008150244358, 1.35161831393257}},
    {"res_multistep_ancestral_cfg_pp", run::plain, {0.306535918537432, 0.163566963934399, 0.418655667888063}},
    {"res_multistep_ancestral_cfg_pp", run::with_eta, {-0.464300714040221, 0.573971742831291, 0.937110481126797}},
    {"gradient_estimation_cfg_pp", run::plain, {-1.44950022312837, 1.06947933982063, 1.44570217146186}},
    {"gradient_estimation", run::plain, {-1.47079057628063, 0.488614965163886, 1.26566069951502}},
    {"gradient_estimation", run::on_flow, {-1.09859032468953, 0.319496098115951, 0.918598092162231}},
    {"dpmpp_2m_cfg_pp", run::plain, {-1.51195207014104, 1.2885916303648, 1.44055558237681}},
    {"dpmpp_2s_ancestral_cfg_pp", run::plain, {0.651747775048152, 0.738873924680991, 0.854669492331722}},
    {"dpmpp_2s_ancestral_cfg_pp", run::with_eta, {-0.389124690389458, 0.949621258270698, 1.1102389536499}},
    {"euler_ancestral_cfg_pp", run::plain, {0.618078709022084, 0.684771530831707, 0.75899429842446}},
    {"euler_ancestral_cfg_pp", run::with_eta, {-0.0958135444195741, 0.87228484605478, 0.986251276882883}},
    {"heunpp2", run::churned, {-0.22681604412424, -0.00631231735279136, 0.191701840086597}},
    {"lms", run::plain, {-1.28178946420864, 0.419097370641221, 1.09519903987535}},
    {"lms", run::on_flow, {-1.08870369354743, 0.316828533474247, 0.91052246268529}},
    {"ipndm", run::plain, {-1.44895992971326, 0.477094519332557, 1.24097667689204}},
    {"ipndm", run::on_flow, {-1.07887243634413, 0.313421438087772, 0.901798779425417}},
    {"er_sde", run::plain, {-0.77274854130933, 0.10625159449211, 0.652645541862968}},
    {"er_sde", run::on_flow, {-0.0760711888142813, -0.101220772670872, 0.053730467895456}},
};

} // namespace

TEST_CASE("ComfyUI's samplers give ComfyUI's numbers")
{
    std::vector<double> const exploding{12, 7, 4, 2.2, 1.1, 0.5, 0.2, 0},
        flow{0.98, 0.91, 0.82, 0.71, 0.57, 0.4, 0.2, 0};
    auto const end_of = [](auto const& path, std::vector<double> const& sigmas, char const* name,
                           ab::name_options const& o) {
        ab::grid g{.times = sigmas, .levels = {}, .end_time = sigmas.back(), .usual = usual_prediction(path)};
        g.times.pop_back();
        for (double sigma : sigmas)
            g.levels.push_back(path.level(sigma));
        ab::plan const p = named_plan(name, path, g, o);
        auto const network = [&](support::state const& x, double sigma) {
            support::state heads; // x_0: unconditional, then guided
            for (double v : x)
                heads.push_back(0.7 * v / (0.7 + sigma * sigma) + 0.3 * std::sin(v) / (1 + sigma));
            for (std::size_t i = 0; p.heads == 2 && i < x.size(); ++i)
                heads.push_back(heads[i] + 0.2 * std::cos(x[i]));
            return heads;
        };
        std::vector<std::uint32_t> drawn;
        auto const noise = [&](std::uint32_t index) {
            drawn.push_back(index);
            support::state z;
            for (int i = 1; i <= 3; ++i)
                z.push_back(std::sin(1.7 * i + 2.3 * static_cast<double>(drawn.size() - 1)));
            return z;
        };
        return support::interpret(p, {-1.1 * sigmas[0], 0.3 * sigmas[0], 0.9 * sigmas[0]}, network, noise);
    };
    for (recorded const& want : comfyui_ends) {
        char const* const name = want.name;
        run const how = want.how;
        CAPTURE(name);
        CAPTURE(static_cast<int>(how));
        ab::name_options o{.network = {.predicts = ab::prediction::x_0}, .from = from::comfyui};
        if (how == run::with_eta)
            o.eta = 0.6, o.noise_scale = 1.02;
        if (how == run::churned)
            o.churn = {.amount = 2, .noise_scale = 1.01};
        std::vector<double> sigmas = how == run::on_flow ? flow : exploding;
        if (how == run::above_zero)
            sigmas.pop_back();
        support::state const got = how == run::on_flow ? end_of(ab::rectified_flow{}, sigmas, name, o)
                                                       : end_of(ab::variance_exploding{}, sigmas, name, o);
        for (std::size_t i = 0; i < 3; ++i)
            CHECK(got[i] == doctest::Approx(want.end[i]).epsilon(1e-12));
    }
}

TEST_CASE("k-diffusion's functions have their names")
{
    for (char const* name : {"sample_euler", "sample_euler_ancestral", "sample_heun", "sample_dpm_2",
                             "sample_dpm_2_ancestral", "sample_lms", "sample_dpmpp_2s_ancestral", "sample_dpmpp_sde",
                             "sample_dpmpp_2m", "sample_dpmpp_2m_sde", "sample_dpmpp_3m_sde", "sample_dpm_fast"}) {
        CAPTURE(name);
        CHECK_FALSE(named_plan(name, sd, ab::karras_grid(5), {.from = from::k_diffusion}).stages.empty());
    }
}

TEST_CASE("DPM fast and Restart make grids of their own between the ends")
{
    ab::plan const fast = named_plan("DPM fast Karras", sd, 20);
    CHECK(fast.stages.size() == 20);
    CHECK(fast.stages[0].time == 999);
    CHECK(ab::draws_noise(fast.stages[2])); // the WebUI's eta is 1, k-diffusion's 0
    for (ab::stage const& s : named_plan("dpm_fast karras", sd, 20, {.from = from::comfyui}).stages)
        CHECK_FALSE(ab::draws_noise(s));
    for (std::size_t n : {std::size_t{19}, std::size_t{20}, std::size_t{40}}) {
        ab::plan const plan = named_plan("Restart", sd, n);
        CHECK(plan.stages.size() == 2 * n - 1); // Heun's method, its last step Euler's
        std::size_t restarts = 0;
        for (ab::stage const& s : plan.stages)
            restarts += s.churn.has_value();
        CHECK(restarts == (n < 20 ? 0 : n < 36 ? 1 : 2));
    }
}

TEST_CASE("a misspelt name gets the nearest ones")
{
    auto const plan = [](std::string const& name) { return complaint([&] { (void)named_plan(name, sd, 10); }); };
    CHECK(plan("DPM++ 2N Karas").find("\"DPM++ 2M Karras\"") != std::string::npos);
    CHECK(plan("Eular").find("\"Euler\"") != std::string::npos);
    CHECK(plan("DPM++ 2N Karas").find("2M karras") == std::string::npos); // one spelling of a row
    CHECK(plan("Karras").find("it is a schedule") != std::string::npos);
    CHECK(plan("[Forge] Flux Realistic").find("nearest") == std::string::npos);
    CHECK(plan("UniPD").find("\"UniPC\"") != std::string::npos);
    CHECK(plan("dpmpp_2m_sde_karas").find("2M SDE Karras\"") != std::string::npos);
    CHECK(plan("").find("it is not known") != std::string::npos);
    CHECK(plan(std::string(1 << 20, 'x')).size() < 400);
    CHECK(plan("\xff\xfe").find("it is not known") != std::string::npos);
    CHECK(complaint([&] { (void)make_grid(sd, ab::named_grid("karas", 5)); }).find("\"Karras\"") != std::string::npos);
    CHECK(complaint([&] { (void)named_plan("euler", sd, 5, {.from = from::comfyui}); }).find("schedule") !=
          std::string::npos);
    CHECK(complaint([&] { (void)named_plan("euler karras", sd, ab::karras_grid(5)); }).find("leave out") !=
          std::string::npos);
    CHECK(complaint([&] { (void)named_plan("Euler", sd, 0); }).find("number of steps") != std::string::npos);
}
