// SPDX-License-Identifier: MIT
// Runs a plan over the stand-ins and keeps what the cases look at.
#pragma once

#include "support.hpp"

#include <alphabar/core/tensor.hpp>
#include <alphabar/sampler/plan.hpp>

namespace conformance {

/// What a replayed plan showed.
struct recording {
    std::vector<array> steps;            ///< the state after every step of the grid
    std::vector<array> inputs;           ///< what the network got, call by call
    std::vector<array> times;            ///< its time; one a plan where there are several
    std::vector<std::size_t> first_call; ///< of every step: the index of its first call
    array final;
};

/// The noise of a draw: (model calls so far, draws since the last).
using noise_source = std::function<array(std::size_t calls, std::size_t draws)>;

/// A drawn noise with the shape of the state.
struct noise_tensor {
    array values;
    alphabar::shape shape;
};

/// What inpainting knows; the mask is 1 where the data is known.
struct known_values {
    array data, mask;
};

/// Runs one plan for all samples, or one for each of the leading blocks of the state. `constrain` may change the state
/// after every stage.
recording run(std::vector<alphabar::plan> const& plans, array state, extents const& shape, model const& network,
              noise_source const& draw, known_values known = {},
              std::function<void(std::span<double>)> const& constrain = {});

/// Compares the expectations `samples`, `final`, `inputs`, `step_inputs` and `times_name`. A vector of equal times
/// counts once.
void compare(verdict&, recording const&, std::string const& times_name);

} // namespace conformance

template <>
struct alphabar::tensor_traits<conformance::noise_tensor> {
    using value_type = double;
    static constexpr storage_order order = storage_order::row_major;
    static std::span<double const> elements(conformance::noise_tensor const& t) { return t.values; }
    static alphabar::shape shape(conformance::noise_tensor const& t) { return t.shape; }
    static host_space space(conformance::noise_tensor const&) { return {}; }
};
