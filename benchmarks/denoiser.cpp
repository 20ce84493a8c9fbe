// SPDX-License-Identifier: MIT
// How many images a second do the denoisers train, as a share of this machine's FMA peak and against PyTorch (the best
// of eager, channels_last and compile), on the same batch and threads? All in one run; the best step of each counts.
#include <alphabar/denoiser/classic.hpp>
#include <alphabar/denoiser/trainer.hpp>
#include <alphabar/denoiser/unet.hpp>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <utility>
#include <vector>

namespace {

using namespace alphabar;

template <class F>
double best_seconds(double budget, F const& f)
{
    using clock = std::chrono::steady_clock;
    double best = 1e9;
    auto const end = clock::now() + std::chrono::duration<double>(budget);
    do {
        auto const begin = clock::now();
        f();
        best = std::min(best, std::chrono::duration<double>(clock::now() - begin).count());
    } while (clock::now() < end);
    return best;
}

/// Independent multiply-adds in registers, nothing else.
struct fma_kernel {
    static constexpr int rounds = 20000, chains = 12;
    template <class S, int Lanes>
    [[gnu::always_inline]] static inline void run(S* out)
    {
        detail::pack<S, Lanes> sum[chains];
        detail::pack<S, Lanes> const a = detail::at<Lanes>(static_cast<S const*>(out)).v;
        for (int j = 0; j < chains; ++j)
            sum[j] = a + static_cast<S>(j); // each its own, or the compiler keeps but one
        for (int i = 0; i < rounds; ++i)
#pragma GCC unroll 12
            for (int j = 0; j < chains; ++j)
                sum[j] = sum[j] * a + a;
        for (auto const& s : sum)
            detail::at<Lanes>(out).v += s;
    }
};

/// The FMA peak of one core in FLOP a second.
double fma_peak()
{
    alignas(64) float out[16] = {};
    int const lanes = best_isa() == isa::avx512 ? 16 : best_isa() == isa::avx2 ? 8 : 4;
    double const seconds =
        best_seconds(0.5, [&] { detail::run_kernel<fma_kernel, float>(best_isa(), static_cast<float*>(out)); });
    return 2.0 * fma_kernel::rounds * fma_kernel::chains * lanes / seconds;
}

template <class Network>
double images_per_second(Network net, std::size_t batch, std::size_t threads)
{
    trainer t(std::move(net), {.steps = 1000000, .batch = batch}, {1}, threads);
    std::vector<float> x(batch * t.network().net().sample_size()), target(x.size());
    noise_stream{2}(purpose::user, 0).fill(0, 0, x);
    noise_stream{2}(purpose::user, 1).fill(0, 0, target);
    std::vector<condition> const conditions(batch, {0.3, 4});
    return static_cast<double>(batch) / best_seconds(3, [&] { t.step(x, conditions, target); });
}

struct peer {
    double best = 0;
    std::string way;
};

/// What the Python script prints for a network.
std::array<peer, 2> run_peer(std::string const& script, std::size_t threads)
{
    std::array<peer, 2> found;
    std::string const command = "python3 " + script + " " + std::to_string(threads) + " 3";
    if (FILE* const pipe = popen(command.c_str(), "r")) {
        char name[32], way[32];
        double rate = 0;
        while (std::fscanf(pipe, "%31s %31s %lf", name, way, &rate) == 3) {
            std::printf("  torch %-8s %-14s %8.0f images/s\n", name, way, rate);
            peer& p = found[std::string(name) == "classic"];
            if (rate > p.best)
                p = {rate, way};
        }
        pclose(pipe);
    }
    return found;
}

} // namespace

int main()
{
    std::setvbuf(stdout, nullptr, _IOLBF, BUFSIZ);
    std::string const script = ALPHABAR_BENCHMARKS "/denoiser_peer.py";
    bool const torch = std::system("python3 -c 'import torch' 2> /dev/null") == 0;
    if (!torch)
        std::puts("python3 has no torch here: the comparison is left out");
    double const peak = fma_peak();
    std::printf("FMA peak of one core: %.1f GFLOP/s\n", peak / 1e9);
    for (std::size_t threads = 1; threads <= 2; ++threads) {
        std::printf("%zu thread%s\n", threads, threads > 1 ? "s" : "");
        auto const peers = torch ? run_peer(script, threads) : std::array<peer, 2>{};
        auto const report = [&](char const* name, double rate, std::size_t flop, peer const& p, double wanted) {
            std::printf("  alphabar %-8s %8.0f images/s, %2.0f %% of the FMA peak", name, rate,
                        100 * rate * 3 * static_cast<double>(flop) / (peak * static_cast<double>(threads)));
            if (p.best > 0)
                std::printf("; %.2f times torch (%s); wanted: %.1f", rate / p.best, p.way.c_str(), wanted);
            std::puts("");
        };
        report("unet", images_per_second(unet<float>(), 32, threads), unet<float>().forward_flop(), peers[0], 1.5);
        report("classic", images_per_second(classic<float>(), 128, threads), classic<float>().forward_flop(), peers[1],
               4);
    }
}
