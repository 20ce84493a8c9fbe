// SPDX-License-Identifier: MIT
// A case about a diffusers class: its configuration and the arguments of its methods.
#pragma once

#include "support.hpp"

#include <alphabar/io/diffusers_grid.hpp>

namespace conformance {

struct scheduler_case {
    alphabar::diffusers_config config;
    alphabar::diffusers_request request;

    /// Throws `unsupported` where the library has not the class or an option.
    explicit scheduler_case(json const& given);
    alphabar::diffusers_grid grid() const;
};

/// What a config_error says of missing classes and options becomes `unsupported`.
template <class Call>
auto supported(Call call)
{
    try {
        return call();
    } catch (alphabar::config_error const& problem) {
        if (problem.why() == alphabar::config_error::kind::unsupported)
            throw unsupported(problem.field() + ": " + problem.reason());
        throw;
    }
}

} // namespace conformance
