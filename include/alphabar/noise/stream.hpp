// SPDX-License-Identifier: MIT
// Noise as a formula: every number is a pure function of (seed, purpose, step, sample, element).
#pragma once

#include <alphabar/core/error.hpp>
#include <alphabar/core/host_device.hpp>
#include <alphabar/core/philox.hpp>
#include <alphabar/noise/normals.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <span>
#include <utility>
#include <vector>

namespace alphabar {

/// What random numbers are for. Different purposes never share a number.
enum class purpose : std::uint8_t {
    initial = 0,   ///< x_T, the start of sampling
    training = 1,  ///< eps of q_sample
    time_draw = 2, ///< the time step of a training example
    sampler = 3,   ///< noise that a sampler adds
    data = 4,      ///< order and augmentation of data
    weights = 5,   ///< initialisation of weights
    dropout = 6,
    user = 7,
    path = 8,      ///< Brownian paths
    fold_in = 254, ///< seeds made of seeds
    test = 255
};

/// The random numbers of one (seed, purpose, step): sample by sample, element by element. Trivially copyable, no state.
///
/// Counter of block b (elements 4 b .. 4 b + 3) of sample s: (b, purpose << 24 | step, low(s), high(s)); key: the seed,
/// low word first; Philox4x32-10. Elements are counted row-major over the sample's own extents, so that sample s is
/// the same alone, in any batch, on any machine. Models `generator`.
///
/// Row r is sample first_sample + r, modulo 2^64. `fill(x, noise(purpose::initial, 0))` of core/fill.hpp fills a
/// tensor.
struct noise_field {
    std::uint64_t seed = 0;
    std::uint32_t purpose_and_step = 0;
    std::uint64_t first_sample = 0;

    /// A sample has at most so many elements.
    static constexpr std::uint64_t max_elements = std::uint64_t{1} << 34;

    /// Writes the standard normals of elements first, first + 1, ... of a row; any `first`, any length, any alignment
    /// of `out`. Throws std::invalid_argument beyond 2^34 elements.
    void fill(std::size_t row, std::size_t first, std::span<float> out) const
    {
        fill(row, first, out, detail::group_hook{});
    }
    /// The same; calls between(float const* at, std::size_t count) before it writes a group of numbers there.
    template <class Between>
    void fill(std::size_t row, std::size_t first, std::span<float> out, Between const& between) const
    {
        fill(row, first, out,
             detail::group_hook{[](void const* context, float const* at, std::size_t count) {
                                    (*static_cast<Between const*>(context))(at, count);
                                },
                                &between});
    }
    void fill(std::size_t row, std::size_t first, std::span<float> out, detail::group_hook between) const
    {
        require(first <= max_elements && out.size() <= max_elements - first, "noise_field::fill", "the last element",
                first + out.size(), "a sample has at most 2^34 elements");
        auto const start = detail::make_philox_start(seed, purpose_and_step, first_sample + row);
        detail::fill_normals(detail::best_isa(), start, first, out.data(), out.size(), between);
    }

    /// One standard normal: the bits that `fill` writes. Elements are below 2^34, which is not checked.
    ALPHABAR_HOST_DEVICE float operator()(std::uint64_t row, std::uint64_t element) const
    {
        std::uint32_t w[4];
        block_words(row, element / 4, w);
        std::uint32_t const pair = element & 2u;
        float cosine, sine;
        detail::plain::box_muller(w[pair], w[pair + 1], cosine, sine);
        return element & 1u ? sine : cosine;
    }

    /// The four normals of a block, as `fill` writes them: for device code, which makes them at once.
    struct four {
        float at[4];
    };
    ALPHABAR_HOST_DEVICE four block(std::uint64_t row, std::uint64_t index) const
    {
        std::uint32_t w[4];
        block_words(row, index, w);
        four z;
        detail::plain::box_muller(w[0], w[1], z.at[0], z.at[1]);
        detail::plain::box_muller(w[2], w[3], z.at[2], z.at[3]);
        return z;
    }

    /// The four random words of a block, uniform in [0, 2^32). Blocks are below 2^32, which is not checked.
    constexpr std::array<std::uint32_t, 4> words(std::uint64_t row, std::uint64_t block) const
    {
        std::uint32_t w[4]{};
        block_words(row, block, w);
        return {w[0], w[1], w[2], w[3]};
    }

    /// The random word of an element: word element % 4 of block element / 4.
    ALPHABAR_HOST_DEVICE constexpr std::uint32_t word(std::uint64_t row, std::uint64_t element) const
    {
        std::uint32_t w[4]{};
        block_words(row, element / 4, w);
        return w[element & 3u];
    }

