// SPDX-License-Identifier: MIT
#include <alphabar/denoiser/classic.hpp>
#include <alphabar/denoiser/trainer.hpp>
#include <alphabar/denoiser/unet.hpp>
#include <alphabar/io/idx.hpp>

#include <doctest/doctest.h>

#include <support/allocations.hpp>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <stdexcept>
#include <vector>

namespace {

using namespace alphabar;

// Sanitizers are slow.
#if defined(__SANITIZE_ADDRESS__)
#define ALPHABAR_TEST_SLOW
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define ALPHABAR_TEST_SLOW
#endif
#endif

using floats = std::vector<float>;

/// Stripes, in one of ten places.
struct toy {
    explicit toy(std::size_t side) : images(20 * side * side), labels(20)
    {
        for (std::size_t i = 0; i < images.size(); ++i) {
            std::size_t const image = i / (side * side);
            labels[image] = static_cast<std::uint8_t>(image % 10);
            images[i] = i % side == image % 10 % side ? 1.0f : -1.0f;
        }
    }
    floats images;
    std::vector<std::uint8_t> labels;
    training_set set() const { return {images, labels}; }
};

std::vector<floats> state(trainer<unet<float>>& t)
{
    std::vector<floats> all;
    for (auto const s : {t.parameters(), t.averaged(), t.first_moment(), t.second_moment()})
        all.emplace_back(s.begin(), s.end());
    return all;
}

} // namespace

TEST_CASE("any number of threads gives the same bits")
{
    toy const data(12);
    for (std::size_t const batch : {1u, 5u, 10u}) {
        recipe const r{.steps = 6, .batch = batch};
        trainer one(unet<float>(12), r, {8}, 1);
        std::vector<double> losses;
        while (one.steps_done() < r.steps)
            losses.push_back(one.step(data.set()));
        for (std::size_t const threads : {2u, 3u, 4u, 7u}) {
            trainer several(unet<float>(12), r, {8}, threads);
            for (double const loss : losses)
                CHECK(several.step(data.set()) == loss);
            CHECK(state(several) == state(one));
        }
        trainer other(unet<float>(12), r, {9}, 1);
        CHECK(other.step(data.set()) != losses[0]);
    }
}

TEST_CASE("a step and a prediction allocate nothing, with one thread and with several")
{
    toy const data(12);
    for (std::size_t const threads : {1u, 3u}) {
        trainer t(unet<float>(12), {.steps = 5, .batch = 10}, {8}, threads);
        trainer classic_t(classic<float>(12), {.steps = 5, .batch = 10}, {8}, threads);
        floats x(20 * 144, 0.5f), out(x.size());
        std::vector<condition> const c(20);
        std::size_t const before = support::allocations;
        for (int i = 0; i < 3; ++i) {
            t.step(data.set());
            classic_t.step(data.set());
            t.network().predict(t.averaged(), x, c, out);
            classic_t.network().predict(classic_t.averaged(), x, c, out);
        }
        CHECK(support::allocations == before);
    }
    std::size_t const before = support::allocations;
    std::vector<int> const one(1);
    CHECK(support::allocations > before); // it does count
}

TEST_CASE("a prediction does not depend on the rest of its batch")
{
    denoiser<unet<float>> d(unet<float>(8), 3);
    floats p(d.net().parameters().total()), x(19 * 64), out(x.size()), alone(64);
    noise_stream const noise{2};
    noise(purpose::test, 0).fill(0, 0, p);
    for (float& v : p)
        v *= 0.1f;
    noise(purpose::test, 1).fill(0, 0, x);
    std::vector<condition> c(19);
    for (std::size_t i = 0; i < 19; ++i)
        c[i] = {0.2 * static_cast<double>(i), static_cast<int>(i % 10)};
    d.predict(p, x, c, out);
    for (std::size_t i = 0; i < 19; ++i) {
        d.predict(p, std::span(x).subspan(i * 64, 64), std::span(c).subspan(i, 1), alone);
        CHECK(std::equal(alone.begin(), alone.end(), &out[i * 64]));
    }
}

TEST_CASE("a stopped training resumes with the same bits")
{
    toy const data(8);
    recipe const r{.steps = 9, .batch = 6};
    trainer whole(unet<float>(8), r, {1}), first(unet<float>(8), r, {1}), second(unet<float>(8), r, {1});
    while (whole.steps_done() < 9)
        whole.step(data.set());
    while (first.steps_done() < 4)
        first.step(data.set());
    auto const saved = state(first);
    std::copy(saved[0].begin(), saved[0].end(), second.parameters().begin());
    std::copy(saved[1].begin(), saved[1].end(), second.averaged().begin());
    std::copy(saved[2].begin(), saved[2].end(), second.first_moment().begin());
    std::copy(saved[3].begin(), saved[3].end(), second.second_moment().begin());
    second.resume(4);
    while (second.steps_done() < 9)
        second.step(data.set());
    CHECK(state(second) == state(whole));
}

