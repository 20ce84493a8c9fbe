// SPDX-License-Identifier: MIT
#include <alphabar/noise/brownian.hpp>

#include <alphabar/grid/sigmas.hpp>
#include <alphabar/sampler/euler.hpp>
#include <alphabar/sampler/executor.hpp>
#include <alphabar/sampler/sample.hpp>
#include <alphabar/sampler/two_stage.hpp>
#include <alphabar/schedule/paths.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <random>
#include <stdexcept>
#include <type_traits>
#include <vector>

namespace ab = alphabar;

static_assert(ab::generator<ab::brownian_increment> && std::is_trivially_copyable_v<ab::brownian_increment>);
static_assert(ab::sampling_noise<ab::brownian_noise>);

namespace {

constexpr ab::noise_stream stream{.seed = 42};

std::vector<float> values(ab::brownian_increment const& w, std::size_t n, std::size_t row = 0)
{
    std::vector<float> out(n);
    w.fill(row, 0, out);
    return out;
}

double mean_product(std::vector<float> const& a, std::vector<float> const& b)
{
    double sum = 0;
    for (std::size_t i = 0; i < a.size(); ++i)
        sum += double(a[i]) * b[i];
    return sum / static_cast<double>(a.size());
}

} // namespace

TEST_CASE("the first nodes by hand")
{
    ab::brownian_path const path(stream, 0, 16, 2); // halved at 16 / 2^4 = 1
    std::vector<std::vector<float>> z(4, std::vector<float>(9));
    for (std::uint32_t node = 0; node < 4; ++node)
        stream(ab::purpose::path, node).fill(3, 0, z[node]);
    auto const whole = values(path.increment(0, 16), 9, 3), middle = values(path.increment(0, 1), 9, 3),
               later = values(path.increment(0, 8.5), 9, 3);
    for (std::size_t i = 0; i < 9; ++i) {
        CHECK(whole[i] == 4 * z[0][i]);
        CHECK(std::abs(middle[i] - (z[0][i] / 4 + std::sqrt(15.0 / 16) * z[1][i])) < 1e-6);
        CHECK(std::abs(later[i] -
                       (8.5 / 4 * z[0][i] + std::sqrt(15.0 / 16) * z[1][i] / 2 + std::sqrt(3.75) * z[3][i])) < 2e-6);
    }
}

TEST_CASE("the variance of an increment is the length of its interval, exactly")
{
    std::mt19937 random(1);
    std::uniform_real_distribution<double> times(0.03, 14.6);
    for (unsigned levels : {1u, 2u, 7u, 14u, 24u}) {
        ab::brownian_path const path(stream, 0.03, 14.6, levels);
        auto const leaf = [&](double t) {
            return std::floor(std::ldexp(std::pow((t - 0.03) / (14.6 - 0.03), 0.25), static_cast<int>(levels) - 1));
        };
        for (int i = 0; i < 300; ++i) {
            double const a = times(random), b = times(random), variance = path.increment(a, b).variance();
            CHECK(variance <= std::abs(b - a) * (1 + 1e-6));
            if (leaf(a) != leaf(b))
                CHECK(std::abs(variance / std::abs(b - a) - 1) < 1e-6);
        }
        CHECK(std::abs(path.increment(0.03, 14.6).variance() / (14.6 - 0.03) - 1) < 1e-6);
        CHECK(path.increment(1, 1).variance() == 0);
    }
    ab::variance_exploding const ve{};
    ab::grid const g = ab::make_grid(ve, ab::karras_grid(1000));
    ab::brownian_path const path(stream, 0, 80);
    for (std::size_t i = 0; i + 1 < 1000; ++i) // every step of it is resolved
        CHECK(std::abs(path.increment(g.times[i], g.times[i + 1]).variance() / (g.times[i] - g.times[i + 1]) - 1) <
              1e-6);
}

