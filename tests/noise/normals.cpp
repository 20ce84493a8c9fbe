// SPDX-License-Identifier: MIT
#include <alphabar/noise/normals.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <numbers>
#include <vector>

namespace detail = alphabar::detail;
using detail::isa;

namespace {

/// The instruction sets of this machine.
std::vector<isa> ways()
{
    std::vector<isa> all{isa::plain};
    for (isa way : {isa::avx2, isa::avx512})
        if (way <= detail::best_isa())
            all.push_back(way);
    return all;
}

std::uint32_t next_word(std::uint64_t& state)
{
    state = state * 6364136223846793005 + 1442695040888963407;
    return static_cast<std::uint32_t>(state >> 32);
}

/// The larger error of the two normals of a pair of words, against long double.
double error(std::uint32_t w0, std::uint32_t w1)
{
    float cosine, sine;
    detail::plain::box_muller(w0, w1, cosine, sine);
    long double const u = (static_cast<long double>(w0) + 0.5L) * 0x1p-32L;
    long double const angle = 2 * std::numbers::pi_v<long double> * (static_cast<long double>(w1) + 0.5L) * 0x1p-32L;
    long double const r =
        std::sqrt(-2 * (w0 >> 31 ? std::log1p(-((static_cast<long double>(~w0) + 0.5L) * 0x1p-32L)) : std::log(u)));
    return static_cast<double>(std::max(std::abs(r * std::cos(angle) - static_cast<long double>(cosine)),
                                        std::abs(r * std::sin(angle) - static_cast<long double>(sine))));
}

} // namespace

TEST_CASE("the normals err by less than 1e-6: random words")
{
    std::uint64_t state = 1;
    double worst = 0;
    for (int i = 0; i < 1 << 20; ++i) {
        std::uint32_t const w0 = next_word(state);
        worst = std::max(worst, error(w0, next_word(state)));
    }
    MESSAGE("largest error: " << worst);
    CHECK(worst < 1e-6);
}

TEST_CASE("the normals err by less than 1e-6: the largest radii, where floats are coarsest")
{
    std::uint64_t state = 2;
    double worst = 0;
    for (std::uint32_t w0 = 0; w0 < 1u << 20; ++w0) {
        std::uint32_t const word = w0 < 1u << 12 ? w0 : next_word(state) >> 8;
        for (int i = 0; i < (w0 < 1u << 10 ? 256 : 1); ++i)
            worst = std::max(worst, error(word, next_word(state)));
    }
    MESSAGE("largest error: " << worst);
    CHECK(worst < 1e-6);
}

TEST_CASE("the normals err by less than 1e-6: words beside powers of two, quadrants and both ends")
{
    std::vector<std::uint32_t> words;
    for (unsigned bit = 0; bit < 32; ++bit)
        for (std::uint32_t base : {1u << bit, ~(1u << bit), (1u << bit) * 3u, (1u << bit) * 5u, (1u << bit) * 7u})
            for (std::uint32_t near = 0; near < 5; ++near)
                words.push_back(base + near - 2);
    double worst = 0;
    for (std::uint32_t w0 : words)
        for (std::uint32_t w1 : words)
            worst = std::max(worst, error(w0, w1));
    MESSAGE("largest error: " << worst);
    CHECK(worst < 1e-6);
}

TEST_CASE("every instruction set writes the same bits, at any offset and length")
{
    auto const start = detail::make_philox_start(0x123456789abcdef0, 0x03000007, 0x100000007);
    std::vector<float> expected(2048);
    detail::fill_normals(isa::plain, start, 0, expected.data(), expected.size());
    for (isa way : ways()) {
        INFO("instruction set " << static_cast<int>(way));
        for (std::size_t first : {0u, 1u, 2u, 3u, 4u, 5u, 31u, 127u, 128u, 130u})
            for (std::size_t n :
                 {0u, 1u, 2u, 3u, 4u, 7u, 16u, 31u, 33u, 64u, 127u, 128u, 129u, 131u, 255u, 256u, 1000u, 1800u}) {
                std::vector<float> out(n + 2, 77.0f); // a guard on either side
                detail::fill_normals(way, start, first, out.data() + 1, n);
                CHECK(std::memcmp(out.data() + 1, expected.data() + first, n * sizeof(float)) == 0);
                CHECK(out.front() == 77.0f);
                CHECK(out.back() == 77.0f);
            }
    }
}

TEST_CASE("the same bits for ever: FNV-1a over the first 2^20 normals of four seeds")
{
    struct known {
        std::uint64_t seed, hash;
    };
    for (known k : {known{0, 0x3d0543661961b056}, known{1, 0x4e82f879aa1115a7}, known{42, 0x21802a47d2e31912},
                    known{1234567, 0xf39a514fb36a46ee}})
        for (isa way : ways()) {
            std::vector<float> out(1 << 20);
            detail::fill_normals(way, detail::make_philox_start(k.seed, 0, 0), 0, out.data(), out.size());
            std::uint64_t hash = 0xcbf29ce484222325;
            for (float z : out)
                hash = (hash ^ std::bit_cast<std::uint32_t>(z)) * 0x100000001b3;
            INFO("seed " << k.seed << ", instruction set " << static_cast<int>(way));
            CHECK(hash == k.hash);
        }
}
