// SPDX-License-Identifier: MIT
#include <alphabar/sampler/pass.hpp>

#include <alphabar/noise/stream.hpp>

#include <doctest/doctest.h>

#include <support/reference_sampler.hpp>

#include <cmath>
#include <cstring>
#include <limits>

namespace ab = alphabar;

namespace {

ab::noise_field const noise = ab::noise_stream{5}(ab::purpose::sampler, 1);

/// Runs every pass of random plans twice, with the host's loop and element by element: the same bits.
template <class T, class Output>
void compare(std::uint32_t seeds)
{
    using C = ab::compute_t<T>;
    constexpr std::size_t rows = 2, size = 700; // more than a piece, ragged
    std::size_t passes = 0;
    for (std::uint32_t seed = 1; seed <= seeds; ++seed) {
        ab::plan const plan = support::random_plan(seed, seed);
        ab::lowered_plan const lowered = ab::lower(plan);
        for (std::size_t s = 0; s < lowered.stages(); ++s) {
            ab::bound_pass<C> const p = ab::bind_pass<C>(lowered.pass(s, 0));
            std::vector<std::vector<T>> fast(lowered.registers(), std::vector<T>(rows * size));
            for (std::size_t r = 0; r < fast.size(); ++r)
                for (std::size_t i = 0; i < rows * size; ++i)
                    fast[r][i] = ab::narrow<T>(static_cast<C>(std::sin(0.7 * static_cast<double>(i + 31 * r))));
            std::vector<Output> output(rows * size * plan.heads);
            for (std::size_t i = 0; i < output.size(); ++i)
                output[i] = static_cast<Output>(0.5 + 0.4 * std::sin(0.3 * static_cast<double>(i)));
            std::vector<T> data(rows * size), mask(rows * size);
            for (std::size_t i = 0; i < data.size(); ++i) {
                data[i] = ab::narrow<T>(static_cast<C>(0.01) * static_cast<C>(i % 50));
                mask[i] = ab::narrow<T>(static_cast<C>(i % 2));
            }
            auto slow = fast;
            auto const arrays_over = [&](auto& registers) {
                ab::pass_arrays<T, Output> a;
                for (std::size_t r = 0; r < registers.size(); ++r)
                    a.array[r] = registers[r].data();
                a.output = output.data();
                a.data = data.data();
                a.mask = mask.data();
                a.rows = rows;
                a.row_size = size;
                a.heads = plan.heads;
                return a;
            };
            auto const fast_arrays = arrays_over(fast);
            auto const slow_arrays = arrays_over(slow);
            C thresholds[rows] = {};
            ab::noise_field const* const source = &noise;
            ab::run_stage(ab::host_space{}, &p, true, fast_arrays, ab::row_noise<ab::noise_field>{&source, nullptr},
                          thresholds);
            for (std::size_t row = 0; row < rows; ++row)
                for (std::size_t i = 0; i < size; ++i)
                    p.element(slow_arrays, row, i, static_cast<C>(noise(row, i)), thresholds[row]);
            for (std::size_t r = 0; r < fast.size(); ++r)
                REQUIRE(std::memcmp(fast[r].data(), slow[r].data(), rows * size * sizeof(T)) == 0);
            ++passes;
        }
    }
    CHECK(passes > seeds);
}

} // namespace

TEST_CASE("the loop has the bits of the element: double") { compare<double, double>(400); }
TEST_CASE("the loop has the bits of the element: float") { compare<float, float>(400); }
TEST_CASE("the loop has the bits of the element: float with a double output") { compare<float, double>(100); }
#if defined(ALPHABAR_HAS_FLOAT16)
TEST_CASE("the loop has the bits of the element: _Float16") { compare<_Float16, _Float16>(200); }
#endif

TEST_CASE("deviations: the exponential of a logarithm, the root of a variance, NaN of a negative one")
{
    constexpr std::size_t size = 70; // 70 = 64 + 6: blocks and single elements
    std::vector<float> heads(2 * size);
    for (std::size_t i = 0; i < size; ++i)
        heads[size + i] = i % 7 == 3 ? -0.25f : 0.01f * static_cast<float>(i * i);
    for (auto const what : {ab::noise_spread::kind::variance, ab::noise_spread::kind::log_variance}) {
        using namespace ab::slots;
        ab::stage s;
        s.x = 1.0 * x + 1.0 * z;
        s.spread = ab::noise_spread{.what = what};
        ab::plan plan{{s}};
        plan.heads = 2;
        auto const p = ab::bind_pass<float>(ab::lower(plan).pass(0, 0));
        std::vector<float> state(size);
        ab::pass_arrays<float, float> a;
        a.array[0] = state.data();
        a.output = heads.data();
        a.rows = 1, a.row_size = size, a.heads = 2;
        ab::noise_field const* const source = &noise;
        ab::run_stage(ab::host_space{}, &p, true, a, ab::row_noise<ab::noise_field>{&source, nullptr},
                      static_cast<float*>(nullptr));
        for (std::size_t i = 0; i < size; ++i) {
            double const head = static_cast<double>(heads[size + i]), drawn = static_cast<double>(noise(0, i));
            if (what == ab::noise_spread::kind::log_variance)
                CHECK(state[i] == doctest::Approx(std::exp(head / 2) * drawn).epsilon(3e-7));
            else if (head < 0)
                CHECK(std::isnan(state[i]));
            else
                CHECK(state[i] == std::sqrt(heads[size + i]) * noise(0, i));
        }
    }
}

TEST_CASE("a row that does not read an array is not touched by its NaN")
{
    using namespace ab::slots;
    ab::stage first, second;
    first.x = 1.0 * x + 0.5 * F() + 0.25 * m();
    second.x = 1.0 * x + 0.5 * m(1);
    auto const p = ab::bind_pass<float>(ab::lower(ab::plan{{first, second}}).pass(0, 0));
    REQUIRE(p.rows_written == 2); // x' reads x and F, the memory F only
    std::vector<float> state(100, std::numeric_limits<float>::quiet_NaN()), other(100), output(100, 2.0f);
    ab::pass_arrays<float, float> a;
    a.array[0] = state.data();
    a.array[1] = other.data();
    a.output = output.data();
    a.rows = 1;
    a.row_size = 100;
    ab::noise_field const* const source = &noise;
    ab::run_stage(ab::host_space{}, &p, true, a, ab::row_noise<ab::noise_field>{&source, nullptr},
                  static_cast<float*>(nullptr));
    for (std::size_t i = 0; i < 100; ++i) {
        CHECK(std::isnan(a.array[p.rows[0].target][i]));
        CHECK(a.array[p.rows[1].target][i] == 2.0f);
    }
}
