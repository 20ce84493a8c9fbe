// SPDX-License-Identifier: MIT
// Teach the library your tensor type: one specialisation of tensor_traits.
#include <alphabar/alphabar.hpp>

#include <cstdio>
#include <memory>

namespace ab = alphabar;

/// What some engine has: a batch of images in one block of memory.
struct images {
    std::size_t count, channels, side;
    std::unique_ptr<float[]> pixels = std::make_unique<float[]>(count * channels * side * side);
};

template <>
struct ab::tensor_traits<images> {
    using value_type = float;
    static constexpr ab::storage_order order = ab::storage_order::row_major;
    static std::span<float const> elements(images const& t) { return {t.pixels.get(), shape(t).size()}; }
    static std::span<float> elements(images& t) { return {t.pixels.get(), shape(t).size()}; }
    static ab::shape shape(images const& t) { return {t.count, t.channels, t.side, t.side}; }
    static ab::host_space space(images const&) { return {}; }
};

int main()
{
    images x{2, 3, 8};
    auto const plan = ab::ddim(ab::gaussian_diffusion(ab::cosine_betas(1000)), ab::trailing_grid(10));
    ab::noise_stream const noise{.seed = 3};
    ab::draw_initial(plan, noise, x);
    ab::sample(plan, x, noise, [](auto const& input, double, auto& output) {
        for (std::size_t i = 0; i < input.shape.size(); ++i)
            output.data[i] = input.data[i]; // a network that takes everything for noise
    });
    std::printf("first pixel %.4f\n", static_cast<double>(x.pixels[0]));
}
