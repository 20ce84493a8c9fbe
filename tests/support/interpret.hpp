// SPDX-License-Identifier: MIT
//
// A plan read literally, one statement a line of its definition, in double: what an executor must
// agree with.
#pragma once

#include <alphabar/sampler/plan.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace support {

using state = std::vector<double>;

/// Noise that tells its index and its element.
inline state sine_noise(std::uint32_t index, std::size_t n)
{
    state values(n);
    for (std::size_t i = 0; i < n; ++i)
        values[i] = std::sin(1.7 * static_cast<double>(i + 1) + 2.3 * index);
    return values;
}

/// network(x, time) -> F (heads joined one after the other); noise(index) -> z; after(stage index,
/// x).
template <class Network, class Noise, class After>
state interpret(alphabar::plan const& p, state x, Network&& network, Noise&& noise, After&& after)
{
    using alphabar::slot;
    std::size_t const n = x.size();
    state y = x;
    std::vector<state> history;
    for (std::size_t k = 0; k < p.stages.size(); ++k) {
        alphabar::stage const& s = p.stages[k];
        if (s.churn) {
            state const z = noise(s.churn_noise);
            for (std::size_t i = 0; i < n; ++i)
                x[i] = s.churn->keep * x[i] + s.churn->add * z[i];
        }
        state f;
        if (s.calls) {
            state input = x;
            for (double& v : input)
                v *= s.input_scale;
            f = network(input, s.time);
            state memory(n);
            for (std::size_t i = 0; i < n; ++i) {
                double u = s.memory.x * x[i] + s.memory.other * f[i];
                if (s.operation.what == alphabar::x0_operation::kind::clip)
                    u = std::clamp(u, -s.operation.bound, s.operation.bound);
                memory[i] = s.recall.x * x[i] + s.recall.other * u;
            }
            history.insert(history.begin(), memory);
        }
        state z = alphabar::draws_noise(s) ? noise(s.noise) : state{};
        if (s.spread && !z.empty())
            for (std::size_t i = 0; i < n; ++i) {
                double const h = f[n + i], u = (h + 1) / 2;
                using kind = alphabar::noise_spread::kind;
                z[i] *= s.spread->what == kind::variance ? std::sqrt(h)
                        : s.spread->what == kind::log_variance
                            ? std::exp(h / 2)
                            : std::exp((u * s.spread->log_max + (1 - u) * s.spread->log_min) / 2);
            }
        auto const norm = [](state const& v) {
            double sum = 0;
            for (double u : v)
                sum += u * u;
            return std::sqrt(sum);
        };
        double const ratio = s.langevin ? s.langevin->snr * norm(z) / norm(history.at(0)) : 0.0;
        auto const langevin_factor = [&](slot from) {
            bool const newest = from.what == slot::kind::memory && from.index == 0;
            return !s.langevin ? 1.0 : newest ? 2 * ratio * ratio : from.what == slot::kind::noise ? 2 * ratio : 1.0;
        };
        auto const evaluate = [&](alphabar::row const& r) {
            state out(n, 0.0);
            for (auto const& [from, c] : r.terms())
                for (std::size_t i = 0; i < n; ++i)
                    out[i] += c * langevin_factor(from) *
                              (from.what == slot::kind::state    ? x[i]
                               : from.what == slot::kind::anchor ? y[i]
                               : from.what == slot::kind::output ? f[n * from.index + i]
                               : from.what == slot::kind::memory ? history.at(from.index)[i]
                                                                 : z.at(i));
            return out;
        };
        state next = evaluate(s.x);
        if (s.y)
            y = evaluate(*s.y);
        x = std::move(next);
        after(k, x);
    }
    return x;
}

template <class Network, class Noise>
state interpret(alphabar::plan const& p, state x, Network&& network, Noise&& noise)
{
    return interpret(p, std::move(x), network, noise, [](std::size_t, state const&) {});
}

/// For plans without noise.
template <class Network>
state interpret(alphabar::plan const& p, state x, Network&& network)
{
    return interpret(p, std::move(x), network, [](std::uint32_t) -> state { return {}; });
}

} // namespace support
