// SPDX-License-Identifier: MIT
// The likelihood of a sample, by any plan of the probability flow.
#pragma once

#include <alphabar/core/error.hpp>
#include <alphabar/sampler/plan.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <vector>

namespace alphabar {

/// How the log density of one sample of d elements changes along a plan, from its start x to its sample x':
///
///     log p(x) = log p'(x') + per_element d + sum of weights[c] tr J_c over the calls c
///
/// J_c is the Jacobian of the network's output by its input at call c. Its trace is v^T J v on average over probes v of
/// independent signs (Hutchinson): one product by automatic differentiation, or v . (F(u + h v) - F(u - h v)) / (2 h).
struct log_density_change {
    double per_element = 0.0;
    std::vector<double> weights;
};

/// The change along `p`, a solver of the ODE from data to noise (a reversed grid) or from noise to data, to the
/// solver's order. At the noisy end take `normal_log_density` for log p'.
///
/// With F = 0 the plan makes k_c x of x before call c and k x in the end; with x = 0 it makes sum w_c F_c. It so solves
/// d(x / k) = sum w_c F_c / k, whose divergence its own weights integrate:
///
///     per_element = log k,     weights[c] = w_c input_scale_c k_c / k
///
/// Where k stays 1 (a network that predicts the velocity) this is the solver run on (x, log p). Throws
/// std::invalid_argument where the plan draws noise, clips x_0, reads known data or a further head, and where k = 0: a
/// step to sigma = 0 may forget x. Source: Chen et al. 2018, arXiv 1806.07366, (8); Grathwohl et al. 2019, arXiv
/// 1810.01367, (7); Song et al. 2021, arXiv 2011.13456, (39).
inline log_density_change change_of_log_density(plan const& p)
{
    using namespace slots;
    auto const share = [](row const& r, double of_x, double of_y, std::vector<double> const& of_memory) {
        double sum = of_x * r[x] + of_y * r[y];
        for (auto const& [from, coefficient] : r.terms()) {
            require(coefficient == 0.0 || (from.what != slot::kind::noise && from.what != slot::kind::data &&
                                           (from.what != slot::kind::output || from.index == 0)),
                    "change_of_log_density", "a coefficient of noise, known data or a further head", coefficient,
                    "it must be 0");
            require(from.what != slot::kind::memory || from.index < of_memory.size(), "change_of_log_density",
                    "the age of a memory", static_cast<int>(from.index), "there are fewer calls before it");
            if (from.what == slot::kind::memory)
                sum += coefficient * of_memory[of_memory.size() - 1 - from.index];
        }
        return sum;
    };
    auto const memory_of_x = [](stage const& s) { return s.recall.x + s.recall.other * s.memory.x; };
    double k = 1.0, anchor = 1.0;
    std::vector<double> at_call, of_memory;
    for (stage const& s : p.stages) {
        bool const linear = !s.masked && !s.spread && !s.langevin && s.operation.what == x0_operation::kind::none;
        require(linear && (!s.churn || s.churn->add == 0.0), "change_of_log_density", "a stage",
                linear ? "noisy" : "not linear", "it must be linear and draw no noise");
        k *= s.churn ? s.churn->keep : 1.0;
        if (s.calls) {
            at_call.push_back(k);
            of_memory.push_back(memory_of_x(s) * k);
        }
        double const after = share(s.x, k, anchor, of_memory);
        anchor = s.y ? share(*s.y, k, anchor, of_memory) : anchor;
        k = after;
    }
    require(k > 0.0 && std::isfinite(k), "change_of_log_density", "k", k, "it must be positive: end above sigma = 0");
    log_density_change change{std::log(k), std::vector<double>(at_call.size())};
    std::ranges::fill(of_memory, 0.0); // now the derivatives of x', from the end of the plan to its start
    double by_x = 1.0, by_y = 0.0;
    std::size_t calls = at_call.size();
    for (std::size_t i = p.stages.size(); i-- > 0;) {
        stage const& s = p.stages[i];
        row const r = by_x * s.x + by_y * s.y.value_or(row(y));
        for (auto const& [from, coefficient] : r.terms())
            if (from.what == slot::kind::memory)
                of_memory[calls - 1 - from.index] += coefficient;
        by_x = r[x];
        by_y = r[y];
        if (s.calls) {
            double const w = of_memory[--calls];
            by_x += w * memory_of_x(s);
            change.weights[calls] = (w * s.recall.other * s.memory.other + r[F()]) * s.input_scale * at_call[calls] / k;
        }
        by_x *= s.churn ? s.churn->keep : 1.0;
    }
    return change;
}

} // namespace alphabar
