// SPDX-License-Identifier: MIT
// The small U-Net: time- and class-conditioned, 148,001 parameters, 7.67 MFLOP forward for a 28 x 28 image.
#pragma once

#include <alphabar/core/error.hpp>
#include <alphabar/denoiser/network.hpp>

#include <array>
#include <cmath>
#include <complex>
#include <cstddef>
#include <numbers>
#include <span>

namespace alphabar {

/// A residual block, told of the condition e by FiLM: h + conv(SiLU(r (1 + gamma) + beta)) with r = conv(SiLU(h)) and
/// (gamma, beta) = dense(e). The last convolution begins at zero, so that the block begins as the identity.
template <class S, class Layers, int C>
class film_block {
public:
    film_block(parameter_list& list, std::string const& name, std::size_t embedding)
        : first_(list, name + ".first"), second_(list, name + ".second", true),
          film(list, name + ".film", embedding, 2 * C, true)
    {
    }

    /// What the backward pass needs of the forward pass, and its scratch.
    struct memory {
        explicit memory(std::size_t n)
            : a(map_size(n, C)), a_slope(a.size()), r(a.size()), s(a.size()), s_slope(a.size()), scratch(a.size())
        {
        }
        aligned_vector<S> a, a_slope, r, s, s_slope, scratch;
    };

    std::size_t flop(std::size_t n) const { return first_.flop(n) + second_.flop(n) + film.flop(); }

    /// h becomes the block's output; `modulation` holds gamma and beta of this image.
    void forward(std::size_t n, S const* parameters, S const* modulation, S* h, memory& m) const
    {
        Layers::template silu<C>(n, h, m.a.data(), m.a_slope.data());
        first_.forward(n, parameters, m.a.data(), nullptr, m.r.data());
        Layers::template film<C>(n, m.r.data(), modulation, m.s.data(), m.s_slope.data());
        second_.forward(n, parameters, m.s.data(), h, h);
    }
    /// dh, the gradient to the output, becomes the one to the input; dmodulation is written, the parameters' added.
    void backward(std::size_t n, S const* flipped, S const* modulation, S* dh, S* dmodulation, S* gradient,
                  memory& m) const
    {
        second_.gradient(n, m.s.data(), dh, gradient);
        second_.backward(n, flipped, dh, m.scratch.data());
        Layers::template film_backward<C>(n, m.scratch.data(), m.s_slope.data(), m.r.data(), modulation, m.s.data(),
                                          dmodulation);
        first_.gradient(n, m.a.data(), m.s.data(), gradient);
        first_.backward(n, flipped, m.s.data(), m.scratch.data());
        Layers::template activation_backward<C>(n, m.scratch.data(), m.a_slope.data(), dh, dh);
    }
    void flip(S const* parameters, S* flipped) const
    {
        first_.flip(parameters, flipped);
        second_.flip(parameters, flipped);
    }

private:
    conv_3x3<S, Layers, C, C> first_, second_;

public:
    dense<S, Layers> film;
};

/// The network, from the noisy image x to the output, with e = SiLU(dense(features of the condition)):
///
///     h0 = conv 1->8 (x)                         n x n
///     h1 = conv 8->16 (mean pool h0)             n/2 x n/2
///     h2 = conv 16->32 (mean pool h1) + dense(e) n/4 x n/4
///     h2 = block(h2, e)
///     u1 = block(h1 + upsample(conv 32->16 (SiLU h2)), e)
///     u0 = block(h0 + upsample(conv 16->8 (SiLU u1)), e)
///     output = conv 8->1 (SiLU u0)
///
/// Trained as a rectified flow, x = (1 - t) x_0 + t eps and output = eps - x_0; x of another path, divided by
/// (alpha + sigma), is the flow's x at the same log_sigma. Images are n x n, one channel, n a multiple of 4.
/// `S` is the scalar; `Layers` the layers (tests pass wrong ones).
template <class S = float, class Layers = layers<S>>
class unet {
public:
    using value_type = S;
    static constexpr std::size_t classes = 10, waves = 16, embedding = 64;
    static constexpr std::size_t features = 2 * waves + classes;

