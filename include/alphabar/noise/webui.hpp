// SPDX-License-Identifier: MIT
// The noise of the Stable Diffusion WebUI: variation seeds, seed resizing and the eta noise seed delta.
#pragma once

#include <alphabar/core/error.hpp>
#include <alphabar/core/tensor.hpp>
#include <alphabar/noise/drawn_noise.hpp>
#include <alphabar/noise/torch_cpu.hpp>
#include <alphabar/noise/torch_cuda.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <utility>
#include <variant>
#include <vector>

namespace alphabar {

/// What the WebUI writes below a picture: "Seed", "Variation seed", "Variation seed strength", "Seed resize from",
/// "ENSD".
struct webui_seeds {
    std::vector<std::uint64_t> seeds;      ///< one for each picture of the batch
    std::vector<std::uint64_t> subseeds{}; ///< missing ones are 0
    double subseed_strength = 0;           ///< 0 is the seed's picture, 1 the subseed's
    std::size_t resize_height = 0;         ///< of the latent (pixels / 8); 0: no resizing
    std::size_t resize_width = 0;
    std::uint64_t eta_noise_seed_delta = 0; ///< the sampler's noise is of seed + delta, from its first draw on
};

/// a <- the point `t` of the way from a to b on a great circle, for each line along the middle axis of [outer, length,
/// inner]:
///
///     (sin((1 - t) w) a + sin(t w) b) / sin w,   w the angle between the two lines
///
/// The WebUI turns lines along the height of each channel; with outer = inner = 1 this is the slerp of whole tensors.
/// As in the WebUI, where the mean of cos w is above 0.9995 the result is t a + (1 - t) b. Throws std::invalid_argument
/// where a or b has not outer * length * inner elements.
inline void webui_slerp(double t, std::span<float> a, std::span<float const> b, std::size_t outer, std::size_t length,
                        std::size_t inner)
{
    require(a.size() == outer * length * inner && b.size() == a.size(), "webui_slerp", "the number of elements",
            b.size(), "both must be outer * length * inner");
    std::vector<double> cosine(outer * inner);
    double mean = 0;
    auto const index = [=](std::size_t line, std::size_t i) {
        return (line / inner * length + i) * inner + line % inner;
    };
    for (std::size_t line = 0; line < cosine.size(); ++line) {
        double aa = 0, bb = 0, ab = 0;
        for (std::size_t i = 0; i < length; ++i) {
            double const x = a[index(line, i)], y = b[index(line, i)];
            aa += x * x, bb += y * y, ab += x * y;
        }
        cosine[line] = ab / std::sqrt(aa * bb);
        mean += cosine[line] / static_cast<double>(cosine.size());
    }
    for (std::size_t line = 0; line < cosine.size(); ++line) {
        double const w = std::acos(cosine[line]);
        double const of_a = mean > 0.9995 ? t : std::sin((1 - t) * w) / std::sin(w);
        double const of_b = mean > 0.9995 ? 1 - t : std::sin(t * w) / std::sin(w);
        for (std::size_t i = 0; i < length; ++i) {
            float& x = a[index(line, i)];
            x = static_cast<float>(of_a * x + of_b * b[index(line, i)]);
        }
    }
}

/// From whose generator the noise is: torch's on the graphics card, torch's on the processor, or the WebUI's own copy
/// of the first (torch_cuda_generator, torch_cpu_generator, webui_nv_generator).
enum class webui_source : std::uint8_t { gpu, cpu, nv };

/// The generator of a source that is known when the program runs.
class webui_generator {
public:
    /// `device` is the graphics card of `gpu`; the other sources do not read it. Throws as torch_cuda_generator does.
    webui_generator(webui_source source, std::uint64_t seed, cuda_device device)
        : generator_(make(source, seed, device))
    {
    }
    void randn(std::span<float> out)
    {
        std::visit([&](auto& g) { g.randn(out); }, generator_);
    }

private:
    using any = std::variant<webui_nv_generator, torch_cpu_generator, torch_cuda_generator>;
    static any make(webui_source source, std::uint64_t seed, cuda_device device)
    {
        if (source == webui_source::gpu)
            return torch_cuda_generator(seed, device);
        return source == webui_source::cpu ? any(torch_cpu_generator(seed)) : any(webui_nv_generator(seed));
    }
    any generator_;
};

/// The noise of a batch of latents [batch, channels, height, width], as the WebUI's modules/rng.py makes it. G is its
/// random number source: webui_nv_generator ("NV"), torch_cpu_generator ("CPU") or torch_cuda_generator ("GPU").
///
///     webui_noise<> noise({.seeds = {1234}, .eta_noise_seed_delta = 31337}, {1, 4, 64, 64});
///     x = noise.initial() times plan.initial_scale;
///     sample(plan, x, noise, network);
template <class G = webui_nv_generator>
class webui_noise {
public:
    using maker = std::function<G(std::uint64_t seed)>;

