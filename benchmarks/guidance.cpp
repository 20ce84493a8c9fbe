// SPDX-License-Identifier: MIT
// What does a guidance rule cost, against plain loops that read and write the same arrays in as many passes?
//
// 16 x 3 x 256 x 256 floats, one thread; ratio = ceiling / rule, larger is better.
#include "ceiling.hpp"

#include <alphabar/backends/span.hpp>
#include <alphabar/core/aligned.hpp>
#include <alphabar/grid/spacing.hpp>
#include <alphabar/guidance/adaptive_projected.hpp>
#include <alphabar/guidance/classifier_free.hpp>
#include <alphabar/guidance/frequency_decoupled.hpp>
#include <alphabar/guidance/rescale.hpp>
#include <alphabar/guidance/weighted.hpp>
#include <alphabar/sampler/euler.hpp>
#include <alphabar/sampler/executor.hpp>

#include <algorithm>
#include <array>
#include <cstdio>
#include <tuple>
#include <utility>
#include <vector>

namespace ab = alphabar;

namespace {

constexpr std::size_t samples = 16, sample_size = 3 * 256 * 256, n = samples * sample_size;
ab::shape const sizes{samples, 3, 256, 256};

using words = std::uint32_t const*;

/// The sum of all words: reads only.
template <std::size_t... I>
std::uint32_t read(std::array<words, sizeof...(I)> in, std::index_sequence<I...>)
{
    std::uint32_t sum = 0;
    for (std::size_t i = 0; i < n; ++i)
        sum += (in[I][i] ^ ...);
    return sum;
}
/// out[j] = the sum of the inputs + j, word by word.
template <std::size_t Outputs, std::size_t... I>
void combine(std::array<std::uint32_t*, Outputs> out, std::array<words, sizeof...(I)> in, std::index_sequence<I...>)
{
    CEILING_LOOP
    for (std::size_t i = 0; i < n; ++i) {
        std::uint32_t const sum = (in[I][i] + ...);
        out[0][i] = sum;
        if constexpr (Outputs == 2)
            out[1][i] = sum + 1;
    }
}

struct arrays {
    std::array<ab::aligned_vector<float>, 4> predictions;
    ab::aligned_vector<float> out = ab::aligned_vector<float>(n), average = ab::aligned_vector<float>(n);

    arrays()
    {
        for (std::size_t k = 0; k < 4; ++k) {
            predictions[k].resize(n);
            for (std::size_t i = 0; i < n; ++i)
                predictions[k][i] = static_cast<float>((i + 17 * k) % (1001 - 10 * k)) / 500 - 1;
        }
    }
};

/// A rule of K predictions in `passes` passes, with or without a momentum.
template <std::size_t K, bool Momentum = false, class Rule>
void measure(char const* name, Rule const& rule, int passes)
{
    static arrays a;
    constexpr auto inputs = std::make_index_sequence<K + (Momentum ? 1 : 0)>{};
    auto const word = [](ab::aligned_vector<float>& v) { return reinterpret_cast<std::uint32_t*>(v.data()); };
    std::array<words, inputs.size()> in{};
    for (std::size_t k = 0; k < K; ++k)
        in[k] = word(a.predictions[k]);
    if constexpr (Momentum)
        in[K] = word(a.average);
    ab::guidance_point const at{.step = 1, .steps = 2};
    auto const out = ab::view(a.out, sizes), average = ab::view(a.average, sizes);
    std::ranges::fill(a.average, 0.0f);
    auto const times = ceiling::compare(
        [&] {
            if (passes == 2)
                ceiling::keep(read(in, inputs));
            if constexpr (Momentum)
                combine<2>({word(a.out), word(a.predictions[3])}, in, inputs);
            else
                combine<1>({word(a.out)}, in, inputs);
        },
        [&] {
            [&]<std::size_t... I>(std::index_sequence<I...>) {
                if constexpr (Momentum)
                    ab::guide(rule, at, std::tie(out, average), ab::view(a.predictions[I], sizes)...);
                else
                    ab::guide(rule, at, out, ab::view(a.predictions[I], sizes)...);
            }(std::make_index_sequence<K>{});
        },
        40);
    std::printf("%-34s %6d %9.0f %9.0f %7.2f\n", name, passes, 1e6 * times.ceiling, 1e6 * times.measured,
                times.ratio());
}

/// Guidance within a step: Euler's on rectified flow, x' = x + h F with F the combination of c and u. `mixes`: the step
/// makes it as it reads them; else `guide` writes F, and the step reads it.
void measure_step(bool mixes)
{
    static arrays a;
    ab::aligned_vector<float> x = a.predictions[2];
    ab::executor run(ab::euler(ab::rectified_flow{}, ab::trailing_grid(1000)), ab::view(x, sizes), ab::noise_stream{1});
    std::vector<double> weights;
    for (std::size_t r = 0; r < samples; ++r)
        weights.insert(weights.end(), {1.0, 6.5});
    auto const c = ab::view(a.predictions[0], sizes), u = ab::view(a.predictions[1], sizes),
               out = ab::view(a.out, sizes);
    auto const word = [](ab::aligned_vector<float>& v) { return reinterpret_cast<std::uint32_t*>(v.data()); };
    auto const times = ceiling::compare(
        [&] {
            combine<1>({word(a.average)},
                       std::array<words, 3>{word(a.average), word(a.predictions[0]), word(a.predictions[1])},
                       std::make_index_sequence<3>{});
        },
        [&] {
            run.next();
            if (mixes)
                return run.take(c, {{c.data, u.data}, 2, weights.data()});
            ab::guide(ab::classifier_free{}, out, c, u);
            run.take(out);
        },
        40);
    std::printf("%-34s %6d %9.0f %9.0f %7.2f\n", mixes ? "Euler's step, guided within" : "Euler's step after guide",
                mixes ? 1 : 2, 1e6 * times.ceiling, 1e6 * times.measured, times.ratio());
}

} // namespace

int main()
{
    std::vector<double> const scales(samples, 3.0);
    std::printf("%-34s %6s %9s %9s %7s\n", "", "passes", "ceiling", "rule", "ratio");
    std::printf("%-34s %6s %9s %9s %7s\n", "", "", "us", "us", "");
    measure<2>("classifier_free", ab::classifier_free{}, 1);
    measure<2>("classifier_free, a scale a sample", ab::classifier_free{scales}, 1);
    measure<3>("perturbed (PAG, SLG, SEG)", ab::perturbed(), 1);
    measure<3>("two_condition", ab::two_condition(), 1);
    measure<4>("multimodal (LTX-2)", ab::multimodal(3.0, 1.0, 3.0), 1);
    measure<4>("compositional, 3 conditions", ab::compositional(3.0, 2.0, 1.0), 1);
    measure<2>("rescaled classifier_free", ab::rescaled{ab::classifier_free{}}, 2);
    measure<2>("zero_star", ab::zero_star{}, 2);
    measure<2>("tangential", ab::tangential{}, 2);
    measure<2>("magnitude_aware", ab::magnitude_aware{}, 2);
    measure<2>("adaptive_projected", ab::adaptive_projected{.radius = 15}, 2);
    measure<2, true>("adaptive_projected, momentum", ab::adaptive_projected{.radius = 15, .momentum = -0.5}, 2);
    measure<3>("rescaled perturbed", ab::rescaled{ab::perturbed()}, 2);
    measure<2>("frequency_decoupled, 3 levels",
               ab::frequency_decoupled{{{.scale = 8.0}, {.scale = 4.0}, {.scale = 2.0}}}, 2);
    measure_step(true);
    measure_step(false);
}
