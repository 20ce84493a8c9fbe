// SPDX-License-Identifier: MIT
// The discrete processes of the cases: schedule, arguments, T.
#pragma once

#include "support.hpp"

#include <alphabar/schedule/betas.hpp>

namespace conformance {

/// The betas of {"schedule": name, "arguments": {...}, "T": T}; `unsupported` where the library has no such schedule.
alphabar::beta_schedule betas_of(json const& process);

/// The betas of a case with its `transform` list.
alphabar::beta_schedule transformed_betas(json const& given);

} // namespace conformance
