// not with: -Ofast
// SPDX-License-Identifier: MIT
//
// Prints one line of hashes of noise that promises its bits: Brownian increments, and torch's and NumPy's normals.
#include <alphabar/noise/brownian.hpp>
#include <alphabar/noise/numpy.hpp>
#include <alphabar/noise/torch_cpu.hpp>

#include <bit>
#include <cinttypes>
#include <cstdio>
#include <vector>

namespace ab = alphabar;

int main()
{
    auto const print = [](std::vector<float> const& z) {
        std::uint64_t hash = 0xcbf29ce484222325; // FNV-1a over 32-bit words
        for (float x : z)
            hash = (hash ^ std::bit_cast<std::uint32_t>(x)) * 0x100000001b3;
        std::printf("%016" PRIx64 " ", hash);
    };
    std::vector<float> z(100003);
    ab::brownian_path const path({42}, 0.03, 14.6);
    path.increment(1.0, 0.7).fill(5, 7, z);
    print(z);
    path.normal(14.6, 0.1).fill(0, 0, z);
    print(z);
    ab::torch_cpu_generator torch(42);
    torch.normal(std::span(z), 0.1, 0.7);
    print(z);
    ab::numpy::generator<> numpy(42);
    numpy.standard_normal(std::span(z));
    print(z);
    std::printf("\n");
}
