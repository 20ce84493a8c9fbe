// SPDX-License-Identifier: MIT
#include <alphabar/sampler/exponential.hpp>

#include "support/exact_phi.hpp"

#include <doctest/doctest.h>

#include <array>
#include <cmath>
#include <limits>
#include <random>
#include <stdexcept>
#include <vector>

using namespace alphabar;
using support::big, support::exact_phi;

namespace {

double const infinity = std::numeric_limits<double>::infinity();

double relative(double got, big want) { return static_cast<double>(abs(big(got) - want) / abs(want)); }

// The moment equations by Gaussian elimination with 50 digits.
std::vector<big> exact_weights(std::vector<big> const& u, std::vector<big> I)
{
    std::size_t const n = u.size();
    std::vector<std::vector<big>> A(n, std::vector<big>(n, big(1)));
    for (std::size_t k = 1; k < n; ++k)
        for (std::size_t j = 0; j < n; ++j)
            A[k][j] = A[k - 1][j] * u[j];
    for (std::size_t c = 0; c < n; ++c) {
        std::size_t pivot = c;
        for (std::size_t r = c; r < n; ++r)
            if (abs(A[r][c]) > abs(A[pivot][c]))
                pivot = r;
        std::swap(A[c], A[pivot]);
        std::swap(I[c], I[pivot]);
        for (std::size_t r = 0; r < n; ++r)
            if (r != c) {
                big const f = A[r][c] / A[c][c];
                for (std::size_t j = c; j < n; ++j)
                    A[r][j] -= f * A[c][j];
                I[r] -= f * I[c];
            }
    }
    for (std::size_t j = 0; j < n; ++j)
        I[j] /= A[j][j];
    return I;
}

noise_level vp(double lambda) { return variance_preserving_level(std::exp(-lambda)); }

} // namespace

TEST_CASE("weights agree with elimination in 50 digits, for 1 to 5 nodes and h from 1e-3 to 6")
{
    std::mt19937_64 engine(1);
    std::uniform_real_distribution<double> gap(0.4, 2.0);
    double worst = 0.0;
    for (double h : {1e-3, 0.02, 0.3, 1.0, 6.0})
        for (double K : {-1.0, 0.0, 1.0, 1.3, 2.0})
            for (std::size_t n = 1; n <= 5; ++n)
                for (bool corrects : {false, true}) {
                    std::vector<double> nodes{0.0};
                    while (nodes.size() < n)
                        nodes.push_back(nodes.back() - h * gap(engine));
                    if (corrects)
                        nodes.insert(nodes.begin(), h), nodes.pop_back();
                    transition const step{1.0, 1.0, 0.0, K, h, 1.0};
                    node_values const moment = moments(step, n), w = weights(nodes, std::span(moment).first(n));
                    std::vector<big> u, I;
                    big factorial = 1;
                    for (std::size_t k = 0; k < n; ++k) {
                        u.emplace_back(nodes[k]);
                        factorial *= k ? k : 1;
                        I.push_back(factorial * pow(big(h), static_cast<int>(k + 1)) *
                                    exact_phi(static_cast<unsigned>(k + 1), -big(K) * h));
                    }
                    std::vector<big> const want = exact_weights(u, I);
                    for (std::size_t j = 0; j < n; ++j)
                        worst = std::max(worst, relative(w[j], want[j]));
                }
    MESSAGE("worst relative error " << worst);
    CHECK(worst < 2e-14);
}

TEST_CASE("a transition composes: two steps are one, with memories constant")
{
    for (double tau : {0.0, 0.4, 1.0})
        for (memory_form form : {memory_form::x_0, memory_form::epsilon, memory_form::rho}) {
            noise_level const s = vp(-1.0), u = vp(0.3), t = vp(1.1);
            double const strength = form == memory_form::rho ? 0.0 : tau;
            transition const one = make_transition(s, t, form, strength), first = make_transition(s, u, form, strength),
                             second = make_transition(u, t, form, strength);
            CHECK(second.a * first.a == doctest::Approx(one.a).epsilon(1e-14));
            auto const drift = [](transition const& x) { return x.b * moments(x, 1)[0]; };
            CHECK(second.a * drift(first) + drift(second) == doctest::Approx(drift(one)).epsilon(1e-13));
            CHECK(second.a * second.a * first.c * first.c + second.c * second.c ==
                  doctest::Approx(one.c * one.c).epsilon(1e-13));
        }
}

