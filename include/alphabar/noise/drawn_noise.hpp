// SPDX-License-Identifier: MIT
// Noise that a generator of other software draws tensor by tensor, as an executor takes it.
#pragma once

#include <alphabar/core/error.hpp>
#include <alphabar/core/tensor.hpp>
#include <alphabar/sampler/plan.hpp>

#include <algorithm>
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

namespace detail {

/// The integers of [low, high), as functions that draw them see them. Throws std::invalid_argument where low >= high.
struct integer_range {
    std::uint64_t low, last; ///< the offset of the last one
    integer_range(char const* function, std::int64_t from, std::int64_t high)
        : low(static_cast<std::uint64_t>(from)), last(static_cast<std::uint64_t>(high) - low - 1)
    {
        require(from < high, function, "high", high, "it must be above low");
    }
    std::int64_t operator[](std::uint64_t offset) const { return static_cast<std::int64_t>(low + offset); }
};

} // namespace detail

/// A generator with a state that writes standard normals of type T: randn(out) draws as many as `out` holds, and the
/// next call goes on behind them.
template <class G, class T>
concept normal_generator = std::copyable<G> && requires(G& g, std::span<T> out) { g.randn(out); };

/// The noise of other software as an executor takes it: tensors of one shape, drawn one after the other by one
/// generator, or by one for each sample of the batch (a list of seeds). Draw 0 is `initial()`, where the software makes
/// x_T from the same generator; the draws after it belong to the noise indices of a plan, in the order in which they
/// are asked for.
///
///     torch_cpu_noise noise(torch_cpu_generator(42), shape);
///     x = noise.initial() times plan.initial_scale;
///     sample(plan, x, noise, network);
///
/// An index keeps its draw: one that lies behind is made again from the start. Where the index says that other draws
/// came before it since the last call (`noise_index`), these count although nobody asks for them.
template <class G, class T = float>
    requires normal_generator<G, T>
class drawn_noise {
public:
    /// `begin` is the draw that the first noise index takes: 0 where the generator is not used for x_T.
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
    drawn_tensor<T> operator()(std::uint32_t index) { return draw(begin_ + position(index)); }

    /// Knows the indices of a plan beforehand: for a run that was saved and goes on in the middle.
    void follow(plan const& p)
    {
        for (stage const& s : p.stages) {
            if (s.churn && s.churn->add != 0.0)
                position(s.churn_noise);
            if (draws_noise(s))
                position(s.noise);
        }
    }

private:
    std::size_t position(std::uint32_t index)
    {
        for (std::uint32_t before = index - index % noise_index(1, 0); before <= index; ++before)
            if (std::ranges::find(asked_, before) == asked_.end())
                asked_.push_back(before);
        return static_cast<std::size_t>(std::ranges::find(asked_, index) - asked_.begin());
    }

    std::vector<G> start_, now_;
    std::vector<std::uint32_t> asked_;
    alphabar::shape shape_;
    std::size_t begin_, drawn_ = 0;
};

} // namespace alphabar
