// SPDX-License-Identifier: MIT
// The random numbers of PyTorch on a GPU, made on the CPU, and those of the WebUI's NV source.
#pragma once

#include <alphabar/core/double_double.hpp>
#include <alphabar/core/element.hpp>
#include <alphabar/core/error.hpp>
#include <alphabar/core/philox.hpp>
#include <alphabar/noise/drawn_noise.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <numbers>
#include <span>
#include <type_traits>

namespace alphabar {

/// What torch's launch depends on: torch.cuda.get_device_properties(0).multi_processor_count and
/// .max_threads_per_multi_processor. Up to 256 sm_count floor(threads_per_sm / 256) elements, all devices give the
/// same.
struct cuda_device {
    std::uint32_t sm_count, threads_per_sm;
    friend constexpr bool operator==(cuda_device const&, cuda_device const&) = default;
};
namespace cuda_devices {
inline constexpr cuda_device t4{40, 1024}, v100{80, 2048}, a100{108, 2048}, h100_sxm{132, 2048}, l4{58, 1536},
    rtx_2080_ti{68, 1024}, rtx_3060{28, 1536}, rtx_3090{82, 1536}, rtx_4090{128, 1536}, rtx_a4000{48, 1536};
}

/// torch.Generator("cuda").manual_seed(seed) on a device, and what torch draws from it: Philox4x32-10 over a grid of
/// threads, each of which makes four words at a time. Element types: float, double and 16-bit ones; out is a contiguous
/// tensor.
///
/// Bits: rand and randint are torch's. Normals agree to a few 1e-6: a device computes log, sin and cos by faster
/// formulas.
class torch_cuda_generator {
public:
    /// `offset` is the generator's state, get_state()'s second word. Throws std::invalid_argument where the device has
    /// no thread, or the offset is not a multiple of 4.
    explicit torch_cuda_generator(std::uint64_t seed, cuda_device device, std::uint64_t offset = 0)
        : seed_(seed), offset_(offset),
          most_threads_(std::uint64_t{device.sm_count} * (device.threads_per_sm / 256) * 256)
    {
        require(most_threads_ > 0, "torch_cuda_generator", "sm_count times threads_per_sm / 256", 0,
                "a device has at least one block of 256 threads");
        require(offset % 4 == 0, "torch_cuda_generator", "offset", offset, "it must be a multiple of 4");
    }
    std::uint64_t offset() const { return offset_; }

    /// Uniform in [0, 1).
    template <class T>
    void rand(std::span<T> out)
    {
        for_each(out, [](words const& w, std::size_t m) {
            compute_t<T> u;
            if constexpr (std::is_same_v<T, double>)
                u = unit(w[2 * m], w[2 * m + 1], -53);
            else
                u = unit(w[m]);
            T const x = narrow<T>(u);
            return widen(x) == 1 ? narrow<T>(0) : x;
        });
    }

    template <class T>
    void randn(std::span<T> out)
    {
        normal(out, 0, 1);
    }
    /// mean + deviation z: Box-Muller, the sine first.
    template <class T>
    void normal(std::span<T> out, double mean, double deviation)
    {
        using C = compute_t<T>;
        for_each(out, [=](words const& w, std::size_t m) {
            C radius, angle;
            if constexpr (std::is_same_v<T, double>) {
                radius = std::sqrt(-2 * std::log(unit(w[0], w[1], -53)));
                angle = std::numbers::pi * unit(w[2], w[3], -52);
            } else {
                constexpr float turn = 2 * std::numbers::pi_v<float> * 0x1p-32f;
                std::size_t const pair = m & 2;
                radius = std::sqrt(-2 * std::log(unit(w[pair])));
                angle = std::fma(static_cast<float>(w[pair + 1]), turn, turn / 2);
            }
            C const z = radius * (m & 1 ? std::cos(angle) : std::sin(angle));
            return narrow<T>(z * static_cast<C>(deviation) + static_cast<C>(mean));
        });
    }

