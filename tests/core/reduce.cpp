// SPDX-License-Identifier: MIT
#include <alphabar/core/reduce.hpp>

#include <alphabar/backends/span.hpp>
#include <alphabar/backends/threads.hpp>
#include <support/formulas.hpp>

#include <doctest/doctest.h>

#include <array>
#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

namespace ab = alphabar;
using support::scaled, support::wavy, support::weighted_sum, support::with_square;

namespace {

/// The documented order, written down once more: blocks of 256 by halving, then a tree whose left branch is the largest
/// power of two.
double halving(std::vector<double> terms)
{
    terms.resize(256);
    for (std::size_t width = 128; width > 0; width /= 2)
        for (std::size_t k = 0; k < width; ++k)
            terms[k] += terms[k + width];
    return terms[0];
}

double tree(std::span<double const> leaves)
{
    if (leaves.size() < 2)
        return leaves.empty() ? 0 : leaves[0];
    std::size_t const left = std::bit_floor(leaves.size() - 1);
    return tree(leaves.first(left)) + tree(leaves.subspan(left));
}

template <class T>
double documented(std::span<T const> terms)
{
    std::vector<double> leaves;
    for (std::size_t i = 0; i < terms.size(); i += 256) {
        auto const block = terms.subspan(i, std::min<std::size_t>(256, terms.size() - i));
        leaves.push_back(halving({block.begin(), block.end()}));
    }
    return tree(leaves);
}

} // namespace

TEST_CASE_TEMPLATE("sums have the documented order, bit by bit", T, float, double)
{
    for (std::size_t const n :
         support::lengths(1, 2, 255, 256, 257, 511, 512, 513, 1000, 5000, 16384, 16385, 50000, 200001)) {
        auto const x = wavy<T>(2 * n);
        std::array<double, 2> sums{};
        ab::reduce_rows(scaled<T>{2}, sums, ab::view(x, {2, n}));
        for (std::size_t r = 0; r < 2; ++r) {
            auto terms = std::vector<T>(x.begin() + static_cast<std::ptrdiff_t>(r * n),
                                        x.begin() + static_cast<std::ptrdiff_t>((r + 1) * n));
            for (T& t : terms)
                t *= 2;
            CHECK(sums[r] == documented<T>(terms));
        }
        // a tensor itself is summed without a formula's buffer: the same order
        ab::reduce_rows(ab::detail::identity{}, sums, ab::view(x, {2, n}));
        CHECK(sums[0] == documented<T>(std::span(x).first(n)));
    }
}

TEST_CASE("a split at blocks of a power of two gives branches of the same tree")
{
    auto const x = wavy<double>(100000);
    double whole = 0;
    ab::reduce_rows(scaled<double>{1}, std::span(&whole, 1), x);
    for (std::size_t const blocks : support::lengths(1, 2, 4, 64)) {
        ab::tree_sum sum;
        for (std::size_t i = 0; i < x.size(); i += 256 * blocks) {
            double part = 0;
            ab::reduce_rows(scaled<double>{1}, std::span(&part, 1),
                            std::span(x).subspan(i, std::min(256 * blocks, x.size() - i)));
            sum.add(part);
        }
        CHECK(sum.value() == whole);
    }
}

TEST_CASE("the error stays within (8 + log2(n / 256)) u for terms of one sign")
{
    std::size_t const n = 1 << 18;
    std::vector<double> x(n);
    long double exact = 0;
    for (std::size_t i = 0; i < n; ++i) {
        x[i] = 1.0 / static_cast<double>(3 * i + 1);
        exact += static_cast<long double>(x[i]);
    }
    double sum = 0;
    ab::reduce_rows(scaled<double>{1}, std::span(&sum, 1), x);
    CHECK(std::abs(static_cast<double>(static_cast<long double>(sum) - exact)) <= (8 + 10) * 0x1p-53 * sum);
}

TEST_CASE("float terms are added in double")
{
    std::vector<float> x(100000, 0.1f);
    double sum = 0;
    ab::reduce_rows(scaled<float>{1}, std::span(&sum, 1), x);
    CHECK(sum == doctest::Approx(100000 * static_cast<double>(0.1f)).epsilon(1e-14));
}

TEST_CASE("transform_reduce_rows writes and sums in one pass, with the bits of two")
{
    for (std::size_t const n : support::lengths(1, 300, 512, 20000)) {
        auto const x = wavy<float>(3 * n);
        std::vector<float> out(3 * n), want(3 * n);
        std::array<double, 3> sums{}, squares{};
        ab::transform_reduce_rows(with_square<float>{-2}, ab::view(out, {3, n}), sums, ab::view(x, {3, n}));
        ab::transform(scaled<float>{-2}, want, x);
        struct square {
            float operator()(float v) const { return v * v; }
        };
        ab::reduce_rows(square{}, squares, ab::view(x, {3, n}));
        CHECK(out == want);
        CHECK(sums == squares);
        std::vector<float> in_place = x;
        ab::transform_reduce_rows(with_square<float>{-2}, ab::view(in_place, {3, n}), sums, ab::view(in_place, {3, n}));
        CHECK(in_place == want);
        CHECK(sums == squares);
    }
}

