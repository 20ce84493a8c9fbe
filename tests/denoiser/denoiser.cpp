// SPDX-License-Identifier: MIT
// Every gradient against the complex step: Im f(p + i h d) / h is the derivative of f along d, without cancellation.
// Then wrong layers in place of the right ones: each must fail the same check.
#include <alphabar/denoiser/classic.hpp>
#include <alphabar/denoiser/denoiser.hpp>
#include <alphabar/denoiser/unet.hpp>

#include <doctest/doctest.h>

#include <cmath>
#include <complex>
#include <cstdint>
#include <initializer_list>
#include <limits>
#include <stdexcept>
#include <vector>

namespace {

using namespace alphabar;
using complex = std::complex<double>;

enum class defect {
    none,
    kernel_not_flipped,
    channels_not_transposed,
    edge_padding,
    shifted_by_a_pixel,
    bias_forgotten,
    bias_gradient_forgotten,
    bias_gradient_overwritten,
    ninth_tap_gradient_forgotten,
    last_row_gradient_forgotten,
    kernel_gradient_overwritten,
    kernel_gradient_of_next_channel,
    silu_slope_without_product,
    silu_slope_of_output,
    relu_slope_one,
    gamma_beta_swapped,
    gamma_beta_gradients_swapped,
    film_scale_gradient_without_one,
    film_slope_forgotten,
    residual_forgotten,
    residual_gradient_forgotten,
    pool_scale,
    pool_gradient_scale,
    pool_skip_gradient_forgotten,
    upsample_skip_forgotten,
    upsample_gradient_scale,
    dense_image_dropped,
    dense_bias_gradient_forgotten,
    dense_input_gradient_forgotten,
    dense_input_off_by_one,
    embedding_slope_forgotten,
    count,
};
defect planted = defect::none;
bool is(defect d) { return planted == d; }

/// The layers with the planted defect, in whatever scalar.
template <class S>
struct defective : layers<S> {
    using right = layers<S>;
    using list = std::vector<S>;

