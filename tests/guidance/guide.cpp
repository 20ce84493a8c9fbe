// SPDX-License-Identifier: MIT
#include <alphabar/guidance/guide.hpp>

#include <alphabar/backends/eigen.hpp>
#include <alphabar/backends/span.hpp>
#include <alphabar/backends/threads.hpp>
#include <alphabar/guidance/adaptive_projected.hpp>
#include <alphabar/guidance/classifier_free.hpp>
#include <alphabar/guidance/rescale.hpp>
#include <support/formulas.hpp>
#include <support/guided.hpp>

#include <doctest/doctest.h>

#include <limits>
#include <stdexcept>

namespace ab = alphabar;
using support::guided, support::prediction, support::error;

namespace {

/// Calls with every rule of two predictions.
void for_each_rule(auto const& call)
{
    call(ab::classifier_free{5.0});
    call(ab::zero_star{5.0, 0});
    call(ab::tangential{5.0});
    call(ab::magnitude_aware{5.0, 2.0});
    call(ab::adaptive_projected{.scale = 5.0, .eta = 0.3, .radius = 4.0});
    call(ab::rescaled{ab::tangential{5.0}, 0.7});
}

} // namespace

TEST_CASE("a rule of given weights, and the moments that it reads")
{
    struct spy {
        std::vector<double> const *c, *u, *p;
        ab::combination<2> weights(ab::guidance_point const& at, ab::inner_products_and_sums<2> const& m) const
        {
            auto const part = [&](std::vector<double> const& v) {
                return std::vector<double>(v.begin() + static_cast<std::ptrdiff_t>(300 * at.row),
                                           v.begin() + static_cast<std::ptrdiff_t>(300 * (at.row + 1)));
            };
            auto const C = part(*c), D = support::mixed(1, C, -1, part(*u)), E = support::mixed(1, C, -1, part(*p));
            CHECK(at.batch == 2);
            CHECK(at.step == 3);
            CHECK(m.n == 300);
            CHECK(m.dot(0, 0) == doctest::Approx(support::dot(C, C)).epsilon(1e-13));
            CHECK(m.dot(1, 0) == doctest::Approx(support::dot(C, D)).epsilon(1e-13));
            CHECK(m.dot(0, 2) == doctest::Approx(support::dot(C, E)).epsilon(1e-13));
            CHECK(m.dot(2, 1) == doctest::Approx(support::dot(D, E)).epsilon(1e-13));
            CHECK(m.dot(2, 2) == doctest::Approx(support::dot(E, E)).epsilon(1e-13));
            auto const g = support::mixed(1, support::mixed(2, C, -3, D), 0.5, E);
            double const deviation = support::deviation(g);
            CHECK(m.spread({2, {-3, 0.5}}) == doctest::Approx(299 * deviation * deviation).epsilon(1e-12));
            return {2, {-3, 0.5}};
        }
    };
    auto const c = prediction(0, 2, 300), u = prediction(1, 2, 300), p = prediction(2, 2, 300);
    auto const got = guided(spy{&c, &u, &p}, {.step = 3}, 2, c, u, p);
    for (std::size_t i = 0; i < got.size(); ++i)
        CHECK(got[i] == doctest::Approx(2 * c[i] - 3 * (c[i] - u[i]) + 0.5 * (c[i] - p[i])).epsilon(1e-14));
}

TEST_CASE("a scale for each sample: as each sample alone")
{
    auto const c = prediction(0, 3, 40), u = prediction(1, 3, 40);
    std::vector<double> const scales{1.0, 4.0, -2.5};
    auto const check = [&](auto rule) {
        rule.scale = scales;
        auto const got = guided(rule, {.step = 1}, 3, c, u);
        for (std::size_t r = 0; r < 3; ++r) {
            auto const part = [&](std::vector<double> const& v) {
                return std::vector<double>(v.begin() + static_cast<std::ptrdiff_t>(40 * r),
                                           v.begin() + static_cast<std::ptrdiff_t>(40 * (r + 1)));
            };
            auto one = rule;
            one.scale = scales[r];
            CHECK(part(got) == guided(one, {.step = 1}, 1, part(c), part(u)));
        }
        rule.scale = std::span(scales).first(2);
        CHECK_THROWS_WITH_AS(guided(rule, 3, c, u), doctest::Contains("scale is 2 numbers"), std::invalid_argument);
        rule.scale = std::numeric_limits<double>::infinity();
        CHECK_THROWS_WITH_AS(guided(rule, {.step = 1}, 3, c, u), doctest::Contains(": scale is inf; it must be finite"),
                             std::invalid_argument);
    };
    check(ab::classifier_free{});
    check(ab::zero_star{});
    check(ab::tangential{});
    check(ab::magnitude_aware{});
    check(ab::adaptive_projected{});
}

