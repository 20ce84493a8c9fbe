// SPDX-License-Identifier: MIT
#include <alphabar/sampler/executor.hpp>

#include <alphabar/backends/threads.hpp>

#include <doctest/doctest.h>

#include <support/allocations.hpp>
#include <support/reference_sampler.hpp>

#include <cmath>
#include <limits>
#include <string>
#include <thread>

namespace ab = alphabar;

namespace {

constexpr std::size_t batch = 3, size = 90;
ab::shape const sample_shape{batch, 2, size / 2};
ab::noise_stream const stream{7};

template <class T>
std::vector<T> start(std::size_t n = batch * size)
{
    std::vector<T> x(n);
    for (std::size_t i = 0; i < n; ++i)
        x[i] = ab::narrow<T>(static_cast<ab::compute_t<T>>(std::sin(1.1 * static_cast<double>(i) + 0.5)));
    return x;
}

/// The stand-in network for tensors: `heads` arrays a sample.
template <class Call, class T>
void call_network(Call const& call, std::vector<T>& output, std::uint32_t heads, std::size_t sample_size = size)
{
    auto const in = ab::traits_of<decltype(call.input)>::elements(call.input);
    for (std::size_t r = 0; r < in.size() / sample_size; ++r)
        for (std::size_t h = 0; h < heads; ++h)
            for (std::size_t i = 0; i < sample_size; ++i)
                output[(r * heads + h) * sample_size + i] =
                    ab::narrow<T>(static_cast<ab::compute_t<T>>(support::network_element(
                        static_cast<double>(ab::widen(in[r * sample_size + i])), call.times[r], h, i)));
}

support::noise noise_of_row(std::size_t row)
{
    return [row](std::uint32_t index, std::size_t i) {
        return static_cast<double>(stream(ab::purpose::sampler, index)(row, i));
    };
}

support::known known_of_row(std::vector<double> const& data, std::vector<double> const& mask, std::size_t row)
{
    auto const cut = [&](std::vector<double> const& all) {
        return std::vector<double>(all.begin() + static_cast<std::ptrdiff_t>(row * size),
                                   all.begin() + static_cast<std::ptrdiff_t>((row + 1) * size));
    };
    return {cut(data), cut(mask)};
}

struct known_arrays {
    std::vector<double> data = std::vector<double>(batch * size), mask = std::vector<double>(batch * size);
    known_arrays()
    {
        for (std::size_t i = 0; i < data.size(); ++i) {
            data[i] = std::cos(0.3 * static_cast<double>(i));
            mask[i] = i % 3 == 0 ? 1.0 : 0.0;
        }
    }
};

template <class T>
std::vector<T> elements_of(ab::tensor_view<T> const& v)
{
    return {v.data, v.data + v.shape.size()};
}

/// Runs to the end; the states after every stage.
template <class T, class Executor>
std::vector<std::vector<T>> run_all(Executor& run, std::uint32_t heads)
{
    std::vector<std::vector<T>> states;
    std::vector<T> output(run.output_shape().size());
    for (;;) {
        while (run.take())
            states.push_back(elements_of<T>(run.state()));
        auto const call = run.next();
        if (!call)
            return states;
        call_network(call, output, heads);
        run.take(ab::view(output, run.output_shape()));
        states.push_back(elements_of<T>(run.state()));
    }
}

} // namespace

TEST_CASE("a lowered plan does what its slots say, for any plan")
{
    known_arrays const k;
    double worst = 0;
    std::size_t compared = 0;
    for (std::uint32_t seed = 1; seed <= 3000; ++seed) {
        ab::plan const p = support::random_plan(seed, seed + 100000);
        std::vector<double> x = start<double>();
        std::vector<double> const begin = x;
        auto const view = ab::view(x, sample_shape);
        ab::executor run(p, view, stream, ab::known(ab::view(k.data, sample_shape), ab::view(k.mask, sample_shape)));
        auto const states = run_all<double>(run, p.heads);
        REQUIRE(states.size() == p.stages.size());
        CHECK(states.back() == x);
        for (std::size_t row = 0; row < batch; ++row) {
            auto const expected =
                support::run(p,
                             {begin.begin() + static_cast<std::ptrdiff_t>(row * size),
                              begin.begin() + static_cast<std::ptrdiff_t>((row + 1) * size)},
                             support::network_with(p.heads), noise_of_row(row), known_of_row(k.data, k.mask, row));
            for (std::size_t s = 0; s < states.size(); ++s)
                for (std::size_t i = 0; i < size; ++i) {
                    worst = std::max(worst, std::fabs(states[s][row * size + i] - expected[s][i]));
                    ++compared;
                }
        }
        if (worst > 1e-12) {
            FAIL("seed " << seed << ": error " << worst);
        }
    }
    CHECK(compared > 1000000);
    MESSAGE("largest error " << worst << " in " << compared << " elements");
}

