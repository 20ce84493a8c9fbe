// SPDX-License-Identifier: MIT
#include <alphabar/process/condition_dropout.hpp>

#include <doctest/doctest.h>

#include <array>
#include <cmath>
#include <cstdint>
#include <stdexcept>

namespace ab = alphabar;

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
