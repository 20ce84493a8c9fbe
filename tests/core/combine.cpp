// SPDX-License-Identifier: MIT
#include <alphabar/core/combine.hpp>

#include <alphabar/backends/span.hpp>
#include <support/formulas.hpp>

#include <doctest/doctest.h>

#include <stdexcept>
#include <tuple>
#include <vector>

namespace ab = alphabar;

namespace {

double dot(std::vector<double> const& a, std::vector<double> const& b, std::size_t row, std::size_t n)
{
    double sum = 0;
    for (std::size_t i = row * n; i < (row + 1) * n; ++i)
        sum += a[i] * b[i];
    return sum;
}

} // namespace

TEST_CASE("weights by inner products, with an average in the same passes")
{
    std::size_t const n = 1000;
    ab::shape const s{2, n};
    auto const c = support::wavy<double>(2 * n);
    std::vector<double> u(c.rbegin(), c.rend()), average(2 * n, 0.25), out(2 * n), D(2 * n), A(2 * n);
    double const mu = -0.5;
    for (std::size_t i = 0; i < 2 * n; ++i) {
        D[i] = c[i] - u[i];
        A[i] = D[i] + mu * average[i];
    }
    ab::combination_work work;
    std::size_t rows = 0;
    auto const weigh = [&](std::size_t row, ab::inner_products<2> const& m) {
        CHECK(row == rows++);
        CHECK(m.dot(0, 0) == doctest::Approx(dot(c, c, row, n)).epsilon(1e-13));
        CHECK(m.dot(0, 1) == doctest::Approx(dot(c, D, row, n)).epsilon(1e-13));
        CHECK(m.dot(2, 0) == doctest::Approx(dot(c, A, row, n)).epsilon(1e-13));
        CHECK(m.dot(1, 2) == doctest::Approx(dot(D, A, row, n)).epsilon(1e-13));
        CHECK(m.dot(2, 2) == doctest::Approx(dot(A, A, row, n)).epsilon(1e-13));
        return ab::combination<2>{2.0 + static_cast<double>(row), {3, 4}};
    };
    auto const to = ab::view(out, s), kept = ab::view(average, s);
    ab::combine_rows<ab::inner_products<2>, true>("test", work, weigh, mu, std::tie(to, kept), ab::view(c, s),
                                                  ab::view(u, s), ab::view(average, s));
    CHECK(rows == 2);
    for (std::size_t i = 0; i < 2 * n; ++i) {
        REQUIRE(average[i] == doctest::Approx(A[i]).epsilon(1e-14));
        REQUIRE(out[i] == doctest::Approx((i < n ? 2 : 3) * c[i] + 3 * D[i] + 4 * A[i]).epsilon(1e-13));
    }
}

TEST_CASE("what weigh throws comes before anything is written")
{
    std::vector<double> const x(6, 1.0);
    std::vector<double> out(6, 5.0);
    ab::combination_work work;
    auto const weigh = [](std::size_t row, auto const&) {
        if (row == 1)
            throw std::invalid_argument("no");
        return ab::combination<1>{};
    };
    auto const to = ab::view(out, {2, 3});
    CHECK_THROWS_AS(
        ab::combine_rows<std::tuple<>>("test", work, weigh, 0, std::tie(to), ab::view(x, {2, 3}), ab::view(x, {2, 3})),
        std::invalid_argument);
    CHECK(out == std::vector<double>(6, 5.0));
}
