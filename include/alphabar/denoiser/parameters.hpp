// SPDX-License-Identifier: MIT
// A network's parameters: one flat array, and the list of the tensors in it.
#pragma once

#include <alphabar/core/aligned.hpp>
#include <alphabar/noise/stream.hpp>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace alphabar {

/// How a tensor of parameters begins.
enum class initial : std::uint8_t {
    zero,
    normal,  ///< normal with standard deviation `scale`
    uniform, ///< uniform in (-scale, scale)
};

/// One tensor of a network: `size` scalars from `offset` of the flat array, row-major.
struct parameter {
    std::string name;               ///< as in a checkpoint, for example "block_8.first.weight"
    std::vector<std::size_t> shape; ///< convolution [3, 3, in, out]; dense layer [in, out]; bias [out]
    std::size_t offset = 0;
    std::size_t size = 0;
    initial start = initial::zero;
    double scale = 0;
};

/// The tensors of a network, in the order of the flat array, without gaps.
class parameter_list : public std::vector<parameter> {
public:
    /// The length of the flat array.
    std::size_t total() const { return empty() ? 0 : back().offset + back().size; }

    /// Adds a tensor at the end and returns its offset.
    std::size_t add(std::string name, std::vector<std::size_t> shape, initial start, double scale = 0)
    {
        parameter p{std::move(name), std::move(shape), total(), 1, start, scale};
        for (std::size_t const extent : p.shape)
            p.size *= extent;
        push_back(std::move(p));
        return back().offset;
    }
};

/// Parameters to begin with, drawn from the stream (purpose `weights`, step = the number of the tensor, sample 0,
/// element = index in the tensor).
template <class S>
aligned_vector<S> initial_parameters(parameter_list const& list, noise_stream const& noise)
{
    aligned_vector<S> values(list.total());
    std::uint32_t step = 0;
    for (parameter const& p : list) {
        noise_field const field = noise(purpose::weights, step++);
        for (std::size_t i = 0; i < p.size; ++i)
            if (p.start == initial::normal)
                values[p.offset + i] = static_cast<S>(p.scale * double{field(0, i)});
            else if (p.start == initial::uniform)
                values[p.offset + i] = static_cast<S>(p.scale * (2 * field.uniform(0, i) - 1));
    }
    return values;
}

} // namespace alphabar
