// SPDX-License-Identifier: MIT
// A path, a level, a noisy vector: x_t = alpha x_0 + sigma eps.
#include <alphabar/alphabar.hpp>

#include <cstdio>
#include <vector>

namespace ab = alphabar;

int main()
{
    auto const diffusion = ab::gaussian_diffusion(ab::linear_betas(1000));
    ab::noise_stream const noise{.seed = 1};
    std::vector<float> const x_0(8, 1.0f);
    std::vector<float> x_t(8);
    for (std::size_t t : {0u, 250u, 500u, 999u}) {
        std::vector<std::size_t> const times{t}; // one time a sample: a vector is one sample
        ab::q_sample(diffusion, x_0, times, noise(ab::purpose::training, 0), x_t);
        std::printf("t = %3zu, alpha_bar = %.4f:", t, diffusion.alpha_bar(t));
        for (float v : x_t)
            std::printf(" %6.2f", static_cast<double>(v));
        std::printf("\n");
    }
}
