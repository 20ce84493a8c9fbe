// SPDX-License-Identifier: MIT
// Runs an adaptive sampler over the stand-ins, one step for the whole batch, and compares.
#pragma once

#include "sampler.hpp"

#include <alphabar/backends/span.hpp>
#include <alphabar/sampler/adaptive.hpp>

#include <algorithm>
#include <cmath>

namespace conformance {

template <class Path>
void replay_adaptive(verdict& v, options const& o, Path const& path, alphabar::adaptive_options const& chosen)
{
    o.finish();
    json const& given = v.given();
    extents const sizes = shape_of(given);
    std::size_t const n = size_of(sizes);
    alphabar::shape const s{std::span<std::size_t const>(sizes)};
    model const network = model_named(at(given, "model").get<std::string>());
    array state = initial(n, number(at(given, "initial_scale"))), times, sigmas, errors, steps;
    auto const call = [&](auto const& input, std::span<double const> t, auto& output) {
        array const out = network({input.data, n}, t.first(1));
        times.push_back(t.front());
        std::ranges::copy(out, output.data);
    };
    auto const draw = [&](std::uint32_t index) { return noise_tensor{noise(n, index / 64, index % 64), s}; };
    auto const ends = alphabar::adaptive(path, alphabar::view(state, s), draw, call, chosen, [&](auto const& states) {
        sigmas.push_back(std::exp(-states[0].lambda));
        errors.push_back(states[0].error);
        steps.push_back(states[0].step);
    });
    v.compare("final", state);
    v.compare_times("model_times", times);
    double const accepted = ends[0].accepted, rejected = ends[0].rejected;
    for (auto const& [name, got] : std::map<std::string, array>{{"sigmas_after", sigmas},
                                                                {"errors", errors},
                                                                {"h_after", steps},
                                                                {"steps", {accepted + rejected}},
                                                                {"n_accept", {accepted}},
                                                                {"n_reject", {rejected}},
                                                                {"nfe", {chosen.order * (accepted + rejected)}}})
        if (v.expects(name))
            v.compare(name, got);
}

} // namespace conformance
