// SPDX-License-Identifier: MIT
// To make a picture again one needs the noise it was made of. Each source of noise is a value that a sampler takes.
#include <alphabar/alphabar.hpp>

#include <cmath>
#include <cstdio>
#include <vector>

namespace ab = alphabar;

namespace {

/// A sampler with noise in every step, started from the source's own x_T; the "network" knows data from N(0, 1).
template <class Noise>
double first_element(char const* name, Noise noise)
{
    ab::shape const latent{1, 4, 64, 64};
    ab::variance_exploding const path{0.03, 14.6};
    auto const plan = ab::euler_ancestral(path, ab::karras_grid(20), {.network = {.predicts = ab::prediction::x_0}});
    ab::drawn_tensor<float> x = noise.initial();
    for (float& value : x.values)
        value *= static_cast<float>(plan.initial_scale);
    ab::sample(plan, ab::view(x.values, latent), noise, [](auto const& input, double sigma, auto& output) {
        for (std::size_t i = 0; i < input.shape.size(); ++i)
            output.data[i] = static_cast<float>(input.data[i] / (1 + sigma * sigma));
    });
    std::printf("%-44s %9.6f\n", name, x.values[0]);
    return x.values[0];
}

} // namespace

int main()
{
    ab::shape const latent{1, 4, 64, 64};
    // torch.Generator("cpu").manual_seed(42), and the same on an A100
    double const cpu = first_element("torch, CPU", ab::torch_cpu_noise(ab::torch_cpu_generator(42), latent));
    first_element("torch, A100", ab::torch_cuda_noise(ab::torch_cuda_generator(42, ab::cuda_devices::a100), latent));
    // numpy.random.default_rng(42), jax.random.key(42)
    first_element("NumPy", ab::numpy_noise(ab::numpy::generator<>(42), latent));
    first_element("JAX", ab::jax_noise(ab::jax::generator(42), latent));
    // "Seed: 42, Variation seed: 7, Variation seed strength: 0.2, ENSD: 31337" of the Stable Diffusion WebUI
    first_element(
        "WebUI with a variation seed",
        ab::webui_noise<>({.seeds = {42}, .subseeds = {7}, .subseed_strength = 0.2, .eta_noise_seed_delta = 31337},
                          latent));
    double const again = first_element("torch, CPU, again", ab::torch_cpu_noise(ab::torch_cpu_generator(42), latent));
    return cpu == again && std::abs(cpu - -0.3089) < 1e-4 ? 0 : 1; // what the same loop in torch 2.13 prints
}
