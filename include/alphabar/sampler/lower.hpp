// SPDX-License-Identifier: MIT
// A plan lowered to what a machine runs: registers in place of history and anchor, one pass over memory a stage.
#pragma once

#include <alphabar/core/error.hpp>
#include <alphabar/sampler/plan.hpp>

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace alphabar {

/// What a pass reads:
///
///     array      a register: 0 is the caller's x, the others are work arrays
///     output     head `index` of the network's output
///     memory     m, after its operation, made element by element from the state and the output
///     noise, data
struct operand {
    enum class kind : std::uint8_t { array, output, memory, noise, data };
    kind what = kind::array;
    std::uint8_t index = 0;
    friend constexpr bool operator==(operand, operand) = default;
};

/// One written array of a pass: target = sum of coefficient * from, in this order.
struct lowered_row {
    static constexpr std::size_t max_terms = 16;
    std::uint8_t target = 0;
    std::uint8_t terms = 0;
    std::array<operand, max_terms> from{};
    std::array<double, max_terms> coefficient{};
    friend constexpr bool operator==(lowered_row const&, lowered_row const&) = default;
};

/// What stands before a call, where something does:
///
///     array[to] = keep array[from] + add z,    array[input] = scale array[to]
struct lowered_lift {
    std::uint8_t from = 0;
    std::uint8_t to = 0;
    std::uint8_t input = 0;
    bool runs = false;         ///< whether anything stands before the call
    bool churns = false;       ///< whether array[to] is written
    bool writes_input = false; ///< whether array[input] is written
    double keep = 1.0;
    double add = 0.0;
    double scale = 1.0;
    std::uint32_t noise = 0;
    friend constexpr bool operator==(lowered_lift const&, lowered_lift const&) = default;
};

/// What stands after a call: one pass that reads every operand once and writes at most four arrays, each of which may
/// be one of those read (it is elementwise). Trivially copyable: it may travel as a kernel argument.
///
///     m                    = recall.x x + recall.other op(memory.x x + memory.other F)      where a row reads `memory`
///     array[row.target]    = row, for x', y' and m as far as somebody reads them; rows[0] is x'
///     array[rows[0].target] = masked row where the mask is not 0
///     array[input]         = scale x'                                                       the next call's input
struct lowered_pass {
    static constexpr std::size_t max_rows = 3;
    std::uint8_t rows_written = 0;
    std::uint8_t state = 0; ///< the register that holds x
    std::uint8_t input = 0;
    bool masks = false;
    bool writes_input = false;
    bool spreads = false;
    bool draws = false;    ///< whether a row reads noise
    bool operates = false; ///< whether a row reads `memory`
    bool scales = false;   ///< whether the coefficients of memory and noise in rows[0] are those of `langevin`, times 1
    std::array<lowered_row, max_rows> rows{};
    lowered_row masked{};
    pair_map memory{0.0, 1.0};
    pair_map recall{0.0, 1.0};
    x0_operation operation{};
    noise_spread spread{};
    langevin_step langevin{};
    double scale = 1.0;
    std::uint32_t noise = 0;
    friend bool operator==(lowered_pass const&, lowered_pass const&) = default;
};
static_assert(std::is_trivially_copyable_v<lowered_pass>);

/// A lowered plan, or several plans of one batch lowered together. Constant once made: threads may share it.
class lowered_plan {
public:
    static constexpr std::size_t max_registers = 32;

    std::size_t stages() const { return calls_.size(); }
    /// 1: every sample follows the same plan; otherwise the number of plans, one for each sample of the batch.
    std::size_t plans() const { return plans_; }
    /// Arrays of x's size that the run needs, x itself among them.
    std::size_t registers() const { return registers_; }
    std::uint32_t heads() const { return heads_; }
    bool calls(std::size_t stage) const { return calls_[stage]; }
    bool reads_data() const { return reads_data_; }
    bool draws() const { return draws_; }
    /// Whether a sample takes a Langevin step in this stage.
    bool scales(std::size_t stage) const
    {
        auto const begin = passes_.begin() + static_cast<std::ptrdiff_t>(stage * plans_);
        return std::any_of(begin, begin + static_cast<std::ptrdiff_t>(plans_),
                           [](lowered_pass const& p) { return p.scales; });
    }
    lowered_lift const& lift(std::size_t stage, std::size_t sample) const { return lifts_[index(stage, sample)]; }
    lowered_pass const& pass(std::size_t stage, std::size_t sample) const { return passes_[index(stage, sample)]; }
    double time(std::size_t stage, std::size_t sample) const { return times_[index(stage, sample)]; }
    std::span<double const> times(std::size_t stage) const { return {times_.data() + stage * plans_, plans_}; }
    bool ends_step(std::size_t stage) const { return ends_step_[stage]; }
    /// The register that holds the network's input of `stage`.
    std::uint8_t input(std::size_t stage) const { return inputs_[stage]; }
    /// The register that holds the state before `stage` runs (stages(): at the end).
    std::uint8_t state(std::size_t stage) const { return states_[stage]; }
    /// The registers that `stage` or a later one reads, as bits: before what stands before the call, and (`waiting`)
    /// while the network runs.
    std::uint64_t live(std::size_t stage, bool waiting) const { return live_[2 * stage + (waiting ? 1 : 0)]; }
    /// A hash of all of it: equal plans have equal fingerprints.
    std::uint64_t fingerprint() const { return fingerprint_; }

private:
    friend lowered_plan lower(std::span<plan const>);
    std::size_t index(std::size_t stage, std::size_t sample) const
    {
        return stage * plans_ + (plans_ == 1 ? 0 : sample);
    }

    std::size_t plans_ = 1, registers_ = 1;
    std::uint32_t heads_ = 1;
    bool reads_data_ = false, draws_ = false;
    std::vector<bool> calls_, ends_step_;
    std::vector<lowered_lift> lifts_;
    std::vector<lowered_pass> passes_;
    std::vector<double> times_;
    std::vector<std::uint8_t> inputs_, states_;
    std::vector<std::uint64_t> live_;
    std::uint64_t fingerprint_ = 0;
};

namespace detail {

inline void check_row(plan const& p, std::size_t index, row const& r, char const* name, std::size_t memories)
{
    std::string const where = "row " + std::string(name) + " of stage " + std::to_string(index);
    for (term const& t : r.terms()) {
        require(std::isfinite(t.coefficient), "lower", "a coefficient in " + where, t.coefficient, "it must be finite");
        if (t.from.what == slot::kind::output) {
            require(p.stages[index].calls, "lower", where, "a reader of F", "a stage without a call has no F");
            require(t.from.index < p.heads, "lower", "the head in " + where, t.from.index, "the plan has fewer heads");
        }
        if (t.from.what == slot::kind::memory)
            require(t.from.index < memories, "lower", where, "a reader of m(" + std::to_string(t.from.index) + ")",
                    "that memory has not been made yet");
    }
}

/// Everything that lower and the readers of plans refuse.
inline void check_plan(plan const& p)
{
    require(!p.stages.empty(), "lower", "the plan", "empty", "it must have a stage");
    require(p.heads >= 1 && p.heads <= 15, "lower", "heads", p.heads, "it must lie in [1, 15]");
    require(std::isfinite(p.initial_scale), "lower", "initial_scale", p.initial_scale, "it must be finite");
    std::size_t memories = 0;
    for (std::size_t i = 0; i < p.stages.size(); ++i) {
        stage const& s = p.stages[i];
        std::string const at = " of stage " + std::to_string(i);
        auto const finite = [&](double value, char const* name) {
            require(std::isfinite(value), "lower", name + at, value, "it must be finite");
        };
        finite(s.time, "the time");
        finite(s.input_scale, "input_scale");
        finite(s.memory.x, "memory.x");
        finite(s.memory.other, "memory.other");
        finite(s.recall.x, "recall.x");
        finite(s.recall.other, "recall.other");
        if (s.churn) {
            finite(s.churn->keep, "churn.keep");
            finite(s.churn->add, "churn.add");
        }
        if (s.operation.what != x0_operation::kind::none) {
            require(s.operation.bound > 0 && std::isfinite(s.operation.bound), "lower", "operation.bound" + at,
                    s.operation.bound, "it must be positive");
            if (s.operation.what == x0_operation::kind::dynamic_threshold) {
                require(s.operation.quantile >= 0 && s.operation.quantile <= 1, "lower", "operation.quantile" + at,
                        s.operation.quantile, "it must lie in [0, 1]");
                require(s.operation.max >= s.operation.bound, "lower", "operation.max" + at, s.operation.max,
                        "it must be at least operation.bound");
            }
        }
        if (s.spread) {
            require(s.calls && p.heads >= 2, "lower", "spread" + at, "set", "it needs a call with two heads");
            finite(s.spread->log_min, "spread.log_min");
            finite(s.spread->log_max, "spread.log_max");
        }
        if (s.langevin) {
            require(s.langevin->snr > 0 && std::isfinite(s.langevin->snr), "lower", "langevin.snr" + at,
                    s.langevin->snr, "it must be positive");
            require(s.calls && p.heads == 1 && !s.y && !s.masked && s.x.reads(slots::m()) && s.x.reads(slots::z) &&
                        s.operation.what == x0_operation::kind::none && s.recall == pair_map{0.0, 1.0},
                    "lower", "langevin" + at, "set",
                    "it needs a call with one head, m(0) and z in the row x, and no anchor, mask or operation");
        }
        if (s.calls)
            ++memories;
        check_row(p, i, s.x, "x", memories);
        if (s.y)
            check_row(p, i, *s.y, "y", memories);
        if (s.masked)
            check_row(p, i, *s.masked, "masked", memories);
    }
}

/// Lowering, first half: rows over values (numbers of arrays that are written once) instead of names.
struct value_row {
    struct entry {
        operand::kind what;
        int index;                        // of the value or the head
        std::vector<double> coefficients; // one for each plan
    };
    std::vector<entry> entries; // in the order of the slots

    void add(operand::kind what, int index, std::size_t plan, std::size_t plans, double c, unsigned order)
    {
        for (std::size_t k = 0; k < entries.size(); ++k)
            if (entries[k].what == what && entries[k].index == index) {
                entries[k].coefficients[plan] += c;
                return;
            }
        std::size_t at = 0;
        while (at < orders.size() && orders[at] < order)
            ++at;
        auto const offset = static_cast<std::ptrdiff_t>(at);
        entries.insert(entries.begin() + offset, {what, index, std::vector<double>(plans, 0.0)});
        orders.insert(orders.begin() + offset, order);
        entries[at].coefficients[plan] += c;
    }
    void prune()
    {
        std::erase_if(entries, [](entry const& e) {
            return std::ranges::all_of(e.coefficients, [](double c) { return c == 0; });
        });
    }

private:
    std::vector<unsigned> orders;
};

struct value_stage {
    bool calls = true, churns = false, masks = false;
    int entry = 0, x = 0, lifted = -1, input = -1; // values; -1: none
    bool lift_writes_input = false;
    std::vector<std::pair<int, value_row>> written; // x' first
    value_row masked;
};

inline std::uint64_t hash(std::uint64_t h, std::uint64_t word) // FNV-1a over words
{
    return (h ^ word) * 0x100000001b3u ^ (word >> 29);
}

} // namespace detail

/// Lowers plans that run together, one for each sample of a batch (one plan: every sample follows it).
///
/// The plans must call the network in the same stages; a sample whose plan is shorter than the others' stays as it is
/// when it has ended. A memory is folded into the rows, an anchor that is x and a history are names, what is never read
/// is not written, and a register is used again in the pass in which its value is read for the last time.
///
/// Throws std::invalid_argument where a plan is empty or reads what does not exist, where a number is not finite, where
/// plans differ in their calls or heads, and where a row has more than 16 terms.
inline lowered_plan lower(std::span<plan const> given)
{
    using detail::value_row;
    using detail::value_stage;
    require(!given.empty(), "lower", "the number of plans", given.size(), "it must be at least 1");
    std::vector<plan> plans(given.begin(), given.end());
    std::size_t length = 0;
    for (plan& p : plans) {
        detail::check_plan(p);
        number_draws(p);
        for (stage const& s : p.stages) {
            bool const churns = s.churn && s.churn->add != 0.0;
            std::uint32_t const largest = std::max(churns ? s.churn_noise : 0, draws_noise(s) ? s.noise : 0);
            require(largest < (std::uint32_t{1} << 24), "lower", "a noise index", largest, "it must be below 2^24");
        }
        length = std::max(length, p.stages.size());
        require(p.heads == plans[0].heads, "lower", "heads", p.heads, "plans that run together have as many heads");
    }
    plan const& longest = *std::ranges::find_if(plans, [&](plan const& p) { return p.stages.size() == length; });
    std::vector<bool> calls;
    for (stage const& s : longest.stages)
        calls.push_back(s.calls);
    for (plan& p : plans) {
        for (std::size_t i = 0; i < p.stages.size(); ++i)
            require(p.stages[i].calls == calls[i], "lower", "stage " + std::to_string(i),
                    "one with a call and one without", "plans that run together call in the same stages");
        while (p.stages.size() < length) {
            stage idle;
            idle.time = p.stages.back().time;
            idle.x = row(slots::x);
            idle.calls = calls[p.stages.size()];
            p.stages.push_back(idle);
        }
    }
    std::size_t const n = plans.size();

    // 1. Names become values.
    std::vector<value_stage> code;
    std::vector<int> history;
    int values = 1, x = 0, y = 0;
    for (std::size_t i = 0; i < length; ++i) {
        value_stage v;
        auto const any = [&](auto const& holds) {
            return std::ranges::any_of(plans, [&](plan const& p) { return holds(p.stages[i]); });
        };
        v.calls = calls[i];
        v.entry = x;
        v.churns = any([](stage const& s) { return s.churn.has_value(); });
        if (v.churns)
            x = v.lifted = values++;
        v.x = x;
        if (v.calls && any([](stage const& s) { return s.input_scale != 1.0; })) {
            v.input = values++;
            v.lift_writes_input = v.churns || i == 0;
        }
        int memory = -1;
        if (v.calls) {
            memory = values++;
            history.insert(history.begin(), memory);
        }
        auto const combine = [&](auto const& row_of) {
            value_row out;
            for (std::size_t k = 0; k < n; ++k) {
                stage const& s = plans[k].stages[i];
                bool const folded =
                    s.operation.what == x0_operation::kind::none && s.recall == pair_map{0.0, 1.0} && !s.langevin;
                row const r = row_of(s);
                for (term const& t : r.terms()) {
                    unsigned const order = static_cast<unsigned>(t.from.what) * 256u + t.from.index;
                    constexpr unsigned state_order = 0, output_order = static_cast<unsigned>(slot::kind::output) * 256u;
                    switch (t.from.what) {
                    case slot::kind::state: out.add(operand::kind::array, v.x, k, n, t.coefficient, order); break;
                    case slot::kind::anchor: out.add(operand::kind::array, y, k, n, t.coefficient, order); break;
                    case slot::kind::output:
                        out.add(operand::kind::output, t.from.index, k, n, t.coefficient, order);
                        break;
                    case slot::kind::memory:
                        if (v.calls && t.from.index == 0 && folded) {
                            out.add(operand::kind::array, v.x, k, n, t.coefficient * s.memory.x, state_order);
                            out.add(operand::kind::output, 0, k, n, t.coefficient * s.memory.other, output_order);
                        } else if (v.calls && t.from.index == 0) {
                            out.add(operand::kind::memory, 0, k, n, t.coefficient, order);
                        } else {
                            out.add(operand::kind::array, history[t.from.index], k, n, t.coefficient, order);
                        }
                        break;
                    case slot::kind::noise: out.add(operand::kind::noise, 0, k, n, t.coefficient, order); break;
                    case slot::kind::data: out.add(operand::kind::data, 0, k, n, t.coefficient, order); break;
                    }
                }
            }
            out.prune();
            return out;
        };
        v.masks = any([](stage const& s) { return s.masked.has_value(); });
        bool const has_y = any([](stage const& s) { return s.y.has_value(); });
        row const kept(slots::y);
        int const after = values++;
        v.written.emplace_back(after, combine([](stage const& s) { return s.x; }));
        if (v.masks)
            v.masked = combine([](stage const& s) { return s.masked.value_or(s.x); });
        int anchor = y;
        if (has_y) {
            auto const all = [&](auto const& holds) {
                return std::ranges::all_of(plans, [&](plan const& p) { return holds(p.stages[i]); });
            };
            if (all([](stage const& s) { return s.y && *s.y == row(slots::x); })) {
                anchor = v.x;
            } else if (!v.masks && all([](stage const& s) { return s.y && *s.y == s.x; })) {
                anchor = after;
            } else {
                anchor = values++;
                v.written.emplace_back(anchor, combine([&](stage const& s) { return s.y.value_or(kept); }));
            }
        }
        if (v.calls)
            v.written.emplace_back(memory, combine([](stage const&) { return row(slots::m(0)); }));
        code.push_back(std::move(v));
        x = after;
        y = anchor;
    }

    // 2. When each value is read last: what stands before call i is moment 2i, the pass after it 2i + 1. What nobody
    // reads is not written, x' apart, which the caller may look at.
    constexpr std::size_t forever = std::numeric_limits<std::size_t>::max();
    std::vector<std::size_t> last(static_cast<std::size_t>(values), 0);
    std::vector<bool> needed(static_cast<std::size_t>(values), false);
    auto const reads = [&](int value, std::size_t moment) {
        auto const k = static_cast<std::size_t>(value);
        if (!needed[k]) {
            needed[k] = true;
            last[k] = moment;
        }
    };
    reads(x, forever);
    for (std::size_t i = length; i-- > 0;) {
        value_stage& v = code[i];
        std::erase_if(v.written, [&](auto const& w) {
            return w.first != v.written[0].first && !needed[static_cast<std::size_t>(w.first)];
        });
        bool operates = false;
        auto const reads_row = [&](value_row const& r) {
            for (auto const& e : r.entries) {
                if (e.what == operand::kind::array)
                    reads(e.index, 2 * i + 1);
                operates = operates || e.what == operand::kind::memory;
            }
        };
        for (auto const& w : v.written)
            reads_row(w.second);
        if (v.masks)
            reads_row(v.masked);
        if (v.calls || operates || v.churns)
            reads(v.x, 2 * i + 1);
        if (v.input >= 0)
            reads(v.input, 2 * i + 1);
        if (v.churns || v.lift_writes_input)
            reads(v.entry, 2 * i);
    }

    // 3. Values get registers.
    lowered_plan out;
    out.plans_ = n;
    out.heads_ = plans[0].heads;
    out.calls_ = calls;
    std::vector<int> where(static_cast<std::size_t>(values), -1);
    std::vector<bool> taken{true};
    where[0] = 0;
    auto const release = [&](std::size_t moment) {
        for (std::size_t v = 0; v < where.size(); ++v)
            if (where[v] >= 0 && last[v] <= moment) {
                taken[static_cast<std::size_t>(where[v])] = false;
                where[v] = -1;
            }
    };
    auto const place = [&](int value, int preferred) {
        std::size_t r = 0;
        if (preferred >= 0 && !taken[static_cast<std::size_t>(preferred)])
            r = static_cast<std::size_t>(preferred);
        else
            while (r < taken.size() && taken[r])
                ++r;
        if (r == taken.size())
            taken.push_back(false);
        require(r < lowered_plan::max_registers, "lower", "the number of registers", r + 1, "at most 32 are allowed");
        taken[r] = true;
        where[static_cast<std::size_t>(value)] = static_cast<int>(r);
        return static_cast<std::uint8_t>(r);
    };
    auto const at = [&](int value) { return static_cast<std::uint8_t>(where[static_cast<std::size_t>(value)]); };
    auto const live = [&](std::size_t moment) {
        std::uint64_t bits = 0;
        for (std::size_t v = 0; v < where.size(); ++v)
            if (where[v] >= 0 && last[v] >= moment)
                bits |= std::uint64_t{1} << where[v];
        return bits;
    };
    out.lifts_.resize(length * n);
    out.passes_.resize(length * n);
    out.times_.resize(length * n);
    for (std::size_t i = 0; i < length; ++i) {
        value_stage const& v = code[i];
        out.states_.push_back(at(v.entry));
        out.live_.push_back(live(2 * i) | std::uint64_t{1} << at(v.entry));
        lowered_lift lift;
        lift.from = lift.to = at(v.entry);
        lift.runs = v.churns || v.lift_writes_input;
        lift.churns = v.churns;
        lift.writes_input = v.lift_writes_input;
        if (v.churns) {
            release(2 * i);
            lift.to = place(v.lifted, lift.from);
        }
        if (v.lift_writes_input)
            lift.input = place(v.input, -1);
        out.live_.push_back(live(2 * i + 1) | std::uint64_t{1} << lift.to);
        out.inputs_.push_back(v.input >= 0 ? at(v.input) : at(v.x));

        // Operands are named before the dead are released, targets after.
        std::uint8_t const state = lift.to;
        auto const named = [&](value_row const& r, std::size_t k) {
            lowered_row named_row;
            for (auto const& e : r.entries) {
                if (e.coefficients[k] == 0)
                    continue;
                require(named_row.terms < lowered_row::max_terms, "lower",
                        "the number of terms of a row in stage " + std::to_string(i), r.entries.size(),
                        "at most 16 are allowed");
                operand from{e.what, static_cast<std::uint8_t>(e.index)};
                if (e.what == operand::kind::array)
                    from.index = at(e.index);
                named_row.from[named_row.terms] = from;
                named_row.coefficient[named_row.terms++] = e.coefficients[k];
            }
            return named_row;
        };
        std::vector<lowered_pass> passes(n);
        for (std::size_t k = 0; k < n; ++k) {
            stage const& s = plans[k].stages[i];
            lowered_pass& p = passes[k];
            p.state = state;
            p.memory = s.memory;
            p.recall = s.recall;
            p.operation = s.operation;
            p.noise = s.noise;
            p.rows_written = static_cast<std::uint8_t>(v.written.size());
            for (std::size_t r = 0; r < v.written.size(); ++r)
                p.rows[r] = named(v.written[r].second, k);
            p.masks = v.masks && s.masked;
            if (p.masks)
                p.masked = named(v.masked, k);
            auto const reads_kind = [&](operand::kind what) {
                auto const in = [&](lowered_row const& r) {
                    return std::any_of(r.from.begin(), r.from.begin() + r.terms,
                                       [&](operand o) { return o.what == what; });
                };
                return std::any_of(p.rows.begin(), p.rows.begin() + p.rows_written, in) || (p.masks && in(p.masked));
            };
            p.draws = reads_kind(operand::kind::noise);
            p.operates = reads_kind(operand::kind::memory);
            p.spreads = s.spread && p.draws;
            if (p.spreads)
                p.spread = *s.spread;
            p.scales = s.langevin.has_value();
            p.langevin = s.langevin.value_or(langevin_step{});
            if (!p.draws)
                p.noise = 0;
            out.reads_data_ = out.reads_data_ || p.masks || reads_kind(operand::kind::data);
            lowered_lift& l = out.lifts_[i * n + k];
            l = lift;
            if (s.churn) {
                l.keep = s.churn->keep;
                l.add = s.churn->add;
                l.noise = l.add != 0 ? s.churn_noise : 0;
            }
            l.scale = s.input_scale;
            out.draws_ = out.draws_ || p.draws || l.add != 0;
            out.times_[i * n + k] = s.time;
        }
        release(2 * i + 1);
        std::vector<std::uint8_t> targets;
        for (std::size_t r = 0; r < v.written.size(); ++r)
            targets.push_back(place(v.written[r].first, r != 0 ? -1 : i + 1 == length ? 0 : state));
        bool const feeds = i + 1 < length && code[i + 1].input >= 0 && !code[i + 1].lift_writes_input;
        std::uint8_t const input = feeds ? place(code[i + 1].input, -1) : std::uint8_t{0};
        for (std::size_t k = 0; k < n; ++k) {
            lowered_pass& p = passes[k];
            for (std::size_t r = 0; r < targets.size(); ++r)
                p.rows[r].target = targets[r];
            p.masked.target = targets[0];
            p.writes_input = feeds;
            p.input = input;
            if (feeds)
                p.scale = plans[k].stages[i + 1].input_scale;
            out.passes_[i * n + k] = p;
        }
        out.ends_step_.push_back(std::ranges::any_of(plans, [&](plan const& p) { return p.stages[i].ends_step; }));
    }
    out.states_.push_back(at(x));
    out.live_.push_back(std::uint64_t{1} << at(x));
    out.live_.push_back(std::uint64_t{1} << at(x));
    out.registers_ = taken.size();

    std::uint64_t h = 0xcbf29ce484222325u;
    auto const mix = [&](auto... words) { ((h = detail::hash(h, static_cast<std::uint64_t>(words))), ...); };
    auto const mix_row = [&](lowered_row const& r) {
        mix(r.target, r.terms);
        for (std::size_t t = 0; t < r.terms; ++t)
            mix(r.from[t].what, r.from[t].index, std::bit_cast<std::uint64_t>(r.coefficient[t]));
    };
    auto const bits = [](double d) { return std::bit_cast<std::uint64_t>(d); };
    mix(n, length, out.registers_, out.heads_);
    for (std::size_t k = 0; k < length * n; ++k) {
        lowered_pass const& p = out.passes_[k];
        lowered_lift const& l = out.lifts_[k];
        mix(p.rows_written, p.state, p.input, p.masks, p.writes_input, p.spreads, p.noise, p.operation.what,
            p.spread.what, p.scales, p.langevin.over_batch);
        mix(bits(p.memory.x), bits(p.memory.other), bits(p.recall.x), bits(p.recall.other), bits(p.operation.bound),
            bits(p.operation.quantile), bits(p.operation.max), bits(p.spread.log_min), bits(p.spread.log_max),
            bits(p.scale), bits(p.langevin.snr));
        for (std::size_t r = 0; r < p.rows_written; ++r)
            mix_row(p.rows[r]);
        if (p.masks)
            mix_row(p.masked);
        mix(l.from, l.to, l.input, l.churns, l.writes_input, l.noise, bits(l.keep), bits(l.add), bits(l.scale),
            bits(out.times_[k]));
    }
    out.fingerprint_ = h;
    return out;
}

/// Lowers one plan, for every sample.
inline lowered_plan lower(plan const& p) { return lower(std::span<plan const>(&p, 1)); }

} // namespace alphabar
