// SPDX-License-Identifier: MIT
// A sampler as data: a plan is a list of stages; a stage is one network evaluation F = network(input_scale x, time) and
// linear maps of what is at hand.
#pragma once

#include <alphabar/core/error.hpp>
#include <alphabar/core/pair_map.hpp>

#include <algorithm>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace alphabar {

/// What a row of a stage may read:
///
///     state x      the state, after the stage's churn
///     anchor y     what an earlier stage left as its y'; x at the start of the plan
///     output F     the network's output; F(1), F(2), ... its further heads
///     memory m     m(0) this stage's memory, m(1), m(2), ... the ones before it
///     noise z      fresh standard normal noise
///     data d       the caller's known data (inpainting)
struct slot {
    enum class kind : std::uint8_t { state, anchor, output, memory, noise, data };
    kind what;
    std::uint8_t index = 0;
    friend constexpr bool operator==(slot, slot) = default;
    friend constexpr auto operator<=>(slot, slot) = default;
};

/// One term of a row.
struct term {
    slot from;
    double coefficient;
    friend bool operator==(term const&, term const&) = default;
};

/// A linear combination of slots, written as mathematics: a * x + b * m(0) + c * z. Terms are kept in the order of
/// their slots, each slot once. A coefficient of 0 is kept as long as no row is `pruned`.
class row {
public:
    row() = default;
    row(slot s) : terms_{{s, 1.0}} {}
    explicit row(std::vector<term> const& terms)
    {
        for (term const& t : terms)
            *this += row(t.from, t.coefficient);
    }

    std::vector<term> const& terms() const { return terms_; }
    bool empty() const { return terms_.empty(); }
    bool reads(slot s) const
    {
        return std::ranges::any_of(terms_, [&](term const& t) { return t.from == s; });
    }
    /// The coefficient of `s`; 0 where the row does not read it.
    double operator[](slot s) const
    {
        for (term const& t : terms_)
            if (t.from == s)
                return t.coefficient;
        return 0.0;
    }
    row& operator+=(row const& other)
    {
        for (term const& t : other.terms_) {
            auto const at = std::ranges::lower_bound(terms_, t.from, {}, &term::from);
            if (at != terms_.end() && at->from == t.from)
                at->coefficient += t.coefficient;
            else
                terms_.insert(at, t);
        }
        return *this;
    }
    row& operator*=(double factor)
    {
        for (term& t : terms_)
            t.coefficient *= factor;
        return *this;
    }
    /// This row without its terms of coefficient 0.
    row pruned() const
    {
        row kept = *this;
        std::erase_if(kept.terms_, [](term const& t) { return t.coefficient == 0.0; });
        return kept;
    }

    friend row operator+(row a, row const& b) { return a += b; }
    friend row operator-(row a, row const& b) { return a += -1.0 * b; }
    friend row operator*(double factor, row a) { return a *= factor; }
    friend bool operator==(row const&, row const&) = default;

private:
    row(slot s, double coefficient) : terms_{{s, coefficient}} {}
    std::vector<term> terms_;
};

inline row operator+(slot a, slot b) { return row(a) + row(b); }
inline row operator*(double factor, slot a) { return factor * row(a); }

/// The names of the slots, for solvers: `using namespace slots;`.
namespace slots {
inline constexpr slot x{slot::kind::state};
inline constexpr slot y{slot::kind::anchor};
inline constexpr slot z{slot::kind::noise};
inline constexpr slot d{slot::kind::data};
/// The network's output: head 0 is the prediction, head 1 a predicted variance, or what the plan says.
constexpr slot F(std::size_t head = 0)
{
    require(head <= 255, "slots::F", "head", head, "at most 255 is allowed");
    return {slot::kind::output, static_cast<std::uint8_t>(head)};
}
/// The memory of this stage (0) or of the one `age` memories ago.
constexpr slot m(std::size_t age = 0)
{
    require(age <= 255, "slots::m", "age", age, "at most 255 is allowed");
    return {slot::kind::memory, static_cast<std::uint8_t>(age)};
}
} // namespace slots

/// The operation between the two maps of a memory, on x_0 as a rule.
///
///     none               u
///     clip               u clipped to [-bound, bound]
///     dynamic_threshold  s = the `quantile` of |u| within each sample (linear interpolation), clipped to [bound, max];
///                        u clipped to [-s, s], divided by s; Saharia et al. 2022, arXiv 2205.11487, section 2.3
struct x0_operation {
    enum class kind : std::uint8_t { none, clip, dynamic_threshold };
    kind what = kind::none;
    double bound = 1.0;
    double quantile = 0.995;
    double max = 1.0;
    friend bool operator==(x0_operation const&, x0_operation const&) = default;
};

/// The standard deviation of z, element by element, from the network's head F(1):
///
///     range     log variance = u log_max + (1 - u) log_min, u = (F(1) + 1) / 2     Nichol & Dhariwal 2021, (15)
///     variance  variance = F(1)
///     log_variance  log variance = F(1)
struct noise_spread {
    enum class kind : std::uint8_t { range, variance, log_variance };
    kind what = kind::range;
    double log_min = 0.0;
    double log_max = 0.0;
    friend bool operator==(noise_spread const&, noise_spread const&) = default;
};

