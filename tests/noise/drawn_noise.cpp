// SPDX-License-Identifier: MIT
#include <alphabar/noise/drawn_noise.hpp>

#include <alphabar/sampler/executor.hpp>

#include <doctest/doctest.h>

#include <cstdint>
#include <optional>
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

TEST_CASE("draws follow one another in the order of asking; an index keeps its draw")
{
    ab::drawn_noise<counting> noise(counting{}, {2, 3});
    std::uint32_t const first = ab::noise_index(1, 0), second = ab::noise_index(2, 0), third = ab::noise_index(7, 1);
    CHECK(noise.initial().values == std::vector<float>{0, 1, 2, 3, 4, 5});
    CHECK(noise(first).values == std::vector<float>{6, 7, 8, 9, 10, 11});
    CHECK(noise(second).values[0] == 12);
    CHECK(noise(third).values[0] == 24); // its software made one before it, since the call
    CHECK(noise(first).values[0] == 6);
    CHECK(noise(third).values[5] == 29);
    CHECK(noise(first).shape == ab::shape{2, 3});

    ab::drawn_noise<counting> from_zero(counting{}, {2, 3}, 0);
    CHECK(from_zero(first).values[0] == 0);
}

TEST_CASE("with a plan's indices a run may go on in the middle")
{
    ab::plan p;
    for (int i = 0; i < 3; ++i)
        p.stages.push_back({.x = 0.5 * ab::slots::x + 1.0 * ab::slots::z,
                            .churn = i == 1 ? std::optional(ab::stage::churn_map{1, 2}) : std::nullopt});
    ab::number_draws(p);
    ab::drawn_noise<counting> noise(counting{}, {2, 3});
    noise.follow(p);
    CHECK(noise(p.stages[2].noise).values[0] == 24);
    CHECK(noise(p.stages[1].churn_noise).values[0] == 12);
}

TEST_CASE("an executor asks for the draws of a plan in their order")
{
    ab::plan p;
    for (int i = 0; i < 3; ++i)
        p.stages.push_back({.x = 1.0 * ab::slots::z});
    ab::number_draws(p);
    std::vector<float> x(6), output(6);
    ab::drawn_noise<counting> const noise(counting{}, {6});
    ab::executor run(p, x, noise);
    for (float expected : {6.0f, 12.0f, 18.0f}) {
        run.next();
        run.take(output);
        CHECK(run.state().data[0] == expected);
    }
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