TEST_CASE("each sample may follow its own plan: the bits are those of the sample alone")
{
    known_arrays const k;
    for (std::uint32_t seed = 1; seed <= 500; ++seed) {
        std::vector<ab::plan> plans;
        for (std::uint32_t row = 0; row < batch; ++row)
            plans.push_back(support::random_plan(seed, 1000 * seed + row));
        std::vector<double> x = start<double>();
        std::vector<double> const begin = x;
        auto const view = ab::view(x, sample_shape);
        ab::executor run(plans, view, stream,
                         ab::known(ab::view(k.data, sample_shape), ab::view(k.mask, sample_shape)));
        auto const together = run_all<double>(run, plans[0].heads);
        for (std::size_t row = 0; row < batch; ++row) {
            auto const cut = [&](std::vector<double> const& all) {
                return std::vector<double>(all.begin() + static_cast<std::ptrdiff_t>(row * size),
                                           all.begin() + static_cast<std::ptrdiff_t>((row + 1) * size));
            };
            std::vector<double> alone = cut(begin);
            std::vector<double> const data = cut(k.data), mask = cut(k.mask);
            ab::shape const one{1, 2, size / 2};
            ab::executor single(
                plans[row], ab::view(alone, one),
                [row](std::uint32_t index) { return stream(ab::purpose::sampler, index, row); },
                ab::known(ab::view(data, one), ab::view(mask, one)));
            auto const states = run_all<double>(single, plans[0].heads);
            for (std::size_t s = 0; s < states.size(); ++s)
                REQUIRE(states[s] == cut(together[s]));
        }
    }
}

TEST_CASE("each sample may be at its own step of one plan")
{
    support::plan_features const can{.masks = false, .skips = false};
    std::size_t ran = 0;
    for (std::uint32_t seed = 1; seed <= 200; ++seed) {
        ab::plan const whole = support::random_plan(seed, seed, can, 0);
        std::vector<ab::plan> plans;
        for (std::size_t row = 0; row < batch; ++row) { // not plan_from, which refuses to leave an anchor out
            plans.push_back(whole);
            ab::number_draws(plans.back());
            auto& stages = plans.back().stages;
            stages.erase(stages.begin(),
                         stages.begin() + static_cast<std::ptrdiff_t>(std::min(row, stages.size() - 1)));
        }
        std::vector<double> x = start<double>();
        std::vector<double> const begin = x;
        ab::executor run(plans, ab::view(x, sample_shape), stream);
        run_all<double>(run, whole.heads);
        for (std::size_t row = 0; row < batch; ++row) {
            auto const expected = support::run(plans[row],
                                               {begin.begin() + static_cast<std::ptrdiff_t>(row * size),
                                                begin.begin() + static_cast<std::ptrdiff_t>((row + 1) * size)},
                                               support::network_with(whole.heads), noise_of_row(row));
            for (std::size_t i = 0; i < size; ++i)
                REQUIRE(x[row * size + i] == doctest::Approx(expected.back()[i]).epsilon(1e-12));
            ++ran;
        }
    }
    CHECK(ran == 600);
}