    /// For side x side images. Throws std::invalid_argument unless side is a multiple of 4 in [4, 4096].
    explicit unet(std::size_t side = 28)
        : side_(side), condition_map_(list_, "condition_map", embedding, checked(side) / 4 * (side / 4) * 32)
    {
    }

    std::size_t side() const { return side_; }
    std::size_t sample_size() const { return side_ * side_; }
    parameter_list const& parameters() const { return list_; }
    /// Floating-point operations of one image forward: convolutions and dense layers, a multiply-add as two.
    std::size_t forward_flop() const
    {
        std::size_t const n = side_, n2 = n / 2, n4 = n / 4;
        return embed_.flop() + condition_map_.flop() + enter_.flop(n) + down_1_.flop(n2) + down_2_.flop(n4) +
               block_2_.flop(n4) + up_1_.flop(n4) + block_1_.flop(n2) + up_0_.flop(n2) + block_0_.flop(n) +
               leave_.flop(n);
    }

    /// What a backward pass needs of the parameters: the flipped kernels, each at its kernel's offset.
    void flip(S const* parameters, S* flipped) const
    {
        down_1_.flip(parameters, flipped);
        down_2_.flip(parameters, flipped);
        block_2_.flip(parameters, flipped);
        up_1_.flip(parameters, flipped);
        block_1_.flip(parameters, flipped);
        up_0_.flip(parameters, flipped);
        block_0_.flip(parameters, flipped);
        leave_.flip(parameters, flipped);
    }

    /// The features of a condition: cos(pi f_k c) and sin(pi f_k c) with c = log_sigma / 4 and f_k from 2^-2 to 2^3 in
    /// even exponents; then 1 at the class, if there is one.
    static void write_features(condition const& c, S* out)
    {
        for (std::size_t k = 0; k < waves; ++k) {
            double const f = std::exp2(-2 + 5 * static_cast<double>(k) / (waves - 1));
            double const angle = std::numbers::pi * f * c.log_sigma / 4;
            out[k] = static_cast<S>(std::cos(angle));
            out[waves + k] = static_cast<S>(std::sin(angle));
        }
        std::fill_n(out + 2 * waves, classes, S(0));
        if (c.label != no_label)
            out[2 * waves + static_cast<std::size_t>(c.label)] = S(1);
    }

    /// The activations of one image, and what depends on the conditions of a group of images, for one thread. In turn:
    /// begin(conditions); for each image forward and, to train, backward; end, to train.
    class pass {
    public:
        pass(unet const& net, std::size_t group)
            : net_(net), features_(group * features), embedded_(group * embedding), e_(embedded_.size()),
              e_slope_(embedded_.size()), de_(embedded_.size()), map_(group, net.condition_map_.out()),
              film_{{{group, net.block_0_.film.out()},
                     {group, net.block_1_.film.out()},
                     {group, net.block_2_.film.out()}}},
              x_(map_size(net.side_, 1)), out_(x_.size()), h0_(map_size(net.side_, 8)), v0_(h0_.size()),
              v0_slope_(h0_.size()), p0_(map_size(net.side_ / 2, 8)), w0_(p0_.size()), h1_(map_size(net.side_ / 2, 16)),
              v1_(h1_.size()), v1_slope_(h1_.size()), p1_(map_size(net.side_ / 4, 16)), w1_(p1_.size()),
              h2_(map_size(net.side_ / 4, 32)), v2_(h2_.size()), v2_slope_(h2_.size()), m0_(net.side_),
              m1_(net.side_ / 2), m2_(net.side_ / 4)
        {
        }

        /// Embeds the conditions of a group: all that the images share with one another.
        void begin(S const* parameters, std::span<condition const> conditions)
        {
            images_ = conditions.size();
            for (std::size_t i = 0; i < images_; ++i)
                write_features(conditions[i], &features_[i * features]);
            net_.embed_.forward(images_, parameters, features_.data(), embedded_.data());
            Layers::silu_values(images_ * embedding, embedded_.data(), e_.data(), e_slope_.data());
            for_conditioned(
                [&](auto const& layer, conditioned& c) { layer.forward(images_, parameters, e_.data(), c.y.data()); });
        }