TEST_CASE("a transition carries alpha x_0 + sigma eps along where both are constant")
{
    // m = x_0: mean alpha' x_0, and sigma'^2 = a^2 sigma^2 + c^2
    for (double tau : {0.0, 0.7, 1.0}) {
        noise_level const s = vp(-2.0), t = vp(0.5);
        transition const x_0 = make_transition(s, t, memory_form::x_0, tau);
        CHECK(x_0.a * s.alpha + x_0.b * moments(x_0, 1)[0] == doctest::Approx(t.alpha).epsilon(1e-14));
        CHECK(x_0.a * x_0.a * s.sigma * s.sigma + x_0.c * x_0.c == doctest::Approx(t.sigma * t.sigma).epsilon(1e-14));
    }
    noise_level const s = vp(-2.0), t = vp(0.5);
    for (memory_form form : {memory_form::epsilon, memory_form::rho}) {
        transition const e = make_transition(s, t, form);
        CHECK(e.a * s.alpha == doctest::Approx(t.alpha).epsilon(1e-15));
        CHECK(e.a * s.sigma + e.b * moments(e, 1)[0] == doctest::Approx(t.sigma).epsilon(1e-13));
    }
    noise_level const f{0.3, 0.7}, g{0.8, 0.2};
    transition const v = make_transition(f, g, memory_form::velocity);
    CHECK(v.a * f.sigma + v.b * moments(v, 1)[0] ==
          doctest::Approx(g.sigma)); // velocity = eps - x_0 = 1 where x_0 = 0, eps = 1
}

TEST_CASE("sigma = 0 and alpha = 0 are limits")
{
    noise_level const clean{1.0, 0.0}, pure{0.0, 1.0};
    std::vector<double> const now{0.0};
    for (double tau : {0.0, 1.0}) {
        transition const end = make_transition(vp(3.0), clean, memory_form::x_0, tau),
                         near = make_transition(vp(3.0), vp(30.0), memory_form::x_0, tau);
        CHECK(end.a == 0.0);
        CHECK(end.c == 0.0);
        CHECK(integral(end, now)[0] == 1.0);
        CHECK(integral(near, now)[0] == doctest::Approx(1.0));
        transition const begin = make_transition(pure, vp(-1.0), memory_form::x_0, tau),
                         late = make_transition(vp(-30.0), vp(-1.0), memory_form::x_0, tau);
        CHECK(begin.a == doctest::Approx(late.a));
        CHECK(begin.c == doctest::Approx(late.c));
        CHECK(integral(begin, now)[0] == doctest::Approx(integral(late, now)[0]));
        CHECK(integral(begin, std::vector<double>{infinity, 0.0}) == node_values{vp(-1.0).alpha});
    }
    // epsilon to sigma = 0, with one and with three memories: the limit of sigma' -> 0
    for (std::size_t n : {1u, 3u}) {
        std::vector<double> const nodes{0.0, -0.7, -1.1};
        node_values const at_end =
            integral(make_transition(vp(1.0), clean, memory_form::epsilon), std::span(nodes).first(n));
        node_values const near =
            integral(make_transition(vp(1.0), vp(60.0), memory_form::epsilon), std::span(nodes).first(n));
        for (std::size_t j = 0; j < n; ++j)
            CHECK(at_end[j] == doctest::Approx(near[j]).epsilon(1e-13));
    }
}

TEST_CASE("a node infinitely far away has weight 0 and leaves the others a rule of their own number")
{
    transition const step = make_transition(vp(-1.0), vp(-0.5), memory_form::x_0);
    node_values const with = integral(step, std::vector<double>{0.0, -0.4, -infinity}),
                      without = integral(step, std::vector<double>{0.0, -0.4});
    CHECK(with == without);
}

