// SPDX-License-Identifier: MIT
// Brownian paths as a formula: the increment over any interval, asked for in any order, without storage.
#pragma once

#include <alphabar/core/double_double.hpp>
#include <alphabar/core/element.hpp>
#include <alphabar/core/error.hpp>
#include <alphabar/core/host_device.hpp>
#include <alphabar/noise/stream.hpp>
#include <alphabar/sampler/plan.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace alphabar {

namespace detail {

inline constexpr std::size_t brownian_piece = 512;

} // namespace detail

/// A fixed sum of fields of one stream: an increment of a Brownian path, for every element. Models `generator`. No
/// storage and no state; the same bits on every machine and for every split of a batch.
class brownian_increment {
public:
    /// The nodes of a path are steps of the stream, below 2^24. An increment reads two at a level and the one above
    /// all.
    static constexpr unsigned max_levels = 24;

    void fill(std::size_t row, std::size_t first, std::span<float> out) const
    {
        std::array<float, detail::brownian_piece> z{};
        std::array<double, detail::brownian_piece> sum;
        for (std::size_t i = 0; i < out.size(); i += z.size()) {
            std::size_t const n = std::min(z.size(), out.size() - i);
            sum.fill(0.0);
            for (std::size_t k = 0; k < count_; ++k) {
                field(k).fill(row, first + i, std::span(z).first(n));
                // a product of two floats is exact in double: that it may be fused changes no bit
                detail::vectorised([&sum, &z, w = static_cast<double>(terms_[k].weight)]() ALPHABAR_INLINE_LAMBDA {
                    for (std::size_t j = 0; j < detail::brownian_piece; ++j)
                        sum[j] += w * static_cast<double>(z[j]);
                });
            }
            for (std::size_t j = 0; j < n; ++j)
                out[i + j] = static_cast<float>(sum[j]);
        }
    }
    /// One element: the bits that `fill` writes, for device code too.
    ALPHABAR_HOST_DEVICE float operator()(std::uint64_t row, std::uint64_t element) const
    {
        double sum = 0.0;
        for (std::size_t k = 0; k < count_; ++k)
            sum += static_cast<double>(terms_[k].weight) * static_cast<double>(field(k)(row, element));
        return static_cast<float>(sum);
    }
    /// The variance of an element.
    double variance() const
    {
        double v = 0.0;
        for (std::size_t k = 0; k < count_; ++k)
            v += static_cast<double>(terms_[k].weight) * static_cast<double>(terms_[k].weight);
        return v;
    }

private:
    friend class brownian_path;
    struct term {
        std::uint32_t step;
        float weight;
    };
    ALPHABAR_HOST_DEVICE noise_field field(std::size_t k) const
    {
        return {seed_, static_cast<std::uint32_t>(purpose::path) << 24 | terms_[k].step, first_sample_};
    }

    std::uint64_t seed_ = 0, first_sample_ = 0;
    std::size_t count_ = 0;
    term terms_[2 * max_levels + 1] = {};
};

/// A Brownian path W over [low, high] for every element of every sample, W(low) = 0: a pure function of the stream (its
/// purpose::path). The whole interval adds (t - low) / sqrt(high - low) z_0 to W(t), and each node of a binary tree,
/// with the ends l and r and the middle m of its interval, a bridge:
///
///     sqrt((m - l) (r - m) / (r - l)) h(t) z,   h = 0, 1, 0 at l, m, r and straight between them
///
/// with one standard normal z for each node (Levy's and Ciesielski's construction). Intervals are halved in u, t = low
/// + (high - low) u^4: the grids of noise levels are fine near their low end. At the last level the factor of z is
/// sqrt((t - l) (r - t) / (r - l)): so the variance of W(t) - W(s) is |t - s| for all times s and t that the levels
/// part (it is smaller within one of the 2^(levels - 1) last intervals), and W(a, c) = W(a, b) + W(b, c), up to
/// rounding.
///
/// An increment costs as much as filling 2 levels + 1 tensors with noise at most. 14 levels part the steps of a grid of
/// Karras with 1000 steps from 80 to 0.002.
///
/// "Virtual Brownian tree": Li, Wong, Chen, Duvenaud 2020, arXiv 2001.01328; the samplers of k-diffusion ask such a
/// path for their noise (BrownianTreeNoiseSampler), over sigma.
class brownian_path {
public:
    /// Row r is sample first_sample + r. Throws std::invalid_argument where low < high does not hold or is not finite,
    /// or levels is not in [1, 24].
    brownian_path(noise_stream noise, double low, double high, unsigned levels = 14, std::uint64_t first_sample = 0)
        : noise_(noise), low_(low), high_(high), levels_(levels), first_sample_(first_sample)
    {
        require(std::isfinite(low), "brownian_path", "low", low, "it must be finite");
        require(std::isfinite(high - low) && low < high, "brownian_path", "high", high,
                "it must be finite and above low");
        require(levels >= 1 && levels <= brownian_increment::max_levels, "brownian_path", "levels", levels,
                "it must lie in [1, 24]");
    }