    /// Throws std::invalid_argument where the shape has not four extents, the seeds are not one for each picture or
    /// their own size is above 65536.
    webui_noise(
        webui_seeds seeds, alphabar::shape const& shape, maker make = [](std::uint64_t s) { return G(s); })
        : seeds_(std::move(seeds)), shape_(checked(shape, seeds_)), make_(std::move(make)), next_(following())
    {
    }

    /// x_T, where the sampler starts.
    drawn_tensor<float> initial() const
    {
        drawn_tensor<float> x{std::vector<float>(shape_.size()), shape_};
        std::size_t const size = shape_.sample_size(), channels = shape_[1], height = shape_[2], width = shape_[3];
        bool const resized = seeds_.resize_height > 0 && seeds_.resize_width > 0 &&
                             (seeds_.resize_height != height || seeds_.resize_width != width);
        std::size_t const h = resized ? seeds_.resize_height : height, w = resized ? seeds_.resize_width : width;
        for (std::size_t i = 0; i < seeds_.seeds.size(); ++i) {
            std::vector<float> z = of(seeds_.seeds[i], channels * h * w);
            if (!seeds_.subseeds.empty() && seeds_.subseed_strength != 0) {
                std::uint64_t const subseed = i < seeds_.subseeds.size() ? seeds_.subseeds[i] : 0;
                webui_slerp(seeds_.subseed_strength, z, of(subseed, z.size()), channels, h, w);
            }
            float* const picture = x.values.data() + i * size;
            if (resized) { // the other size's noise, centred over this size's
                std::ranges::copy(of(seeds_.seeds[i], size), picture);
                auto const [to_y, from_y, rows] = centred(height, h);
                auto const [to_x, from_x, columns] = centred(width, w);
                for (std::size_t c = 0; c < channels; ++c)
                    for (std::size_t y = 0; y < rows; ++y)
                        std::copy_n(z.data() + (c * h + from_y + y) * w + from_x, columns,
                                    picture + (c * height + to_y + y) * width + to_x);
            } else {
                std::ranges::copy(z, picture);
            }
        }
        return x;
    }
    drawn_tensor<float> operator()(std::uint32_t index) { return next_(index); }

private:
    static alphabar::shape const& checked(alphabar::shape const& shape, webui_seeds const& seeds)
    {
        require(shape.rank() == 4, "webui_noise", "the number of extents", shape.rank(),
                "it must be 4: [batch, channels, height, width]");
        require(seeds.seeds.size() == shape[0], "webui_noise", "the number of seeds", seeds.seeds.size(),
                "there must be one for each picture of the batch");
        require(seeds.resize_height <= 65536 && seeds.resize_width <= 65536, "webui_noise", "the size of the seeds",
                std::max(seeds.resize_height, seeds.resize_width), "each side must be at most 65536");
        return shape;
    }
    drawn_noise<G> following() const
    {
        std::vector<G> generators;
        for (std::uint64_t seed : seeds_.seeds)
            generators.push_back(make_(seed + seeds_.eta_noise_seed_delta));
        return {std::move(generators), shape_, seeds_.eta_noise_seed_delta == 0 ? std::size_t{1} : 0};
    }
    std::vector<float> of(std::uint64_t seed, std::size_t n) const
    {
        std::vector<float> z(n);
        make_(seed).randn(std::span<float>(z));
        return z;
    }
    struct placing {
        std::size_t to, from, count;
    };
    static placing centred(std::size_t outer, std::size_t inner)
    {
        if (inner <= outer)
            return {(outer - inner) / 2, 0, inner};
        std::size_t const half = (inner - outer + 1) / 2; // Python's // rounds -half down
        return {0, half, inner - 2 * half};
    }

    webui_seeds seeds_;
    alphabar::shape shape_;
    maker make_;
    drawn_noise<G> next_;
};

} // namespace alphabar
