// SPDX-License-Identifier: MIT
//
// Guidance whose standard deviation is led back to that of the conditional prediction.
#pragma once

#include <alphabar/core/error.hpp>
#include <alphabar/guidance/guide.hpp>

#include <cmath>
#include <cstddef>

namespace alphabar {

/// g' = (phi std(c) / std(g) + 1 - phi) g with g of `rule`, standard deviations within each sample; phi in [0, 1]. Of constant g: g.
/// No pass more than two: std(g) follows from inner products. Lin et al. 2024, arXiv 2305.08891, (15), (16).
///
/// For a g that is at hand (`rescale_noise_cfg`): guide(rescaled{classifier_free{0}, phi}, out, c, g).
template <class Rule>
struct rescaled {
    Rule rule;
    per_sample phi = 0.7;

    template <std::size_t K>
    guidance_weights<K> weights(guidance_point const& p, guidance_spreads<K> const& m) const
    {
        double const part = phi(p);
        require(part >= 0 && part <= 1, "rescaled", "phi", part, "it must lie in [0, 1]");
        guidance_weights<K> w = detail::weights_of(rule, p, m);
        double const factor = m(w) > 0 ? 1 + part * (std::sqrt(m({}) / m(w)) - 1) : 1.0;
        w.c *= factor;
        for (double& d : w.d)
            d *= factor;
        return w;
    }
};
template <class Rule>
rescaled(Rule, per_sample = 0.7) -> rescaled<Rule>;

} // namespace alphabar
