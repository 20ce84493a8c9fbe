// SPDX-License-Identifier: MIT
// What the families of samplers have in common.
#pragma once

#include "replay_plan.hpp"
#include "support.hpp"

#include <alphabar/grid/grid.hpp>
#include <alphabar/sampler/network_form.hpp>
#include <alphabar/sampler/sde.hpp>

namespace conformance {

/// The options of a case; one that no reader asked for makes the case unsupported.
class options {
public:
    explicit options(json const& given) : fields_(given.contains("options") ? given["options"] : json::object()) {}
    template <class T>
    T get(char const* name, T otherwise)
    {
        known_.insert(name);
        return value(fields_, name, otherwise);
    }
    void finish() const
    {
        for (auto const& [name, unused] : fields_.items())
            if (!known_.contains(name))
                throw unsupported("the option " + name);
    }

private:
    json fields_;
    std::set<std::string> known_;
};

inline alphabar::network_form const denoiser{.predicts = alphabar::prediction::x_0};

/// The noise levels of a case of denoisers in sigma space.
inline alphabar::grid sigma_levels(json const& given)
{
    array const sigmas = numbers(at(given, "sigmas"));
    alphabar::grid g{
        .times = sigmas, .levels = {}, .end_time = sigmas.back(), .direction = alphabar::grid::course::as_given};
    g.times.pop_back();
    for (double sigma : sigmas)
        g.levels.push_back({1.0, sigma});
    return g;
}

/// Runs the plan of a case over the stand-ins and compares; `network` in place of the case's model, `finish`: what the
/// source does to the result.
void replay(verdict&, options const&, alphabar::plan const&, model const& network = {},
            std::function<void(recording&)> const& finish = {});

/// SiT's names of the forms of w(t).
alphabar::diffusion_form diffusion_form_named(std::string const&);

/// The classical methods of flow_matching and SiT.
alphabar::runge_kutta_method method_named(std::string const&);

// The samplers of a family, by the case's `family` and `sampler`. False: not one of them.
bool replay_lu(verdict&, options&);  ///< dpm-solver and UniPC
bool replay_edm(verdict&, options&); ///< EDM and EDM2
bool replay_adaptive(verdict&, options&);
bool replay_odes(verdict&, options&); ///< flow_matching, k-diffusion's log_likelihood
bool replay_flow(verdict&, options&); ///< score_sde, SiT, rectified flow, VDM, consistency_models

} // namespace conformance
