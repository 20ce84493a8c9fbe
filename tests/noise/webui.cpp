// SPDX-License-Identifier: MIT
// The numbers are those of the WebUI's algorithm (modules/rng.py), restated in Python on torch 2.13.
#include <alphabar/noise/webui.hpp>

#include <alphabar/sampler/executor.hpp>

#include <doctest/doctest.h>

#include <cmath>
#include <stdexcept>
#include <vector>

namespace ab = alphabar;

namespace {

static_assert(ab::sampling_noise<ab::webui_noise<>>);
ab::shape const latents{2, 4, 6, 5};

/// Elements 0, 1, the middle one and the last, and the sum of i z_i.
void check(ab::drawn_tensor<float> const& t, std::vector<double> const& expected)
{
    auto const& z = t.values;
    double sum = 0;
    for (std::size_t i = 0; i < z.size(); ++i)
        sum += static_cast<double>(i + 1) * z[i];
    CHECK(t.shape == latents);
    CHECK(std::abs(z[0] - expected[0]) < 1e-6);
    CHECK(std::abs(z[1] - expected[1]) < 1e-6);
    CHECK(std::abs(z[z.size() / 2] - expected[2]) < 1e-6);
    CHECK(std::abs(z.back() - expected[3]) < 1e-6);
    CHECK(std::abs(sum - expected[4]) < 1e-3);
}

} // namespace

TEST_CASE("NV: variation seeds (a missing one is 0) and the eta noise seed delta")
{
    ab::webui_noise<> noise(
        {.seeds = {11, 12}, .subseeds = {99}, .subseed_strength = 0.3, .eta_noise_seed_delta = 31337}, latents);
    check(noise.initial(),
          {-0.7303500175476074, -0.7217397689819336, -1.5670157670974731, -0.18819311261177063, 1311.6874928027391});
    check(noise(0),
          {-1.3531113862991333, -0.21498708426952362, 0.2805275022983551, 0.07995887845754623, -6052.810036098701});
    check(noise(1),
          {0.5030554533004761, -1.1221493482589722, -1.3433805704116821, 0.38230329751968384, 1443.5592016652226});
}

TEST_CASE("NV: seeds resized from a latent that is higher and narrower; a subseed that is the seed")
{
    ab::webui_noise<> noise({.seeds = {11, 12}, .resize_height = 9, .resize_width = 3}, latents);
    check(noise.initial(),
          {-0.11997534334659576, 0.7063891887664795, -0.5630403161048889, -0.23757123947143555, 2456.0544917611696});
    check(noise(0),
          {-1.2766629457473755, 0.3435945510864258, -0.5737645626068115, -0.524529218673706, -2981.775562244933});
    ab::webui_noise<> same({.seeds = {11, 12}, .subseeds = {11, 12}, .subseed_strength = 0.4}, latents);
    check(same.initial(),
          {-0.11997534334659576, -0.7125494480133057, -0.5630403161048889, -0.23757123947143555, 1268.054111261852});
}

TEST_CASE("torch's CPU source")
{
    using cpu = ab::webui_noise<ab::torch_cpu_generator>;
    cpu noise({.seeds = {11, 12}, .subseeds = {99}, .subseed_strength = 0.3, .eta_noise_seed_delta = 31337}, latents);
    check(noise.initial(),
          {-0.4258539378643036, -0.857839822769165, -0.8404344916343689, 1.682080864906311, -877.0979289188981});
    check(noise(1),
          {1.1074473857879639, -0.8063709139823914, -0.5569282174110413, 0.18858134746551514, -3450.6185187227093});
    cpu resized({.seeds = {11, 12}, .resize_height = 9, .resize_width = 3}, latents);
    check(resized.initial(),
          {-0.5107975602149963, 0.14210453629493713, -0.13201288878917694, 1.975974202156067, -4701.369073902257});
}

TEST_CASE("a source that needs more than a seed")
{
    ab::webui_noise<ab::torch_cuda_generator> gpu({.seeds = {0, 1}}, {2, 1, 3, 4}, [](std::uint64_t seed) {
        return ab::torch_cuda_generator(seed, ab::cuda_devices::a100);
    });
    CHECK(std::abs(gpu.initial().values[0] - -0.9246625f) < 1e-6);
}

TEST_CASE("slerp keeps the length of unit vectors and meets its ends")
{
    std::vector<float> const a{1, 0, 0}, b{0, 0.6f, 0.8f};
    for (double t : {0.0, 0.25, 1.0}) {
        std::vector<float> x = a;
        ab::webui_slerp(t, x, b, 1, 3, 1);
        CHECK(std::abs(std::hypot(x[0], x[1], x[2]) - 1) < 1e-6);
        CHECK(std::abs(x[0] - std::cos(t * std::acos(0.0))) < 1e-6);
    }
    std::vector<float> x = a;
    CHECK_THROWS_AS(ab::webui_slerp(0.5, x, b, 2, 3, 1), std::invalid_argument);
}

TEST_CASE("arguments that are refused")
{
    CHECK_THROWS_WITH_AS(
        ab::webui_noise<>({.seeds = {1}}, latents),
        "alphabar::webui_noise: the number of seeds is 1; there must be one for each picture of the batch",
        std::invalid_argument);
    CHECK_THROWS_AS(ab::webui_noise<>({.seeds = {1, 2}}, {2, 120}), std::invalid_argument);
    std::size_t const half = std::size_t{1} << 32; // whose square is 0
    CHECK_THROWS_AS(ab::webui_noise<>({.seeds = {1, 2}, .resize_height = half, .resize_width = half}, latents),
                    std::invalid_argument);
}
