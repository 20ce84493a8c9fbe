// SPDX-License-Identifier: MIT
// The layers of the denoiser, forward and backward, for any scalar; packs of floats where the scalar is float.
//
// A map is one image's channels in memory: (n + 2) x (n + 2) pixels of C scalars each, a border of zeros around n x n
// pixels.
#pragma once

#include <alphabar/denoiser/simd.hpp>

#include <algorithm>
#include <complex>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <type_traits>

/// Before a loop of few turns, known when compiling, over packs that are to stay in registers.
#if defined(__clang__)
#define ALPHABAR_UNROLL_PACKS _Pragma("clang loop unroll(full)")
#else
#define ALPHABAR_UNROLL_PACKS _Pragma("GCC unroll 32")
#endif

namespace alphabar {

/// Where pixel (row, column) of an n x n map of C channels begins; the border is row or column -1 and n.
constexpr std::size_t pixel(std::size_t n, std::size_t channels, std::size_t row, std::size_t column)
{
    return ((row + 1) * (n + 2) + column + 1) * channels;
}
/// The number of scalars of a map, the border included.
constexpr std::size_t map_size(std::size_t n, std::size_t channels) { return (n + 2) * (n + 2) * channels; }

namespace detail {

/// f.operator()<Lanes>(offset) for packs that cover each row of the n x n pixels of a map: the widest while they fit.
template <int Widest, int C, class F>
[[gnu::always_inline]] inline void for_pixels(std::size_t n, F const& f)
{
    for (std::size_t row = 0; row < n; ++row) {
        std::size_t i = pixel(n, C, row, 0), end = i + n * C;
        for (; i + Widest <= end; i += Widest)
            f(std::integral_constant<int, Widest>{}, i);
        if constexpr (C % Widest != 0)
            for (; i < end; i += lanes_for<Widest, C>)
                f(std::integral_constant<int, lanes_for<Widest, C>>{}, i);
    }
}

/// The sum of a pack's lanes.
template <class S, int Lanes>
[[gnu::always_inline]] inline S sum_of(pack<S, Lanes> const& v)
{
    if constexpr (Lanes == 1)
        return v;
    else if constexpr (Lanes == 4)
        return (v[0] + v[2]) + (v[1] + v[3]);
    else if constexpr (Lanes == 8)
        return sum_of<S, 4>(__builtin_shufflevector(v, v, 0, 1, 2, 3) + __builtin_shufflevector(v, v, 4, 5, 6, 7));
    else
        return sum_of<S, 8>(__builtin_shufflevector(v, v, 0, 1, 2, 3, 4, 5, 6, 7) +
                            __builtin_shufflevector(v, v, 8, 9, 10, 11, 12, 13, 14, 15));
}

/// How many input channels share a pack with all `Out` output channels: two where those fill half of the widest pack.
/// Lane 2 o + h of such a pack belongs to output channel o and to input channel c + h.
template <int Widest, int In, int Out>
inline constexpr int fold = Widest == 16 && Out == 8 && In % 2 == 0 ? 2 : 1;

/// `v` = the scalar at x, to be multiplied with a pack; or the two scalars there, in turn.
template <class S>
[[gnu::always_inline]] inline void repeat(S const* x, S& v)
{
    v = *x;
}
[[gnu::always_inline]] inline void repeat(float const* x, pack<float, 16>& v)
{
    std::int64_t two;
    std::memcpy(&two, x, sizeof two);
    v = (pack<float, 16>)(pack<std::int64_t, 8>{} + two);
}
template <class S, int Wide, int Fold>
using repeated = pack<S, Fold == 1 ? 1 : Wide>;

/// y = add + bias + conv(x, k): y[p][o] = add[p][o] + bias[o] + sum_tap sum_c x[p + tap][c] k[tap][c][o] for the nine
/// taps around p, zeros outside. `bias` and `add` may be null; y may be add. A tile of pixels is held in registers;
/// each x that is read serves the three taps of a row.
template <int In, int Out>
struct conv_kernel {
    template <class S, int Lanes, int Fold, int Pixels, int Groups>
    [[gnu::always_inline]] static inline void tile(S const* x, S const* k, S const* bias, S const* add, S* y,
                                                   std::size_t row)
    {
        constexpr int Wide = Lanes * Fold;
        pack<S, Wide> sum[Pixels][Groups] = {};
        for (int tap_row = 0; tap_row < 3; ++tap_row, x += row, k += 3 * In * Out)
            for (int c = 0; c < In; c += Fold) {
                pack<S, Wide> weights[3][Groups];
                ALPHABAR_UNROLL_PACKS
                for (int tap = 0; tap < 3; ++tap) {
                    ALPHABAR_UNROLL_PACKS
                    for (int g = 0; g < Groups; ++g)
                        weights[tap][g] = at<Wide>(k + (tap * In + c) * Out + g * Wide).v;
                }
                ALPHABAR_UNROLL_PACKS
                for (int i = 0; i < Pixels + 2; ++i) {
                    repeated<S, Wide, Fold> here;
                    repeat(x + i * In + c, here);
                    ALPHABAR_UNROLL_PACKS
                    for (int tap = 0; tap < 3; ++tap)
                        if (i - tap >= 0 && i - tap < Pixels) {
                            ALPHABAR_UNROLL_PACKS
                            for (int g = 0; g < Groups; ++g)
                                sum[i - tap][g] += here * weights[tap][g];
                        }
                }
            }
        ALPHABAR_UNROLL_PACKS
        for (int p = 0; p < Pixels; ++p) {
            ALPHABAR_UNROLL_PACKS
            for (int g = 0; g < Groups; ++g) {
                int const i = p * Out + g * Lanes;
                pack<S, Lanes> total;
                if constexpr (Fold == 1)
                    total = sum[p][g];
                else
                    total = __builtin_shufflevector(sum[p][g], sum[p][g], 0, 2, 4, 6, 8, 10, 12, 14) +
                            __builtin_shufflevector(sum[p][g], sum[p][g], 1, 3, 5, 7, 9, 11, 13, 15);
                if (bias)
                    total += at<Lanes>(bias + g * Lanes).v;
                if (add)
                    total += at<Lanes>(add + i).v;
                at<Lanes>(y + i).v = total;
            }
        }
    }