TEST_CASE("the rules change one moment")
{
    using two = moment_rule::two_nodes;
    using three = moment_rule::three_nodes;
    transition const step = make_transition(vp(0.0), vp(0.5), memory_form::x_0);
    node_values const I = moments(step, 3);
    auto const changed = [&](moment_rule rule, std::size_t n) {
        node_values J = I;
        rule(std::span(J).first(n), step);
        return J;
    };
    CHECK(changed({}, 3) == I);
    CHECK(changed({.two = two::midpoint}, 2)[1] == 0.25 * I[0]);
    CHECK(changed({.two = two::flat}, 2)[1] == doctest::Approx(0.125));
    CHECK(changed({.two = two::flat}, 3) == I);
    CHECK(changed({.three = three::half_curvature}, 3)[2] == I[2] / 2);
    CHECK(changed({.three = three::wrong_constant}, 3)[2] == doctest::Approx(I[2] / 2 - 0.25));
}

TEST_CASE("a node infinitely far away counts for the rule: the limit of nodes that go there")
{
    using two = moment_rule::two_nodes;
    transition const step = make_transition(vp(0.5), vp(0.9), memory_form::x_0);
    for (moment_rule rule : {moment_rule{}, moment_rule{.two = two::midpoint}, moment_rule{.two = two::flat}}) {
        node_values const limit = integral(step, std::array{step.h, 0.0, -infinity}, rule);
        node_values const far = integral(step, std::array{step.h, 0.0, -1e9}, rule);
        CHECK(limit[0] == doctest::Approx(far[0]).epsilon(1e-8));
        CHECK(limit[1] == doctest::Approx(far[1]).epsilon(1e-8));
        CHECK(limit[2] == 0.0);
    }
}

TEST_CASE("an infinite step with a node at its end: the limit of long steps, with the midpoint rule, too")
{
    noise_level const pure{0.0, 1.0}, nearly{1e-12, 1.0}, to = vp(0.3);
    moment_rule const midpoint{.two = moment_rule::two_nodes::midpoint};
    transition const step = make_transition(pure, to, memory_form::x_0);
    transition const long_one = make_transition(nearly, to, memory_form::x_0);
    node_values const w = integral(step, std::array{step.h, 0.0}, midpoint);
    node_values const want = integral(long_one, std::array{long_one.h, 0.0}, midpoint);
    CHECK(w[0] == doctest::Approx(want[0]).epsilon(1e-9));
    CHECK(w[1] == doctest::Approx(want[1]).epsilon(1e-9));
    CHECK(integral(step, std::array{step.h, 0.0})[0] == doctest::Approx(to.alpha));
    CHECK(integral(step, std::array{step.h, 0.0})[1] == 0.0);
}

TEST_CASE("what has no limit is said")
{
    noise_level const clean{1.0, 0.0}, pure{0.0, 1.0};
    CHECK_THROWS_WITH_AS(make_transition(pure, vp(0.0), memory_form::epsilon),
                         "alphabar::make_transition: sigma / alpha is inf; a step from alpha = 0 remembers x_0, one "
                         "from sigma = 0 epsilon or rho",
                         std::invalid_argument);
    CHECK_THROWS_AS(make_transition(pure, vp(0.0), memory_form::rho), std::invalid_argument);
    CHECK_THROWS_AS(make_transition(vp(0.0), clean, memory_form::epsilon, 1.0), std::invalid_argument);
    transition const step = make_transition(vp(0.0), vp(1.0), memory_form::x_0),
                     end = make_transition(vp(0.0), clean, memory_form::x_0);
    CHECK_THROWS_WITH_AS(integral(step, std::vector<double>{0.0, -0.5, -0.5}),
                         "alphabar::weights: a node is -0.5; the levels that a step remembers must differ",
                         std::invalid_argument);
    CHECK_THROWS_AS(integral(end, std::vector<double>{0.0, -0.5}), std::invalid_argument);
    CHECK_THROWS_AS(integral(step, std::vector<double>{}), std::invalid_argument);
    CHECK_THROWS_AS(integral(step, std::vector<double>(9, 0.0)), std::invalid_argument);
}
