// SPDX-License-Identifier: MIT
#include <alphabar/core/per_sample.hpp>

#include <doctest/doctest.h>

#include <cmath>
#include <cstddef>
#include <span>
#include <stdexcept>
#include <vector>

namespace ab = alphabar;

TEST_CASE("one number, or one for each sample")
{
    struct point {
        std::size_t row, batch;
    };
    std::vector<double> const three{1, 2, 3};
    ab::per_sample const all = 7.5, each = three, none = std::span<double const>{}, bad = std::nan("");
    CHECK(all(point{2, 3}) == 7.5);
    CHECK(each(point{2, 3}) == 3);
    CHECK_THROWS_WITH_AS(
        each(point{0, 2}),
        "alphabar::per_sample: the number of values is 3; there must be one, or one for each sample of the batch",
        std::invalid_argument);
    CHECK_THROWS_AS(none(point{0, 2}), std::invalid_argument);
    CHECK_THROWS_AS(bad(point{0, 2}), std::invalid_argument);
}