TEST_CASE("it overfits one small batch")
{
    toy const data(8);
    trainer t(unet<float>(8), {.steps = 400, .batch = 4}, {1});
    floats x(4 * 64), target(data.images.begin(), data.images.begin() + 4 * 64);
    noise_stream{1}(purpose::test, 0).fill(0, 0, x);
    std::vector<condition> const c{{0, 1}, {0.5, 2}, {-1, 3}, {1, no_label}};
    double const before = t.step(x, c, target);
    double after = 0;
    while (t.steps_done() < 400)
        after = t.step(x, c, target);
    CHECK(before == doctest::Approx(1)); // the output begins at 0
    CHECK(after < 1e-4);
}

TEST_CASE("the loss on real digits follows the recorded curve")
{
    auto const folder = std::filesystem::path(__FILE__).parent_path() / "../../examples/mnist/data";
    auto const images = read_idx<std::uint8_t>(folder / "train-images-idx3-ubyte.gz");
    auto const labels = read_idx<std::uint8_t>(folder / "train-labels-idx1-ubyte.gz");
    floats pixels(8000 * 784);
    for (std::size_t i = 0; i < pixels.size(); ++i)
        pixels[i] = static_cast<float>(images.elements[i]) / 127.5f - 1;
    training_set const digits{pixels, std::span(labels.elements).first(8000)};

    // The recorded curve: PyTorch, 1 TFLOP, without clipping (it lowers the first window by 5 %), means over the 33
    // steps that end there. One seed's mean spreads by 3.5 % in the first window, 2.5 % at 165 and 1 to 2 % later.
    struct window {
        std::size_t end;
        double recorded;
        std::size_t seeds; ///< how many are averaged here
    };
#if defined(ALPHABAR_TEST_SLOW)
    constexpr window curve[] = {{33, 1.28, 2}};
#else
    constexpr window curve[] = {{33, 1.28, 4},   {165, 0.29, 4},  {297, 0.247, 4},
                                {561, 0.222, 2}, {957, 0.199, 2}, {1353, 0.190, 2}};
#endif
    double sums[std::size(curve)] = {};
    for (std::size_t seed = 0; seed < curve[0].seeds; ++seed) {
        trainer t(unet<float>(), {.steps = 1357, .clip = INFINITY}, {seed + 1}, 2);
        for (std::size_t i = 0; i < std::size(curve) && seed < curve[i].seeds; ++i)
            while (t.steps_done() < curve[i].end)
                if (double const loss = t.step(digits); t.steps_done() + 33 > curve[i].end)
                    sums[i] += loss;
    }
    for (std::size_t i = 0; i < std::size(curve); ++i) {
        CAPTURE(curve[i].end);
        CHECK(sums[i] / static_cast<double>(33 * curve[i].seeds) == doctest::Approx(curve[i].recorded).epsilon(0.03));
    }
}

TEST_CASE("bad recipes and bad data are refused")
{
    toy const data(8);
    auto const start = [](recipe const& r) { trainer<unet<float>>(unet<float>(8), r, {1}); };
    CHECK_THROWS_WITH_AS(start({}), doctest::Contains("trainer: steps is 0; it must lie in"), std::invalid_argument);
    CHECK_THROWS_AS(start({.steps = 1, .batch = 0}), std::invalid_argument);
    CHECK_THROWS_AS(start({.steps = 1, .peak_rate = std::nan("")}), std::invalid_argument);
    CHECK_THROWS_AS(start({.steps = 1, .beta2 = 1}), std::invalid_argument);
    CHECK_THROWS_AS(start({.steps = 1, .drop_label = 1.5}), std::invalid_argument);
    trainer t(unet<float>(8), {.steps = 2, .batch = 2}, {1});
    auto const before = state(t);
    CHECK_THROWS_AS(t.step(training_set{}), std::invalid_argument);
    CHECK_THROWS_AS(t.step(training_set{data.images, std::span(data.labels).first(3)}), std::invalid_argument);
    CHECK_THROWS_AS(t.resume(3), std::invalid_argument);
    CHECK(state(t) == before);
    t.step(data.set());
    t.step(data.set());
    CHECK_THROWS_WITH_AS(t.step(data.set()), doctest::Contains("the recipe has no more"), std::invalid_argument);
}
