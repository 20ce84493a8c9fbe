// SPDX-License-Identifier: MIT
#include <alphabar/guidance/compositional.hpp>

#include <alphabar/guidance/classifier_free.hpp>
#include <support/guided.hpp>

#include <doctest/doctest.h>

#include <bit>
#include <stdexcept>

namespace ab = alphabar;
using support::guided, support::prediction, support::error, support::mixed;

TEST_CASE("text and image")
{
    auto const c = prediction(0, 1, 40), i = prediction(1, 1, 40), u = prediction(2, 1, 40);
    std::vector<double> want(40);
    for (std::size_t k = 0; k < 40; ++k)
        want[k] = u[k] + 1.5 * (i[k] - u[k]) + 7.5 * (c[k] - i[k]);
    CHECK(error(guided(ab::two_condition{}, 1, c, i, u), want) < 1e-14);
    CHECK(guided(ab::two_condition{1.0, 1.0}, 1, c, i, u) == c);
    CHECK(error(guided(ab::two_condition{7.5, 7.5}, 1, c, i, u), guided(ab::classifier_free{7.5}, 1, c, u)) < 1e-14);
}

TEST_CASE("any number of conditions")
{
    auto const u = prediction(0, 1, 40), a = prediction(1, 1, 40), b = prediction(2, 1, 40), c = prediction(3, 1, 40);
    std::vector<double> want(40);
    for (std::size_t k = 0; k < 40; ++k)
        want[k] = u[k] + 3 * (a[k] - u[k]) + 2 * (b[k] - u[k]) - 1.5 * (c[k] - u[k]);
    CHECK(error(guided(ab::compositional{3.0, 2.0, -1.5}, 1, u, a, b, c), want) < 1e-14);
    CHECK(error(guided(ab::compositional{3.0}, 1, u, a), guided(ab::classifier_free{3.0}, 1, a, u)) < 1e-14);
    CHECK(guided(ab::compositional{0.0, 0.0}, 1, u, a, b) == u);
}

TEST_CASE("dropped conditions have their probabilities")
{
    ab::noise_stream const noise{11};
    ab::condition_dropout const drop{.all = 0.1, .none = 0.2, .each = 0.3};
    std::size_t const n = 3, draws = 200000;
    std::array<double, 8> counts{};
    for (std::size_t i = 0; i < draws; ++i)
        ++counts[ab::kept_conditions(noise, n, 5, i, drop)];
    for (unsigned mask = 0; mask < 8; ++mask) {
        double p = 0.7;
        for (unsigned k = 0; k < 3; ++k)
            p *= mask >> k & 1 ? 0.7 : 0.3;
        p += mask == 0 ? 0.1 : mask == 7 ? 0.2 : 0.0;
        double const sigma = std::sqrt(p * (1 - p) / static_cast<double>(draws));
        CHECK(std::abs(counts[mask] / static_cast<double>(draws) - p) < 5 * sigma);
    }
    CHECK(ab::kept_conditions(noise, 64, 0, 0, {.all = 0, .none = 1}) == ~std::uint64_t{0});
    CHECK(ab::kept_conditions(noise, 64, 0, 0, {.all = 1, .none = 0}) == 0);
    CHECK(ab::kept_conditions(noise, 64, 0, 0, {.all = 0, .none = 0, .each = 0}) == ~std::uint64_t{0});
    CHECK(ab::kept_conditions(noise, 0, 0, 0) == 0);
    CHECK_THROWS_AS(ab::kept_conditions(noise, 65, 0, 0), std::invalid_argument);
    CHECK_THROWS_AS(ab::kept_conditions(noise, 2, 0, 0, {.all = 0.6, .none = 0.5}), std::invalid_argument);
    CHECK_THROWS_AS(ab::kept_conditions(noise, 2, 0, 0, {.each = 1.5}), std::invalid_argument);
}