        /// The output for image i of the group.
        void forward(S const* parameters, std::size_t i, S const* x, S* out)
        {
            std::size_t const n = net_.side_, n2 = n / 2, n4 = n / 4;
            image_to_map(n, x, x_.data());
            net_.enter_.forward(n, parameters, x_.data(), nullptr, h0_.data());
            Layers::template mean_pool<8>(n2, h0_.data(), p0_.data());
            net_.down_1_.forward(n2, parameters, p0_.data(), nullptr, h1_.data());
            Layers::template mean_pool<16>(n4, h1_.data(), p1_.data());
            for (std::size_t row = 0; row < n4; ++row)
                std::copy_n(map_.y_of(i) + row * n4 * 32, n4 * 32, &h2_[pixel(n4, 32, row, 0)]);
            net_.down_2_.forward(n4, parameters, p1_.data(), h2_.data(), h2_.data());

            net_.block_2_.forward(n4, parameters, film_[2].y_of(i), h2_.data(), m2_);
            Layers::template silu<32>(n4, h2_.data(), v2_.data(), v2_slope_.data());
            net_.up_1_.forward(n4, parameters, v2_.data(), nullptr, w1_.data());
            Layers::template upsample<16>(n4, w1_.data(), h1_.data(), h1_.data());

            net_.block_1_.forward(n2, parameters, film_[1].y_of(i), h1_.data(), m1_);
            Layers::template silu<16>(n2, h1_.data(), v1_.data(), v1_slope_.data());
            net_.up_0_.forward(n2, parameters, v1_.data(), nullptr, w0_.data());
            Layers::template upsample<8>(n2, w0_.data(), h0_.data(), h0_.data());

            net_.block_0_.forward(n, parameters, film_[0].y_of(i), h0_.data(), m0_);
            Layers::template silu<8>(n, h0_.data(), v0_.data(), v0_slope_.data());
            net_.leave_.forward(n, parameters, v0_.data(), nullptr, out_.data());
            map_to_image(n, out_.data(), out);
        }

        /// Adds the gradients of the last image run forward, i of the group; dout is the gradient to its output. (h0,
        /// h1 and h2 now hold the gradients to h0, h1 and h2.)
        void backward(S const*, S const* flipped, std::size_t i, S const* dout, S* gradient)
        {
            std::size_t const n = net_.side_, n2 = n / 2, n4 = n / 4;
            image_to_map(n, dout, out_.data());
            net_.leave_.gradient(n, v0_.data(), out_.data(), gradient);
            net_.leave_.backward(n, flipped, out_.data(), h0_.data());
            Layers::template activation_backward<8>(n, h0_.data(), v0_slope_.data(), nullptr, h0_.data());
            net_.block_0_.backward(n, flipped, film_[0].y_of(i), h0_.data(), film_[0].dy_of(i), gradient, m0_);

            Layers::template upsample_backward<8>(n2, h0_.data(), w0_.data());
            net_.up_0_.gradient(n2, v1_.data(), w0_.data(), gradient);
            net_.up_0_.backward(n2, flipped, w0_.data(), h1_.data());
            Layers::template activation_backward<16>(n2, h1_.data(), v1_slope_.data(), nullptr, h1_.data());
            net_.block_1_.backward(n2, flipped, film_[1].y_of(i), h1_.data(), film_[1].dy_of(i), gradient, m1_);

            Layers::template upsample_backward<16>(n4, h1_.data(), w1_.data());
            net_.up_1_.gradient(n4, v2_.data(), w1_.data(), gradient);
            net_.up_1_.backward(n4, flipped, w1_.data(), h2_.data());
            Layers::template activation_backward<32>(n4, h2_.data(), v2_slope_.data(), nullptr, h2_.data());
            net_.block_2_.backward(n4, flipped, film_[2].y_of(i), h2_.data(), film_[2].dy_of(i), gradient, m2_);

            for (std::size_t row = 0; row < n4; ++row)
                std::copy_n(&h2_[pixel(n4, 32, row, 0)], n4 * 32, map_.dy_of(i) + row * n4 * 32);
            net_.down_2_.gradient(n4, p1_.data(), h2_.data(), gradient);
            net_.down_2_.backward(n4, flipped, h2_.data(), w1_.data());
            Layers::template mean_pool_backward<16>(n4, w1_.data(), h1_.data(), h1_.data());
            net_.down_1_.gradient(n2, p0_.data(), h1_.data(), gradient);
            net_.down_1_.backward(n2, flipped, h1_.data(), w0_.data());
            Layers::template mean_pool_backward<8>(n2, w0_.data(), h0_.data(), h0_.data());
            net_.enter_.gradient(n, x_.data(), h0_.data(), gradient);
        }

