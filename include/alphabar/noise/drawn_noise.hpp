// SPDX-License-Identifier: MIT
//
// Noise that a generator of other software draws tensor by tensor, as an executor takes it.
#pragma once

#include <alphabar/core/error.hpp>
#include <alphabar/core/tensor.hpp>

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

namespace alphabar {

/// A tensor that owns its elements.
template <class T>
struct drawn_tensor {
    std::vector<T> values;
    alphabar::shape shape;
};

template <class T>
struct tensor_traits<drawn_tensor<T>> {
    using value_type = T;
    static constexpr storage_order order = storage_order::row_major;
    static std::span<T const> elements(drawn_tensor<T> const& t) { return t.values; }
    static std::span<T> elements(drawn_tensor<T>& t) { return t.values; }
    static alphabar::shape shape(drawn_tensor<T> const& t) { return t.shape; }
    static host_space space(drawn_tensor<T> const&) { return {}; }
};

/// A generator with a state that writes standard normals of type T: randn(out) draws as many as `out` holds, and the next
/// call goes on behind them.
template <class G, class T>
concept normal_generator = std::copyable<G> && requires(G& g, std::span<T> out) { g.randn(out); };

/// The noise of other software as an executor takes it: tensors of one shape, drawn one after the other by one generator, or by
/// one for each sample of the batch (a list of seeds). Draw 0 is `initial()`, where the software makes x_T from the same
/// generator; noise index i of a plan is draw i + 1.
///
///     torch_cpu_noise noise(torch_cpu_generator(42), shape);
///     x = noise.initial() times plan.initial_scale;
///     sample(plan, x, noise, network);
///
/// Every draw is a function of its number only: one that lies behind is made again from the start.
template <class G, class T = float>
    requires normal_generator<G, T>
class drawn_noise {
public:
    /// `begin` is the draw that index 0 of a plan takes: 0 where the generator is not used for x_T.
    drawn_noise(G generator, alphabar::shape const& shape, std::size_t begin = 1)
        : drawn_noise(std::vector<G>{std::move(generator)}, shape, begin)
    {
    }
    /// Throws std::invalid_argument where generators are not one, or one for each sample.
    drawn_noise(std::vector<G> generators, alphabar::shape const& shape, std::size_t begin = 1)
        : start_(std::move(generators)), now_(start_), shape_(shape), begin_(begin)
    {
        require(start_.size() == 1 || start_.size() == shape.batch(), "drawn_noise", "the number of generators",
                start_.size(), "there must be one, or one for each sample");
    }

    /// Draw number k, from 0.
    drawn_tensor<T> draw(std::size_t k)
    {
        if (k < drawn_)
            now_ = start_, drawn_ = 0;
        drawn_tensor<T> t{std::vector<T>(shape_.size()), shape_};
        std::size_t const part = t.values.size() / now_.size();
        for (; drawn_ <= k; ++drawn_)
            for (std::size_t i = 0; i < now_.size(); ++i)
                now_[i].randn(std::span<T>(t.values).subspan(i * part, part));
        return t;
    }
    drawn_tensor<T> initial() { return draw(0); }
    drawn_tensor<T> operator()(std::uint32_t index) { return draw(begin_ + index); }

private:
    std::vector<G> start_, now_;
    alphabar::shape shape_;
    std::size_t begin_, drawn_ = 0;
};

} // namespace alphabar
