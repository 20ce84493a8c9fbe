// SPDX-License-Identifier: MIT
#include <alphabar/core/aligned.hpp>

#include <alphabar/backends/span.hpp>

#include <doctest/doctest.h>

#include <cstdint>
#include <limits>
#include <utility>

namespace ab = alphabar;

static_assert(ab::writable_tensor<ab::aligned_vector<float>>);

TEST_CASE("own buffers begin at a multiple of 64 bytes, however they grow")
{
    ab::aligned_vector<float> x;
    for (int i = 0; i < 1000; ++i) {
        x.push_back(static_cast<float>(i));
        REQUIRE(reinterpret_cast<std::uintptr_t>(x.data()) % 64 == 0);
    }
    ab::aligned_vector<float> y = x, z = std::move(x);
    CHECK(y == z);
    CHECK(reinterpret_cast<std::uintptr_t>(y.data()) % 64 == 0);
    swap(y, z);
    CHECK(y[999] == 999);
}

TEST_CASE("too many elements throw")
{
    ab::aligned_allocator<double> a;
    CHECK_THROWS_AS(static_cast<void>(a.allocate(std::numeric_limits<std::size_t>::max() / 4)),
                    std::bad_array_new_length);
}