    /// u = (w + 1/2) 2^-32 of an element's word w: uniform, strictly between 0 and 1, exact.
    ALPHABAR_HOST_DEVICE constexpr double uniform(std::uint64_t row, std::uint64_t element) const
    {
        return (static_cast<double>(word(row, element)) + 0.5) * 0x1p-32;
    }

    /// The four words of a block, as device code can take them.
    ALPHABAR_HOST_DEVICE constexpr void block_words(std::uint64_t row, std::uint64_t block, std::uint32_t (&w)[4]) const
    {
        std::uint64_t const sample = first_sample + row;
        w[0] = static_cast<std::uint32_t>(block), w[1] = purpose_and_step;
        w[2] = static_cast<std::uint32_t>(sample), w[3] = static_cast<std::uint32_t>(sample >> 32);
        detail::philox4x32<10>(w, static_cast<std::uint32_t>(seed), static_cast<std::uint32_t>(seed >> 32));
    }

    friend constexpr bool operator==(noise_field const&, noise_field const&) = default;
};

/// All the random numbers of one seed: `stream(purpose, step)` is the field of them for one use. The stream is part of
/// the library's promise (noise_v1): the same seed gives the same numbers with every release of the same major version.
struct noise_stream {
    std::uint64_t seed = 0;

    /// Steps are below 2^24: else std::invalid_argument. Row r of the field is sample first_sample + r: a shard that
    /// holds samples 64 .. 127 of a batch asks for first_sample = 64 and gets the numbers that these samples have in
    /// the whole.
    constexpr noise_field operator()(purpose use, std::uint32_t step, std::uint64_t first_sample = 0) const
    {
        require(step < (std::uint32_t{1} << 24), "noise_stream", "step", step, "it must be below 2^24");
        return {seed, static_cast<std::uint32_t>(use) << 24 | step, first_sample};
    }

    friend constexpr bool operator==(noise_stream const&, noise_stream const&) = default;
};

/// The stream of a sub-seed: independent of `noise` and of the folds of other numbers (a worker, a run, an epoch).
constexpr noise_stream fold_in(noise_stream noise, std::uint64_t number)
{
    auto const w = noise(purpose::fold_in, 0, number).words(0, 0);
    return {w[0] | std::uint64_t{w[1]} << 32};
}

namespace detail {

/// Uniform in [0, n), n > 0, from the words of elements i, i + 1, ...; i is left behind the last one used.
/// Multiply-high with rejection: Lemire, "Fast random integer generation in an interval" (2019).
ALPHABAR_HOST_DEVICE constexpr std::uint32_t draw_below(std::uint32_t n, noise_field const& field, std::uint64_t row,
                                                        std::uint64_t& i)
{
    for (std::uint32_t const rejected = (0u - n) % n;;) {
        std::uint64_t const product = std::uint64_t{field.word(row, i++)} * n;
        if (static_cast<std::uint32_t>(product) >= rejected)
            return static_cast<std::uint32_t>(product >> 32);
    }
}

} // namespace detail

/// The time of a training example: uniform in [0, T), without bias. `step` is the training step, `sample` the example's
/// global number. Throws std::invalid_argument where T = 0 or step >= 2^24.
constexpr std::uint32_t time_draw(noise_stream noise, std::uint32_t T, std::uint32_t step, std::uint64_t sample)
{
    require(T > 0, "time_draw", "T", T, "it must be at least 1");
    std::uint64_t i = 0;
    return detail::draw_below(T, noise(purpose::time_draw, step, sample), 0, i);
}

/// The numbers 0 .. n - 1 in random order, every order as likely as any other: the order of n examples in one epoch.
/// Fisher-Yates. Throws std::invalid_argument where n >= 2^32 or epoch >= 2^24.
inline std::vector<std::uint32_t> permutation(noise_stream noise, std::size_t n, std::uint32_t epoch)
{
    require(n < (std::uint64_t{1} << 32), "permutation", "n", n, "it must be below 2^32");
    noise_field const field = noise(purpose::data, epoch);
    std::vector<std::uint32_t> order(n);
    std::iota(order.begin(), order.end(), 0u);
    std::uint64_t i = 0;
    for (auto left = static_cast<std::uint32_t>(n); left > 1; --left)
        std::swap(order[left - 1], order[detail::draw_below(left, field, 0, i)]);
    return order;
}

} // namespace alphabar