    double low() const { return low_; }

    /// W(to) - W(from): of variance |to - from|. Throws std::invalid_argument where an end is outside [low, high].
    brownian_increment increment(double from, double to) const { return scaled(from, to, 1.0); }

    /// The same, divided by its standard deviation: what a sampler takes as z for the step from one level to the other.
    /// Throws std::invalid_argument also where from = to.
    brownian_increment normal(double from, double to) const
    {
        double const variance = increment(from, to).variance();
        require(variance > 0.0, "brownian_path::normal", "to", to, "it must differ from `from`");
        return scaled(from, to, 1.0 / std::sqrt(variance));
    }

private:
    brownian_increment scaled(double from, double to, double factor) const
    {
        for (double t : {from, to})
            require(t >= low_ && t <= high_, "brownian_path", "a time", t,
                    "it must lie in [" + shown(low_) + ", " + shown(high_) + "]");
        brownian_increment sum;
        sum.seed_ = noise_.seed;
        sum.first_sample_ = first_sample_;
        auto const add = [&](std::uint32_t step, double weight) {
            if (float const w = static_cast<float>(factor * weight); w != 0.0f)
                sum.terms_[sum.count_++] = {step, w};
        };
        double const range = high_ - low_;
        add(0, (to - from) / std::sqrt(range));
        struct place {
            double t, left, right;
            std::uint32_t node = 1;
        } places[2] = {{from, low_, high_}, {to, low_, high_}};
        for (unsigned level = 1; level <= levels_; ++level) {
            double weight[2];
            std::uint32_t node[2];
            for (int i = 0; i < 2; ++i) {
                auto& [t, l, r, n] = places[i];
                double const nodes = std::ldexp(1.0, static_cast<int>(level) - 1), u = (n - nodes + 0.5) / nodes;
                double const m = low_ + detail::product_of(range, u * u * u * u);
                if (t <= l || t >= r)
                    weight[i] = 0.0;
                else if (level == levels_)
                    weight[i] = std::sqrt((t - l) * (r - t) / (r - l));
                else
                    weight[i] =
                        std::sqrt((m - l) * (r - m) / (r - l)) * (t <= m ? (t - l) / (m - l) : (r - t) / (r - m));
                node[i] = n;
                bool const is_right = t > m;
                (is_right ? l : r) = m;
                n = 2 * n + (is_right ? 1 : 0);
            }
            if (node[0] == node[1]) {
                add(node[0], weight[1] - weight[0]);
            } else {
                add(node[0], -weight[0]);
                add(node[1], weight[1]);
            }
        }
        return sum;
    }

    noise_stream noise_;
    double low_, high_;
    unsigned levels_;
    std::uint64_t first_sample_;
};

/// A Brownian path as the noise of a plan's stages: z of a stage is the increment, divided by its standard deviation,
/// from the level of the first call of its step to the level of the next call; from that of its own call where the
/// anchor keeps the noise before it (runge_kutta with tau). So two-stage solvers (DPM-Solver++ SDE) get noises that
/// belong together, and a run with other steps follows the same path.
class brownian_noise {
public:
    /// `clock` turns a stage's time into the path's: sigma / alpha of that time, as a rule. `end` is the path's time
    /// after the last call; without it the path's low end.
    ///
    /// Throws std::invalid_argument where the plan churns, where a stage draws before the first call, where a step has
    /// no length, and for times outside the path's range.
    template <class Clock>
    brownian_noise(brownian_path const& path, plan const& p, Clock const& clock, std::optional<double> end = {})
    {
        double from = 0.0; // of the step, once it has a call
        bool has_call = false;
        for (auto s = p.stages.begin(); s != p.stages.end(); ++s) {
            auto const index = s - p.stages.begin();
            require(!s->churn || s->churn->add == 0.0, "brownian_noise", "the stage", index,
                    "a path has no noise for churn");
            if (!has_call && s->calls)
                from = clock(s->time), has_call = true;
            if (draws_noise(*s)) {
                require(has_call, "brownian_noise", "the stage", index, "it draws, and its step has no call");
                auto const next = std::find_if(s + 1, p.stages.end(), [](stage const& later) { return later.calls; });
                double const to = next != p.stages.end() ? clock(next->time) : end.value_or(path.low());
                steps_.push_back({s->noise, path.normal(from, to)});
            }
            has_call = has_call && !s->ends_step && !(s->y && s->y->reads(slots::z));
        }
    }
    /// Throws std::invalid_argument where the plan has no such index.
    brownian_increment const& operator()(std::uint32_t index) const
    {
        auto const found = std::ranges::find(steps_, index, &step::index);
        require(found != steps_.end(), "brownian_noise", "the noise index", index, "the plan has no such draw");
        return found->noise;
    }

private:
    struct step {
        std::uint32_t index;
        brownian_increment noise;
    };
    std::vector<step> steps_;
};

} // namespace alphabar
