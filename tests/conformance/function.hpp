// SPDX-License-Identifier: MIT
// Kind `function`: one table a family of sources, put together in function.cpp.
#pragma once

#include "support.hpp"

#include <alphabar/process/preconditioning.hpp>

#include <functional>
#include <utility>

namespace conformance {

using function_table = std::map<std::string, void (*)(verdict&, json const& arguments)>;

function_table const& denoiser_functions(); ///< k-diffusion, edm, consistency_models
function_table const& solver_functions();   ///< dpm-solver, unipc
function_table const& score_functions();    ///< score_sde's models and prior, SiT's interval
function_table const& vdm_functions();      ///< vdm, edm2
function_table const& manifold_functions(); ///< flow_matching
function_table const& flow_functions();     ///< paths: flow_matching, SiT, score_sde

/// The geodesic from noise to data on a manifold; kappa(t): the share of the way at time t, and its derivative.
void replay_geodesic(verdict&, std::function<std::pair<double, double>(double)> const& kappa);

/// of(x) for every number of a list of arguments.
template <class Formula>
array of_numbers(json const& a, char const* name, Formula const& of)
{
    array values = numbers(at(a, name));
    for (double& x : values)
        x = of(x);
    return values;
}

/// An argument that is a word of the format or a list.
array values_named(json const& a, char const* name, std::size_t n);

/// The state of a case: its `initial_scale`, or the argument `x_t`.
array state_of(json const& a);

} // namespace conformance
