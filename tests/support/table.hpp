// SPDX-License-Identifier: MIT
// The usual path of the tests: T linear betas.
#pragma once

#include <alphabar/schedule/betas.hpp>
#include <alphabar/schedule/gaussian_diffusion.hpp>

#include <cstddef>

namespace support {

inline alphabar::gaussian_diffusion table(std::size_t T = 1000)
{
    return alphabar::gaussian_diffusion(alphabar::linear_betas(T));
}

} // namespace support
