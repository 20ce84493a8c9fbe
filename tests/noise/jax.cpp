// SPDX-License-Identifier: MIT
#include <alphabar/noise/jax.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>
#include <stdexcept>
#include <vector>

namespace ab = alphabar;
namespace jax = alphabar::jax;

TEST_CASE("what JAX's documentation prints for key 42, in the new layout and in the old one")
{
    std::vector<float> z(1);
    jax::normal(jax::key(42), std::span(z));
    CHECK(std::abs(z[0] - -0.028304616f) < 1e-8);
    jax::normal(jax::key(42, false), std::span(z));
    CHECK(std::abs(z[0] - -0.18471177f) < 1e-7);
}

TEST_CASE("erf_inv inverts erf, to its ends")
{
    for (double u = -0.999; u < 1; u += 0.001) {
        CHECK(std::abs(std::erf(ab::detail::erf_inv(u)) - u) < 4e-16);
        CHECK(
            std::abs(ab::detail::erf_inv(static_cast<float>(u)) - ab::detail::erf_inv(double(static_cast<float>(u)))) <
            7e-7 * std::max(1.0, std::abs(ab::detail::erf_inv(u))));
    }
    for (double x = 1; x < 5.8; x += 0.1) { // erfc(x) = 1 - u, which is exact here
        double const u = 1 - std::erfc(x);
        CHECK(std::abs(std::erfc(ab::detail::erf_inv(u)) / (1 - u) - 1) < 2e-13);
    }
    CHECK(ab::detail::erf_inv(1.0) == std::numeric_limits<double>::infinity());
    CHECK(ab::detail::erf_inv(-1.0f) == -std::numeric_limits<float>::infinity());
    CHECK(ab::detail::erf_inv(0.0) == 0);
}

TEST_CASE_TEMPLATE("a uniform number has the moments of one, a normal one those of one", T, float, double)
{
    for (bool partitionable : {true, false}) {
        std::vector<T> u(100000), z(u.size());
        jax::uniform(jax::key(1, partitionable), std::span(u), T(-2), T(4));
        jax::normal(jax::key(2, partitionable), std::span(z));
        double mean_u = 0, mean = 0, square = 0;
        for (std::size_t i = 0; i < z.size(); ++i) {
            mean_u += u[i] / 1e5, mean += z[i] / 1e5, square += double(z[i]) * z[i] / 1e5;
            if (u[i] < -2 || u[i] >= 4)
                FAIL("outside");
        }
        CHECK(std::abs(mean_u - 1) < 5 * std::sqrt(3 / 1e5));
        CHECK(std::abs(mean) < 5 / std::sqrt(1e5));
        CHECK(std::abs(square - 1) < 5 * std::sqrt(2 / 1e5));
    }
}

TEST_CASE("a permutation holds every number once; bits are all different ones")
{
    auto order = jax::permutation(jax::key(3), 5000); // two rounds
    std::ranges::sort(order);
    for (std::size_t i = 0; i < order.size(); ++i)
        CHECK(order[i] == static_cast<std::int64_t>(i));
    CHECK(jax::permutation(jax::key(3), 0).empty());
    for (bool partitionable : {true, false}) {
        std::set<std::uint64_t> words;
        for (std::size_t i = 0; i < 101; ++i)
            words.insert(jax::bits<std::uint64_t>(jax::key(4, partitionable), i, 101));
        CHECK(words.size() == 101);
    }
}

TEST_CASE("as an executor's noise: keys by split and by fold_in")
{
    jax::key const start(7);
    std::vector<float> expected(6);
    ab::jax_noise by_split(jax::generator(start), {2, 3});
    auto const first = jax::split(start);
    jax::normal(first[1], std::span(expected));
    CHECK(by_split.initial().values == expected);
    jax::normal(jax::split(first[0])[1], std::span(expected));
    CHECK(by_split(0).values == expected);
    ab::jax_noise by_fold_in(jax::generator(start, jax::generator::order::by_fold_in), {2, 3}, 0);
    jax::normal(jax::fold_in(start, 5), std::span(expected));
    CHECK(by_fold_in(5).values == expected);
}

TEST_CASE("arguments that are refused")
{
    std::vector<std::int32_t> out(2);
    CHECK_THROWS_WITH_AS(jax::randint(jax::key(0), std::span(out), 3, 3),
                         "alphabar::jax::randint: high is 3; it must be above low", std::invalid_argument);
    CHECK_THROWS_AS(jax::bernoulli(jax::key(0), 1.5, 2), std::invalid_argument);
}

TEST_CASE("integers stay in their range, of 32 and 64 bits")
{
    std::vector<std::int32_t> narrow(1000);
    jax::randint(jax::key(5), std::span(narrow), -3, 4);
    CHECK(std::ranges::minmax(narrow).min == -3);
    CHECK(std::ranges::minmax(narrow).max == 3);
    std::vector<std::int64_t> wide(1000);
    constexpr std::int64_t top = std::int64_t{1} << 50;
    jax::randint(jax::key(5), std::span(wide), -top, top);
    CHECK(std::ranges::minmax(wide).min < -top / 2);
    CHECK(std::ranges::minmax(wide).max > top / 2);
    CHECK(std::ranges::minmax(wide).max < top);
}