TEST_CASE("a run that was saved anywhere and restored elsewhere ends in the same bits")
{
    known_arrays const k;
    for (std::uint32_t seed = 1; seed <= 200; ++seed) {
        ab::plan const p = support::random_plan(seed, seed);
        auto const known = ab::known(ab::view(k.data, sample_shape), ab::view(k.mask, sample_shape));
        std::vector<double> x = start<double>(), output(batch * size * p.heads);
        auto const lowered = ab::lower(p);
        ab::executor run(lowered, ab::view(x, sample_shape), stream, known);
        std::vector<std::vector<std::byte>> saved;
        while (true) {
            saved.push_back(run.save());
            auto const call = run.next();
            saved.push_back(run.save());
            if (!call)
                break;
            call_network(call, output, p.heads);
            run.take(ab::view(output, run.output_shape()));
        }
        for (auto const& bytes : saved) {
            std::vector<double> again(batch * size, std::numeric_limits<double>::quiet_NaN());
            ab::executor resumed(lowered, ab::view(again, sample_shape), stream, known);
            resumed.restore(bytes);
            while (auto const call = resumed.next()) {
                call_network(call, output, p.heads);
                resumed.take(ab::view(output, resumed.output_shape()));
            }
            REQUIRE(again == x);
        }
        saved[0].pop_back();
        CHECK_THROWS_AS(run.restore(saved[0]), std::invalid_argument);
        CHECK_THROWS_AS(run.restore({}), std::invalid_argument);
    }
}

TEST_CASE_TEMPLATE("nothing is allocated after construction", T, float, double)
{
    for (std::uint32_t seed = 1; seed <= 300; ++seed) {
        ab::plan const p = support::random_plan(seed, seed, {.masks = false});
        std::vector<T> x = start<T>(), output(batch * size * p.heads);
        auto const view = ab::view(x, sample_shape);
        ab::executor run(p, view, stream);
        auto const shaped = ab::view(output, run.output_shape());
        std::size_t const before = support::allocations;
        while (auto const call = run.next()) {
            call_network(call, output, p.heads);
            run.take(shaped);
        }
        REQUIRE(support::allocations == before);
    }
}

TEST_CASE("work memory may be lent")
{
    for (std::uint32_t seed = 1; seed <= 100; ++seed) {
        ab::plan const p = support::random_plan(seed, seed, {.masks = false});
        auto const lowered = ab::lower(p);
        std::vector<float> x = start<float>(), y = x;
        std::vector<std::byte> work(ab::work_bytes<float>(lowered, sample_shape) + 3);
        ab::executor own(lowered, ab::view(x, sample_shape), stream);
        auto const expected = run_all<float>(own, p.heads);
        std::size_t const before = support::allocations;
        if (work.size() > 3) {
            ab::executor lent(lowered, ab::view(y, sample_shape), stream, std::span(work).subspan(3));
            CHECK(own.work_bytes() == work.size() - 3);
            CHECK(run_all<float>(lent, p.heads) == expected);
            CHECK_THROWS_WITH_AS(ab::executor(lowered, ab::view(y, sample_shape), stream, std::span(work).subspan(4)),
                                 doctest::Contains("the bytes of work is"), std::invalid_argument);
        }
        CHECK(support::allocations >= before);
    }
}

TEST_CASE("threads give the bits of one thread, and may share a lowered plan")
{
    ab::thread_team team(3);
    constexpr std::size_t large = 40000; // several chunks a sample, the last one ragged
    ab::shape const s{2, large};
    for (std::uint32_t seed = 1; seed <= 40; ++seed) {
        ab::plan const p = support::random_plan(seed, seed, {.masks = false});
        auto const lowered = ab::lower(p);
        auto const run_on = [&](auto const& x) {
            ab::executor run(lowered, x, stream);
            std::vector<float> output(2 * large * p.heads);
            while (auto const call = run.next()) {
                for (std::size_t i = 0; i < output.size(); ++i)
                    output[i] = 0.5f / (1.0f + call.input.data[i % (2 * large)] * call.input.data[i % (2 * large)]);
                run.take(ab::view(output, run.output_shape()));
            }
        };
        std::vector<float> alone = start<float>(2 * large), teamed = alone, other = alone;
        run_on(ab::view(alone, s));
        auto const view = ab::view(teamed, s);
        run_on(ab::on_threads(view, team));
        CHECK(alone == teamed);
        std::thread second([&] { run_on(ab::view(other, s)); });
        second.join();
        CHECK(alone == other);
    }
}

