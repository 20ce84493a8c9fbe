// SPDX-License-Identifier: MIT
#include <alphabar/denoiser/classic.hpp>
#include <alphabar/denoiser/trainer.hpp>

#include <doctest/doctest.h>

#include <vector>

using namespace alphabar;

TEST_CASE("1-64-1: its parameters and its FLOP")
{
    classic<float> const net;
    CHECK(net.parameters().total() == 9 * 64 + 64 + 9 * 64 + 1);
    CHECK(net.forward_flop() == 2 * 2 * 9 * 64 * 28 * 28);
    CHECK(net.sample_size() == 784);
}

TEST_CASE("it learns to sharpen: a target that two convolutions can make")
{
    std::size_t const side = 9, batch = 6;
    trainer t(classic<float>(side), {.steps = 600}, {3}, 2);
    std::vector<float> x(side * side * batch), target(x.size());
    noise_stream{4}(purpose::test, 0).fill(0, 0, x);
    for (std::size_t i = 0; i < x.size(); ++i)
        target[i] = i % side == 0 ? x[i] : x[i] - x[i - 1]; // the difference with the left neighbour
    std::vector<condition> const conditions(batch);
    double const first = t.step(x, conditions, target);
    double last = 0;
    while (t.steps_done() < 600)
        last = t.step(x, conditions, target);
    CHECK(first > 1);
    CHECK(last < 0.003);
}
