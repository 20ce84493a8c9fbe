// SPDX-License-Identifier: MIT
#include <alphabar/backends/span.hpp>

#include <alphabar/core/transform.hpp>
#include <support/formulas.hpp>

#include <doctest/doctest.h>

#include <array>
#include <limits>
#include <vector>

namespace ab = alphabar;
using support::scaled;

static_assert(ab::writable_tensor<std::vector<double>> && ab::writable_tensor<std::span<float>>);
static_assert(ab::tensor<std::span<float const>> && !ab::writable_tensor<std::span<float const>>);
static_assert(ab::tensor<ab::tensor_view<float const>> && !ab::writable_tensor<ab::tensor_view<float const>>);
static_assert(!ab::tensor<std::vector<bool>> && !ab::tensor<float> && !ab::tensor<float*>);
static_assert(ab::shape({3, 4, 5}).batch() == 3 && ab::shape({3, 4, 5}).sample_size() == 20 &&
              ab::shape({7}).batch() == 1);

TEST_CASE("spans, vectors, arrays and views meet in one call")
{
    std::vector<double> x{1, 2, 3};
    std::array<double, 3> y{};
    ab::transform(scaled<double>{2}, y, std::span<double const>(x));
    CHECK(y == std::array<double, 3>{2, 4, 6});
    ab::transform(scaled<double>{2}, ab::view(x, {3}), y);
    CHECK(x == std::vector<double>{4, 8, 12});
    ab::tensor_view<double const> const read_only = ab::view(x, {3});
    ab::transform(scaled<double>{0.5}, std::span(y), read_only);
    CHECK(y[2] == 6);
}

TEST_CASE("a view has as many elements as its shape")
{
    std::vector<float> x(6);
    CHECK(ab::traits_of<ab::tensor_view<float>>::elements(ab::view(x, {2, 3})).size() == 6);
    CHECK_THROWS_WITH_AS(ab::view(x, {2, 4}),
                         "alphabar::view: the number of elements is 6; it must be the product of the extents [2, 4]",
                         std::invalid_argument);
    CHECK_THROWS_AS(ab::view(static_cast<float*>(nullptr), {1}), std::invalid_argument);
    CHECK_NOTHROW(ab::view(static_cast<float*>(nullptr), {0, 5}));
}

TEST_CASE("a product of extents that overflows is an error")
{
    std::size_t const large = std::size_t{1} << 32;
    CHECK_THROWS_AS((ab::shape{large, large}), std::invalid_argument);
    CHECK_THROWS_AS((ab::shape{0, large, large}), std::invalid_argument);
    CHECK_THROWS_AS((ab::shape{std::numeric_limits<std::size_t>::max()}), std::invalid_argument);
    CHECK_THROWS_AS((ab::shape{1, 1, 1, 1, 1, 1, 1, 1, 1}), std::invalid_argument);
    CHECK_NOTHROW(ab::shape{large, large / 4});
}
