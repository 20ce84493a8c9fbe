// SPDX-License-Identifier: MIT
#include <alphabar/sampler/adams.hpp>

#include <support/solver_test.hpp>

#include <stdexcept>
#include <vector>

namespace {

// alpha = 1 and sigma = n, n - 1, ..., 0: steps of -1 in rho
grid countdown(std::size_t n)
{
    grid g;
    for (std::size_t i = 0; i <= n; ++i) {
        g.levels.push_back({1.0, static_cast<double>(n - i) + 1.0});
        if (i < n)
            g.times.push_back(static_cast<double>(n - i));
    }
    return g;
}

std::vector<unsigned> full(std::size_t n, unsigned order)
{
    std::vector<unsigned> orders;
    for (std::size_t i = 0; i < n; ++i)
        orders.push_back(std::min(order, static_cast<unsigned>(i + 1)));
    return orders;
}

} // namespace

TEST_CASE("in rho and on equal steps it is Adams-Bashforth and Adams-Moulton")
{
    plan const p =
        adams(countdown(6), {}, {.predictor = full(6, 4), .corrector = {0, 2, 3, 4, 4, 4}, .form = memory_form::rho});
    // Hairer, Norsett & Wanner, "Solving ODEs I", III.1, tables 1.1 and 1.2; the slope enters with h = -1
    std::vector<double> const bashforth{-55.0 / 24, 59.0 / 24, -37.0 / 24, 9.0 / 24},
        moulton{-9.0 / 24, -19.0 / 24, 5.0 / 24, -1.0 / 24};
    stage const& s = p.stages[5];
    for (std::size_t j = 0; j < 4; ++j)
        CHECK(s.x[m(j)] == Approx(bashforth[j] + moulton[j]));
    CHECK(s.x[y] == Approx(1.0));
    CHECK(p.stages[4].y->operator[](m(0)) == Approx(moulton[0]));
    CHECK(p.stages[4].y->operator[](m(3)) == Approx(moulton[3]));
    CHECK(!p.stages[5].y);
}

TEST_CASE("a split stage shows the corrected state and changes nothing else")
{
    grid const g = support::lambda_grid(path_kind::variance_preserving, 7, true);
    adams_options o{.predictor = full(7, 2), .corrector = {0, 2, 3, 3, 0, 3, 3}};
    plan const whole = adams(g, {}, o);
    o.split = true;
    plan const split = adams(g, {}, o);
    CHECK(whole.stages.size() == 7);
    CHECK(split.stages.size() == 12);
    CHECK(!split.stages[1].ends_step);
    CHECK(!split.stages[2].calls);
    auto const network = support::exact_network(path_kind::variance_preserving);
    auto const a = support::interpret(whole, support::start, network),
               b = support::interpret(split, support::start, network);
    for (std::size_t i = 0; i < a.size(); ++i)
        CHECK(a[i] == Approx(b[i]).epsilon(1e-13));
}

TEST_CASE("noise is drawn where tau is not 0, and scaled")
{
    grid const g = support::lambda_grid(path_kind::variance_preserving, 3, false);
    plan const one = adams(g, {}, {.predictor = {1, 2, 2}, .tau = {1.0, 0.0, 0.5}});
    CHECK(draws_noise(one.stages[0]));
    CHECK(!draws_noise(one.stages[1]));
    CHECK(one.stages[2].noise == noise_index(3, 0));
    plan const half = adams(g, {}, {.predictor = {1, 2, 2}, .tau = {1.0, 0.0, 0.5}, .noise_scale = 0.5});
    CHECK(half.stages[0].x[z] == 0.5 * one.stages[0].x[z]);
    CHECK(!draws_noise(adams(g, {}, {.predictor = {1, 2, 2}, .tau = {1.0, 0.0, 0.5}, .noise_scale = 0.0}).stages[0]));
}

TEST_CASE("lists and orders that make no plan are said")
{
    grid const g = support::lambda_grid(path_kind::variance_preserving, 3, false);
    auto const rejected = [&](adams_options const& o) { CHECK_THROWS_AS(adams(g, {}, o), std::invalid_argument); };
    rejected({});
    rejected({.predictor = {1, 1}});
    rejected({.predictor = {1, 1, 1}, .corrector = {1}});
    rejected({.predictor = {1, 1, 1}, .tau = {1}});
    rejected({.predictor = {0, 1, 1}});
    CHECK_THROWS_WITH_AS(adams(g, {}, {.predictor = {2, 2, 2}}),
                         "alphabar::adams: an order is 2; it must lie in [1, 8] and not ask for "
                         "more memories than there are",
                         std::invalid_argument);
    rejected({.predictor = {1, 2, 3}, .corrector = {0, 3, 0}});
    CHECK_THROWS_AS(rising_orders(g, 0), std::invalid_argument);
    CHECK_THROWS_AS(rising_orders(g, 9), std::invalid_argument);
}

TEST_CASE("a grid without levels is refused, not read")
{
    grid g = countdown(3);
    g.levels.clear();
    CHECK_THROWS_AS((void)rising_orders(g, 2), std::invalid_argument);
    CHECK_THROWS_AS((void)rising_orders(grid{}, 2), std::invalid_argument);
    CHECK_THROWS_AS((void)adams(g, {}, {.predictor = {1, 1, 1}}), std::invalid_argument);
    CHECK_THROWS_AS((void)adams(grid{}, {}, {}), std::invalid_argument);
}