    template <class S, int Widest>
    [[gnu::always_inline]] static inline void run(std::size_t n, S const* x, S const* k, S const* bias, S const* add,
                                                  S* y)
    {
        constexpr int Lanes = lanes_for<Widest, Out>;
        constexpr int Fold = fold<Widest, In, Out>;
        constexpr int Groups = Widest == 16 && Out / Lanes % 2 == 0 ? 2 : 1;
        constexpr int Large = Widest == 16 ? 14 : 7;
        alignas(64) S folded[Fold == 1 ? 1 : 9 * In * Out];
        if constexpr (Fold == 2) {
            for (int i = 0; i < 9 * In * Out; i += 16) {
                pack<S, 16> const two = at<16>(k + i).v;
                at<16>(folded + i).v =
                    __builtin_shufflevector(two, two, 0, 8, 1, 9, 2, 10, 3, 11, 4, 12, 5, 13, 6, 14, 7, 15);
            }
            k = folded;
        }
        for (std::size_t row = 0; row < n; ++row)
            for (int first = 0; first < Out; first += Groups * Lanes) {
                auto const tiles = [&]<int Pixels>(std::integral_constant<int, Pixels>,
                                                   std::size_t& column) __attribute__((always_inline)) {
                    for (; column + Pixels <= n; column += Pixels) {
                        std::size_t const i = pixel(n, Out, row, column) + static_cast<std::size_t>(first);
                        tile<S, Lanes, Fold, Pixels, Groups>(x + pixel(n, In, row - 1, column - 1), k + first,
                                                             bias ? bias + first : bias, add ? add + i : add, y + i,
                                                             (n + 2) * In);
                    }
                };
                std::size_t column = 0;
                if constexpr (Large != 7 && std::is_same_v<S, float>)
                    tiles(std::integral_constant<int, Large>{}, column);
                if constexpr (std::is_same_v<S, float>)
                    tiles(std::integral_constant<int, 7>{}, column);
                tiles(std::integral_constant<int, 1>{}, column);
            }
    }
};

/// The same for one output channel: packs run over the input channels and are added up at the end.
template <int In>
struct conv_kernel<In, 1> {
    template <class S, int Widest>
    [[gnu::always_inline]] static inline void run(std::size_t n, S const* x, S const* k, S const* bias, S const* add,
                                                  S* y)
    {
        constexpr int Lanes = lanes_for<Widest, In>;
        for (std::size_t row = 0; row < n; ++row)
            for (std::size_t column = 0; column < n; ++column) {
                std::size_t const i = pixel(n, 1, row, column);
                pack<S, Lanes> sum[3] = {};
                for (std::size_t tap_row = 0; tap_row < 3; ++tap_row) {
                    S const* const x_tap = x + pixel(n, In, row + tap_row - 1, column - 1);
                    S const* const weights = k + tap_row * 3 * In;
                    for (int c = 0; c < In; c += Lanes) {
                        ALPHABAR_UNROLL_PACKS
                        for (int tap = 0; tap < 3; ++tap)
                            sum[tap] += at<Lanes>(x_tap + tap * In + c).v * at<Lanes>(weights + tap * In + c).v;
                    }
                }
                S const total = (bias ? *bias : S(0)) + sum_of<S, Lanes>(sum[0] + sum[1] + sum[2]);
                y[i] = add ? add[i] + total : total;
            }
    }
};

/// Gradient of a convolution to its kernel, added to dk: dk[tap][c][o] += sum_p x[p + tap][c] dy[p][o]. Three taps of a
/// row times some input channels are held in registers while all pixels pass; the border of dy is zero.
template <int In, int Out>
struct conv_weights_kernel {
    template <class S, int Widest>
    [[gnu::always_inline]] static inline void run(std::size_t n, S const* x, S const* dy, S* dk)
    {
        constexpr int Lanes = lanes_for<Widest, Out>;
        constexpr int Fold = fold<Widest, In, Out>, Wide = Lanes * Fold;
        constexpr int Block = std::min(In / Fold, Widest == 16 ? 8 : 4); // packs of a tap
        auto const read = [](S const* from, pack<S, Wide>& d) __attribute__((always_inline)) {
            if constexpr (Fold == 1)
                d = at<Wide>(from).v;
            else {
                pack<S, Lanes> const once = at<Lanes>(from).v;
                d = __builtin_shufflevector(once, once, 0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7);
            }
        };
        for (std::size_t tap_row = 0; tap_row < 3; ++tap_row)
            for (int c = 0; c < In; c += Block * Fold)
                for (int o = 0; o < Out; o += Lanes) {
                    pack<S, Wide> sum[3][Block] = {};
                    for (std::size_t row = 0; row < n; ++row) {
                        S const* x_here = x + pixel(n, In, row + tap_row - 1, 0) + c;
                        S const* dy_next = dy + pixel(n, Out, row, 0) + o;
                        pack<S, Wide> d[3] = {}; // of the pixel after x's, of x's, of the one before: taps 0, 1, 2
                        read(dy_next, d[1]);
                        for (std::size_t column = 0; column < n; ++column, x_here += In) {
                            dy_next += Out;
                            read(dy_next, d[0]);
                            ALPHABAR_UNROLL_PACKS
                            for (int b = 0; b < Block; ++b) {
                                repeated<S, Wide, Fold> here;
                                repeat(x_here + b * Fold, here);
                                ALPHABAR_UNROLL_PACKS
                                for (int tap = 0; tap < 3; ++tap)
                                    sum[tap][b] += here * d[tap];
                            }
                            d[2] = d[1], d[1] = d[0];
                        }
                    }
                    S* const here = dk + (static_cast<int>(tap_row) * 3 * In + c) * Out + o;
                    ALPHABAR_UNROLL_PACKS
                    for (int tap = 0; tap < 3; ++tap) {
                        ALPHABAR_UNROLL_PACKS
                        for (int b = 0; b < Block; ++b) {
                            pack<S, Wide>& total = sum[tap][b];
                            if constexpr (Fold == 2)
                                total = __builtin_shufflevector(total, total, 0, 2, 4, 6, 8, 10, 12, 14, 1, 3, 5, 7, 9,
                                                                11, 13, 15);
                            at<Wide>(here + (tap * In + b * Fold) * Out).v += total;
                        }
                    }
                }
    }
};

/// The same for one output channel: packs run over the input channels.
template <int In>
struct conv_weights_kernel<In, 1> {
    template <class S, int Widest>
    [[gnu::always_inline]] static inline void run(std::size_t n, S const* x, S const* dy, S* dk)
    {
        constexpr int Lanes = lanes_for<Widest, In>;
        for (int c = 0; c < In; c += Lanes) {
            pack<S, Lanes> sum[9] = {};
            for (std::size_t row = 0; row < n; ++row)
                for (std::size_t column = 0; column < n; ++column) {
                    S const d = dy[pixel(n, 1, row, column)];
                    ALPHABAR_UNROLL_PACKS
                    for (std::size_t tap = 0; tap < 9; ++tap)
                        sum[tap] += d * at<Lanes>(x + pixel(n, In, row + tap / 3 - 1, column + tap % 3 - 1) + c).v;
                }
            ALPHABAR_UNROLL_PACKS
            for (int tap = 0; tap < 9; ++tap)
                at<Lanes>(dk + tap * In + c).v += sum[tap];
        }
    }
};

/// Gradient of a convolution to its bias, added to db: db[o] += sum_p dy[p][o].
template <int Out>
struct conv_bias_kernel {
    template <class S, int Widest>
    [[gnu::always_inline]] static inline void run(std::size_t n, S const* dy, S* db)
    {
        constexpr int Lanes = lanes_for<Widest, Out>;
        for (int o = 0; o < Out; o += Lanes) {
            pack<S, Lanes> sum = {};
            for (std::size_t row = 0; row < n; ++row)
                for (std::size_t column = 0; column < n; ++column)
                    sum += at<Lanes>(dy + pixel(n, Out, row, column) + o).v;
            at<Lanes>(db + o).v += sum;
        }
    }
};

/// y = x s(x) and its slope dy/dx = s(x) (1 + x (1 - s(x))), with s the sigmoid.
template <class S, int Lanes>
[[gnu::always_inline]] inline void silu(pack<S, Lanes> const& x, S* y, S* slope)
{
    pack<S, Lanes> s;
    sigmoid<S, Lanes>(x, s);
    pack<S, Lanes> const product = x * s;
    at<Lanes>(y).v = product;
    at<Lanes>(slope).v = s + product * (S(1) - s);
}

template <int C>
struct silu_kernel {
    template <class S, int Widest>
    [[gnu::always_inline]] static inline void run(std::size_t n, S const* x, S* y, S* slope)
    {
        for_pixels<Widest, C>(n, [=]<int Lanes>(std::integral_constant<int, Lanes>, std::size_t i)
                                     __attribute__((always_inline)) {
                                         pack<S, Lanes> const here = at<Lanes>(x + i).v;
                                         silu<S, Lanes>(here, y + i, slope + i);
                                     });
    }
};

/// The same for `count` scalars in a row, a multiple of 16.
struct silu_values_kernel {
    template <class S, int Lanes>
    [[gnu::always_inline]] static inline void run(std::size_t count, S const* x, S* y, S* slope)
    {
        for (std::size_t i = 0; i < count; i += Lanes) {
            pack<S, Lanes> const here = at<Lanes>(x + i).v;
            silu<S, Lanes>(here, y + i, slope + i);
        }
    }
};

/// y = max(x, 0), by the real part where x is complex, and its slope, 0 or 1.
template <int C>
struct relu_kernel {
    template <class S, int Widest>
    [[gnu::always_inline]] static inline void run(std::size_t n, S const* x, S* y, S* slope)
    {
        for_pixels<Widest, C>(
            n, [=]<int Lanes>(std::integral_constant<int, Lanes>, std::size_t i) __attribute__((always_inline)) {
                pack<S, Lanes> const here = at<Lanes>(x + i).v;
                if constexpr (Lanes == 1)
                    at<Lanes>(slope + i).v = S(std::real(here) > 0);
                else
                    at<Lanes>(slope + i).v = here > S(0) ? pack<S, Lanes>{} + S(1) : pack<S, Lanes>{};
                at<Lanes>(y + i).v = here * at<Lanes>(slope + i).v;
            });
    }
};

/// Gradient of an activation to its input: dx = add + dy slope. `add` may be null; dx may be add or dy.
template <int C>
struct activation_backward_kernel {
    template <class S, int Widest>
    [[gnu::always_inline]] static inline void run(std::size_t n, S const* dy, S const* slope, S const* add, S* dx)
    {
        for_pixels<Widest, C>(n, [=]<int Lanes>(std::integral_constant<int, Lanes>, std::size_t i)
                                     __attribute__((always_inline)) {
                                         pack<S, Lanes> const d = at<Lanes>(dy + i).v * at<Lanes>(slope + i).v;
                                         at<Lanes>(dx + i).v = add ? at<Lanes>(add + i).v + d : d;
                                     });
    }
};

/// FiLM and SiLU: y = silu(x (1 + gamma) + beta) and its slope; film holds gamma[C] and beta[C].
template <int C>
struct film_kernel {
    template <class S, int Widest>
    [[gnu::always_inline]] static inline void run(std::size_t n, S const* x, S const* film, S* y, S* slope)
    {
        constexpr int Lanes = lanes_for<Widest, C>;
        for (int c = 0; c < C; c += Lanes) {
            pack<S, Lanes> const scale = S(1) + at<Lanes>(film + c).v, shift = at<Lanes>(film + C + c).v;
            for (std::size_t row = 0; row < n; ++row)
                for (std::size_t column = 0; column < n; ++column) {
                    std::size_t const i = pixel(n, C, row, column) + static_cast<std::size_t>(c);
                    silu<S, Lanes>(at<Lanes>(x + i).v * scale + shift, y + i, slope + i);
                }
        }
    }
};

/// Gradient of it. With d = dy slope: dx = d (1 + gamma), dgamma = sum_p d x, dbeta = sum_p d (both written to dfilm).
/// dx may be dy.
template <int C>
struct film_backward_kernel {
    template <class S, int Widest>
    [[gnu::always_inline]] static inline void run(std::size_t n, S const* dy, S const* slope, S const* x, S const* film,
                                                  S* dx, S* dfilm)
    {
        constexpr int Lanes = lanes_for<Widest, C>;
        for (int c = 0; c < C; c += Lanes) {
            pack<S, Lanes> const scale = S(1) + at<Lanes>(film + c).v;
            pack<S, Lanes> dgamma = {}, dbeta = {};
            for (std::size_t row = 0; row < n; ++row)
                for (std::size_t column = 0; column < n; ++column) {
                    std::size_t const i = pixel(n, C, row, column) + static_cast<std::size_t>(c);
                    pack<S, Lanes> const d = at<Lanes>(dy + i).v * at<Lanes>(slope + i).v;
                    dgamma += d * at<Lanes>(x + i).v;
                    dbeta += d;
                    at<Lanes>(dx + i).v = d * scale;
                }
            at<Lanes>(dfilm + c).v = dgamma;
            at<Lanes>(dfilm + C + c).v = dbeta;
        }
    }
};

/// y = scale times the sum of the 2 x 2 pixels of x; y is n x n. Scale 1/4: mean pooling; scale 1: the gradient of
/// `spread`.
template <int C>
struct gather_kernel {
    template <class S, int Widest>
    [[gnu::always_inline]] static inline void run(std::size_t n, S const* x, S scale, S* y)
    {
        constexpr int Lanes = lanes_for<Widest, C>;
        for (std::size_t row = 0; row < n; ++row)
            for (std::size_t column = 0; column < n; ++column)
                for (int c = 0; c < C; c += Lanes) {
                    S const* const a = x + pixel(2 * n, C, 2 * row, 2 * column) + c;
                    S const* const b = a + (2 * n + 2) * C;
                    at<Lanes>(y + pixel(n, C, row, column) + c).v =
                        ((at<Lanes>(a).v + at<Lanes>(a + C).v) + (at<Lanes>(b).v + at<Lanes>(b + C).v)) * scale;
                }
    }
};

/// y = add + scale times x at each of the 2 x 2 pixels; x is n x n, y and add 2n x 2n. Scale 1: nearest neighbour;
/// scale 1/4: the gradient of mean pooling. y may be add.
template <int C>
struct spread_kernel {
    template <class S, int Widest>
    [[gnu::always_inline]] static inline void run(std::size_t n, S const* x, S scale, S const* add, S* y)
    {
        constexpr int Lanes = lanes_for<Widest, C>;
        for (std::size_t row = 0; row < n; ++row)
            for (std::size_t column = 0; column < n; ++column)
                for (int c = 0; c < C; c += Lanes) {
                    pack<S, Lanes> const here = at<Lanes>(x + pixel(n, C, row, column) + c).v * scale;
                    std::size_t const first = pixel(2 * n, C, 2 * row, 2 * column) + static_cast<std::size_t>(c);
                    std::size_t const below = first + (2 * n + 2) * C;
                    for (std::size_t i : {first, first + C, below, below + C})
                        at<Lanes>(y + i).v = at<Lanes>(add + i).v + here;
                }
    }
};

/// f(rows, images, i, m) for tiles that cover `in` rows of weights and `images` images: tiles of Rows x 8 while they
/// fit.
template <int Rows, class F>
[[gnu::always_inline]] inline void for_tiles(std::size_t in, std::size_t images, F const& f)
{
    using one = std::integral_constant<int, 1>;
    auto const of_images = [&](auto count, std::size_t m) __attribute__((always_inline)) {
        std::size_t i = 0;
        for (; i + Rows <= in; i += Rows)
            f(std::integral_constant<int, Rows>{}, count, i, m);
        for (; i < in; ++i)
            f(one{}, count, i, m);
    };
    std::size_t m = 0;
    for (; m + 8 <= images; m += 8)
        of_images(std::integral_constant<int, 8>{}, m);
    for (; m < images; ++m)
        of_images(one{}, m);
}

/// y[m][o] = bias[o] + sum_i x[m][i] weights[i][o] for `images` images; `out` is a multiple of 16.
struct dense_kernel {
    template <class S, int Lanes>
    [[gnu::always_inline]] static inline void run(std::size_t in, std::size_t out, std::size_t images, S const* weights,
                                                  S const* bias, S const* x, S* y)
    {
        for_tiles<1>(1, images,
                     [=]<int Images>(auto, std::integral_constant<int, Images>, std::size_t, std::size_t first)
                         __attribute__((always_inline)) {
                             for (std::size_t o = 0; o < out; o += Lanes) {
                                 pack<S, Lanes> sum[Images];
                                 ALPHABAR_UNROLL_PACKS
                                 for (int m = 0; m < Images; ++m)
                                     sum[m] = at<Lanes>(bias + o).v;
                                 for (std::size_t i = 0; i < in; ++i) {
                                     ALPHABAR_UNROLL_PACKS
                                     for (std::size_t m = 0; m < Images; ++m)
                                         sum[m] += x[(first + m) * in + i] * at<Lanes>(weights + i * out + o).v;
                                 }
                                 ALPHABAR_UNROLL_PACKS
                                 for (std::size_t m = 0; m < Images; ++m)
                                     at<Lanes>(y + (first + m) * out + o).v = sum[m];
                             }
                         });
    }
};

/// Gradients of it: dweights[i][o] += sum_m x[m][i] dy[m][o] and dbias[o] += sum_m dy[m][o].
struct dense_weights_kernel {
    template <class S, int Lanes>
    [[gnu::always_inline]] static inline void run(std::size_t in, std::size_t out, std::size_t images, S const* x,
                                                  S const* dy, S* dweights, S* dbias)
    {
        constexpr int Most = Lanes == 16 ? 2 : 1;
        for_tiles<Most>(in, images,
                        [=]<int Rows, int Images>(std::integral_constant<int, Rows>,
                                                  std::integral_constant<int, Images>, std::size_t i, std::size_t first)
                            __attribute__((always_inline)) {
                                S here[Images][Rows];
                                for (std::size_t m = 0; m < Images; ++m)
                                    for (std::size_t r = 0; r < Rows; ++r)
                                        here[m][r] = x[(first + m) * in + i + r];
                                for (std::size_t o = 0; o < out; o += Lanes) {
                                    pack<S, Lanes> sum[Rows] = {};
                                    ALPHABAR_UNROLL_PACKS
                                    for (std::size_t m = 0; m < Images; ++m) {
                                        ALPHABAR_UNROLL_PACKS
                                        for (std::size_t r = 0; r < Rows; ++r)
                                            sum[r] += here[m][r] * at<Lanes>(dy + (first + m) * out + o).v;
                                    }
                                    ALPHABAR_UNROLL_PACKS
                                    for (std::size_t r = 0; r < Rows; ++r)
                                        at<Lanes>(dweights + (i + r) * out + o).v += sum[r];
                                }
                            });
        for (std::size_t m = 0; m < images; ++m)
            for (std::size_t o = 0; o < out; o += Lanes)
                at<Lanes>(dbias + o).v += at<Lanes>(dy + m * out + o).v;
    }
};

/// Gradient of it to its input, added to dx: dx[m][i] += sum_o weights[i][o] dy[m][o].
struct dense_backward_kernel {
    template <class S, int Lanes>
    [[gnu::always_inline]] static inline void run(std::size_t in, std::size_t out, std::size_t images, S const* weights,
                                                  S const* dy, S* dx)
    {
        constexpr int Most = Lanes == 16 ? 2 : 1;
        for_tiles<Most>(in, images,
                        [=]<int Rows, int Images>(std::integral_constant<int, Rows>,
                                                  std::integral_constant<int, Images>, std::size_t i, std::size_t first)
                            __attribute__((always_inline)) {
                                pack<S, Lanes> sum[Images][Rows] = {};
                                for (std::size_t o = 0; o < out; o += Lanes) {
                                    ALPHABAR_UNROLL_PACKS
                                    for (std::size_t m = 0; m < Images; ++m) {
                                        ALPHABAR_UNROLL_PACKS
                                        for (std::size_t r = 0; r < Rows; ++r)
                                            sum[m][r] += at<Lanes>(weights + (i + r) * out + o).v *
                                                         at<Lanes>(dy + (first + m) * out + o).v;
                                    }
                                }
                                ALPHABAR_UNROLL_PACKS
                                for (std::size_t m = 0; m < Images; ++m) {
                                    ALPHABAR_UNROLL_PACKS
                                    for (std::size_t r = 0; r < Rows; ++r)
                                        dx[(first + m) * in + i + r] += sum_of<S, Lanes>(sum[m][r]);
                                }
                            });
    }
};

} // namespace detail

/// The layers that the networks are made of, for the scalar S; each function runs the kernel above of its name, where
/// its equation stands. A network takes this struct as a parameter, so that tests can put a wrong layer in its place.
template <class S>
struct layers {
    /// The instructions in use: the best of this processor. Tests set others.
    static inline isa instructions = best_isa();

