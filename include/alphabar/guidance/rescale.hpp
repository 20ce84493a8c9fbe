// SPDX-License-Identifier: MIT
// Guidance whose standard deviation is led back to that of the first prediction.
#pragma once

#include <alphabar/backends/span.hpp>
#include <alphabar/guidance/guide.hpp>

namespace alphabar {

/// g' = (phi std(c) / std(g) + 1 - phi) g, g by `rule`, std within each sample; phi in [0, 1]. g where it is constant.
/// No pass more: std(g) follows from inner products. Source: Lin et al. 2024, arXiv 2305.08891, section 3.4.
///
/// For a g at hand (diffusers' rescale_noise_cfg): guide(rescaled{classifier_free{0}, phi}, out, c, g).
template <class Rule>
struct rescaled {
    Rule rule;
    per_sample phi = 0.7;

    static_assert(!detail::combines<Rule, tensor_view<double>, tensor_view<double>, tensor_view<double>>,
                  "alphabar: frequency_decoupled is rescaled by its own levels' `rescale`");

    template <std::size_t K>
    auto weights(guidance_point const& p, inner_products_and_sums<K> const& m) const
    {
        double const part = phi(p, "rescaled", "phi");
        require(part >= 0 && part <= 1, "rescaled", "phi", part, "it must lie in [0, 1]");
        auto w = detail::weights_of(rule, p, m);
        double const spread = m.spread(combination<K>(w));
        double const factor = spread > 0 ? 1 + part * (std::sqrt(m.spread({}) / spread) - 1) : 1.0;
        w.c *= factor;
        for (double& d : w.d)
            d *= factor;
        return w;
    }
};
template <class Rule>
rescaled(Rule, per_sample = 0.7) -> rescaled<Rule>;

} // namespace alphabar
