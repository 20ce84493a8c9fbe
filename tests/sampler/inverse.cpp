// SPDX-License-Identifier: MIT
// Every ODE solver over both ends of the path: backwards, from an image to its noise, and forwards.
#include <alphabar/grid/grid.hpp>

#include <alphabar/grid/spacing.hpp>
#include <alphabar/sampler/ddim.hpp>
#include <alphabar/sampler/dpm_multistep.hpp>
#include <alphabar/sampler/pndm.hpp>
#include <alphabar/sampler/sa_solver.hpp>
#include <alphabar/sampler/singlestep.hpp>
#include <alphabar/sampler/two_stage.hpp>
#include <alphabar/sampler/unipc.hpp>
#include <alphabar/schedule/continuous.hpp>
#include <support/solver_test.hpp>

#include <cmath>
#include <functional>
#include <string>
#include <utility>
#include <vector>

namespace {

using solver = std::function<plan(grid_on_path const&, network_form const&)>;

std::vector<std::pair<std::string, solver>> solvers()
{
    std::vector<std::pair<std::string, solver>> all = {
        {"euler", [](auto const& g, auto const& f) { return euler(g, {.network = f}); }},
        {"heun", [](auto const& g, auto const& f) { return heun(g, {.network = f}); }},
        {"dpm_2", [](auto const& g, auto const& f) { return dpm_2(g, {.network = f}); }},
        {"lms", [](auto const& g, auto const& f) { return lms(g, {.network = f}); }},
        {"ipndm", [](auto const& g, auto const& f) { return ipndm(g, {.network = f}); }},
        {"deis", [](auto const& g, auto const& f) { return deis(g, {.network = f}); }},
        {"res_multistep", [](auto const& g, auto const& f) { return res_multistep(g, {.network = f}); }}};
    for (memory_form form : {memory_form::x_0, memory_form::epsilon}) {
        std::string const in = form == memory_form::x_0 ? " in x_0" : " in epsilon";
        for (unsigned order : {1u, 2u, 3u}) {
            std::string const what = " of order " + std::to_string(order) + in;
            all.emplace_back("dpm_multistep" + what, [=](auto const& g, auto const& f) {
                return dpm_multistep(g, {.network = f, .order = order, .form = form});
            });
            all.emplace_back("dpm_singlestep" + what, [=](auto const& g, auto const& f) {
                return dpm_singlestep(g, {.network = f, .order = order, .form = form});
            });
            all.emplace_back("unipc" + what, [=](auto const& g, auto const& f) {
                return unipc(g, {.network = f, .order = order, .form = form});
            });
            all.emplace_back("sa_solver" + what, [=](auto const& g, auto const& f) {
                return sa_solver(
                    g, {.network = f, .predictor_order = order, .corrector_order = order, .tau = 0.0, .form = form});
            });
        }
        for (auto const& each : {std::pair{"res_2s", res_2s()}, {"dpm_3s", dpm_3s()}, {"rk_4", rk_4()}})
            all.emplace_back(each.first + in, [=, method = each.second](auto const& g, auto const& f) {
                return runge_kutta(g, {.network = f, .methods = {method}, .form = form});
            });
    }
    return all;
}

/// The network of the mixture: its F is v or a flow velocity, which both ends of a path have.
template <class Path>
auto network_on(Path const& path, prediction kind)
{
    return [path, kind](state const& x, double t) {
        auto const [alpha, sigma] = noise_level(path.level(t));
        state f = support::gaussian_mixture{}.denoise(x, {alpha, sigma});
        for (std::size_t i = 0; i < x.size(); ++i) {
            double const epsilon = sigma > 0.0 ? (x[i] - alpha * f[i]) / sigma : 0.0;
            f[i] = kind == prediction::v ? alpha * epsilon - sigma * f[i] : epsilon - f[i];
        }
        return f;
    };
}

template <class Path>
void check_ends(Path const& path, prediction kind, bool inverts)
{
    network_form const form{.predicts = kind};
    auto const network = network_on(path, kind);
    auto const grid_of = [&](std::size_t n) {
        grid const g = make_grid(path, normal_grid(n, {.sigma_min = 0.0, .through_end = true}));
        return grid_on_path{inverts ? reversed(g) : g, path};
    };
    auto const error = [&](plan const& p, state const& end) {
        state const got = support::interpret(p, support::start, network);
        double worst = 0.0;
        for (std::size_t i = 0; i < end.size(); ++i)
            worst = std::max(worst, std::isnan(got[i]) ? HUGE_VAL : std::abs(got[i] - end[i]));
        return worst;
    };
    state const exact = support::interpret(ddim(grid_of(20000), {.network = form}), support::start, network);
    double const of_ddim = error(ddim(grid_of(64), {.network = form}), exact);
    for (auto const& each : solvers()) {
        std::string const& name = each.first;
        solver const& solve = each.second;
        CAPTURE(name);
        double const mine = error(solve(grid_of(64), form), exact), finer = error(solve(grid_of(128), form), exact);
        CHECK(mine < 1.5 * of_ddim);
        CHECK(finer < std::max(0.7 * mine, 0.05 * of_ddim)); // some are so near that errors of both signs meet
    }
}

} // namespace

TEST_CASE("from sigma = 0 to alpha = 0 and back, no solver is worse than DDIM")
{
    for (bool inverts : {true, false}) {
        CAPTURE(inverts);
        check_ends(rectified_flow{}, prediction::flow, inverts);
        check_ends(trigonometric_path{}, prediction::v, inverts);
    }
}

TEST_CASE("the steps at the ends of the path are DDIM's")
{
    rectified_flow const path;
    network_form const form{.predicts = prediction::flow};
    for (grid const& g : {reversed(make_grid(path, trailing_grid(1))), make_grid(path, trailing_grid(1))})
        for (auto const& each : solvers()) {
            std::string const& name = each.first;
            solver const& solve = each.second;
            CAPTURE(name);
            auto const network = network_on(path, prediction::flow);
            state const got = support::interpret(solve({g, path}, form), support::start, network);
            state const want = support::interpret(ddim(g, {.network = form}), support::start, network);
            if (name != "heun") // which calls the network at the other end, too
                for (std::size_t i = 0; i < want.size(); ++i)
                    CHECK(got[i] == Approx(want[i]).epsilon(1e-14));
        }
}
