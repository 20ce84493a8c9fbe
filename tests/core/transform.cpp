// SPDX-License-Identifier: MIT
#include <alphabar/core/transform.hpp>

#include <alphabar/backends/span.hpp>
#include <support/formulas.hpp>

#include <doctest/doctest.h>

#include <cmath>
#include <cstddef>
#include <limits>
#include <vector>

namespace ab = alphabar;
using support::counting, support::scaled, support::two_outputs, support::wavy, support::weighted_sum;

TEST_CASE_TEMPLATE("a tensor is the formula at each element, for every length", T, float, double)
{
    weighted_sum<T> const f{T(0.5), T(-3)};
    for (std::size_t const n : support::lengths(0, 1, 2, 15, 16, 17, 63, 64, 65, 79, 80, 255, 256, 511, 512, 513, 1000,
                                                16384, 16400, 40001)) {
        auto const x = wavy<T>(n);
        std::vector<T> y(n), out(n + 1, T(9));
        for (std::size_t i = 0; i < n; ++i)
            y[i] = static_cast<T>(i);
        ab::transform(f, std::span(out).first(n), x, y);
        std::size_t wrong = 0;
        for (std::size_t i = 0; i < n; ++i) // to a rounding: a compiler may contract one of the two
            wrong +=
                !(std::abs(out[i] - f(x[i], y[i])) <= std::numeric_limits<T>::epsilon() * 4 * (1 + std::abs(out[i])));
        CHECK(wrong == 0);
        CHECK(out[n] == T(9));
    }
}

TEST_CASE("out may be any input: every pattern has the bits of separate arrays")
{
    std::size_t const n = 1000;
    auto const x = wavy<float>(n);
    auto y = wavy<float>(n);
    for (float& v : y)
        v += 2;
    weighted_sum<float> const f{0.75f, 1.5f};
    std::vector<float> want(n), want_same(n);
    ab::transform(f, want, x, y);
    ab::transform(f, want_same, x, x);
    std::vector<float> a = x, b = y;
    ab::transform(f, a, a, y);
    CHECK(a == want);
    ab::transform(f, b, x, b);
    CHECK(b == want);
    a = x;
    ab::transform(f, a, a, a);
    CHECK(a == want_same);
    // two outputs that are the two inputs, straight and crossed
    std::vector<float> p(n), q(n);
    ab::transform(two_outputs<float>{3}, std::tie(p, q), x, y);
    a = x, b = y;
    ab::transform(two_outputs<float>{3}, std::tie(a, b), a, b);
    CHECK(a == p);
    CHECK(b == q);
    a = x, b = y;
    ab::transform(two_outputs<float>{3}, std::tie(b, a), a, b);
    CHECK(b == p);
    CHECK(a == q);
}

TEST_CASE("partial overlap is an error, wherever it begins, and nothing is written")
{
    std::vector<float> memory = wavy<float>(300);
    auto const before = memory;
    auto part = [&](std::size_t first, std::size_t n) { return std::span(memory).subspan(first, n); };
    for (std::size_t const first : support::lengths(1, 50, 99))
        for (std::size_t other : {std::size_t{100} - first, std::size_t{100} + first}) {
            CHECK_THROWS_AS(ab::transform(weighted_sum<float>{1, 1}, part(100, 100), part(other, 100), part(200, 100)),
                            std::invalid_argument);
            CHECK_THROWS_AS(ab::transform(weighted_sum<float>{1, 1}, part(100, 100), part(100, 100), part(other, 100)),
                            std::invalid_argument);
            auto one = part(100, 100), two = part(other, 100);
            CHECK_THROWS_AS(ab::transform(two_outputs<float>{1}, std::tie(one, two), part(200, 100), part(200, 100)),
                            std::invalid_argument);
        }
    CHECK_THROWS_WITH_AS(ab::transform(scaled<float>{1}, part(0, 100), part(1, 100)),
                         "alphabar::transform: out is partly in the memory of input; it must be an input exactly, or "
                         "lie apart from all of them",
                         std::invalid_argument);
    auto one = part(0, 100), same = part(0, 100);
    CHECK_THROWS_AS(ab::transform(two_outputs<float>{1}, std::tie(one, same), part(200, 100), part(200, 100)),
                    std::invalid_argument);
    // doubles over the same bytes are not the same array
    CHECK_THROWS_AS(
        ab::transform(scaled<double>{1}, std::span(reinterpret_cast<double*>(memory.data()), 2), part(0, 2)),
        std::invalid_argument);
    CHECK(memory == before);
    CHECK_NOTHROW(ab::transform(scaled<float>{1}, part(0, 100), part(100, 100)));
}