#if defined(ALPHABAR_HAS_FLOAT16)
TEST_CASE("16-bit elements: computed in float, rounded once a stage")
{
    for (std::uint32_t seed = 1; seed <= 200; ++seed) {
        ab::plan const p = support::random_plan(seed, seed, {.operations = false, .masks = false});
        std::vector<_Float16> x = start<_Float16>();
        std::vector<double> begin;
        for (_Float16 v : x)
            begin.push_back(static_cast<double>(v));
        ab::executor run(p, ab::view(x, sample_shape), stream);
        auto const states = run_all<_Float16>(run, p.heads);
        for (std::size_t row = 0; row < batch; ++row) {
            auto const expected = support::run(p,
                                               {begin.begin() + static_cast<std::ptrdiff_t>(row * size),
                                                begin.begin() + static_cast<std::ptrdiff_t>((row + 1) * size)},
                                               support::network_with(p.heads), noise_of_row(row));
            for (std::size_t s = 0; s < states.size(); ++s)
                for (std::size_t i = 0; i < size; ++i)
                    REQUIRE(std::fabs(static_cast<double>(states[s][row * size + i]) - expected[s][i]) < 2e-2);
        }
    }
}
#endif

TEST_CASE("the output may have another element type")
{
    namespace slots = ab::slots;
    ab::stage s;
    s.x = 0.5 * slots::x + 0.25 * slots::F();
    ab::plan const p{{s}};
    std::vector<double> state{1, 2, 3};
    ab::executor run(p, state, stream);
    run.next();
    run.take(std::vector<float>{4, 8, 12});
    CHECK(state == std::vector<double>{1.5, 3, 4.5});
}

TEST_CASE("noise is a stream, a callable that makes a tensor, or one that shows it")
{
    namespace slots = ab::slots;
    ab::stage s;
    s.x = 1.0 * slots::x + 2.0 * slots::z;
    s.noise = 5;
    ab::plan const p{{s}};
    std::vector<float> const zero(10, 0.0f), output(10, 0.0f);
    std::vector<float> noise(10);
    stream(ab::purpose::sampler, 5).fill(0, 0, noise);
    auto const run_with = [&](auto source) {
        std::vector<float> v = zero;
        ab::executor run(p, v, source);
        run.next();
        run.take(output);
        return v;
    };
    auto const expected = run_with(stream);
    CHECK(expected[3] == 2 * noise[3]);
    std::uint32_t asked = 0;
    CHECK(run_with([&](std::uint32_t index) {
              asked = index;
              return noise;
          }) == expected);
    CHECK(asked == 5);
    CHECK(run_with([&](std::uint32_t) -> std::vector<float> const& { return noise; }) == expected);
    CHECK(run_with([&](std::uint32_t) { return std::vector<double>(noise.begin(), noise.end()); }) == expected);
    CHECK(run_with([&](std::uint32_t index) { return stream(ab::purpose::sampler, index); }) == expected);
}

TEST_CASE("the executor says what is wrong, and has written nothing")
{
    namespace slots = ab::slots;
    ab::stage s;
    s.x = 1.0 * slots::x + 0.5 * slots::F() + 1.0 * slots::z;
    ab::plan const p{{s}};
    std::vector<float> v{1, 2, 3, 4};
    std::vector<float> const before = v, good(4, 1.0f);

    CHECK_THROWS_WITH_AS(ab::executor(ab::plan{}, v, stream),
                         "alphabar::lower: the plan is empty; it must have a stage", std::invalid_argument);
    CHECK_THROWS_WITH_AS(
        ab::executor(std::vector<ab::plan>(3, p), v, stream),
        "alphabar::executor: the number of plans is 3; there must be one, or one for each sample of the batch of 1",
        std::invalid_argument);
    ab::executor run(p, v, stream);
    CHECK_THROWS_WITH_AS(run.take(good), "alphabar::executor::take: the output is not asked for; call next() first",
                         std::invalid_argument);
    run.next();
    CHECK_THROWS_WITH_AS(run.take(),
                         "alphabar::executor::take: the output is missing; next() was called: this stage has a call",
                         std::invalid_argument);
    CHECK_THROWS_WITH_AS(run.take(std::vector<float>(5)),
                         "alphabar::executor::take: the shape of the output is [5]; it must be [4]",
                         std::invalid_argument);
    CHECK_THROWS_WITH_AS(run.take(v), doctest::Contains("it must lie apart from x"), std::invalid_argument);
    ab::executor wrong_noise(p, v, [](std::uint32_t) { return std::vector<float>(3); });
    wrong_noise.next();
    CHECK_THROWS_WITH_AS(wrong_noise.take(good), "alphabar::executor: the shape of the noise is [3]; it must be [4]",
                         std::invalid_argument);
    CHECK(v == before);
    run.take(good);
    CHECK_FALSE(run.next());
    CHECK_THROWS_AS(run.take(good), std::invalid_argument);

    s.masked = ab::row(slots::d);
    std::vector<float> const short_mask(3);
    CHECK_THROWS_WITH_AS(
        ab::executor(ab::plan{{s}}, v, stream),
        "alphabar::executor: known data is missing; a stage of this plan reads data or a mask: pass known(data, mask)",
        std::invalid_argument);
    CHECK_THROWS_WITH_AS(ab::executor(ab::plan{{s}}, v, stream, ab::known(good, short_mask)),
                         "alphabar::executor: the shape of the known mask is [3]; it must be [4]",
                         std::invalid_argument);
}

