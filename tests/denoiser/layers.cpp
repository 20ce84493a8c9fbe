// SPDX-License-Identifier: MIT
// Each layer, on every instruction set of this machine and in double, against loops written from its definition.
#include <alphabar/denoiser/layers.hpp>
#include <alphabar/noise/stream.hpp>

#include <doctest/doctest.h>

#include <cmath>
#include <cstdint>
#include <vector>

namespace {

using namespace alphabar;

std::vector<double> random(std::size_t count, std::uint32_t step)
{
    std::vector<double> values(count);
    noise_field const field = noise_stream{3}(purpose::test, step);
    for (std::size_t i = 0; i < count; ++i)
        values[i] = double{field(0, i)};
    return values;
}

/// A map of random values inside a border of zeros.
std::vector<double> random_map(std::size_t n, std::size_t channels, std::uint32_t step)
{
    auto const values = random(n * n * channels, step);
    std::vector<double> map(map_size(n, channels));
    for (std::size_t row = 0; row < n; ++row)
        std::copy_n(&values[row * n * channels], n * channels, &map[pixel(n, channels, row, 0)]);
    return map;
}

/// The largest difference, relative to the largest value.
template <class T>
double distance(std::vector<T> const& a, std::vector<double> const& b)
{
    double error = 0, largest = 0;
    for (std::size_t i = 0; i < b.size(); ++i) {
        error = std::max(error, std::abs(double{a[i]} - b[i]));
        largest = std::max(largest, std::abs(b[i]));
    }
    return error / largest;
}

/// f(scalar{}, tolerance) in double, then in float with each instruction set that this processor has.
template <class F>
void each_way(F const& f)
{
    f(double{}, 1e-13);
    for (isa const instructions : {isa::baseline, isa::avx2, isa::avx512})
        if (instructions <= best_isa()) {
            layers<float>::instructions = instructions;
            CAPTURE(static_cast<int>(instructions));
            f(float{}, 2e-5);
        }
    layers<float>::instructions = best_isa();
}

template <int In, int Out>
void check_conv(std::size_t n)
{
    CAPTURE(n);
    auto const x = random_map(n, In, 1), add = random_map(n, Out, 2), dy = random_map(n, Out, 3);
    auto const k = random(9 * In * Out, 4), bias = random(Out, 5), dk = random(9 * In * Out, 6), db = random(Out, 7);
    auto y = add, dx = std::vector<double>(x.size()), dk_wanted = dk, db_wanted = db;
    for (std::size_t row = 0; row < n; ++row)
        for (std::size_t column = 0; column < n; ++column)
            for (std::size_t o = 0; o < Out; ++o) {
                std::size_t const here = pixel(n, Out, row, column) + o;
                y[here] += bias[o];
                db_wanted[o] += dy[here];
                for (std::size_t dr = 0; dr < 3; ++dr)
                    for (std::size_t dc = 0; dc < 3; ++dc)
                        for (std::size_t c = 0; c < In; ++c) {
                            if (row + dr < 1 || row + dr > n || column + dc < 1 || column + dc > n)
                                continue;
                            std::size_t const there = pixel(n, In, row + dr - 1, column + dc - 1) + c;
                            std::size_t const weight = ((dr * 3 + dc) * In + c) * Out + o;
                            y[here] += k[weight] * x[there];
                            dx[there] += k[weight] * dy[here];
                            dk_wanted[weight] += x[there] * dy[here];
                        }
            }
    each_way([&](auto scalar, double tolerance) {
        using T = decltype(scalar);
        using L = layers<T>;
        // one scalar further: nothing relies on alignment
        auto const moved = [](std::vector<double> const& v) {
            std::vector<T> copy(v.begin(), v.end());
            copy.insert(copy.begin(), T{});
            return copy;
        };
        auto const tx = moved(x), tk = moved(k), tbias = moved(bias), tdy = moved(dy);
        auto ty = moved(add), tdk = moved(dk), tdb = moved(db), flipped = tk;
        std::vector<T> tdx(x.size() + 1);
        L::template conv<In, Out>(n, &tx[1], &tk[1], &tbias[1], &ty[1], &ty[1]);
        L::template conv_weights<In, Out>(n, &tx[1], &tdy[1], &tdk[1]);
        L::template conv_bias<Out>(n, &tdy[1], &tdb[1]);
        L::template flip<In, Out>(&tk[1], &flipped[1]);
        L::template conv<Out, In>(n, &tdy[1], &flipped[1], nullptr, nullptr, &tdx[1]);
        CHECK(distance(std::vector<T>(ty.begin() + 1, ty.end()), y) < tolerance);
        CHECK(distance(std::vector<T>(tdx.begin() + 1, tdx.end()), dx) < tolerance);
        CHECK(distance(std::vector<T>(tdk.begin() + 1, tdk.end()), dk_wanted) < tolerance);
        CHECK(distance(std::vector<T>(tdb.begin() + 1, tdb.end()), db_wanted) < tolerance);
    });
}

} // namespace

