// SPDX-License-Identifier: MIT
// A plan read literally, one statement a line of its definition, in double: what an executor must agree with.
#pragma once

#include <alphabar/sampler/plan.hpp>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <vector>

namespace support {

using state = std::vector<double>;

/// Noise that tells its index and its element.
inline state sine_noise(std::uint32_t index, std::size_t n)
{
    state values(n);
    for (std::size_t i = 0; i < n; ++i)
        values[i] = std::sin(1.7 * static_cast<double>(i + 1) + 2.3 * index);
    return values;
}

/// network(x, time) -> F (heads joined one after the other); noise(index) -> z, which plans without noise can do
/// without; after(stage index, x).
state interpret(alphabar::plan const& p, state x, std::function<state(state const&, double)> const& network,
                std::function<state(std::uint32_t)> const& noise = {},
                std::function<void(std::size_t, state const&)> const& after = {});

} // namespace support
