// SPDX-License-Identifier: MIT
//
// Kind `random`, one source a family.
#pragma once

#include "support.hpp"

#include <cstdint>
#include <span>

namespace conformance {

void replay_random_engine(verdict&, std::string const& generator);
void replay_random_torch(verdict&, std::string const& generator);
void replay_random_numpy(verdict&, std::string const& generator);
void replay_random_jax(verdict&);

/// The seed of a case that is one number of 64 bits.
std::uint64_t seed_of(json const& given);

/// Call k of the case, at the positions that were stored. The results of torch's build without vectors are not looked at.
void compare_call(verdict&, std::size_t k, array const& values);

/// A word as the cases write it.
std::string hexadecimal(std::uint64_t word, int bits);

} // namespace conformance
