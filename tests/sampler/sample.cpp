// SPDX-License-Identifier: MIT
#include <alphabar/sampler/sample.hpp>

#include <alphabar/backends/eigen.hpp>
#include <alphabar/backends/xtensor.hpp>

#include <doctest/doctest.h>

#include <support/reference_sampler.hpp>

#include <type_traits>

namespace ab = alphabar;

namespace {

ab::noise_stream const stream{3};

/// Any plan of one head without a mask.
ab::plan some_plan(std::uint32_t seed) { return support::random_plan(seed, seed, {.masks = false, .heads = false}); }

std::vector<double> start(std::size_t n)
{
    std::vector<double> x(n);
    for (std::size_t i = 0; i < n; ++i)
        x[i] = std::sin(1.1 * static_cast<double>(i) + 0.5);
    return x;
}

} // namespace

TEST_CASE("sample runs a plan to its end and shows the state after every stage")
{
    for (std::uint32_t seed = 1; seed <= 200; ++seed) {
        ab::plan const p = support::random_plan(seed, seed, {.masks = false});
        std::vector<double> x = start(50);
        std::vector<std::vector<double>> seen;
        ab::sample(
            p, x, stream,
            [&](auto const& input, double time, auto& output) {
                for (std::size_t h = 0; h < p.heads; ++h)
                    for (std::size_t i = 0; i < 50; ++i)
                        output.data[50 * h + i] = support::network_element(input.data[i], time, h, i);
            },
            [&](std::size_t stage, auto const& state) {
                CHECK(stage == seen.size());
                seen.emplace_back(state.data, state.data + 50);
            });
        auto const expected =
            support::run(p, start(50), support::network_with(p.heads), [](std::uint32_t index, std::size_t i) {
                return static_cast<double>(stream(ab::purpose::sampler, index)(0, i));
            });
        REQUIRE(seen.size() == expected.size());
        CHECK(seen.back() == x);
        for (std::size_t s = 0; s < seen.size(); ++s)
            for (std::size_t i = 0; i < 50; ++i)
                REQUIRE(seen[s][i] == doctest::Approx(expected[s][i]).epsilon(1e-12));
    }
}

TEST_CASE("the network of an Eigen user sees Maps, that of an xtensor user adaptors; the numbers are those of spans")
{
    for (std::uint32_t seed = 1; seed <= 30; ++seed) {
        ab::plan const p = some_plan(seed);
        std::vector<double> flat = start(12);
        ab::sample(p, ab::view(flat, {3, 4}), stream, [](auto const& input, double time, auto& output) {
            for (std::size_t i = 0; i < 12; ++i)
                output.data[i] = 0.5 * input.data[i] + 0.01 * time;
        });

        Eigen::ArrayXXd columns = Eigen::Map<Eigen::ArrayXXd>(start(12).data(), 4, 3);
        ab::sample(p, columns, stream, [](auto const& input, double time, auto& output) {
            static_assert(std::is_same_v<std::remove_cvref_t<decltype(output)>, Eigen::Map<Eigen::ArrayXXd>>);
            output = 0.5 * input + 0.01 * time;
        });
        CHECK(std::equal(flat.begin(), flat.end(), columns.data()));

        xt::xtensor<double, 2> grid = xt::adapt(start(12), std::vector<std::size_t>{3, 4});
        ab::sample(p, grid, stream,
                   [](auto const& input, double time, auto& output) { output = 0.5 * input + 0.01 * time; });
        CHECK(std::equal(flat.begin(), flat.end(), grid.data()));
    }
}

TEST_CASE("with a plan for each sample the network gets a time for each")
{
    namespace slots = ab::slots;
    ab::stage s;
    s.x = ab::row(slots::F());
    std::vector<ab::plan> plans;
    for (double time : {1.0, 5.0, 9.0}) {
        s.time = time;
        plans.push_back(ab::plan{{s}});
    }
    std::vector<float> x(6, 0.0f);
    ab::sample(plans, ab::view(x, {3, 2}), stream, [](auto const&, std::span<double const> times, auto& output) {
        for (std::size_t i = 0; i < 6; ++i)
            output.data[i] = static_cast<float>(times[i / 2]);
    });
    CHECK(x == std::vector<float>{1, 1, 5, 5, 9, 9});
}

TEST_CASE("a network of one time is not called for samples of different times")
{
    ab::plan p, q;
    p.stages = {{.time = 1.0, .x = ab::row(ab::slots::m(0))}};
    q.stages = {{.time = 2.0, .x = ab::row(ab::slots::m(0))}};
    auto const network = [](auto const&, double, auto&) {};
    std::vector<double> x(2);
    ab::sample(std::vector{p, p}, ab::view(x, {2, 1}), stream, network);
    CHECK_THROWS_WITH_AS(ab::sample(std::vector{p, q}, ab::view(x, {2, 1}), stream, network),
                         doctest::Contains("a sample's time is 2"), std::invalid_argument);
}

TEST_CASE("known data reaches the masked elements")
{
    namespace slots = ab::slots;
    ab::stage s;
    s.x = 2.0 * slots::x;
    s.masked = 1.0 * slots::d + 1.0 * slots::x;
    std::vector<float> x_0{1, 2, 3};
    std::vector<float> const data{10, 20, 30}, mask{0, 1, 0};
    ab::sample(ab::plan{{s}}, x_0, stream, [](auto&&...) {}, ab::known(data, mask));
    CHECK(x_0 == std::vector<float>{2, 22, 6});
}

TEST_CASE("draw_initial fills x with the plan's scale times the stream's own noise")
{
    std::vector<float> x(100), z_of(100);
    ab::draw_initial(ab::plan{{}, 14.5}, stream, x);
    stream(ab::purpose::initial, 0).fill(0, 0, z_of);
    for (std::size_t i = 0; i < 100; ++i)
        CHECK(x[i] == 14.5f * z_of[i]);
}
