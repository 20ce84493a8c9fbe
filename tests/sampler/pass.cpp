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

TEST_CASE("the float exponential")
{
    double worst = 0;
    for (double v = -87.0; v < 88.0; v += 0.00137) {
        auto const f = static_cast<float>(v);
        double const exact = std::exp(static_cast<double>(f));
        worst = std::max(worst, std::fabs(static_cast<double>(ab::exp_of(f)) / exact - 1));
    }
    CHECK(worst < 1.5e-7);
    CHECK(ab::exp_of(0.0f) == 1.0f);
    CHECK(ab::exp_of(-std::numeric_limits<float>::infinity()) == 0.0f);
    CHECK(std::isinf(ab::exp_of(std::numeric_limits<float>::infinity())));
    CHECK(std::isnan(ab::exp_of(std::numeric_limits<float>::quiet_NaN())));
}
