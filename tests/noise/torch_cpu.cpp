// SPDX-License-Identifier: MIT
#include <alphabar/noise/torch_cpu.hpp>

#include "support/bit_hash.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <cstdint>
#include <stdexcept>
#include <vector>

namespace ab = alphabar;

namespace {

template <ab::element_format Format>
struct bits_of {
    std::uint16_t bits;
};
using half = bits_of<ab::element_format::binary16>;
using bfloat16 = bits_of<ab::element_format::bfloat16>;

} // namespace

template <ab::element_format Format>
inline constexpr ab::element_format ab::format_of<bits_of<Format>> = Format;

namespace {

// The hashes are those of the numbers of torch 2.13.0+cpu on a processor with AVX-512.
constexpr std::uint64_t seed = (std::uint64_t{1} << 40) + 7;

template <class T>
void check_normals(std::uint64_t many, std::uint64_t three)
{
    ab::torch_cpu_generator torch(seed);
    auto const randn = [&](std::span<T> out) { torch.randn(out); };
    CHECK(bit_hash<T>(10007, randn) == many);
    CHECK(bit_hash<T>(3, randn) == three);
}

} // namespace

TEST_CASE("torch's normals, bit by bit, in blocks of 16 with a tail and one by one")
{
    check_normals<float>(0x2eaea8a0ef011e6, 0x3b5274607);
    check_normals<half>(0x2c17c3f990b, 0x65194);
    check_normals<bfloat16>(0x2eb378bdcbf, 0x6b230);
    ab::torch_cpu_generator torch(seed);
    CHECK(bit_hash<float>(10007, [&](auto out) { torch.normal(out, -1, 0.3); }) == 0x4765d9702b1c78f);
}

TEST_CASE("torch's other numbers, bit by bit")
{
    ab::torch_cpu_generator torch(5);
    auto const rand = [&](auto out) { torch.rand(out); };
    CHECK(bit_hash<float>(10007, rand) == 0x17689f0d7178f59);
    CHECK(bit_hash<double>(10007, rand) == 0x322de5f8113aa206);
    CHECK(bit_hash<half>(10007, rand) == 0x141e4829230);
    CHECK(bit_hash<bfloat16>(10007, rand) == 0x175ef704e5e);
    torch.manual_seed(5);
    CHECK(bit_hash(torch.randperm(10007)) == 0x7430fbc4d5);
    CHECK(bit_hash<std::int64_t>(1001, [&](auto out) { torch.randint(out, -7, 1000000); }) == 0x7178e8a1c8);
    CHECK(bit_hash<std::int64_t>(1001, [&](auto out) { torch.randint(out, -7, std::int64_t{1} << 62); }) ==
          0xdacb10a8e6457fde);
    torch.manual_seed(5);
    CHECK(bit_hash<float>(1001, [&](auto out) { torch.bernoulli(out, 0.25); }) == 0xe680dd000000);
    CHECK(bit_hash<float>(1001, [&](auto out) { torch.exponential(out, 2.0); }) == 0x3bc12e5e95d38);
}

TEST_CASE("as an executor's noise: torch.randn after torch.randn")
{
    ab::torch_cpu_noise noise(ab::torch_cpu_generator(42), {1, 4, 8, 8});
    CHECK(noise(0).values[0] == -0.685481607913971f); // the second draw
    CHECK(noise.initial().values[0] == 1.9269152879714966f);
    CHECK(noise.initial().values[3] == -2.1055209636688232f);
    CHECK(noise(0).values[3] == -1.610666036605835f);
}

TEST_CASE("normals are normal, and none is lost or doubled at the tail")
{
    for (std::size_t n : {16u, 17u, 31u, 32u, 100000u}) {
        ab::torch_cpu_generator torch(1), other(1);
        std::vector<float> z(n), words(n % 16 == 0 ? n : n + 16);
        torch.randn(std::span<float>(z));
        other.rand(std::span<float>(words)); // as many words
        std::vector<float> next(3), expected(3);
        torch.rand(std::span<float>(next));
        other.rand(std::span<float>(expected));
        CHECK(next == expected);
        if (n == 100000) {
            double mean = 0, square = 0;
            for (float x : z)
                mean += x, square += double(x) * x;
            CHECK(std::abs(mean / 1e5) < 5 / std::sqrt(1e5));
            CHECK(std::abs(square / 1e5 - 1) < 5 * std::sqrt(2 / 1e5));
        }
    }
}

TEST_CASE("arguments that torch refuses")
{
    ab::torch_cpu_generator torch(0);
    std::vector<std::int64_t> integers(2);
    std::vector<float> floats(2);
    CHECK_THROWS_WITH_AS(torch.randint(integers, 3, 3),
                         "alphabar::torch_cpu_generator::randint: high is 3; it must be above low",
                         std::invalid_argument);
    CHECK_THROWS_AS(torch.randperm(std::size_t{1} << 28), std::invalid_argument);
    CHECK_THROWS_AS(torch.bernoulli(std::span(floats), 1.5), std::invalid_argument);
    CHECK_THROWS_AS(torch.bernoulli(std::span(floats), std::nan("")), std::invalid_argument);
    CHECK_THROWS_AS(torch.exponential(std::span(floats), 0), std::invalid_argument);
}