TEST_CASE("convolutions are what their definition says, with border, bias and gradients")
{
    for (std::size_t const n : {1u, 2u, 5u, 7u, 14u, 15u, 23u, 28u}) {
        check_conv<1, 8>(n);
        check_conv<8, 8>(n);
        check_conv<16, 32>(n);
        check_conv<8, 1>(n);
    }
    check_conv<1, 64>(6);
    check_conv<64, 1>(9);
    check_conv<32, 16>(7);
    check_conv<16, 8>(14);
    check_conv<8, 16>(14);
    check_conv<4, 12>(10); // channels that no network here has
}

TEST_CASE("SiLU, FiLM and ReLU and their slopes agree with the closed form")
{
    constexpr int C = 8;
    std::size_t const n = 9;
    auto x = random_map(n, C, 1);
    for (std::size_t i = 0; i < n * C; ++i) // far out, too
        x[pixel(n, C, 0, 0) + i] *= 40;
    auto const film = random(2 * C, 2), dy = random_map(n, C, 3);
    auto const silu = [](double v) { return v / (1 + std::exp(-v)); };
    auto const slope = [](double v) { // (e^v (v + 1) + 1) e^v / (1 + e^v)^2 = 1/2 + (v + sinh v) / (2 + 2 cosh v)
        return 0.5 + (v + std::sinh(v)) / (2 + 2 * std::cosh(v));
    };
    std::vector<double> y(x.size()), s(x.size()), z(x.size()), dx(x.size()), dfilm(2 * C), r(x.size());
    for (std::size_t i = 0; i < x.size(); ++i) {
        std::size_t const c = i % C;
        y[i] = silu(x[i]);
        s[i] = x[i] == 0 ? 0 : slope(x[i]); // the border stays as it was
        r[i] = x[i] > 0 ? x[i] : 0;
        if (x[i] == 0)
            continue;
        double const inner = x[i] * (1 + film[c]) + film[C + c], d = dy[i] * slope(inner);
        z[i] = silu(inner);
        dx[i] = d * (1 + film[c]);
        dfilm[c] += d * x[i];
        dfilm[C + c] += d;
    }
    each_way([&](auto scalar, double tolerance) {
        using T = decltype(scalar);
        using L = layers<T>;
        std::vector<T> const tx(x.begin(), x.end()), tf(film.begin(), film.end()), td(dy.begin(), dy.end());
        std::vector<T> ty(x.size()), ts(x.size()), tdx(x.size()), tdf(2 * C);
        L::template silu<C>(n, tx.data(), ty.data(), ts.data());
        CHECK(distance(ty, y) < tolerance);
        CHECK(distance(ts, s) < tolerance);
        L::template relu<C>(n, tx.data(), ty.data(), ts.data());
        CHECK(distance(ty, r) < tolerance);
        L::template film<C>(n, tx.data(), tf.data(), ty.data(), ts.data());
        CHECK(distance(ty, z) < tolerance);
        L::template film_backward<C>(n, td.data(), ts.data(), tx.data(), tf.data(), tdx.data(), tdf.data());
        CHECK(distance(tdx, dx) < tolerance);
        CHECK(distance(tdf, dfilm) < tolerance);
    });
}

