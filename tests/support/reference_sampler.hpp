// SPDX-License-Identifier: MIT
// A plan run slot by slot, as sampler/plan.hpp words it, in doubles: nothing is lowered, nothing is fused. And random
// plans.
#pragma once

#include <alphabar/noise/stream.hpp>
#include <alphabar/sampler/plan.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <random>
#include <vector>

namespace support {

namespace ab = alphabar;
using array = std::vector<double>;

/// network(input, time) -> output, `heads` arrays for each sample. One sample.
using network = std::function<array(array const&, double)>;
/// noise(index, element)
using noise = std::function<double(std::uint32_t, std::size_t)>;

struct known {
    array data, mask;
};

inline double threshold_of(ab::x0_operation const& op, array u)
{
    for (double& v : u)
        v = std::fabs(v);
    std::sort(u.begin(), u.end());
    double const position = op.quantile * static_cast<double>(u.size() - 1), low = std::floor(position);
    auto const k = static_cast<std::size_t>(low);
    double const q = u[k] + (position - low) * (u[std::min(k + 1, u.size() - 1)] - u[k]);
    return std::clamp(q, op.bound, op.max);
}

/// The state after every stage, for one sample.
inline std::vector<array> run(ab::plan p, array x, network const& net, noise const& z_of, known const& given = {})
{
    number_draws(p);
    std::size_t const n = x.size();
    array y = x;
    std::vector<array> history, states;
    for (ab::stage const& s : p.stages) {
        if (s.churn)
            for (std::size_t i = 0; i < n; ++i)
                x[i] = s.churn->keep * x[i] + (s.churn->add != 0 ? s.churn->add * z_of(s.churn_noise, i) : 0);
        std::map<ab::slot, array> slots{{ab::slots::x, x}, {ab::slots::y, y}, {ab::slots::d, given.data}};
        if (s.calls) {
            array scaled = x;
            for (double& v : scaled)
                v *= s.input_scale;
            array const out = net(scaled, s.time);
            for (std::size_t h = 0; h < p.heads; ++h)
                slots[ab::slots::F(h)] = array(out.begin() + static_cast<std::ptrdiff_t>(h * n),
                                               out.begin() + static_cast<std::ptrdiff_t>((h + 1) * n));
            array m(n);
            for (std::size_t i = 0; i < n; ++i)
                m[i] = s.memory.x * x[i] + s.memory.other * out[i];
            if (s.operation.what == ab::x0_operation::kind::clip)
                for (double& v : m)
                    v = std::clamp(v, -s.operation.bound, s.operation.bound);
            if (s.operation.what == ab::x0_operation::kind::dynamic_threshold) {
                double const t = threshold_of(s.operation, m);
                for (double& v : m)
                    v = std::clamp(v, -t, t) / t;
            }
            for (std::size_t i = 0; i < n; ++i)
                m[i] = s.recall.x * x[i] + s.recall.other * m[i];
            history.insert(history.begin(), m);
        }
        for (std::size_t k = 0; k < history.size(); ++k)
            slots[ab::slots::m(k)] = history[k];
        if (draws_noise(s)) {
            array z(n);
            for (std::size_t i = 0; i < n; ++i) {
                z[i] = z_of(s.noise, i);
                if (s.spread) {
                    double const f = slots[ab::slots::F(1)][i], u = (f + 1) / 2;
                    z[i] *= s.spread->what == ab::noise_spread::kind::range
                                ? std::exp(0.5 * (u * s.spread->log_max + (1 - u) * s.spread->log_min))
                            : s.spread->what == ab::noise_spread::kind::variance ? std::sqrt(f)
                                                                                 : std::exp(0.5 * f);
                }
            }
            slots[ab::slots::z] = z;
        }
        auto const value = [&](ab::row const& r) {
            array v(n, 0.0);
            for (ab::term const& t : r.terms())
                for (std::size_t i = 0; i < n; ++i)
                    v[i] += t.coefficient * slots.at(t.from)[i];
            return v;
        };
        array next = value(s.x);
        if (s.masked) {
            array const other = value(*s.masked);
            for (std::size_t i = 0; i < n; ++i)
                next[i] = given.mask[i] != 0 ? other[i] : next[i];
        }
        if (s.y)
            y = value(*s.y);
        x = next;
        states.push_back(x);
    }
    return states;
}

/// A network whose output depends on all of input, time and place, and stays small. Heads are sines of different
/// phases; head 1 is positive, so that it may be a variance.
inline double network_element(double x, double time, std::size_t head, std::size_t i)
{
    if (head == 1)
        return 0.5 + 0.25 * std::sin(2 * x + 0.1 * time);
    return 0.6 * std::sin(x + 0.3 * static_cast<double>(head)) +
           0.1 * std::cos(time + 0.01 * static_cast<double>(i % 7));
}
inline network network_with(std::uint32_t heads)
{
    return [heads](array const& in, double time) {
        array out;
        for (std::uint32_t h = 0; h < heads; ++h)
            for (std::size_t i = 0; i < in.size(); ++i)
                out.push_back(network_element(in[i], time, h, i));
        return out;
    };
}

struct plan_features {
    bool noise = true, operations = true, masks = true, heads = true, skips = true;
};

/// A random plan with any of the features; `shape_seed` decides what it is made of (slots, calls, kinds), `seed` the
/// numbers: plans of one shape_seed have one structure, `depth` memories at most.
inline ab::plan random_plan(std::uint32_t shape_seed, std::uint32_t seed, plan_features can = {}, std::size_t depth = 3)
{
    using namespace ab::slots;
    std::mt19937 build(shape_seed), numbers(seed);
    auto const chance = [&](double p) { return static_cast<double>(build() % 1000) < 1000 * p; };
    auto const number = [&] { return static_cast<double>(numbers() % 2001) / 1000.0 - 1.0; };
    ab::plan p;
    p.heads = can.heads && chance(0.3) ? 2 : 1;
    std::size_t const stages = 1 + build() % 6;
    std::size_t memories = 0;
    for (std::size_t i = 0; i < stages; ++i) {
        ab::stage s;
        s.calls = !can.skips || i == 0 || chance(0.85);
        memories += s.calls ? 1 : 0;
        s.time = 10 * number();
        bool const scales = chance(0.3), churns = can.noise && chance(0.25), still = chance(0.2);
        if (scales)
            s.input_scale = 0.75 + 0.25 * number();
        if (churns)
            s.churn = ab::stage::churn_map{chance(0.5) ? 1.0 : number(), still ? 0.0 : number()};
        s.memory = {number(), number()};
        if (can.operations && chance(0.4)) {
            s.operation.what = chance(0.6) ? ab::x0_operation::kind::clip : ab::x0_operation::kind::dynamic_threshold;
            s.operation.bound = 0.3 + 0.1 * number();
            s.operation.max = 1.0;
            s.operation.quantile = chance(0.3) ? 1.0 : 0.8 + 0.1 * number();
        }
        if (can.operations && chance(0.2))
            s.recall = {number(), number()};
        auto const random_row = [&](bool data) {
            ab::row r;
            auto const may = [&](double probability, ab::slot from) {
                if (chance(probability))
                    r += 0.5 * number() * from;
            };
            may(0.9, x);
            may(0.3, y);
            if (s.calls)
                for (std::uint32_t h = 0; h < p.heads; ++h)
                    may(0.4, F(h));
            for (std::size_t k = 0; k < std::min(memories, depth + 1); ++k)
                may(k == 0 ? 0.6 : 0.4, m(k));
            if (can.noise)
                may(0.4, z);
            if (data)
                may(0.8, d);
            return r;
        };
        s.x = random_row(false);
        if (chance(0.4))
            s.y = chance(0.3) ? ab::row(x) : chance(0.2) ? s.x : random_row(false);
        if (can.masks && chance(0.2))
            s.masked = random_row(true);
        if (p.heads == 2 && s.calls && chance(0.4)) {
            s.spread =
                ab::noise_spread{static_cast<ab::noise_spread::kind>(build() % 3), -2.0 + number(), 0.5 * number()};
        }
        p.stages.push_back(s);
    }
    return p;
}

} // namespace support