TEST_CASE("shapes are compared, not only sizes")
{
    std::vector<float> x(12), y(12), out(12, 5.0f);
    CHECK_THROWS_WITH_AS(
        ab::transform(weighted_sum<float>{1, 1}, ab::view(out, {3, 4}), ab::view(x, {3, 4}), ab::view(y, {4, 3})),
        "alphabar::transform: the shape of input 2 is [4, 3]; it must be [3, 4]", std::invalid_argument);
    CHECK_THROWS_AS(ab::transform(scaled<float>{1}, ab::view(out, {3, 4}), x), std::invalid_argument);
    CHECK_THROWS_AS(ab::transform(scaled<float>{1}, ab::view(out, {1, 12}), x), std::invalid_argument);
    CHECK(out == std::vector<float>(12, 5.0f));
}

TEST_CASE("null data throws unless the tensor is empty")
{
    std::vector<float> x(4);
    ab::tensor_view<float> const null{nullptr, {4}};
    CHECK_THROWS_AS(ab::transform(scaled<float>{1}, null, x), std::invalid_argument);
    CHECK_THROWS_AS(ab::transform(scaled<float>{1}, x, null), std::invalid_argument);
    ab::tensor_view<float> const empty{nullptr, {0, 4}};
    CHECK_NOTHROW(ab::transform(scaled<float>{1}, empty, empty));
    CHECK_NOTHROW(ab::transform(scaled<float>{1}, empty, counting{}));
}

TEST_CASE("transform_rows takes a formula for each sample")
{
    std::size_t const n = 777;
    auto const x = wavy<float>(3 * n);
    std::vector<float> out(3 * n);
    std::vector<scaled<float>> const rows{{2}, {-1}, {0.5f}};
    ab::transform_rows(rows, ab::view(out, {3, n}), ab::view(x, {3, n}));
    std::size_t wrong = 0;
    for (std::size_t i = 0; i < out.size(); ++i)
        wrong += out[i] != rows[i / n].a * x[i];
    CHECK(wrong == 0);
    CHECK_THROWS_WITH_AS(
        ab::transform_rows(std::span(rows).first(2), ab::view(out, {3, n}), ab::view(x, {3, n})),
        "alphabar::transform_rows: the number of formulas is 2; there must be one for each sample of the batch of 3",
        std::invalid_argument);
    std::vector<scaled<float>> none;
    std::vector<float> nothing;
    CHECK_NOTHROW(ab::transform_rows(none, ab::view(nothing, {0, 5}), ab::view(nothing, {0, 5})));
    ab::transform_rows(std::span(rows).first(1), out, x); // a tensor of one dimension is one sample
    CHECK(out[5] == 2 * x[5]);
}

TEST_CASE_TEMPLATE("a generator is an input: each row from its first element on", T, float, double)
{
    for (std::size_t const n : support::lengths(1, 100, 511, 512, 513, 20000)) {
        std::vector<T> x(2 * n, T(0.25)), out(2 * n);
        ab::transform(weighted_sum<T>{4, 2}, ab::view(out, {2, n}), ab::view(x, {2, n}), counting{100000});
        std::size_t wrong = 0;
        for (std::size_t r = 0; r < 2; ++r)
            for (std::size_t i = 0; i < n; ++i)
                wrong += out[r * n + i] != T(1 + 2 * static_cast<double>(100000 * r + i));
        CHECK(wrong == 0);
    }
}

TEST_CASE("NaN and infinity stay in their element, and -0 stays -0")
{
    float const not_a_number = std::numeric_limits<float>::quiet_NaN();
    std::vector<float> x(600, 1.0f), out(600);
    x[77] = not_a_number;
    x[511] = std::numeric_limits<float>::infinity();
    x[130] = -0.0f;
    ab::transform(scaled<float>{2}, out, x);
    for (std::size_t i = 0; i < x.size(); ++i) {
        CHECK(std::isnan(out[i]) == (i == 77));
        CHECK(std::isinf(out[i]) == (i == 511));
        CHECK(std::signbit(out[i]) == (i == 130));
    }
}

TEST_CASE("a float tensor and a double tensor may meet")
{
    struct widen {
        double operator()(double x, float y) const { return x + static_cast<double>(y); }
    };
    std::vector<double> x{1, 2};
    std::vector<float> const y{0.5f, 0.25f};
    ab::transform(widen{}, x, x, y);
    CHECK(x == std::vector<double>{1.5, 2.25});
}