TEST_CASE("W(a, c) = W(a, b) + W(b, c), W(a, b) = -W(b, a); any order, any split, no dependence on what else was asked")
{
    ab::brownian_path const path(stream, 0, 80);
    std::size_t const n = 1000;
    for (auto [a, b, c] :
         {std::array{0.0, 0.5, 80.0}, {80.0, 79.999, 3.0}, {0.002, 0.0021, 0.0022}, {40.0, 20.0, 60.0}}) {
        auto const ab_ = values(path.increment(a, b), n), bc = values(path.increment(b, c), n),
                   ac = values(path.increment(a, c), n), ba = values(path.increment(b, a), n);
        for (std::size_t i = 0; i < n; ++i) {
            CHECK(std::abs(ab_[i] + bc[i] - ac[i]) < 1e-6 * std::sqrt(std::abs(a - b) + std::abs(b - c)));
            CHECK(ab_[i] == -ba[i]);
        }
    }
    // rows and pieces
    auto const w = path.normal(80, 3);
    auto const second = values(w, n, 1);
    CHECK(values(ab::brownian_path(stream, 0, 80, 14, 1).normal(80, 3), n) == second);
    std::vector<float> piece(200);
    w.fill(1, 333, piece);
    CHECK(std::equal(piece.begin(), piece.end(), second.begin() + 333));
    for (std::size_t i = 0; i < n; ++i)
        CHECK(w(1, i) == second[i]);
}

TEST_CASE("increments are normal: covariance of W(s), W(t) is min(s, t); separate ones are independent")
{
    ab::brownian_path const path(stream, 0, 1);
    std::size_t const n = 200000;
    double const error = 5 / std::sqrt(double(n));
    auto const s = values(path.increment(0, 0.3), n), t = values(path.increment(0, 0.71), n),
               st = values(path.increment(0.3, 0.71), n), z = values(path.normal(0.3, 0.7101), n);
    CHECK(std::abs(mean_product(s, s) - 0.3) < error * 0.3 * std::sqrt(2.0));
    CHECK(std::abs(mean_product(s, t) - 0.3) < error * std::sqrt(0.3 * 0.71 + 0.09));
    CHECK(std::abs(mean_product(s, st)) < error * std::sqrt(0.3 * 0.41));
    std::vector<float> squares(n), ones(n, 1.0f);
    for (std::size_t i = 0; i < n; ++i)
        squares[i] = z[i] * z[i];
    CHECK(std::abs(mean_product(z, ones)) < error);
    CHECK(std::abs(mean_product(z, z) - 1) < error * std::sqrt(2.0));
    CHECK(std::abs(mean_product(squares, squares) - 3) < error * std::sqrt(96.0));
    // other purposes and seeds share nothing with it
    std::vector<float> other(n);
    stream(ab::purpose::sampler, 1).fill(0, 0, other);
    CHECK(std::abs(mean_product(t, other)) < error);
    CHECK(std::abs(mean_product(t, values(ab::brownian_path({43}, 0, 1).increment(0, 0.71), n))) < error);
}

TEST_CASE("a plan's stages: from the first call of the step to the next call")
{
    ab::variance_exploding const ve{};
    ab::plan const p = ab::dpmpp_sde(ve, ab::karras_grid(4));
    ab::brownian_path const path(stream, 0, 80);
    ab::brownian_noise const noise(path, p, [](double t) { return t; });
    CHECK(p.stages[0].ends_step == false); // two calls in a step
    CHECK(values(noise(p.stages[0].noise), 50) == values(path.normal(p.stages[0].time, p.stages[1].time), 50));
    CHECK(values(noise(p.stages[1].noise), 50) == values(path.normal(p.stages[0].time, p.stages[2].time), 50));
    CHECK(values(noise(p.stages[3].noise), 50) == values(path.normal(p.stages[2].time, p.stages[4].time), 50));
    // where the anchor keeps the noise before it, from call to call
    ab::plan const seeds = ab::runge_kutta(ve, ab::karras_grid(4), {.methods = {ab::dpm_3s()}, .tau = 1.0});
    ab::brownian_noise const of_seeds(path, seeds, [](double t) { return t; });
    for (std::size_t i = 0; i < 9; ++i)
        CHECK(values(of_seeds(seeds.stages[i].noise), 50) ==
              values(path.normal(seeds.stages[i].time, seeds.stages[i + 1].time), 50));
    CHECK_THROWS_WITH_AS(noise(12345), "alphabar::brownian_noise: the noise index is 12345; the plan has no such draw",
                         std::invalid_argument);
    CHECK_THROWS_AS(ab::brownian_noise(ab::brownian_path(stream, 0, 50), p, [](double t) { return t; }),
                    std::invalid_argument);
    ab::plan churned;
    churned.stages = {{.x = 1.0 * ab::slots::x, .churn = ab::stage::churn_map{1, 1}}};
    CHECK_THROWS_AS(ab::brownian_noise(path, churned, [](double t) { return t; }), std::invalid_argument);
}

