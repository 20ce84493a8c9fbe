// SPDX-License-Identifier: MIT
// What does the stream's noise cost? Ratios of times in one run: fills of 16 Mi floats by the stream, by PyTorch, by
// std::normal_distribution; two threads against one; q_sample's arithmetic with fresh noise against the fill alone; and
// a Brownian increment and torch's own normals; this file built with -O2 against -O3 -march=native.
#include <alphabar/backends/span.hpp>
#include <alphabar/core/transform.hpp>
#include <alphabar/noise/brownian.hpp>
#include <alphabar/noise/stream.hpp>
#include <alphabar/noise/torch_cpu.hpp>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <limits>
#include <random>
#include <span>
#include <string>
#include <thread>
#include <vector>

namespace ab = alphabar;

namespace {

constexpr std::size_t n = std::size_t{1} << 24;

/// Nanoseconds per normal: the best of several runs.
template <class F>
double best_of(int runs, F const& f)
{
    double best = std::numeric_limits<double>::infinity();
    for (int i = 0; i < runs; ++i) {
        auto const start = std::chrono::steady_clock::now();
        f();
        best =
            std::min(best, std::chrono::duration<double, std::nano>(std::chrono::steady_clock::now() - start).count());
    }
    return best / static_cast<double>(n);
}

void fill(ab::noise_field const& field, std::span<float> x) { field.fill(0, 0, x); }

#if !defined(ALPHABAR_FILL_ONLY)

struct diffuse {
    float alpha, sigma;
    float operator()(float x_0, float noise) const { return alpha * x_0 + sigma * noise; }
};

/// What a command prints as its one number; NaN where it fails.
double number_of(std::string const& command)
{
    double value = std::numeric_limits<double>::quiet_NaN();
    if (FILE* pipe = popen(command.c_str(), "r")) {
        if (std::fscanf(pipe, "%lf", &value) != 1)
            value = std::numeric_limits<double>::quiet_NaN();
        pclose(pipe);
    }
    return value;
}

void row(char const* name, double time, double ratio, char const* meaning)
{
    if (time == time)
        std::printf("%-34s %7.3f ns   %7.2f  %s\n", name, time, ratio, meaning);
    else
        std::printf("%-34s left out: the peer is not installed here\n", name);
}

#endif

} // namespace

int main()
{
    auto const field = ab::noise_stream{42}(ab::purpose::initial, 0);
    std::vector<float> x(n);
    fill(field, x);
    double const one = best_of(10, [&] { fill(field, x); });
#if defined(ALPHABAR_FILL_ONLY)
    std::printf("%.6f\n", one);
#else
    std::printf("%-34s %7s      %7s\n", "per normal, 16 Mi of them", "time", "ratio");
    row("noise_field::fill", one, 1, "");
    double const torch = number_of("python3 " ALPHABAR_BENCHMARKS "/noise_peer.py 2>/dev/null");
    row("torch.Tensor.normal_", torch, torch / one, "times the fill (at least 2.5)");
    std::mt19937_64 engine(42);
    std::normal_distribution<float> normal;
    double const standard = best_of(1, [&] {
        for (float& value : x)
            value = normal(engine);
    });
    row("std::normal_distribution", standard, standard / one, "times the fill");

    std::vector<float> const x_0(n, 0.5f);
    double const fused = best_of(10, [&] { ab::transform(diffuse{0.8f, 0.6f}, x, x_0, field); });
    double const fill_again = best_of(10, [&] { fill(field, x); });
    row("x_t = alpha x_0 + sigma noise", fused, fused / std::min(one, fill_again), "times the fill (at most 1.3)");
    double const two = best_of(10, [&] {
        std::thread other([&] { field.fill(0, n / 2, std::span(x).subspan(n / 2)); });
        field.fill(0, 0, std::span(x).first(n / 2));
        other.join();
    });
    row("two threads", two, fill_again / two, "times as fast as one (at least 1.8)");

    std::vector<float> small(4 * 64 * 64);
    std::size_t const repeats = n / small.size();
    double const latent = best_of(5, [&] {
        for (std::size_t i = 0; i < repeats; ++i)
            field.fill(i, 0, small);
    });
    row("samples of 4 x 64 x 64", latent, latent / one, "times the large fill");

    auto const scaled = [repeats](double time) { return time * static_cast<double>(repeats); };
    auto const increment = ab::brownian_path({42}, 0.03, 14.6).normal(1.0, 0.8);
    double const brownian = scaled(best_of(20, [&] { increment.fill(0, 0, small); }));
    row("brownian_increment", brownian, brownian / one, "times the fill (2 levels + 1 = 29 normals at most)");
    ab::torch_cpu_generator torch_cpu(42);
    double const as_torch = scaled(best_of(20, [&] { torch_cpu.randn(std::span(small)); }));
    row("torch_cpu_generator", as_torch, as_torch / one, "times the fill");

    std::string const build =
        "${CXX:-c++} -std=c++20 -DALPHABAR_FILL_ONLY -I" ALPHABAR_INCLUDE " " __FILE__ " -pthread -o ";
    std::string const folder = "${TMPDIR:-/tmp}/alphabar-noise-";
    double plain = std::numeric_limits<double>::quiet_NaN(), native = plain;
    if (std::system((build + folder + "O2 -O2 && " + build + folder + "native -O3 -march=native").c_str()) == 0) {
        plain = native = std::numeric_limits<double>::infinity();
        for (int i = 0; i < 3; ++i) {
            plain = std::min(plain, number_of(folder + "O2"));
            native = std::min(native, number_of(folder + "native"));
        }
    }
    row("-O3 -march=native", native, native / one, "times the fill");
    row("-O2", plain, plain / native, "times -O3 -march=native (at most 1.2)");
#endif
}
