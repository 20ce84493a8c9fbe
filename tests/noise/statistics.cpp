// SPDX-License-Identifier: MIT
// The normals as a sample: moments, correlations and distribution, at fixed seeds. The limits are those of five
// standard deviations, so that a good stream never fails and a bad one does at once.
#include <alphabar/noise/stream.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <numbers>
#include <vector>

namespace ab = alphabar;

namespace {

std::vector<float> normals(std::uint64_t seed, std::uint32_t step, std::uint64_t sample, std::size_t n)
{
    std::vector<float> z(n);
    ab::noise_stream{seed}(ab::purpose::test, step).fill(sample, 0, z);
    return z;
}

double correlation(float const* a, float const* b, std::size_t n) // times sqrt(n): standard normal
{
    double sum = 0;
    for (std::size_t i = 0; i < n; ++i)
        sum += static_cast<double>(a[i]) * b[i];
    return sum / std::sqrt(static_cast<double>(n));
}

} // namespace

TEST_CASE("moments and correlations of 2^22 normals are within five standard deviations")
{
    std::size_t const n = 1 << 22;
    auto const count = static_cast<double>(n);
    for (std::uint64_t seed : {0u, 1u, 42u, 1234567u}) {
        INFO("seed " << seed);
        auto const z = normals(seed, 0, 0, n);
        double sums[4] = {}, largest = 0;
        for (float x : z) {
            double power = 1;
            for (double& sum : sums)
                sum += power *= x;
            largest = std::max(largest, std::abs(static_cast<double>(x)));
        }
        CHECK(std::abs(sums[0]) / std::sqrt(count) < 5);
        CHECK(std::abs(sums[1] - count) / std::sqrt(2 * count) < 5);
        CHECK(std::abs(sums[2]) / std::sqrt(15 * count) < 5);
        CHECK(std::abs(sums[3] - 3 * count) / std::sqrt(96 * count) < 5);
        CHECK(largest < 6.77);
        for (std::size_t lag : {1u, 2u, 3u, 4u, 8u, 64u})
            CHECK(std::abs(correlation(z.data(), z.data() + lag, n - lag)) < 5);
        CHECK(std::abs(correlation(z.data(), normals(seed, 0, 1, n).data(), n)) < 5);     // the next sample
        CHECK(std::abs(correlation(z.data(), normals(seed, 1, 0, n).data(), n)) < 5);     // the next step
        CHECK(std::abs(correlation(z.data(), normals(seed + 1, 0, 0, n).data(), n)) < 5); // the next seed
    }
}

TEST_CASE("the distribution of 2^20 normals: Kolmogorov-Smirnov and Anderson-Darling")
{
    std::size_t const n = 1 << 20;
    auto const count = static_cast<double>(n);
    for (std::uint64_t seed : {0u, 42u}) {
        auto z = normals(seed, 0, 0, n);
        std::sort(z.begin(), z.end());
        auto const below = [&](std::size_t i) { return 0.5 * std::erfc(-z[i] * std::numbers::sqrt2 / 2); };
        auto const above = [&](std::size_t i) { return 0.5 * std::erfc(z[i] * std::numbers::sqrt2 / 2); };
        double distance = 0, sum = 0;
        for (std::size_t i = 0; i < n; ++i) {
            auto const rank = static_cast<double>(i);
            distance = std::max({distance, below(i) - rank / count, (rank + 1) / count - below(i)});
            sum += (2 * rank + 1) * (std::log(below(i)) + std::log(above(n - 1 - i)));
        }
        CHECK(distance * std::sqrt(count) < 2.5);
        CHECK(-count - sum / count < 10);
    }
}
