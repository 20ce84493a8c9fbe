// SPDX-License-Identifier: MIT
#include <alphabar/noise/stream.hpp>

#include <alphabar/core/tensor.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <numeric>
#include <set>
#include <stdexcept>
#include <thread>
#include <type_traits>
#include <vector>

namespace ab = alphabar;

static_assert(ab::generator<ab::noise_field>);
static_assert(std::is_trivially_copyable_v<ab::noise_field>);

TEST_CASE("the known answers: words exactly, normals to 1e-6")
{
    struct known {
        std::uint64_t seed, sample;
        ab::purpose use;
        std::uint32_t step;
        std::uint64_t block;
        std::array<std::uint32_t, 4> words;
        std::array<double, 4> normals; // from 60 digits
    };
    using enum ab::purpose;
    for (known const& k : {
             known{0,
                   0,
                   initial,
                   0,
                   0,
                   {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8},
                   {0.99113767993038581761, -0.92466258766553499626, -0.61760895945919058736, -0.48206858748717967833}},
             known{42,
                   0,
                   initial,
                   0,
                   0,
                   {0x9ceaf053, 0x77f5493b, 0x12bf50ad, 0x5742b3d7},
                   {-0.97018979001976912713, 0.19401895535991237063, -1.23562074331802196347, 1.92392674975358302092}},
             known{42,
                   0,
                   initial,
                   0,
                   1,
                   {0xfcdb2127, 0x53ba6cfd, 0x838f5a6e, 0x744e06fb},
                   {-0.07318150844555862400, 0.13913749630344876551, -1.10666503106588165473, 0.32668295984905282303}},
             known{42,
                   1,
                   initial,
                   0,
                   0,
                   {0x02933769, 0x2051e913, 0x3b68b038, 0xb62c409c},
                   {2.12769092157296624279, 2.16137392504135306126, -0.40827084455711781796, -1.65975311502351318366}},
             known{42,
                   0,
                   training,
                   999,
                   0,
                   {0x6f7ebcff, 0x7ed0ac4c, 0x2369f279, 0xd2b9af4d},
                   {-1.28879346925758131448, 0.03749010111066453473, 0.88228287374671510168, -1.78261759807368691533}},
             known{0x123456789abcdef0,
                   (std::uint64_t{1} << 32) + 7,
                   time_draw,
                   500,
                   12345,
                   {0x53270391, 0x098197af, 0x2c564860, 0x7a294d4c},
                   {1.45903421171001257406, 0.34673327486197474956, -1.85342740001929273674, 0.26743370512960612517}},
         }) {
        auto const field = ab::noise_stream{.seed = k.seed}(k.use, k.step);
        CHECK(field.words(k.sample, k.block) == k.words);
        std::array<float, 4> z{};
        field.fill(k.sample, k.block * 4, z);
        for (std::size_t i = 0; i < 4; ++i) {
            CHECK(std::abs(z[i] - k.normals[i]) < 1e-6);
            CHECK(field(k.sample, k.block * 4 + i) == z[i]);
            CHECK(field.word(k.sample, k.block * 4 + i) == k.words[i]);
        }
    }
}

TEST_CASE("noise does not depend on how a batch is split: [6, 105] in pieces of samples, elements and threads")
{
    ab::noise_stream const noise{.seed = 7};
    std::size_t const batch = 6, size = 3 * 7 * 5;
    std::vector<float> whole(batch * size);
    for (std::size_t r = 0; r < batch; ++r)
        noise(ab::purpose::sampler, 3).fill(r, 0, std::span(whole).subspan(r * size, size));

    for (std::size_t cut = 0; cut <= size; ++cut) // two boxes of elements, and two shards of samples
        for (std::size_t shard = 0; shard <= batch; shard += 2) {
            std::vector<float> parts(batch * size);
            for (std::size_t r = 0; r < batch; ++r) {
                auto const first_sample = r < shard ? 0 : shard;
                auto const field = noise(ab::purpose::sampler, 3, first_sample);
                field.fill(r - first_sample, 0, std::span(parts).subspan(r * size, cut));
                field.fill(r - first_sample, cut, std::span(parts).subspan(r * size + cut, size - cut));
            }
            CHECK(parts == whole);
        }

    std::vector<float> one_by_one(batch * size), threaded(batch * size);
    for (std::size_t i = 0; i < whole.size(); ++i)
        one_by_one[i] = noise(ab::purpose::sampler, 3)(i / size, i % size);
    CHECK(one_by_one == whole);
    std::vector<std::thread> threads;
    for (std::size_t r = 0; r < batch; ++r)
        threads.emplace_back(
            [&, r] { noise(ab::purpose::sampler, 3).fill(r, 0, std::span(threaded).subspan(r * size, size)); });
    for (auto& thread : threads)
        thread.join();
    CHECK(threaded == whole);
}

TEST_CASE("seeds, purposes, steps and samples each make other numbers")
{
    std::set<std::array<std::uint32_t, 4>> seen;
    for (std::uint64_t seed : {0u, 1u, 2u})
        for (auto use : {ab::purpose::initial, ab::purpose::training, ab::purpose::test})
            for (std::uint32_t step : {0u, 1u, 0xffffffu})
                for (std::uint64_t sample :
                     {std::uint64_t{0}, std::uint64_t{1}, std::uint64_t{1} << 32, ~std::uint64_t{0}})
                    seen.insert(ab::noise_stream{seed}(use, step).words(sample, 0));
    CHECK(seen.size() == 3 * 3 * 3 * 4);
}

