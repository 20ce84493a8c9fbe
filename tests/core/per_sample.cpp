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
    CHECK(all(point{2, 3}, "f") == 7.5);
    CHECK(each(point{2, 3}, "f") == 3);
    CHECK_THROWS_WITH_AS(each(point{0, 2}, "f"),
                         "alphabar::f: scale is 3 numbers; it must be one, or one for each of the 2 samples",
                         std::invalid_argument);
    CHECK_THROWS_AS(none(point{0, 2}, "f"), std::invalid_argument);
    CHECK_THROWS_WITH_AS(bad(point{0, 2}, "f", "phi"), "alphabar::f: phi is NaN; it must be finite",
                         std::invalid_argument);
}

TEST_CASE("what it was made of may go")
{
    struct point {
        std::size_t row, batch;
    };
    ab::per_sample const each = std::vector<double>(1000, 4.0);
    std::vector<double> const other(1000, 5.0); // would lie where the first was
    CHECK(each(point{999, 1000}, "f") == 4);
}

TEST_CASE("differences, sample by sample")
{
    struct point {
        std::size_t row, batch;
    };
    std::vector<double> const three{1, 2, 3}, two{1, 2};
    ab::per_sample const each = three;
    CHECK((ab::per_sample(5.0) - 2.0)(point{1, 3}, "f") == 3);
    CHECK((each - 2.0)(point{2, 3}, "f") == 1);
    CHECK((2.0 - each)(point{2, 3}, "f") == -1);
    CHECK((each - ab::per_sample(three))(point{2, 3}, "f") == 0);
    CHECK_THROWS_AS((each - 2.0)(point{0, 2}, "f"), std::invalid_argument);
    CHECK_THROWS_AS(each - ab::per_sample(two), std::invalid_argument);
    CHECK_THROWS_AS((ab::per_sample(std::span<double const>{}) - 1.0)(point{0, 2}, "f"), std::invalid_argument);
}