TEST_CASE("several sums in one pass have the bits of one at a time")
{
    struct three {
        std::array<float, 3> operator()(float a, float b) const { return {a * b, a, b * b}; }
    };
    for (std::size_t const n : support::lengths(1, 300, 512, 40000)) {
        auto const x = wavy<float>(2 * n);
        auto const y = std::vector<float>(x.rbegin(), x.rend());
        std::array<double, 6> sums{};
        std::array<double, 2> products{}, firsts{}, squares{};
        ab::reduce_rows(three{}, sums, ab::view(x, {2, n}), ab::view(y, {2, n}));
        ab::reduce_rows([](float a, float b) { return a * b; }, products, ab::view(x, {2, n}), ab::view(y, {2, n}));
        ab::reduce_rows(scaled<float>{1}, firsts, ab::view(x, {2, n}));
        ab::reduce_rows([](float b) { return b * b; }, squares, ab::view(y, {2, n}));
        CHECK(sums == std::array<double, 6>{products[0], firsts[0], squares[0], products[1], firsts[1], squares[1]});
        ab::thread_team team(3);
        std::array<double, 6> threaded{};
        auto const first = ab::view(x, {2, n});
        ab::reduce_rows(three{}, threaded, ab::on_threads(first, team), ab::view(y, {2, n}));
        CHECK(threaded == sums);
    }
    std::array<double, 3> few{};
    std::vector<float> const x(6);
    CHECK_THROWS_WITH_AS(
        ab::reduce_rows(three{}, few, ab::view(x, {2, 3}), ab::view(x, {2, 3})),
        "alphabar::reduce_rows: the number of sums is 3; there must be 3 for each sample of the batch of 2",
        std::invalid_argument);
}

TEST_CASE("a formula for each sample, and generators")
{
    std::vector<float> const x(2 * 600, 1.0f);
    std::vector<scaled<float>> const rows{{1}, {2}};
    std::array<double, 2> sums{};
    ab::reduce_rows(rows, sums, ab::view(x, {2, 600}));
    CHECK(sums == std::array<double, 2>{600, 1200});
    ab::reduce_rows(weighted_sum<float>{0, 1}, sums, ab::view(x, {2, 600}), support::counting{});
    CHECK(sums == std::array<double, 2>{600 * 599 / 2, 600 * 599 / 2 + 600.0 * 10000});
    std::vector<with_square<float>> const both{{1}, {3}};
    std::vector<float> out(1200);
    ab::transform_reduce_rows(both, ab::view(out, {2, 600}), sums, ab::view(x, {2, 600}));
    CHECK(out[1199] == 3);
    CHECK_THROWS_AS(ab::reduce_rows(std::span(rows).first(1), sums, ab::view(x, {2, 600})), std::invalid_argument);
}

TEST_CASE("empty batches and empty samples")
{
    std::vector<float> none;
    std::array<double, 2> sums{5, 5};
    ab::reduce_rows(scaled<float>{1}, std::span<double>(), ab::view(none, {0, 3}));
    ab::reduce_rows(scaled<float>{1}, sums, ab::view(none, {2, 0}));
    CHECK(sums == std::array<double, 2>{0, 0});
}

TEST_CASE("NaN stays in its sample")
{
    std::vector<double> x(900, 1.0);
    x[400] = std::numeric_limits<double>::quiet_NaN();
    std::array<double, 3> sums{};
    ab::reduce_rows(scaled<double>{1}, sums, ab::view(x, {3, 300}));
    CHECK(sums[0] == 300);
    CHECK(std::isnan(sums[1]));
    CHECK(sums[2] == 300);
}

TEST_CASE("bad input throws and nothing is written")
{
    std::vector<double> x(6, 1.0), out(6, 7.0);
    std::array<double, 3> three{4, 4, 4};
    std::array<double, 2> two{4, 4};
    CHECK_THROWS_WITH_AS(
        ab::reduce_rows(scaled<double>{1}, three, ab::view(x, {2, 3})),
        "alphabar::reduce_rows: the number of sums is 3; there must be one for each sample of the batch of 2",
        std::invalid_argument);
    CHECK_THROWS_AS(ab::reduce_rows(weighted_sum<double>{1, 1}, two, ab::view(x, {2, 3}), ab::view(out, {3, 2})),
                    std::invalid_argument);
    CHECK_THROWS_AS(
        ab::transform_reduce_rows(with_square<double>{1}, ab::view(out, {2, 3}), three, ab::view(x, {2, 3})),
        std::invalid_argument);
    CHECK_THROWS_AS(ab::transform_reduce_rows(with_square<double>{1}, ab::view(out, {2, 3}), std::span(x).first(2),
                                              ab::view(x, {2, 3})),
                    std::invalid_argument);
    CHECK_THROWS_AS(ab::transform_reduce_rows(with_square<double>{1}, std::span(x).subspan(1, 3),
                                              std::span(two).first(1), std::span(x).first(3)),
                    std::invalid_argument);
    CHECK(out == std::vector<double>(6, 7.0));
    CHECK(x == std::vector<double>(6, 1.0));
    CHECK(two == std::array<double, 2>{4, 4});
    CHECK(three == std::array<double, 3>{4, 4, 4});
}