TEST_CASE("in place, of either prediction; on threads with the same bits; as Eigen arrays")
{
    std::size_t const n = 40000;
    ab::shape const s{3, n};
    for_each_rule([&](auto const& rule) {
        auto const c = prediction(0, 3, n), u = prediction(1, 3, n);
        auto const want = guided(rule, 3, c, u);
        auto in_c = c, in_u = u, out = std::vector<double>(c.size());
        ab::guide(rule, ab::view(in_c, s), ab::view(in_c, s), ab::view(u, s));
        ab::guide(rule, ab::view(in_u, s), ab::view(c, s), ab::view(in_u, s));
        CHECK(in_c == want);
        CHECK(in_u == want);
        for (std::size_t const threads : support::lengths(1, 2, 3)) {
            ab::thread_team team(threads);
            auto const to = ab::view(out, s), first = ab::view(in_c, s);
            in_c = c;
            ab::guide(rule, ab::on_threads(to, team), ab::on_threads(first, team), ab::view(u, s));
            CHECK(out == want);
        }
        using array = Eigen::Map<Eigen::ArrayXXd const>;
        Eigen::ArrayXXd columns(static_cast<Eigen::Index>(n), 3);
        ab::guide(rule, columns, array(c.data(), columns.rows(), 3), array(u.data(), columns.rows(), 3));
        CHECK(std::equal(want.begin(), want.end(), columns.data()));
    });
}

TEST_CASE("float, and 16-bit numbers that are stored only")
{
    for_each_rule([&](auto const& rule) {
        auto const c = prediction(0, 2, 700), u = prediction(1, 2, 700);
        auto const want = guided(rule, 2, c, u);
        auto const check = [&]<class T>(T, double tolerance) {
            std::vector<T> cs, us, out(c.size());
            for (std::size_t i = 0; i < c.size(); ++i) {
                cs.push_back(static_cast<T>(static_cast<float>(c[i])));
                us.push_back(static_cast<T>(static_cast<float>(u[i])));
            }
            ab::guide(rule, ab::view(out, {2, 700}), ab::view(cs, {2, 700}), ab::view(us, {2, 700}));
            std::vector<double> got;
            for (T const& v : out)
                got.push_back(static_cast<double>(static_cast<float>(v)));
            CHECK(error(got, want) < tolerance);
        };
        check(float{}, 3e-6);
        check(Eigen::half{}, 2e-2);
        check(Eigen::bfloat16{}, 1.5e-1);
    });
}

TEST_CASE("empty batches, empty samples, zeros and NaN")
{
    std::vector<double> const none, zeros(12, 0.0);
    for_each_rule([&](auto const& rule) {
        std::vector<double> out;
        ab::guide(rule, ab::view(out, {0, 7}), ab::view(none, {0, 7}), ab::view(none, {0, 7}));
        ab::guide(rule, ab::view(out, {3, 0}), ab::view(none, {3, 0}), ab::view(none, {3, 0}));
        CHECK(guided(rule, 2, zeros, zeros) == zeros);
        auto c = prediction(0, 2, 6);
        auto const want = guided(rule, 2, c, zeros);
        for (double v : want)
            CHECK(std::isfinite(v));
        c[1] = std::numeric_limits<double>::quiet_NaN(); // stays in its sample
        auto const got = guided(rule, 2, c, zeros);
        CHECK(std::equal(got.begin() + 6, got.end(), want.begin() + 6));
        CHECK(std::isnan(got[1]));
    });
}

TEST_CASE("bad calls write nothing")
{
    auto const c = prediction(0, 2, 6), u = prediction(1, 2, 6);
    std::vector<double> out(12, 5.0), average(12, 6.0);
    for_each_rule([&](auto const& rule) {
        CHECK_THROWS_AS(ab::guide(rule, ab::view(out, {2, 6}), ab::view(c, {2, 6}), ab::view(u, {3, 4})),
                        std::invalid_argument);
        CHECK_THROWS_AS(ab::guide(rule, ab::view(out, {3, 4}), ab::view(c, {2, 6}), ab::view(u, {2, 6})),
                        std::invalid_argument);
        CHECK_THROWS_AS(ab::guide(rule, std::span(out).subspan(1, 6), std::span(out).first(6), std::span(u).first(6)),
                        std::invalid_argument);
    });
    ab::adaptive_projected rule{.momentum = -0.5};
    auto const to = ab::view(out, {2, 6}), memory = ab::view(average, {2, 6});
    CHECK_THROWS_AS(ab::guide(rule, to, ab::view(c, {2, 6}), ab::view(u, {2, 6})), std::invalid_argument);
    rule.scale = std::numeric_limits<double>::quiet_NaN();
    CHECK_THROWS_AS(ab::guide(rule, std::tie(to, memory), ab::view(c, {2, 6}), ab::view(u, {2, 6})),
                    std::invalid_argument);
    rule.scale = 2.0;
    CHECK_THROWS_AS(ab::guide(rule, std::tie(to, to), ab::view(c, {2, 6}), ab::view(u, {2, 6})), std::invalid_argument);
    CHECK(out == std::vector<double>(12, 5.0));
    CHECK(average == std::vector<double>(12, 6.0));
}
