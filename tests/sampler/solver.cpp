// SPDX-License-Identifier: MIT
#include <alphabar/sampler/solver.hpp>

#include <alphabar/grid/sigmas.hpp>
#include <alphabar/grid/spacing.hpp>
#include <alphabar/sampler/ddim.hpp>
#include <alphabar/sampler/two_stage.hpp>
#include <support/solver_test.hpp>

#include <functional>
#include <stdexcept>
#include <vector>

namespace {

grid quadratic(rectified_flow const& path) { return make_grid(path, times_grid({1.0, 0.49, 0.04})); }

struct half_options {
    network_form network{};
    double share = 0.5;
};
/// A user's own: a share of the way to x_0 at every step.
constexpr solver_function half("half", [](grid const& g, half_options const& o) {
    return plan_of(o.network, steps_of(g), "half", [&](grid_step const& step, std::size_t) {
        stage s = network_call(o.network, step.time, step.from);
        s.x = (1.0 - o.share) * x + o.share * m(0);
        return s;
    });
});

} // namespace

TEST_CASE("a spec, a lambda, a function and a ready grid are one")
{
    rectified_flow const path;
    grid const g = quadratic(path);
    plan const want = ddim(path, times_grid({1.0, 0.49, 0.04}));
    CHECK(want.stages.size() == 3);
    CHECK(ddim(path, g) == want);
    CHECK(ddim(g) == want);
    CHECK(ddim(path, quadratic) == want);
    CHECK(ddim(path, [](rectified_flow const& of) { return quadratic(of); }) == want);
    std::function<plan(grid const&)> const stored = ddim;
    CHECK(stored(g) == want);
    CHECK(ddim(steps_of(g), {.network = {.predicts = prediction::flow}}) == want); // steps settle nothing
    CHECK(ddim(steps_of(g), {.network = {.predicts = prediction::v}}) != want);
}

TEST_CASE("a solver that calls the network inside a step takes its path, or a grid that holds it")
{
    variance_exploding const path;
    grid const g = make_grid(path, karras_grid(5));
    plan const want = dpm_2(path, g);
    CHECK(two_stage(grid_on_path{g, path}, {.eta = 0.0, .form = memory_form::epsilon}) == want);
    CHECK(heun(g) == heun(path, g));
    CHECK_THROWS_WITH_AS(dpm_2(g),
                         "alphabar::runge_kutta: a call inside a step is 0.5; it needs the path: call the solver as "
                         "(path, grid, options)",
                         std::invalid_argument);
}

TEST_CASE("the network is settled by the grid, and a bad grid is refused under the solver's name")
{
    plan const flow = half(rectified_flow{}, karras_grid(3)), ve = half(variance_exploding{}, karras_grid(3));
    CHECK(flow.stages[1].memory.other == Approx(-flow.stages[1].time)); // x_0 = x - t F
    CHECK(ve.stages[1].memory.other == Approx(-ve.stages[1].time));     // x_0 = x - sigma eps
    CHECK(flow.stages[1].memory.x == 1.0);
    CHECK(half(rectified_flow{}, karras_grid(3), {.share = 0.25}).stages[0].x == 0.75 * x + 0.25 * m(0));
    CHECK_THROWS_WITH_AS(half(grid{}), "alphabar::half: the number of steps is 0; at least 1 is needed",
                         std::invalid_argument);
    CHECK_THROWS_AS(ddim(std::vector<grid_step>{}), std::invalid_argument);
}
