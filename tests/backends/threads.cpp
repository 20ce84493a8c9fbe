// SPDX-License-Identifier: MIT
#include <alphabar/backends/threads.hpp>

#include <alphabar/backends/span.hpp>
#include <support/formulas.hpp>

#include <doctest/doctest.h>

#include <array>
#include <vector>

namespace ab = alphabar;
using support::counting, support::scaled, support::wavy, support::weighted_sum, support::with_square;

TEST_CASE_TEMPLATE("threads have the bits of one thread", T, float, double)
{
    for (std::size_t const n : support::lengths(5, 1000, 16384, 40000)) {
        ab::shape const s{5, n};
        auto const x = wavy<T>(5 * n);
        std::vector<T> want(5 * n), made(5 * n), rows_want(5 * n), reduced_want(5 * n);
        std::array<double, 5> sums{}, squares{};
        std::vector<scaled<T>> const rows{{1}, {2}, {3}, {4}, {5}};
        ab::transform(weighted_sum<T>{T(0.1), T(0.7)}, ab::view(want, s), ab::view(x, s), counting{});
        ab::fill(ab::view(made, s), counting{});
        ab::transform_rows(rows, ab::view(rows_want, s), ab::view(x, s));
        ab::reduce_rows(scaled<T>{T(0.3)}, sums, ab::view(x, s));
        ab::transform_reduce_rows(with_square<T>{T(0.3)}, ab::view(reduced_want, s), squares, ab::view(x, s));
        for (std::size_t const threads : support::lengths(1, 2, 3, 4)) {
            ab::thread_team team(threads);
            std::vector<T> memory(5 * n);
            auto const out = ab::view(memory, s);
            auto const in = ab::view(x, s);
            ab::transform(weighted_sum<T>{T(0.1), T(0.7)}, ab::on_threads(out, team), in, counting{});
            CHECK(memory == want);
            ab::transform(weighted_sum<T>{T(0.1), T(0.7)}, out, ab::on_threads(in, team), counting{});
            CHECK(memory == want);
            ab::fill(ab::on_threads(out, team), counting{});
            CHECK(memory == made);
            ab::transform_rows(rows, ab::on_threads(out, team), in);
            CHECK(memory == rows_want);
            std::array<double, 5> got{};
            ab::reduce_rows(scaled<T>{T(0.3)}, got, ab::on_threads(in, team));
            CHECK(got == sums);
            ab::transform_reduce_rows(with_square<T>{T(0.3)}, ab::on_threads(out, team), got, in);
            CHECK(memory == reduced_want);
            CHECK(got == squares);
        }
    }
}

TEST_CASE("a vector on threads is a tensor, in place too")
{
    ab::thread_team team(2);
    std::vector<float> x(100000, 1.0f);
    ab::transform(scaled<float>{2}, ab::on_threads(x, team), x);
    CHECK(x == std::vector<float>(100000, 2.0f));
    ab::fill(ab::on_threads(x, team), 3);
    CHECK(x == std::vector<float>(100000, 3.0f));
}

TEST_CASE("what a formula's caller got wrong is said before a thread starts")
{
    ab::thread_team team(2);
    std::vector<float> x(10), y(11);
    CHECK_THROWS_AS(ab::transform(scaled<float>{2}, ab::on_threads(x, team), y), std::invalid_argument);
    std::vector<float> none;
    ab::transform(scaled<float>{2}, ab::on_threads(none, team), none);
}
