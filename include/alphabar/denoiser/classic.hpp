// SPDX-License-Identifier: MIT
// The classic denoiser of many first programs: conv 1 -> 64, ReLU, conv 64 -> 1.
#pragma once

#include <alphabar/core/error.hpp>
#include <alphabar/denoiser/network.hpp>

#include <cstddef>
#include <span>

namespace alphabar {

/// Two 3 x 3 convolutions with a ReLU between them; it is told neither time nor class. 1,217 parameters.
///
/// Images are n x n, one channel. `S` is the scalar; `Layers` the layers (tests pass wrong ones).
template <class S = float, class Layers = layers<S>>
class classic {
public:
    using value_type = S;

    /// For side x side images. Throws std::invalid_argument where side is 0 or above 4096.
    explicit classic(std::size_t side = 28) : side_(side)
    {
        require(side >= 1 && side <= 4096, "classic", "side", side, "it must lie in [1, 4096]");
    }

    std::size_t side() const { return side_; }
    std::size_t sample_size() const { return side_ * side_; }
    parameter_list const& parameters() const { return list_; }
    /// Floating-point operations of one image forward: convolutions and dense layers, a multiply-add as two.
    std::size_t forward_flop() const { return first_.flop(side_) + last_.flop(side_); }

    /// What a backward pass needs of the parameters: the flipped kernels, each at its kernel's offset.
    void flip(S const* parameters, S* flipped) const { last_.flip(parameters, flipped); }

    /// The activations of one image, for one thread.
    class pass {
    public:
        explicit pass(classic const& net, std::size_t)
            : net_(net), x_(map_size(net.side_, 1)), out_(x_.size()), hidden_(map_size(net.side_, width)),
              slope_(hidden_.size())
        {
        }

        /// Nothing: the images of a group share nothing here.
        void begin(S const*, std::span<condition const>) {}
        void end(S const*, S*) {}

        void forward(S const* parameters, std::size_t, S const* x, S* out)
        {
            std::size_t const n = net_.side_;
            image_to_map(n, x, x_.data());
            net_.first_.forward(n, parameters, x_.data(), nullptr, hidden_.data());
            Layers::template relu<width>(n, hidden_.data(), hidden_.data(), slope_.data());
            net_.last_.forward(n, parameters, hidden_.data(), nullptr, out_.data());
            map_to_image(n, out_.data(), out);
        }
        void backward(S const*, S const* flipped, std::size_t, S const* dout, S* gradient)
        {
            std::size_t const n = net_.side_;
            image_to_map(n, dout, out_.data());
            net_.last_.gradient(n, hidden_.data(), out_.data(), gradient);
            net_.last_.backward(n, flipped, out_.data(), hidden_.data());
            Layers::template activation_backward<width>(n, hidden_.data(), slope_.data(), nullptr, hidden_.data());
            net_.first_.gradient(n, x_.data(), hidden_.data(), gradient);
        }

    private:
        classic const& net_;
        aligned_vector<S> x_, out_, hidden_, slope_;
    };

private:
    static constexpr int width = 64;

    std::size_t side_;
    parameter_list list_;
    conv_3x3<S, Layers, 1, width> first_{list_, "first"};
    conv_3x3<S, Layers, width, 1> last_{list_, "last"};
};

} // namespace alphabar
