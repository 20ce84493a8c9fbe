// SPDX-License-Identifier: MIT
// What does q_sample cost? With a given noise tensor against a hand-written loop over the same arrays; with the
// stream's noise against filling a tensor with that noise and nothing else. A time for each sample.
#include <alphabar/backends/span.hpp>
#include <alphabar/core/aligned.hpp>
#include <alphabar/process/q_sample.hpp>
#include <alphabar/schedule/gaussian_diffusion.hpp>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdio>
#include <limits>
#include <span>
#include <vector>

namespace ab = alphabar;

namespace {

constexpr std::size_t samples = 64, sample_size = 3 * 256 * 256, n = samples * sample_size;

template <class F>
double seconds_of(F const& f)
{
    auto const start = std::chrono::steady_clock::now();
    f();
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

/// The best time of each of two in turn, so that both meet the same machine.
template <class A, class B>
void compare(char const* name, A const& ours, char const* peer_name, B const& peer)
{
    double best = std::numeric_limits<double>::infinity(), best_peer = best;
    for (int i = 0; i < 12; ++i) {
        best = std::min(best, seconds_of(ours));
        best_peer = std::min(best_peer, seconds_of(peer));
    }
    double const scale = 1e9 / static_cast<double>(n);
    std::printf("%-34s %7.3f ns an element   %-28s %7.3f ns   ratio %.2f\n", name, best * scale, peer_name,
                best_peer * scale, best / best_peer);
}

} // namespace

int main()
{
    ab::gaussian_diffusion const diffusion(ab::linear_betas(1000));
    ab::shape const s{samples, 3, 256, 256};
    ab::aligned_vector<float> x_0(n, 0.5f), z(n, 0.25f), x_t(n), other(n);
    std::vector<int> t(samples);
    for (std::size_t i = 0; i < samples; ++i)
        t[i] = static_cast<int>(15 * i);
    auto const clean = ab::view(x_0, s), noise = ab::view(z, s), out = ab::view(x_t, s);
    auto const field = ab::noise_stream{42}(ab::purpose::training, 0);

    compare(
        "q_sample, given noise", [&] { ab::q_sample(diffusion, clean, t, noise, out); }, "hand-written loop",
        [&] {
            for (std::size_t r = 0; r < samples; ++r) {
                auto const level = diffusion.level(t[r]);
                float const alpha = static_cast<float>(level.alpha), sigma = static_cast<float>(level.sigma);
                float const *const a = x_0.data() + r * sample_size, *const b = z.data() + r * sample_size;
                float* __restrict const c = other.data() + r * sample_size;
                for (std::size_t i = 0; i < sample_size; ++i)
                    c[i] = alpha * a[i] + sigma * b[i];
            }
        });
    if (!std::equal(x_t.begin(), x_t.end(), other.begin(),
                    [](float a, float b) { return a - b < 1e-6f && b - a < 1e-6f; }))
        std::printf("the two disagree\n");
    compare(
        "q_sample, noise of the stream", [&] { ab::q_sample(diffusion, clean, t, field, out); }, "fill with that noise",
        [&] {
            for (std::size_t r = 0; r < samples; ++r)
                field.fill(r, 0, std::span<float>(other).subspan(r * sample_size, sample_size));
        });
}
