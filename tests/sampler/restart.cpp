// SPDX-License-Identifier: MIT
#include <alphabar/sampler/restart.hpp>

#include <alphabar/grid/spacing.hpp>
#include <alphabar/sampler/two_stage.hpp>
#include <doctest/doctest.h>
#include <support/convergence.hpp>
#include <support/lambda_path.hpp>
#include <support/table.hpp>

#include <cmath>
#include <stdexcept>

using namespace alphabar;
using doctest::Approx;
using support::path_kind;

TEST_CASE("its levels: down, up to the restart's, down again, as often as asked, then on")
{
    variance_exploding const path;
    grid const g = make_grid(path, karras_grid(6, {.range = {.sigma_min = 0.1, .sigma_max = 10.0}}));
    plan const whole = heun(path, g),
               p = restart(path, g, {{.low = g.levels[3].sigma + 0.01, .high = 4.0, .steps = 2, .times = 3}});
    CHECK(p.stages.size() == whole.stages.size() + 3 * 4);
    // steps 0 to 2 and 3 to 5 are Heun's own
    for (std::size_t i = 0; i < 6; ++i)
        CHECK(p.stages[i].x == whole.stages[i].x);
    for (std::size_t i = 6; i < whole.stages.size(); ++i)
        CHECK(p.stages[i + 12].x == whole.stages[i].x);
    for (std::size_t k = 0; k < 3; ++k) {
        stage const& up = p.stages[6 + 4 * k];
        REQUIRE(up.churn);
        CHECK(up.churn->keep == 1.0);
        CHECK(up.churn->add == Approx(std::sqrt(16.0 - g.levels[3].sigma * g.levels[3].sigma)).epsilon(1e-13));
        CHECK(up.time == Approx(4.0).epsilon(1e-14));
        CHECK(p.stages[9 + 4 * k].time == g.levels[3].sigma);
        CHECK(up.churn_noise != p.stages[6].churn_noise + (k ? 0u : 1u));
    }
    CHECK(restart(path, g, {}) == whole);
}

TEST_CASE("as users write it, and what is refused")
{
    auto const diffusion = support::table();
    CHECK(restart(diffusion, karras_grid(18), {{0.06, 0.3, 5, 10}, {1.0, 5.0, 4, 2}}).stages.size() ==
          35 + 2 * 5 * 10 + 2 * 4 * 2);
    CHECK_THROWS_AS(restart(diffusion, karras_grid(18), {{0.5, 0.1}}), std::invalid_argument);
    CHECK_THROWS_AS(restart(diffusion, karras_grid(18), {{0.0, 0.1}}), std::invalid_argument);
    CHECK_THROWS_AS(restart(diffusion, karras_grid(18), {{0.5, 2.0, 0}}), std::invalid_argument);
}