/// A step whose size is found when it runs, from the norms of this sample's noise and memory:
///
///     e = 2 (snr |z| / |m(0)|)^2, 0 where |m(0)| = 0       Song et al. 2021, arXiv 2011.13456, algorithms 4 and 5
///
/// In the row `x` the coefficient of m(0) is e times what stands there, that of z sqrt(2 e) times: x + m(0) + z is a
/// step of Langevin dynamics where m(0) is the score. `over_batch` takes the means of both norms over the batch, as
/// published code does: a sample then depends on the others.
struct langevin_step {
    double snr = 0.16;
    bool over_batch = false;
    friend bool operator==(langevin_step const&, langevin_step const&) = default;
};

/// The index of a draw: 64 * (network calls made before it) + (draws made since the last call). It is the `step` of the
/// noise stream, and it belongs to the stage: it does not change when another stage draws or does not draw.
constexpr std::uint32_t noise_index(std::uint32_t calls, std::uint32_t draws) { return 64 * calls + draws; }

/// One network evaluation and its linear maps.
///
///     1. churn     x <- keep x + add z                                      where `churn` stands
///     2. call      F = network(input_scale x, time)                         where `calls`
///     3. memory    m(0) = recall.x x + recall.other op(memory.x x + memory.other F)
///     4. rows      x' = row `x`, y' = row `y` (without it y stays)
///                  x' = row `masked` where the caller's mask is 1
///
/// "No churn" is structural: an empty `churn`, never {1, 0}.
struct stage {
    struct churn_map {
        double keep;
        double add;
        friend bool operator==(churn_map const&, churn_map const&) = default;
    };
    /// Leave a noise index to `number_draws`.
    static constexpr std::uint32_t automatic = 0xffffffffu;

    double time = 0.0;
    row x{};
    pair_map memory{0.0, 1.0};
    double input_scale = 1.0;
    std::optional<churn_map> churn{};
    std::optional<row> y{};
    x0_operation operation{};
    pair_map recall{0.0, 1.0};
    bool calls = true;
    std::optional<row> masked{};
    std::optional<noise_spread> spread{};
    std::optional<langevin_step> langevin{};
    std::uint32_t churn_noise = automatic;
    std::uint32_t noise = automatic;
    bool ends_step = true; ///< whether a step of the grid ends with this stage
    friend bool operator==(stage const&, stage const&) = default;
};

/// A sampler, compiled: run it with `sample`, or stage by stage with an `executor`.
struct plan {
    std::vector<stage> stages;
    double initial_scale = 1.0; ///< x_T = initial_scale * N(0, 1)
    std::uint32_t heads = 1;    ///< arrays in the network's output: 2 with a predicted variance and in CFG++
    friend bool operator==(plan const&, plan const&) = default;
};

/// Whether the stage draws a z after its call.
inline bool draws_noise(stage const& s)
{
    return s.x.reads(slots::z) || (s.y && s.y->reads(slots::z)) || (s.masked && s.masked->reads(slots::z));
}

/// Gives every draw that is still `automatic` the index that counting calls and draws from the start of the plan gives
/// it, or the next one that no other draw has. 64 draws without a call between them count as one, so that no index
/// comes twice (RePaint's jumps).
inline void number_draws(plan& p)
{
    std::uint32_t calls = 0, draws = 0;
    std::set<std::uint32_t> taken;
    for (stage const& s : p.stages)
        taken.insert({s.churn_noise, s.noise});
    auto const number = [&](std::uint32_t& index) {
        if (index == stage::automatic) {
            index = noise_index(calls, draws);
            while (!taken.insert(index).second)
                ++index;
        }
        if (++draws == 64)
            ++calls, draws = 0;
    };
    for (stage& s : p.stages) {
        if (s.churn && s.churn->add != 0.0)
            number(s.churn_noise);
        if (s.calls)
            ++calls, draws = 0;
        if (draws_noise(s))
            number(s.noise);
    }
}

/// The part of a plan from `stage` on: what a run begins with in the middle (an image made noisy to that stage's
/// level). Every draw keeps the noise index that it has in the whole plan. Throws std::invalid_argument where the rest
/// reads an anchor of what was left out, and lowering where it reads memories of it: `grid_from` serves any solver.
inline plan plan_from(plan whole, std::size_t first)
{
    require(first < whole.stages.size(), "plan_from", "first", first, "the plan has fewer stages");
    number_draws(whole);
    auto const kept = whole.stages.begin() + static_cast<std::ptrdiff_t>(first);
    bool lost = std::any_of(whole.stages.begin(), kept, [](stage const& s) { return s.y.has_value(); });
    for (auto s = kept; s != whole.stages.end() && lost; ++s) {
        require(!s->x.reads(slots::y) && !(s->y && s->y->reads(slots::y)), "plan_from", "first", first,
                "the rest reads an anchor of what is left out: begin where a step begins, or see grid_from");
        lost = !s->y;
    }
    whole.stages.erase(whole.stages.begin(), kept);
    return whole;
}

} // namespace alphabar
