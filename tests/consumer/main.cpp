// SPDX-License-Identifier: MIT
// The smallest program that uses the installed library: a sampler's plan, printed.
#include <alphabar/alphabar.hpp>

#include <cstdio>

int main()
{
    auto const diffusion = alphabar::gaussian_diffusion(alphabar::linear_betas(1000));
    auto const plan = alphabar::dpmpp_2m(diffusion, alphabar::karras_grid(20));
    std::printf("%zu stages\n", plan.stages.size());
    return plan.stages.size() == 20 ? 0 : 1;
}