    template <int In, int Out>
    static void conv(std::size_t n, S const* x, S const* k, S const* bias, S const* add, S* y)
    {
        list padded(x, x + map_size(n, In));
        if (bias && is(defect::edge_padding))
            for (std::size_t i = 0; i < n; ++i)
                for (std::size_t c = 0; c < In; ++c)
                    padded[pixel(n, In, i, n) + c] = x[pixel(n, In, i, n - 1) + c];
        if (bias && is(defect::shifted_by_a_pixel))
            for (std::size_t i = 0; i + In < padded.size(); ++i)
                padded[i] = x[i + In];
        right::template conv<In, Out>(n, padded.data(), k, is(defect::bias_forgotten) ? nullptr : bias,
                                      add == y && In == Out && is(defect::residual_forgotten) ? nullptr : add, y);
    }
    template <int In, int Out>
    static void conv_weights(std::size_t n, S const* x, S const* dy, S* dk)
    {
        list moved(x, x + map_size(n, In)), here(dy, dy + map_size(n, Out)), sums(std::size_t{9} * In * Out);
        if (is(defect::kernel_gradient_of_next_channel) && In > 1)
            for (std::size_t i = 0; i + 1 < moved.size(); ++i)
                moved[i] = x[i + 1];
        if (is(defect::last_row_gradient_forgotten))
            std::fill_n(&here[pixel(n, Out, n - 1, 0)], n * Out, S(0));
        right::template conv_weights<In, Out>(n, moved.data(), here.data(), sums.data());
        for (std::size_t i = 0; i < sums.size(); ++i)
            if (is(defect::kernel_gradient_overwritten))
                dk[i] = sums[i];
            else if (!is(defect::ninth_tap_gradient_forgotten) || i < std::size_t{8} * In * Out)
                dk[i] += sums[i];
    }
    template <int Out>
    static void conv_bias(std::size_t n, S const* dy, S* db)
    {
        if (is(defect::bias_gradient_overwritten))
            std::fill_n(db, Out, S(0));
        if (!is(defect::bias_gradient_forgotten))
            right::template conv_bias<Out>(n, dy, db);
    }
    template <int In, int Out>
    static void flip(S const* k, S* flipped)
    {
        right::template flip<In, Out>(k, flipped);
        for (int tap = 0; tap < 9; ++tap)
            for (int i = 0; i < In * Out; ++i) {
                if (is(defect::kernel_not_flipped))
                    flipped[tap * In * Out + i % Out * In + i / Out] = k[tap * In * Out + i];
                if (is(defect::channels_not_transposed))
                    flipped[(8 - tap) * In * Out + i] = k[tap * In * Out + i];
            }
    }
    template <int C>
    static void silu(std::size_t n, S const* x, S* y, S* slope)
    {
        right::template silu<C>(n, x, y, slope);
        for (std::size_t i = 0; i < map_size(n, C); ++i)
            if (is(defect::silu_slope_without_product) && x[i] != S(0))
                slope[i] = y[i] / x[i];
            else if (is(defect::silu_slope_of_output))
                slope[i] = y[i];
    }
    static void silu_values(std::size_t count, S const* x, S* y, S* slope)
    {
        right::silu_values(count, x, y, slope);
        if (is(defect::embedding_slope_forgotten))
            std::fill_n(slope, count, S(1));
    }
    template <int C>
    static void relu(std::size_t n, S const* x, S* y, S* slope)
    {
        right::template relu<C>(n, x, y, slope);
        if (is(defect::relu_slope_one))
            std::fill_n(slope, map_size(n, C), S(1));
    }
    template <int C>
    static void activation_backward(std::size_t n, S const* dy, S const* slope, S const* add, S* dx)
    {
        right::template activation_backward<C>(n, dy, slope, is(defect::residual_gradient_forgotten) ? nullptr : add,
                                               dx);
    }
    template <int C>
    static void film(std::size_t n, S const* x, S const* gamma_beta, S* y, S* slope)
    {
        list swapped(gamma_beta + C, gamma_beta + 2 * C);
        swapped.insert(swapped.end(), gamma_beta, gamma_beta + C);
        right::template film<C>(n, x, is(defect::gamma_beta_swapped) ? swapped.data() : gamma_beta, y, slope);
        if (is(defect::film_slope_forgotten))
            std::fill_n(slope, map_size(n, C), S(1));
    }
    template <int C>
    static void film_backward(std::size_t n, S const* dy, S const* slope, S const* x, S const* gamma_beta, S* dx, S* d)
    {
        list less(gamma_beta, gamma_beta + 2 * C);
        if (is(defect::film_scale_gradient_without_one))
            for (S& gamma : less)
                gamma -= S(1);
        right::template film_backward<C>(n, dy, slope, x, less.data(), dx, d);
        if (is(defect::gamma_beta_gradients_swapped))
            std::swap_ranges(d, d + C, d + C);
    }
    template <int C>
    static void mean_pool(std::size_t n, S const* x, S* y)
    {
        right::template mean_pool<C>(n, x, y);
        for (std::size_t i = 0; i < map_size(n, C) && is(defect::pool_scale); ++i)
            y[i] *= S(2);
    }
    template <int C>
    static void mean_pool_backward(std::size_t n, S const* dy, S const* add, S* dx)
    {
        list const nothing(map_size(2 * n, C)), kept(add, add + nothing.size());
        S const* const base = is(defect::pool_skip_gradient_forgotten) ? nothing.data() : kept.data();
        if (is(defect::pool_gradient_scale))
            right::template upsample<C>(n, dy, base, dx);
        else
            right::template mean_pool_backward<C>(n, dy, base, dx);
    }
    template <int C>
    static void upsample(std::size_t n, S const* x, S const* add, S* y)
    {
        list const nothing(map_size(2 * n, C)), kept(add, add + nothing.size());
        right::template upsample<C>(n, x, is(defect::upsample_skip_forgotten) ? nothing.data() : kept.data(), y);
    }
    template <int C>
    static void upsample_backward(std::size_t n, S const* dy, S* dx)
    {
        if (is(defect::upsample_gradient_scale))
            right::template mean_pool<C>(n, dy, dx);
        else
            right::template upsample_backward<C>(n, dy, dx);
    }
    static void dense_weights(std::size_t in, std::size_t out, std::size_t images, S const* x, S const* dy, S* dw,
                              S* db)
    {
        list rotated(x, x + images * in), bias(out);
        if (is(defect::dense_input_off_by_one))
            for (std::size_t i = 0; i < rotated.size(); ++i)
                rotated[i] = x[(i + 1) % rotated.size()];
        right::dense_weights(in, out, images - (is(defect::dense_image_dropped) && images > 1), rotated.data(), dy, dw,
                             is(defect::dense_bias_gradient_forgotten) ? bias.data() : db);
    }
    static void dense_backward(std::size_t in, std::size_t out, std::size_t images, S const* w, S const* dy, S* dx)
    {
        if (!is(defect::dense_input_gradient_forgotten))
            right::dense_backward(in, out, images, w, dy, dx);
    }
};

template <class S>
std::vector<S> random(std::size_t count, std::uint32_t step, double scale = 1)
{
    std::vector<S> values(count);
    noise_field const field = noise_stream{7}(purpose::test, step);
    for (std::size_t i = 0; i < count; ++i)
        values[i] = static_cast<S>(scale * double{field(0, i)});
    return values;
}

/// A network in double and in complex numbers, with a batch of five images (parts of 2, 2 and 1).
template <template <class, class> class Net>
struct problem {
    explicit problem(std::size_t side)
        : real(Net<double, defective<double>>(side)), imaginary(Net<complex, defective<complex>>(side))
    {
        size = real.net().sample_size() * conditions.size();
        x = random<double>(size, 1), target = random<double>(size, 2);
        parameters = random<double>(real.net().parameters().total(), 3, 0.25);
        gradient.resize(parameters.size());
    }

    double loss_and_gradient() { return real.gradient(parameters, x, conditions, target, gradient); }

