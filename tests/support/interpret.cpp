// SPDX-License-Identifier: MIT
#include <support/interpret.hpp>

#include <algorithm>
#include <utility>

namespace support {

state interpret(alphabar::plan const& p, state x, std::function<state(state const&, double)> const& network,
                std::function<state(std::uint32_t)> const& noise,
                std::function<void(std::size_t, state const&)> const& after)
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
        state z = noise && alphabar::draws_noise(s) ? noise(s.noise) : state{};
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
            for (auto const& [from, c] : r.terms()) {
                double const factor = c * langevin_factor(from);
                state const& source = from.what == slot::kind::state    ? x
                                      : from.what == slot::kind::anchor ? y
                                      : from.what == slot::kind::output ? f
                                      : from.what == slot::kind::memory ? history.at(from.index)
                                                                        : z;
                std::size_t const first = from.what == slot::kind::output ? n * from.index : 0;
                static_cast<void>(source.at(first + n - 1));
                for (std::size_t i = 0; i < n; ++i)
                    out[i] += factor * source[first + i];
            }
            return out;
        };
        state next = evaluate(s.x);
        if (s.y)
            y = evaluate(*s.y);
        x = std::move(next);
        if (after)
            after(k, x);
    }
    return x;
}

} // namespace support
