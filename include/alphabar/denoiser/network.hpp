// SPDX-License-Identifier: MIT
// What networks are composed of: convolutions and dense layers that know where their parameters are, and conditions.
#pragma once

#include <alphabar/core/aligned.hpp>
#include <alphabar/denoiser/layers.hpp>
#include <alphabar/denoiser/parameters.hpp>

#include <cmath>
#include <cstddef>
#include <string>

namespace alphabar {

/// The label of an image without a class.
inline constexpr int no_label = -1;

/// What a network is told of a noisy image x_t = alpha x_0 + sigma eps.
struct condition {
    double log_sigma = 0; ///< log(sigma / alpha); log(t / (1 - t)) for the rectified flow at time t
    int label = no_label; ///< the class, 0 to 9, or no_label
};

/// Convolution 3 x 3, stride 1, zero padding. In the flat array: kernel [3, 3, In, Out], then bias [Out].
template <class S, class Layers, int In, int Out>
class conv_3x3 {
public:
    /// Lists its parameters; the kernel begins He-normal (standard deviation sqrt(2 / (9 In))) or zero, the bias zero.
    conv_3x3(parameter_list& list, std::string const& name, bool zero = false)
        : kernel_(list.add(name + ".weight", {3, 3, In, Out}, zero ? initial::zero : initial::normal,
                           std::sqrt(2.0 / (9 * In)))),
          bias_(list.add(name + ".bias", {Out}, initial::zero))
    {
    }

    static constexpr std::size_t flop(std::size_t n) { return std::size_t{2} * 9 * In * Out * n * n; }

    /// y = add + conv(x); `add` may be null.
    void forward(std::size_t n, S const* parameters, S const* x, S const* add, S* y) const
    {
        Layers::template conv<In, Out>(n, x, parameters + kernel_, parameters + bias_, add, y);
    }
    /// Adds the gradients to kernel and bias.
    void gradient(std::size_t n, S const* x, S const* dy, S* gradient) const
    {
        Layers::template conv_weights<In, Out>(n, x, dy, gradient + kernel_);
        Layers::template conv_bias<Out>(n, dy, gradient + bias_);
    }
    /// dx = the gradient to the input: the convolution of dy with the flipped kernel.
    void backward(std::size_t n, S const* flipped, S const* dy, S* dx) const
    {
        Layers::template conv<Out, In>(n, dy, flipped + kernel_, nullptr, nullptr, dx);
    }
    /// Writes the flipped kernel to the same place of another array.
    void flip(S const* parameters, S* flipped) const
    {
        Layers::template flip<In, Out>(parameters + kernel_, flipped + kernel_);
    }

private:
    std::size_t kernel_, bias_;
};

/// y = x W + b for each of some images. In the flat array: W [in, out], then b [out]; `out` is a multiple of 16.
template <class S, class Layers>
class dense {
public:
    /// Lists its parameters: W, and b unless `zero_bias`, begin uniform within 1 / sqrt(in).
    dense(parameter_list& list, std::string const& name, std::size_t in, std::size_t out, bool zero_bias = false)
        : in_(in), out_(out),
          weights_(list.add(name + ".weight", {in, out}, initial::uniform, 1 / std::sqrt(static_cast<double>(in)))),
          bias_(list.add(name + ".bias", {out}, zero_bias ? initial::zero : initial::uniform,
                         1 / std::sqrt(static_cast<double>(in))))
    {
    }

    std::size_t out() const { return out_; }
    std::size_t flop() const { return 2 * in_ * out_; }

    void forward(std::size_t images, S const* parameters, S const* x, S* y) const
    {
        Layers::dense(in_, out_, images, parameters + weights_, parameters + bias_, x, y);
    }
    void gradient(std::size_t images, S const* x, S const* dy, S* gradient) const
    {
        Layers::dense_weights(in_, out_, images, x, dy, gradient + weights_, gradient + bias_);
    }
    /// dx += the gradient to the input.
    void backward(std::size_t images, S const* parameters, S const* dy, S* dx) const
    {
        Layers::dense_backward(in_, out_, images, parameters + weights_, dy, dx);
    }

private:
    std::size_t in_, out_, weights_, bias_;
};

/// Copies an n x n image into a map of one channel, and back.
template <class S>
void image_to_map(std::size_t n, S const* image, S* map)
{
    for (std::size_t row = 0; row < n; ++row)
        std::copy_n(image + row * n, n, map + pixel(n, 1, row, 0));
}
template <class S>
void map_to_image(std::size_t n, S const* map, S* image)
{
    for (std::size_t row = 0; row < n; ++row)
        std::copy_n(map + pixel(n, 1, row, 0), n, image + row * n);
}

} // namespace alphabar
