// SPDX-License-Identifier: MIT
#include <alphabar/core/fill.hpp>

#include <alphabar/backends/span.hpp>
#include <support/formulas.hpp>

#include <doctest/doctest.h>

#include <array>
#include <vector>

namespace ab = alphabar;

TEST_CASE_TEMPLATE("fill writes one value or what a generator makes", T, float, double)
{
    std::vector<T> x(1300, T(1));
    ab::fill(x, T(0.1));
    CHECK(x == std::vector<T>(1300, T(0.1)));
    ab::fill(x, 3);
    CHECK(x[1299] == 3);
    ab::fill(ab::view(x, {2, 650}), support::counting{});
    CHECK(x[0] == 0);
    CHECK(x[649] == 649);
    CHECK(x[650] == 10000);
    CHECK(x[1299] == 10649);
    ab::fill(x, support::counting{}); // one sample
    CHECK(x[1299] == 1299);
}

TEST_CASE("empty tensors are fine, null data is not")
{
    std::vector<float> none;
    ab::fill(none, 1);
    ab::fill(ab::view(none, {0, 7}), support::counting{});
    CHECK_THROWS_AS(ab::fill(ab::tensor_view<float>{nullptr, {3}}, 1), std::invalid_argument);
}