TEST_CASE("runs with more and more steps follow one path: they come together, as with fresh noise they do not")
{
    ab::variance_exploding const ve{0.02, 10};
    std::size_t const n = 500;
    auto const network = [](auto const& x, double sigma, auto& x_0) { // data are N(0, 1)
        for (std::size_t i = 0; i < x.shape.size(); ++i)
            x_0.data[i] = static_cast<float>(x.data[i] / (1 + sigma * sigma));
    };
    auto const run = [&](std::size_t steps, bool on_path) {
        std::vector<float> x(n);
        stream(ab::purpose::initial, 0).fill(0, 0, x);
        for (float& v : x)
            v *= 10;
        ab::plan const p =
            ab::euler_ancestral(ve, ab::karras_grid(steps), {.network = {.predicts = ab::prediction::x_0}});
        ab::brownian_noise const noise(ab::brownian_path(stream, 0, 10), p, [](double sigma) { return sigma; });
        if (on_path)
            ab::sample(p, x, noise, network);
        else
            ab::sample(p, x, stream, network);
        return x;
    };
    auto const distance = [&](std::vector<float> const& a, std::vector<float> const& b) {
        double sum = 0;
        for (std::size_t i = 0; i < n; ++i)
            sum += (double(a[i]) - b[i]) * (double(a[i]) - b[i]);
        return std::sqrt(sum / static_cast<double>(n));
    };
    auto const fine = run(2048, true);
    double const far = distance(run(64, true), fine), near = distance(run(512, true), fine);
    CHECK(far < 0.3);
    CHECK(near < far / 3);
    CHECK(distance(run(512, false), fine) > 1);
    double square = 0; // the samples are those of the data
    for (float v : fine)
        square += double(v) * v / static_cast<double>(n);
    CHECK(std::abs(square - 1) < 5 * std::sqrt(2.0 / static_cast<double>(n)));
}

TEST_CASE("arguments that are refused")
{
    CHECK_THROWS_WITH_AS(ab::brownian_path(stream, 1, 1),
                         "alphabar::brownian_path: high is 1; it must be finite and above low", std::invalid_argument);
    CHECK_THROWS_AS(ab::brownian_path(stream, 0, INFINITY), std::invalid_argument);
    CHECK_THROWS_AS(ab::brownian_path(stream, NAN, 1), std::invalid_argument);
    CHECK_THROWS_AS(ab::brownian_path(stream, 0, 1, 25), std::invalid_argument);
    CHECK_THROWS_AS(ab::brownian_path(stream, 0, 1, 0), std::invalid_argument);
    ab::brownian_path const path(stream, 0, 1);
    CHECK_THROWS_WITH_AS(path.increment(0, 2), "alphabar::brownian_path: a time is 2; it must lie in [0, 1]",
                         std::invalid_argument);
    CHECK_THROWS_AS(path.increment(NAN, 1), std::invalid_argument);
    CHECK_THROWS_AS(path.normal(0.5, 0.5), std::invalid_argument);
}
