// SPDX-License-Identifier: MIT
// The samplers one can ask for, each a plan over a path that the network understands.
#pragma once

#include <alphabar/process/prediction.hpp>
#include <alphabar/sampler/network_form.hpp>
#include <alphabar/sampler/plan.hpp>

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

namespace mnist {

/// A plan, and log(sigma / alpha) at each time it may give the network.
struct sampler {
    alphabar::plan plan;
    std::function<double(double time)> log_sigma;
};

struct sampler_kind {
    char const* name;  ///< as on the command line
    char const* title; ///< as in pictures
    std::uint32_t usual_calls;
    bool stochastic;
    sampler (*make)(std::uint32_t calls, alphabar::network_form const& form);
};

std::span<sampler_kind const> sampler_kinds();
sampler_kind const& sampler_named(std::string const& name);

/// The solution of the same equation that the others are measured against.
sampler fine_solution(alphabar::network_form const& form);

} // namespace mnist