TEST_CASE("mean pooling and upsampling, and each is the other's gradient up to its scale")
{
    constexpr int C = 16;
    for (std::size_t const n : {1u, 3u, 7u}) {
        auto const large = random_map(2 * n, C, 1), small = random_map(n, C, 2), add = random_map(2 * n, C, 3);
        auto pooled = std::vector<double>(small.size()), spread = add;
        for (std::size_t row = 0; row < 2 * n; ++row)
            for (std::size_t column = 0; column < 2 * n; ++column)
                for (std::size_t c = 0; c < C; ++c) {
                    std::size_t const i = pixel(2 * n, C, row, column) + c, j = pixel(n, C, row / 2, column / 2) + c;
                    pooled[j] += large[i] / 4;
                    spread[i] += small[j];
                }
        each_way([&](auto scalar, double tolerance) {
            using T = decltype(scalar);
            using L = layers<T>;
            std::vector<T> const tl(large.begin(), large.end()), ts(small.begin(), small.end()),
                ta(add.begin(), add.end());
            std::vector<T> tp(small.size()), tu(ta), dp(ta), du(small.size());
            L::template mean_pool<C>(n, tl.data(), tp.data());
            L::template upsample<C>(n, ts.data(), ta.data(), tu.data());
            L::template mean_pool_backward<C>(n, ts.data(), ta.data(), dp.data());
            L::template upsample_backward<C>(n, tl.data(), du.data());
            CHECK(distance(tp, pooled) < tolerance);
            CHECK(distance(tu, spread) < tolerance);
            for (std::size_t i = 0; i < tu.size(); ++i)
                CHECK(double{tu[i] - ta[i]} == doctest::Approx(4 * double{dp[i] - ta[i]}).epsilon(1e-4));
            for (std::size_t i = 0; i < tp.size(); ++i)
                CHECK(double{du[i]} == 4 * double{tp[i]});
        });
    }
}

TEST_CASE("dense layers for any number of images")
{
    std::size_t const in = 42, out = 48;
    for (std::size_t const images : {1u, 7u, 8u, 11u}) {
        auto const x = random(images * in, 1), dy = random(images * out, 2), w = random(in * out, 3),
                   b = random(out, 4);
        std::vector<double> y(images * out), dx(images * in), dw(in * out), db(out);
        for (std::size_t m = 0; m < images; ++m)
            for (std::size_t o = 0; o < out; ++o) {
                y[m * out + o] += b[o];
                db[o] += dy[m * out + o];
                for (std::size_t i = 0; i < in; ++i) {
                    y[m * out + o] += w[i * out + o] * x[m * in + i];
                    dx[m * in + i] += w[i * out + o] * dy[m * out + o];
                    dw[i * out + o] += x[m * in + i] * dy[m * out + o];
                }
            }
        each_way([&](auto scalar, double tolerance) {
            using T = decltype(scalar);
            using L = layers<T>;
            auto const cast = [](std::vector<double> const& v) { return std::vector<T>(v.begin(), v.end()); };
            auto const tx = cast(x), tdy = cast(dy), tw = cast(w), tb = cast(b);
            std::vector<T> ty(y.size()), tdx(dx.size()), tdw(dw.size()), tdb(db.size());
            L::dense(in, out, images, tw.data(), tb.data(), tx.data(), ty.data());
            L::dense_weights(in, out, images, tx.data(), tdy.data(), tdw.data(), tdb.data());
            L::dense_backward(in, out, images, tw.data(), tdy.data(), tdx.data());
            CHECK(distance(ty, y) < tolerance);
            CHECK(distance(tdx, dx) < tolerance);
            CHECK(distance(tdw, dw) < tolerance);
            CHECK(distance(tdb, db) < tolerance);
        });
    }
}
