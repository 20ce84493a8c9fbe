// SPDX-License-Identifier: MIT
#include <alphabar/noise/torch_cuda.hpp>

#include "support/bit_hash.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <cstdint>
#include <stdexcept>
#include <vector>

namespace ab = alphabar;
namespace devices = alphabar::cuda_devices;

namespace {

template <class G>
std::vector<float> normals(G generator, std::size_t n)
{
    std::vector<float> z(n);
    generator.randn(std::span(z));
    return z;
}

} // namespace

TEST_CASE("what the WebUI prints for its NV source and seed 0, and its bits")
{
    auto const z = normals(ab::webui_nv_generator(0), 12);
    std::vector<double> const printed{-0.92466259, -0.42534415, -2.6438457,  0.14518388,  -0.12086647, -0.57972564,
                                      -0.62285122, -0.32838709, -1.07454231, -0.36314407, -1.67105067, 2.26550497};
    for (std::size_t i = 0; i < printed.size(); ++i)
        CHECK(std::abs(z[i] - printed[i]) < 5e-7);           // they were printed by a GPU
    ab::webui_nv_generator nv((std::uint64_t{1} << 33) + 5); // two draws of its formula in NumPy
    CHECK(bit_hash<float>(10007, [&](auto out) { nv.randn(out); }) == 0x2f722b383bf63e1);
    CHECK(bit_hash<float>(10007, [&](auto out) { nv.randn(out); }) == 0x2fbbfe55812bcce);
}

TEST_CASE("what an H100 and an A100 printed for seed 1 (pytorch issue 143086) where one round does not do")
{
    std::size_t const n = 9483264;
    auto const h100 = normals(ab::torch_cuda_generator(1, devices::h100_sxm), n),
               a100 = normals(ab::torch_cuda_generator(1, devices::a100), n);
    CHECK(std::abs(h100[n - 1] - 0.3267f) < 1e-4);
    CHECK(std::abs(a100[n - 1] - -0.1656f) < 1e-4);
    CHECK(h100[1] == a100[1]);
}

TEST_CASE("small tensors are the same on every device, and those of NV")
{
    std::size_t const n = 40000; // below the threads of a T4
    auto const t4 = normals(ab::torch_cuda_generator(9, devices::t4), n), nv = normals(ab::webui_nv_generator(9), n);
    CHECK(t4 == normals(ab::torch_cuda_generator(9, devices::h100_sxm), n));
    for (std::size_t i = 0; i < n; ++i)
        if (std::abs(t4[i] - nv[i]) > 4e-6f)
            FAIL("element ", i, ": ", t4[i], " and ", nv[i]);
}

TEST_CASE("the offset moves by 4 for each round, and tensors follow it")
{
    ab::torch_cuda_generator torch(3, {1, 256}); // 256 threads
    std::vector<float> z(1024), next(1025);
    torch.randn(std::span(z));
    CHECK(torch.offset() == 4);
    torch.randn(std::span(next));
    CHECK(torch.offset() == 12);
    CHECK(normals(ab::torch_cuda_generator(3, {1, 256}, 4), 1025) == next);
    std::vector<float> none;
    torch.randn(std::span(none));
    CHECK(torch.offset() == 12);
    ab::torch_cuda_noise noise(ab::torch_cuda_generator(3, {1, 256}), {1, 1024});
    CHECK(noise.initial().values == z);
}

TEST_CASE("arguments that are refused")
{
    CHECK_THROWS_WITH_AS(
        ab::torch_cuda_generator(0, {10, 255}),
        "alphabar::torch_cuda_generator: sm_count times threads_per_sm / 256 is 0; a device has at least "
        "one block of 256 threads",
        std::invalid_argument);
    CHECK_THROWS_AS(ab::torch_cuda_generator(0, devices::a100, 2), std::invalid_argument);
    std::vector<std::int64_t> out(1);
    CHECK_THROWS_AS(ab::torch_cuda_generator(0, devices::a100).randint(out, 1, 1), std::invalid_argument);
}
