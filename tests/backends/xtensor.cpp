// SPDX-License-Identifier: MIT
#include <alphabar/backends/xtensor.hpp>

#include <alphabar/backends/span.hpp>
#include <alphabar/core/fill.hpp>
#include <alphabar/core/reduce.hpp>
#include <support/formulas.hpp>

#include <doctest/doctest.h>

#include <array>
#include <vector>

namespace ab = alphabar;
using support::counting, support::scaled, support::weighted_sum;

static_assert(ab::writable_tensor<xt::xtensor<float, 3>> && ab::writable_tensor<xt::xarray<double>>);
static_assert(!ab::tensor<decltype(xt::xarray<float>() + xt::xarray<float>())>);
static_assert(!ab::tensor<xt::xarray<float, xt::layout_type::dynamic>>);
static_assert(ab::traits_of<xt::xarray<float, xt::layout_type::column_major>>::order ==
              ab::storage_order::column_major);

TEST_CASE("row-major is [batch, ...], column-major [..., batch]")
{
    auto r = xt::xtensor<float, 3>::from_shape({2, 3, 4});
    auto c = xt::xarray<double, xt::layout_type::column_major>::from_shape({4, 3, 2});
    CHECK(ab::traits_of<decltype(r)>::shape(r) == ab::shape{2, 3, 4});
    CHECK(ab::traits_of<decltype(c)>::shape(c) == ab::shape{2, 3, 4});
    ab::fill(r, counting{});
    ab::fill(c, counting{});
    CHECK(r(1, 2, 3) == 10011);
    CHECK(c(3, 2, 1) == 10011);
    std::array<double, 2> sums{};
    ab::reduce_rows(scaled<float>{1}, sums, r);
    CHECK(sums == std::array<double, 2>{66, 120066});
}

TEST_CASE("containers, adaptors and views of plain memory meet")
{
    xt::xarray<float> x = xt::ones<float>({2, 3});
    std::vector<float> memory(6, 2.0f);
    auto adapted = xt::adapt(memory.data(), 6, xt::no_ownership(), std::vector<std::size_t>{2, 3});
    ab::transform(weighted_sum<float>{1, 3}, adapted, x, adapted);
    CHECK(memory == std::vector<float>(6, 7.0f));
    ab::transform(weighted_sum<float>{1, 1}, x, x, ab::view(memory, {2, 3}));
    CHECK(x(1, 2) == 8);
    auto const& read_only = memory;
    auto const constant = xt::adapt(read_only.data(), 6, xt::no_ownership(), std::vector<std::size_t>{2, 3});
    ab::transform(scaled<float>{2}, x, constant);
    CHECK(x(0, 0) == 14);
}

TEST_CASE("other shapes and empty batches")
{
    xt::xarray<float> x = xt::ones<float>({2, 3}), y = xt::ones<float>({3, 2});
    CHECK_THROWS_AS(ab::transform(scaled<float>{1}, x, y), std::invalid_argument);
    auto none = xt::xtensor<float, 2>::from_shape({0, 3});
    CHECK_NOTHROW(ab::transform(scaled<float>{1}, none, none));
    xt::xarray<float> nine = xt::ones<float>({1, 1, 1, 1, 1, 1, 1, 1, 1});
    CHECK_THROWS_AS(ab::transform(scaled<float>{1}, nine, nine), std::invalid_argument);
}
