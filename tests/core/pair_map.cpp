// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <alphabar/core/pair_map.hpp>

#include <type_traits>

namespace ab = alphabar;

static_assert(ab::pair_formula<double>(ab::pair_map{2.0, 3.0})(5.0, 7.0) == 31.0);
static_assert(std::is_trivially_copyable_v<ab::pair_formula<float>>);

TEST_CASE("a pair applies in the scalar of its elements")
{
    ab::pair_formula<float> const f(ab::pair_map{0.1, -1.0});
    CHECK(f(1.0f, 0.0f) == 0.1f);
}