TEST_CASE("the counter carries into its upper words: elements near 2^34, samples near 2^32 and 2^64")
{
    auto const field = ab::noise_stream{5}(ab::purpose::test, 0, (std::uint64_t{1} << 32) - 1);
    CHECK(field.words(1, 0) == ab::philox4x32({0, 0xff000000, 0, 1}, {5, 0}));
    std::uint64_t const end = ab::noise_field::max_elements;
    std::array<float, 9> z{};
    field.fill(0, end - 9, z);
    for (std::size_t i = 0; i < 9; ++i)
        CHECK(z[i] == field(0, end - 9 + i));
}

TEST_CASE("limits are errors, and nothing is written")
{
    ab::noise_stream const noise{1};
    CHECK_NOTHROW(noise(ab::purpose::sampler, (1u << 24) - 1));
    CHECK_THROWS_WITH_AS(noise(ab::purpose::sampler, 1u << 24),
                         "alphabar::noise_stream: step is 16777216; it must be below 2^24", std::invalid_argument);
    std::array<float, 2> z{7, 7};
    auto const field = noise(ab::purpose::sampler, 0);
    CHECK_THROWS_AS(field.fill(0, ab::noise_field::max_elements - 1, z), std::invalid_argument);
    CHECK_THROWS_AS(field.fill(0, ~std::size_t{0}, z), std::invalid_argument);
    CHECK(z == std::array<float, 2>{7, 7});
    CHECK_THROWS_AS(ab::time_draw(noise, 0, 0, 0), std::invalid_argument);
    CHECK_THROWS_AS(ab::permutation(noise, std::size_t{1} << 32, 0), std::invalid_argument);
}

TEST_CASE("uniform numbers lie inside (0, 1) and are (w + 1/2) 2^-32")
{
    auto const field = ab::noise_stream{3}(ab::purpose::dropout, 0);
    double sum = 0;
    for (std::uint64_t i = 0; i < 100'000; ++i) {
        double const u = field.uniform(0, i);
        REQUIRE((u > 0 && u < 1));
        REQUIRE(u * 0x1p32 - 0.5 == field.word(0, i));
        sum += u;
    }
    CHECK(std::abs(sum / 100'000 - 0.5) < 5 / std::sqrt(12.0 * 100'000));
}

TEST_CASE("times are uniform, without bias even where T does not divide 2^32")
{
    ab::noise_stream const noise{9};
    std::vector<int> counts(10);
    for (std::uint64_t sample = 0; sample < 100'000; ++sample)
        ++counts[ab::time_draw(noise, 10, 4, sample)];
    double chi_squared = 0;
    for (int count : counts)
        chi_squared += (count - 1e4) * (count - 1e4) / 1e4;
    CHECK(chi_squared < 33.7); // 1e-4 of chi squared with 9 degrees of freedom

    // T = 3 * 2^30 rejects a quarter of all words; without rejection, one third of the numbers would come twice as
    // often.
    int thirds[3] = {};
    for (std::uint64_t sample = 0; sample < 100'000; ++sample)
        ++thirds[ab::time_draw(noise, 3u << 30, 0, sample) % 3];
    for (int count : thirds)
        CHECK(std::abs(count - 100'000 / 3.0) < 5 * std::sqrt(100'000 * 2 / 9.0));
    CHECK(ab::time_draw(noise, 1, 0, 0) == 0);
}

TEST_CASE("a permutation holds every number once; epochs differ; all orders of three are equally likely")
{
    ab::noise_stream const noise{11};
    auto const first = ab::permutation(noise, 1000, 0), second = ab::permutation(noise, 1000, 1);
    CHECK(first != second);
    CHECK(first == ab::permutation(noise, 1000, 0));
    auto sorted = first;
    std::sort(sorted.begin(), sorted.end());
    std::vector<std::uint32_t> all(1000);
    std::iota(all.begin(), all.end(), 0u);
    CHECK(sorted == all);
    CHECK(ab::permutation(noise, 0, 0).empty());

    int counts[9] = {};
    for (std::uint32_t epoch = 0; epoch < 60'000; ++epoch) {
        auto const p = ab::permutation(noise, 3, epoch);
        ++counts[3 * p[0] + p[1]];
    }
    for (std::uint32_t a = 0; a < 3; ++a)
        for (std::uint32_t b = 0; b < 3; ++b)
            CHECK(std::abs(counts[3 * a + b] - (a == b ? 0.0 : 1e4)) <= (a == b ? 0.0 : 5 * std::sqrt(6e4 * 5 / 36)));
}

TEST_CASE("a folded seed makes another stream, without use of the parent's numbers")
{
    ab::noise_stream const noise{42};
    CHECK(ab::fold_in(noise, 0) != noise);
    CHECK(ab::fold_in(noise, 0) != ab::fold_in(noise, 1));
    CHECK(ab::fold_in(noise, 5) == ab::fold_in(noise, 5));
    std::set<std::uint64_t> seeds;
    for (std::uint64_t i = 0; i < 10'000; ++i)
        seeds.insert(ab::fold_in(noise, i).seed);
    CHECK(seeds.size() == 10'000);
}