    template <int In, int Out>
    static void conv(std::size_t n, S const* x, S const* k, S const* bias, S const* add, S* y)
    {
        detail::run_kernel<detail::conv_kernel<In, Out>, S>(instructions, n, x, k, bias, add, y);
    }
    template <int In, int Out>
    static void conv_weights(std::size_t n, S const* x, S const* dy, S* dk)
    {
        detail::run_kernel<detail::conv_weights_kernel<In, Out>, S>(instructions, n, x, dy, dk);
    }
    template <int Out>
    static void conv_bias(std::size_t n, S const* dy, S* db)
    {
        detail::run_kernel<detail::conv_bias_kernel<Out>, S>(instructions, n, dy, db);
    }
    /// The kernel of the convolution that is the adjoint of k's: taps reversed, channels transposed.
    /// flipped[8 - tap][o][c] = k[tap][c][o]
    template <int In, int Out>
    static void flip(S const* k, S* flipped)
    {
        for (int tap = 0; tap < 9; ++tap)
            for (int o = 0; o < Out; ++o)
                for (int c = 0; c < In; ++c)
                    flipped[((8 - tap) * Out + o) * In + c] = k[(tap * In + c) * Out + o];
    }
    template <int C>
    static void silu(std::size_t n, S const* x, S* y, S* slope)
    {
        detail::run_kernel<detail::silu_kernel<C>, S>(instructions, n, x, y, slope);
    }
    static void silu_values(std::size_t count, S const* x, S* y, S* slope)
    {
        detail::run_kernel<detail::silu_values_kernel, S>(instructions, count, x, y, slope);
    }
    template <int C>
    static void relu(std::size_t n, S const* x, S* y, S* slope)
    {
        detail::run_kernel<detail::relu_kernel<C>, S>(instructions, n, x, y, slope);
    }
    template <int C>
    static void activation_backward(std::size_t n, S const* dy, S const* slope, S const* add, S* dx)
    {
        detail::run_kernel<detail::activation_backward_kernel<C>, S>(instructions, n, dy, slope, add, dx);
    }
    template <int C>
    static void film(std::size_t n, S const* x, S const* film, S* y, S* slope)
    {
        detail::run_kernel<detail::film_kernel<C>, S>(instructions, n, x, film, y, slope);
    }
    template <int C>
    static void film_backward(std::size_t n, S const* dy, S const* slope, S const* x, S const* film, S* dx, S* dfilm)
    {
        detail::run_kernel<detail::film_backward_kernel<C>, S>(instructions, n, dy, slope, x, film, dx, dfilm);
    }
    template <int C>
    static void mean_pool(std::size_t n, S const* x, S* y)
    {
        detail::run_kernel<detail::gather_kernel<C>, S>(instructions, n, x, S(0.25), y);
    }
    template <int C>
    static void mean_pool_backward(std::size_t n, S const* dy, S const* add, S* dx)
    {
        detail::run_kernel<detail::spread_kernel<C>, S>(instructions, n, dy, S(0.25), add, dx);
    }
    template <int C>
    static void upsample(std::size_t n, S const* x, S const* add, S* y)
    {
        detail::run_kernel<detail::spread_kernel<C>, S>(instructions, n, x, S(1), add, y);
    }
    template <int C>
    static void upsample_backward(std::size_t n, S const* dy, S* dx)
    {
        detail::run_kernel<detail::gather_kernel<C>, S>(instructions, n, dy, S(1), dx);
    }
    static void dense(std::size_t in, std::size_t out, std::size_t images, S const* weights, S const* bias, S const* x,
                      S* y)
    {
        detail::run_kernel<detail::dense_kernel, S>(instructions, in, out, images, weights, bias, x, y);
    }
    static void dense_weights(std::size_t in, std::size_t out, std::size_t images, S const* x, S const* dy, S* dweights,
                              S* dbias)
    {
        detail::run_kernel<detail::dense_weights_kernel, S>(instructions, in, out, images, x, dy, dweights, dbias);
    }
    static void dense_backward(std::size_t in, std::size_t out, std::size_t images, S const* weights, S const* dy,
                               S* dx)
    {
        detail::run_kernel<detail::dense_backward_kernel, S>(instructions, in, out, images, weights, dy, dx);
    }
};

} // namespace alphabar

#undef ALPHABAR_UNROLL_PACKS