    /// Integers in [low, high). Throws std::invalid_argument where low >= high.
    void randint(std::span<std::int64_t> out, std::int64_t low, std::int64_t high)
    {
        detail::integer_range const range("torch_cuda_generator::randint", low, high);
        std::uint64_t const n = range.last + 1;
        if (n < std::uint64_t{1} << 28)
            launch<4>(out, [&](words const& w, std::size_t m) { return range[w[m] % n]; });
        else
            launch<2>(out, [&](words const& w, std::size_t m) {
                return range[(std::uint64_t{w[2 * m]} << 32 | w[2 * m + 1]) % n];
            });
    }

private:
    using words = std::array<std::uint32_t, 4>;

    static float unit(std::uint32_t w) { return static_cast<float>(w) * 0x1p-32f + 0x1p-33f; }
    /// (53 bits + 1/2) 2^exponent
    static double unit(std::uint32_t low, std::uint32_t high, int exponent)
    {
        auto const bits = static_cast<double>(low ^ std::uint64_t{high} << 21);
        return std::ldexp(bits, exponent) + std::ldexp(1.0, exponent - 1);
    }

    template <class T, class F>
    void for_each(std::span<T> out, F const& f)
    {
        launch<std::is_same_v<T, double> ? 2 : 4>(out, f);
    }

    /// Thread `index` of the grid makes its k-th block of words; f(words, m) is element index + threads (Unroll k + m).
    template <std::size_t Unroll, class T, class F>
    void launch(std::span<T> out, F const& f)
    {
        std::uint64_t const n = out.size();
        if (n == 0)
            return;
        std::uint64_t const threads = std::min((n + 255) / 256 * 256, most_threads_),
                            rounds = (n - 1) / (threads * Unroll) + 1;
        for (std::uint64_t k = 0; k < rounds; ++k) {
            std::uint64_t const block = offset_ / 4 + k;
            for (std::uint64_t index = 0; index < threads; ++index) {
                if (index + threads * Unroll * k >= n)
                    break;
                words const w =
                    philox4x32<10>({low(block), high(block), low(index), high(index)}, {low(seed_), high(seed_)});
                for (std::size_t m = 0; m < Unroll; ++m)
                    if (std::uint64_t const at = index + threads * (Unroll * k + m); at < n)
                        out[at] = f(w, m);
            }
        }
        offset_ += 4 * rounds;
    }
    static std::uint32_t low(std::uint64_t x) { return static_cast<std::uint32_t>(x); }
    static std::uint32_t high(std::uint64_t x) { return static_cast<std::uint32_t>(x >> 32); }

    std::uint64_t seed_, offset_, most_threads_;
};

/// The NV random source of the Stable Diffusion WebUI (modules/rng_philox.py): a GPU's numbers, each element with a
/// thread of its own, in double, rounded to float.
class webui_nv_generator {
public:
    explicit webui_nv_generator(std::uint64_t seed) : seed_(seed) {}
    void randn(std::span<float> out)
    {
        constexpr double turn = static_cast<float>(2.3283064e-10 * 6.2831855);
        for (std::size_t i = 0; i < out.size(); ++i) {
            auto const w = philox4x32<10>({offset_, 0, static_cast<std::uint32_t>(i), 0},
                                          {static_cast<std::uint32_t>(seed_), static_cast<std::uint32_t>(seed_ >> 32)});
            double const u = w[0] * 0x1p-32 + 0x1p-33, angle = detail::product_of(w[1], turn) + turn / 2;
            out[i] = static_cast<float>(std::sqrt(-2 * std::log(u)) * std::sin(angle));
        }
        ++offset_;
    }

private:
    std::uint64_t seed_;
    std::uint32_t offset_ = 0;
};

/// torch.randn(shape, device="cuda", generator=torch.Generator("cuda").manual_seed(seed)), draw after draw.
using torch_cuda_noise = drawn_noise<torch_cuda_generator>;

} // namespace alphabar
