// SPDX-License-Identifier: MIT
#include <alphabar/process/manifold.hpp>

#include <alphabar/backends/span.hpp>
#include <alphabar/grid/spacing.hpp>
#include <alphabar/sampler/sample.hpp>
#include <alphabar/sampler/sde.hpp>
#include <alphabar/schedule/paths.hpp>
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <numbers>
#include <span>
#include <stdexcept>
#include <vector>

using namespace alphabar;
using doctest::Approx;

namespace {

using point = std::vector<double>;
constexpr double pi = std::numbers::pi;

void check_near(point const& a, point const& b, double tolerance = 1e-14)
{
    REQUIRE(a.size() == b.size());
    for (std::size_t i = 0; i < a.size(); ++i)
        CHECK(std::abs(a[i] - b[i]) <= tolerance);
}

/// Geodesics have constant speed, their slope is the derivative, and the logarithm leads to where they go.
template <class Manifold>
void check_geodesics(Manifold const& manifold, point x, point u)
{
    manifold.project(x);
    manifold.project_tangent(x, u);
    std::size_t const d = x.size();
    point y(d), w(d), back(d), after(d), before(d), unused(d);
    manifold.geodesic(x, u, 0.0, y, w);
    check_near(y, x);
    check_near(w, u);
    manifold.geodesic(x, u, 1.0, y, w);
    double speed = 0, speed_there = 0;
    for (std::size_t i = 0; i < d; ++i)
        speed += u[i] * u[i], speed_there += w[i] * w[i];
    CHECK(speed_there == Approx(speed));
    CHECK(manifold.distance(x, y) == Approx(std::sqrt(speed)));
    CHECK(manifold.distance(y, x) == Approx(std::sqrt(speed)));
    manifold.logarithm(x, y, back);
    check_near(back, u, 1e-13);
    double const h = 1e-5;
    manifold.geodesic(x, u, 0.7 + h, after, unused);
    manifold.geodesic(x, u, 0.7 - h, before, unused);
    manifold.geodesic(x, u, 0.7, y, w);
    for (std::size_t i = 0; i < d; ++i)
        CHECK((after[i] - before[i]) / (2 * h) == Approx(w[i]).epsilon(1e-8));
    point projected = y, tangent = w;
    manifold.project(projected);
    manifold.project_tangent(y, tangent);
    check_near(projected, y);
    check_near(tangent, w);
}

} // namespace

TEST_CASE("geodesics of the sphere and the torus")
{
    check_geodesics(sphere{}, {0.3, -1.2, 0.5, 0.9}, {0.4, 0.2, -0.3, 0.7});
    check_geodesics(sphere{}, {2.0, 0.0}, {0.0, 3.0}); // nearly half round
    check_geodesics(flat_torus{}, {0.3, 6.1, 4.0}, {1.4, -0.6, 2.9});
}

TEST_CASE("the sphere: a quarter of the way round, and the limits")
{
    sphere const s;
    point y(3), w(3);
    s.geodesic(point{1, 0, 0}, point{0, pi / 2, 0}, 1.0, y, w);
    check_near(y, {0, 1, 0});
    check_near(w, {-pi / 2, 0, 0});
    s.geodesic(point{1, 0, 0}, point{0, 0, 0}, 1.0, y, w);
    check_near(y, {1, 0, 0}, 0.0);
    check_near(w, {0, 0, 0}, 0.0);
    point u(3);
    s.logarithm(y, y, u);
    check_near(u, {0, 0, 0}, 0.0);
    CHECK(s.distance(point{1, 0, 0}, point{std::cos(1e-9), std::sin(1e-9), 0}) == Approx(1e-9)); // acos would give 0
    CHECK(s.distance(point{1, 0}, point{-1, 0}) == Approx(pi));
    CHECK_THROWS_AS(s.logarithm(point{1, 0}, point{-1, 0}, u), std::invalid_argument);
    double const third = 1 / std::sqrt(3.0); // opposite within rounding only
    point v(3);
    CHECK_THROWS_AS(s.logarithm(point{third, third, third}, point{-third, -third, -third}, v), std::invalid_argument);
    CHECK_THROWS_AS(s.project(point{0, 0}), std::invalid_argument);
}

TEST_CASE("the torus: the short way round")
{
    flat_torus const t;
    point x{-1e-20, -pi / 2, 7 * pi};
    t.project(x);
    check_near(x, {0, 1.5 * pi, pi}, 1e-14);
    point u(1);
    for (int k = 1; k < 200000; k += 7) { // just below a whole turn
        point below{std::nextafter(2 * pi * k, 0.0)};
        t.project(below);
        if (below[0] < 0 || below[0] >= 2 * pi)
            FAIL_CHECK(below[0]);
    }
    t.logarithm(point{0.1}, point{2 * pi - 0.1}, u);
    CHECK(u[0] == Approx(-0.2));
}

TEST_CASE("floats")
{
    std::vector<float> x{3.0f, -4.0f}, u{0.4f, 0.3f}, y(2), w(2), back(2);
    sphere{}.project(x);
    sphere{}.project_tangent(x, u);
    sphere{}.geodesic(x, u, 1.0, y, w);
    sphere{}.logarithm(x, y, back);
    CHECK(back[0] == Approx(u[0]).epsilon(1e-6));
    CHECK(sphere{}.distance(x, y) == Approx(0.5).epsilon(1e-6));
    flat_torus{}.geodesic(x, u, 20.0, y, w);
    flat_torus{}.logarithm(y, x, back);
    CHECK(y[0] >= 0.0f);
    CHECK(back[0] == Approx(2 * pi - 20 * 0.4).epsilon(1e-5));
}

TEST_CASE("a plan on the sphere: a rotation, to the solver's order")
{
    // the network's x' = x + angle (-x_1, x_0, 0), made tangent: from noise to data it turns x about the third axis
    sphere const s;
    double const angle = 2.0, c = std::cos(angle), d = std::sin(angle);
    auto const error = [&](std::size_t n) {
        point state{0.6, 0.0, 0.8, 0.0, 1.0, 0.0};
        point const want{0.6 * c, 0.6 * d, 0.8, -d, c, 0.0};
        plan const p = sde(rectified_flow{}, trailing_grid(n),
                           {.network = {.predicts = prediction::velocity, .output_scale = -1},
                            .method = res_2s(),
                            .diffusion = [](double) { return 0.0; },
                            .end = sde_end::noisy});
        auto const network = [&](auto const& input, double, auto& output) {
            for (std::size_t i = 0; i < 6; i += 3) {
                std::span<double const> const x(input.data + i, 3);
                std::span<double> const u(output.data + i, 3);
                u[0] = x[0] - angle * x[1];
                u[1] = x[1] + angle * x[0];
                u[2] = x[2];
                s.project_tangent(x, u);
            }
        };
        auto const after = [&](std::size_t, auto const& now) {
            for (std::size_t i = 0; i < 6; i += 3)
                s.project(std::span(now.data + i, 3));
        };
        sample(p, view(state, shape{2, 3}), noise_stream{}, network, after);
        double worst = 0;
        for (std::size_t i = 0; i < 6; ++i)
            worst = std::max(worst, std::abs(state[i] - want[i]));
        return worst;
    };
    CHECK(error(16) < 0.01);
    CHECK(std::log2(error(64) / error(128)) == Approx(2.0).epsilon(0.05));
}
