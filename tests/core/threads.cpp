// SPDX-License-Identifier: MIT
#include <alphabar/core/threads.hpp>

#include <support/formulas.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

namespace ab = alphabar;

TEST_CASE("every index is visited once, for any count and any team")
{
    for (std::size_t const size : support::lengths(1, 2, 3, 7)) {
        ab::thread_team team(size);
        CHECK(team.size() == size);
        for (std::size_t const count : support::lengths(0, 1, 2, 3, 6, 7, 8, 100)) {
            std::vector<int> visits(count, 0);
            team.for_each(count, [&](std::size_t i) { ++visits[i]; });
            CHECK(visits == std::vector<int>(count, 1));
        }
    }
}

TEST_CASE("ranges are contiguous and as equal as can be")
{
    ab::thread_team team(4);
    std::vector<std::size_t> sizes(4);
    std::atomic<std::size_t> ranges = 0;
    team.for_ranges(10, [&](std::size_t begin, std::size_t end) { sizes[ranges++] = end - begin; });
    CHECK(ranges == 4);
    std::sort(sizes.begin(), sizes.end());
    CHECK(sizes == std::vector<std::size_t>{2, 2, 3, 3});
}

TEST_CASE("thousands of short loops in a row")
{
    ab::thread_team team(3);
    std::vector<std::size_t> sums(64);
    for (int round = 0; round < 3000; ++round)
        team.for_each(sums.size(), [&](std::size_t i) { sums[i] += i; });
    for (std::size_t i = 0; i < sums.size(); ++i)
        CHECK(sums[i] == 3000 * i);
}

TEST_CASE("the first exception by the order of the ranges arrives, and the team goes on")
{
    ab::thread_team team(3);
    for (int round = 0; round < 20; ++round)
        CHECK_THROWS_WITH_AS(team.for_each(30,
                                           [](std::size_t i) {
                                               if (i % 10 == 5)
                                                   throw std::runtime_error(std::to_string(i));
                                           }),
                             "5", std::runtime_error);
    std::atomic<int> visits = 0;
    team.for_each(30, [&](std::size_t) { ++visits; });
    CHECK(visits == 30);
}

TEST_CASE("a loop inside a loop runs where it is asked for")
{
    ab::thread_team team(2);
    std::vector<int> visits(4, 0);
    team.for_each(2, [&](std::size_t i) { team.for_each(2, [&](std::size_t j) { ++visits[2 * i + j]; }); });
    CHECK(visits == std::vector<int>(4, 1));
}

TEST_CASE("two threads may share a team")
{
    ab::thread_team team(3);
    std::vector<int> a(1000, 0), b(1000, 0);
    auto const work = [&](std::vector<int>& v) {
        for (int round = 0; round < 50; ++round)
            team.for_each(v.size(), [&](std::size_t i) { ++v[i]; });
    };
    std::thread other([&] { work(b); });
    work(a);
    other.join();
    CHECK(a == std::vector<int>(1000, 50));
    CHECK(b == a);
}

TEST_CASE("a team of none throws")
{
    CHECK_THROWS_WITH_AS(ab::thread_team(0), "alphabar::thread_team: size is 0; it must lie in [1, 4096]",
                         std::invalid_argument);
}