    /// The loss, its imaginary part the derivative along `direction`: of predictions, by the definition.
    complex loss_along(std::vector<double> const& direction)
    {
        constexpr double h = 1e-30;
        std::vector<complex> p(parameters.size()), output(size);
        for (std::size_t i = 0; i < p.size(); ++i)
            p[i] = {parameters[i], h * direction[i]};
        imaginary.predict(p, std::vector<complex>(x.begin(), x.end()), conditions, output);
        complex sum = 0;
        for (std::size_t i = 0; i < size; ++i)
            sum += (output[i] - target[i]) * (output[i] - target[i]);
        sum /= static_cast<double>(size);
        return {sum.real(), sum.imag() / h};
    }

    /// |gradient along direction - complex step|, relative to the sizes of the gradient's terms.
    double error_along(std::vector<double> const& direction)
    {
        double along = 0, squares = 0;
        for (std::size_t i = 0; i < direction.size(); ++i) {
            along += gradient[i] * direction[i];
            squares += gradient[i] * gradient[i] * direction[i] * direction[i];
        }
        double const exact = loss_along(direction).imag();
        return std::abs(along - exact) / std::max(std::abs(exact), std::sqrt(squares));
    }

    denoiser<Net<double, defective<double>>> real;
    denoiser<Net<complex, defective<complex>>> imaginary;
    std::size_t size = 0;
    std::vector<condition> conditions{{0.3, 4}, {-2, no_label}, {1.5, 9}, {0, 0}, {-0.7, 4}};
    std::vector<double> x, target, parameters, gradient;
};

template <class Problem>
void check_every_tensor(Problem& p)
{
    double const loss = p.loss_and_gradient();
    CHECK(loss == doctest::Approx(p.loss_along(std::vector<double>(p.parameters.size())).real()).epsilon(1e-13));
    std::uint32_t number = 100;
    for (parameter const& tensor : p.real.net().parameters()) {
        CAPTURE(tensor.name);
        auto const values = random<double>(tensor.size, number++);
        std::vector<double> direction(p.parameters.size());
        std::copy(values.begin(), values.end(), &direction[tensor.offset]);
        CHECK(p.error_along(direction) < 1e-12);
        for (std::size_t const single : {std::size_t{0}, tensor.size / 2, tensor.size - 1}) {
            std::fill(direction.begin(), direction.end(), 0);
            direction[tensor.offset + single] = 1;
            CHECK(p.error_along(direction) < 1e-12);
        }
    }
}

} // namespace

TEST_CASE("the U-Net's gradients agree with the complex step")
{
    planted = defect::none;
    problem<unet> p(8);
    check_every_tensor(p);
}

TEST_CASE("the classic net's gradients agree with the complex step")
{
    planted = defect::none;
    problem<classic> p(5);
    check_every_tensor(p);
}

TEST_CASE("every planted defect fails the check")
{
    problem<unet> u(8);
    problem<classic> c(5);
    auto const everywhere = [](auto& p) {
        p.loss_and_gradient();
        return p.error_along(random<double>(p.parameters.size(), 4));
    };
    planted = defect::none;
    CHECK(everywhere(u) < 1e-12);
    CHECK(everywhere(c) < 1e-12);
    int found = 0;
    for (int d = 1; d < static_cast<int>(defect::count); ++d) {
        CAPTURE(d);
        planted = static_cast<defect>(d);
        bool const in_classic = planted == defect::relu_slope_one;
        CHECK((in_classic ? everywhere(c) : everywhere(u)) > 1e-6);
        ++found;
    }
    planted = defect::none;
    CHECK(found >= 20);
}

TEST_CASE("bad input is refused, and nothing is written")
{
    denoiser<classic<float>> d(classic<float>(4));
    std::vector<float> p(d.net().parameters().total()), x(32), out(32, 5), g(p.size());
    std::vector<condition> c(2);
    CHECK_NOTHROW(d.predict(p, x, c, out));
    std::fill(out.begin(), out.end(), 5.0f);
    auto const rejected = [&](char const* words) {
        CHECK_THROWS_WITH_AS(d.predict(p, x, c, out), doctest::Contains(words), std::invalid_argument);
    };
    c[1].label = 10;
    rejected("label is 10; it must be 0 to 9");
    c[1] = {std::numeric_limits<double>::infinity(), 1};
    rejected("log_sigma is inf; it must be finite");
    c[1] = {};
    x.pop_back();
    rejected("x.size() is 31");
    x.push_back(0);
    p.pop_back();
    rejected("parameters.size() is 1216");
    p.push_back(0);
    CHECK(out == std::vector<float>(32, 5));
    CHECK_THROWS_AS(d.gradient(p, x, c, std::vector<float>(31), g), std::invalid_argument);
    CHECK_THROWS_AS(d.gradient(p, {}, {}, {}, g), std::invalid_argument);
    CHECK_THROWS_AS(unet<float>(6), std::invalid_argument);
    CHECK_THROWS_AS(classic<float>(0), std::invalid_argument);
    CHECK_THROWS_AS(denoiser<classic<float>>(classic<float>(4), 0), std::invalid_argument);
}
