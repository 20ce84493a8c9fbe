// SPDX-License-Identifier: MIT
// Prints one line of hashes of the stream: it must be the same from every build.
#include <alphabar/noise/stream.hpp>

#include <bit>
#include <cinttypes>
#include <cstdio>
#include <vector>

namespace ab = alphabar;

int main()
{
    std::uint64_t const basis = 0xcbf29ce484222325, prime = 0x100000001b3; // FNV-1a over 32-bit words
    for (std::uint64_t seed : {0u, 1u, 42u, 1234567u}) {
        std::vector<float> z(1 << 20);
        ab::noise_stream{seed}(ab::purpose::initial, 0).fill(0, 0, z);
        std::uint64_t hash = basis;
        for (float x : z)
            hash = (hash ^ std::bit_cast<std::uint32_t>(x)) * prime;
        std::printf("%016" PRIx64 " ", hash);
    }
    // One by one, by the plain path, with a sum behind each that a compiler might fuse; and by each instruction set.
    auto const field = ab::noise_stream{5}(ab::purpose::sampler, 9);
    std::uint64_t hash = basis;
    for (std::uint64_t i = 0; i < 1 << 15; ++i)
        hash = (hash ^ std::bit_cast<std::uint32_t>(field(3, i) + 0.1f)) * prime;
    std::printf("%016" PRIx64, hash);
    for (auto way : {ab::detail::isa::plain, ab::detail::isa::avx2, ab::detail::isa::avx512})
        if (way <= ab::detail::best_isa()) {
            std::vector<float> z(1 << 15);
            ab::detail::fill_normals(way, ab::detail::make_philox_start(5, 0x03000009, 3), 0, z.data(), z.size());
            hash = basis;
            for (float x : z)
                hash = (hash ^ std::bit_cast<std::uint32_t>(x)) * prime;
            std::printf(" %016" PRIx64, hash);
        }
    std::printf("\n");
}