        /// Adds the gradients of the layers that the group's conditions went through.
        void end(S const* parameters, S* gradient)
        {
            std::fill(de_.begin(), de_.end(), S(0));
            for_conditioned([&](auto const& layer, conditioned& c) {
                layer.gradient(images_, e_.data(), c.dy.data(), gradient);
                layer.backward(images_, parameters, c.dy.data(), de_.data());
            });
            for (std::size_t i = 0; i < images_ * embedding; ++i)
                de_[i] *= e_slope_[i];
            net_.embed_.gradient(images_, features_.data(), de_.data(), gradient);
        }

    private:
        /// What a dense layer makes of e for each image, and the gradient to it.
        struct conditioned {
            conditioned(std::size_t group, std::size_t out) : size(out), y(group * out), dy(group * out) {}
            S const* y_of(std::size_t i) const { return y.data() + i * size; }
            S* dy_of(std::size_t i) { return dy.data() + i * size; }
            std::size_t size;
            aligned_vector<S> y, dy;
        };
        template <class F>
        void for_conditioned(F const& f)
        {
            f(net_.condition_map_, map_);
            f(net_.block_0_.film, film_[0]);
            f(net_.block_1_.film, film_[1]);
            f(net_.block_2_.film, film_[2]);
        }

        unet const& net_;
        std::size_t images_ = 0;
        aligned_vector<S> features_, embedded_, e_, e_slope_, de_;
        conditioned map_;
        std::array<conditioned, 3> film_;
        aligned_vector<S> x_, out_, h0_, v0_, v0_slope_, p0_, w0_, h1_, v1_, v1_slope_, p1_, w1_, h2_, v2_, v2_slope_;
        typename film_block<S, Layers, 8>::memory m0_;
        typename film_block<S, Layers, 16>::memory m1_;
        typename film_block<S, Layers, 32>::memory m2_;
    };

private:
    static std::size_t checked(std::size_t side)
    {
        require(side >= 4 && side <= 4096 && side % 4 == 0, "unet", "side", side,
                "it must be a multiple of 4 in [4, 4096]");
        return side;
    }

    std::size_t side_;
    parameter_list list_;
    dense<S, Layers> embed_{list_, "embed", features, embedding};
    conv_3x3<S, Layers, 1, 8> enter_{list_, "enter"};
    conv_3x3<S, Layers, 8, 16> down_1_{list_, "down_1"};
    conv_3x3<S, Layers, 16, 32> down_2_{list_, "down_2"};
    dense<S, Layers> condition_map_;
    film_block<S, Layers, 32> block_2_{list_, "block_2", embedding};
    conv_3x3<S, Layers, 32, 16> up_1_{list_, "up_1"};
    film_block<S, Layers, 16> block_1_{list_, "block_1", embedding};
    conv_3x3<S, Layers, 16, 8> up_0_{list_, "up_0"};
    film_block<S, Layers, 8> block_0_{list_, "block_0", embedding};
    conv_3x3<S, Layers, 8, 1> leave_{list_, "leave", true};
};

} // namespace alphabar
