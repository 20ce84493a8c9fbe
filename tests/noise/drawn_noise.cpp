// SPDX-License-Identifier: MIT
#include <alphabar/noise/drawn_noise.hpp>

#include <alphabar/sampler/executor.hpp>

#include <doctest/doctest.h>

#include <stdexcept>
#include <vector>

namespace ab = alphabar;

namespace {

/// "Normals" that count: start, start + 1, ...
struct counting {
    float next = 0;
    void randn(std::span<float> out)
    {
        for (float& x : out)
            x = next++;
    }
};
static_assert(ab::normal_generator<counting, float> && !ab::normal_generator<int, float>);
static_assert(ab::sampling_noise<ab::drawn_noise<counting>>);

} // namespace

TEST_CASE("draws follow one another; a draw is the same whenever it is asked for")
{
    ab::drawn_noise<counting> noise(counting{}, {2, 3});
    CHECK(noise.initial().values == std::vector<float>{0, 1, 2, 3, 4, 5});
    CHECK(noise(0).values == std::vector<float>{6, 7, 8, 9, 10, 11});
    CHECK(noise(2).values[0] == 18); // one is passed over
    CHECK(noise(0).values[0] == 6);  // and one comes back
    CHECK(noise(2).values[5] == 23);
    CHECK(noise(1).shape == ab::shape{2, 3});

    ab::drawn_noise<counting> from_zero(counting{}, {2, 3}, 0);
    CHECK(from_zero(0).values[0] == 0);
}

TEST_CASE("a generator for each sample")
{
    ab::drawn_noise<counting> noise(std::vector<counting>{{100}, {200}}, {2, 3});
    CHECK(noise.initial().values == std::vector<float>{100, 101, 102, 200, 201, 202});
    CHECK(noise(0).values == std::vector<float>{103, 104, 105, 203, 204, 205});
    CHECK_THROWS_WITH_AS(
        ab::drawn_noise<counting>(std::vector<counting>(3), {2, 3}),
        "alphabar::drawn_noise: the number of generators is 3; there must be one, or one for each sample",
        std::invalid_argument);
    CHECK_THROWS_AS(ab::drawn_noise<counting>(std::vector<counting>{}, {2, 3}), std::invalid_argument);
}