TEST_CASE("a NaN stays where it is")
{
    namespace slots = ab::slots;
    using kind = ab::x0_operation::kind;
    for (kind const what : {kind::none, kind::clip, kind::dynamic_threshold}) {
        ab::stage s;
        s.x = 0.5 * slots::x + 0.5 * slots::m();
        s.operation.what = what;
        std::vector<float> v(1000, 0.25f), output(1000, 0.5f);
        output[17] = std::numeric_limits<float>::quiet_NaN();
        ab::executor run(ab::plan{{s}}, v, stream);
        run.next();
        run.take(output);
        for (std::size_t i = 0; i < v.size(); ++i)
            REQUIRE(std::isnan(v[i]) == (i == 17));
    }
}

TEST_CASE("an empty batch runs")
{
    ab::plan const p = support::random_plan(3, 3, {.masks = false});
    std::vector<float> none;
    ab::shape const s{0, 3, 4};
    ab::executor run(p, ab::view(none, s), stream);
    std::size_t calls = 0;
    while (auto const call = run.next()) {
        ++calls;
        run.take(ab::view(none, run.output_shape()));
    }
    CHECK(calls > 0);
}

TEST_CASE("what the run writes lies apart from what it reads, and temporaries do not stand for plans")
{
    using namespace ab::slots;
    ab::plan p{{{.time = 1, .x = 0.5 * x + 0.5 * F(), .masked = ab::row(d)}}};
    std::vector<float> state(8, 1.0f), mask(8, 1.0f), data(8, 2.0f);
    ab::shape const s{8};
    CHECK_THROWS_AS(ab::executor(p, state, ab::noise_stream{}, ab::known(ab::view(state, s), ab::view(mask, s))),
                    std::invalid_argument);
    CHECK_THROWS_AS(ab::executor(p, state, ab::noise_stream{}, ab::known(ab::view(data, s), ab::view(state, s))),
                    std::invalid_argument);
    static_assert(!std::is_constructible_v<ab::executor<std::vector<float>, ab::noise_stream>, ab::lowered_plan,
                                           std::vector<float>&, ab::noise_stream>);
}

TEST_CASE("noise indices never repeat and stay below 2^24")
{
    using namespace ab::slots;
    ab::stage idle{.time = 0, .x = 0.5 * x + 0.5 * z};
    idle.calls = false;
    ab::plan p{std::vector<ab::stage>(64, idle)};
    CHECK_NOTHROW(ab::number_draws(p));
    ab::plan q{std::vector<ab::stage>(65, idle)};
    ab::number_draws(q); // 64 draws without a call count as one
    for (std::size_t i = 0; i < q.stages.size(); ++i)
        CHECK(q.stages[i].noise == i);
    p.stages[3].noise = 1u << 24;
    CHECK_THROWS_AS(ab::lower(p), std::invalid_argument);
    CHECK_THROWS_AS((void)m(256), std::invalid_argument);
    CHECK_THROWS_AS((void)F(256), std::invalid_argument);
}
