// SPDX-License-Identifier: MIT
// What a lowered stage does to elements: the formula of one element, for any space, and its loop on the host.
#pragma once

#include <alphabar/core/combine.hpp>
#include <alphabar/core/element.hpp>
#include <alphabar/core/host_device.hpp>
#include <alphabar/core/tensor.hpp>
#include <alphabar/core/transform.hpp>
#include <alphabar/sampler/lower.hpp>

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <span>
#include <tuple>
#include <type_traits>
#include <utility>

namespace alphabar {

/// An output that is several predictions: F of sample r is c C + sum_k d_k (C - part[k]) with C = part[0] and
/// [c, d_1, ...] = weights[r * parts ...], made while a pass reads it and never stored. For host memory.
template <class Output>
struct mixed_output {
    static constexpr std::size_t max_parts = 4;
    std::array<Output const*, max_parts> part{};
    std::size_t parts = 0; ///< below 2: the output is none
    double const* weights = nullptr;
};

/// The memory that a pass works on: `array[k]` is register k, all of them rows * row_size elements; the output has
/// `heads` arrays for each row, one after the other. `data` and `mask` are null where the caller knows nothing.
template <class T, class Output>
struct pass_arrays {
    std::array<T*, lowered_plan::max_registers> array{};
    Output const* output = nullptr;
    mixed_output<Output> mixed{};
    T const* data = nullptr;
    T const* mask = nullptr;
    std::size_t rows = 0;
    std::size_t row_size = 0;
    std::uint32_t heads = 1;
};

/// A row in the arithmetic C of a run: target = sum of coefficient[k] * operand read[k].
template <class C>
struct bound_row {
    std::uint8_t target = 0;
    std::uint8_t terms = 0;
    std::array<std::uint8_t, lowered_row::max_terms> read{};
    std::array<C, lowered_row::max_terms> coefficient{};
};

/// A pass with its coefficients in C and each operand listed once. Trivially copyable: a kernel argument.
///
/// `element` is the pass for one element. The host's loop does the same operations in the same order, a block at a
/// time.
template <class C>
struct bound_pass {
    static constexpr std::size_t max_reads = 24;

    std::uint8_t reads = 0;
    std::uint8_t rows_written = 0;
    std::uint8_t state = 0;
    std::uint8_t input = 0;
    bool masks = false, writes_input = false, spreads = false, draws = false, operates = false;
    bool spread_is_variance = false;
    bool recalls = false; ///< whether `recall` is not {0, 1}
    x0_operation::kind operation = x0_operation::kind::none;
    std::array<operand, max_reads> read{};
    std::array<bound_row<C>, lowered_pass::max_rows> rows{};
    bound_row<C> masked{};
    C memory_x = 0, memory_other = 1, recall_x = 0, recall_other = 1;
    C bound = 1;                              ///< of a clip; else infinity
    C spread_constant = 0, spread_factor = 0; ///< z *= exp(constant + factor F(1)), or sqrt(F(1))
    C scale = 1;
    double quantile = 1, least = 1, most = 1;

    /// op(memory.x x + memory.other F); `threshold` is the sample's own s of a dynamic threshold.
    ALPHABAR_HOST_DEVICE C before_operation(C x, C f) const { return memory_x * x + memory_other * f; }
    ALPHABAR_HOST_DEVICE C remembered(C x, C f, C threshold) const
    {
        bool const divides = operation == x0_operation::kind::dynamic_threshold;
        C u = detail::clamped(before_operation(x, f), divides ? threshold : bound);
        u = divides ? u / threshold : u;
        return recalls ? recall_x * x + recall_other * u : u;
    }
    ALPHABAR_HOST_DEVICE C deviation(C head) const
    {
        return spread_is_variance ? std::sqrt(head) : detail::e_to_the(spread_constant + spread_factor * head);
    }

    /// The whole pass for element i of sample `row`, with the standard normal z.
    template <class T, class Output>
    ALPHABAR_HOST_DEVICE void element(pass_arrays<T, Output> const& a, std::size_t row, std::size_t i, C z,
                                      C threshold) const
    {
        std::size_t const at = row * a.row_size + i;
        auto const output = [&](std::size_t head) {
            return static_cast<C>(widen(a.output[(row * a.heads + head) * a.row_size + i]));
        };
        C value[max_reads];
        for (std::size_t k = 0; k < reads; ++k) {
            operand const from = read[k];
            switch (from.what) {
            case operand::kind::array: value[k] = widen(a.array[from.index][at]); break;
            case operand::kind::output: value[k] = output(from.index); break;
            case operand::kind::memory: value[k] = remembered(widen(a.array[state][at]), output(0), threshold); break;
            case operand::kind::noise: value[k] = spreads ? deviation(output(1)) * z : z; break;
            case operand::kind::data: value[k] = widen(a.data[at]); break;
            }
        }
        auto const sum = [&](bound_row<C> const& r) {
            C total = r.terms ? r.coefficient[0] * value[r.read[0]] : C(0);
            for (std::size_t t = 1; t < r.terms; ++t)
                total = total + r.coefficient[t] * value[r.read[t]];
            return total;
        };
        C result[lowered_pass::max_rows];
        for (std::size_t r = 0; r < rows_written; ++r)
            result[r] = sum(rows[r]);
        if (masks && widen(a.mask[at]) != C(0))
            result[0] = sum(masked);
        for (std::size_t r = 0; r < rows_written; ++r)
            a.array[rows[r].target][at] = narrow<T>(result[r]);
        if (writes_input)
            a.array[input][at] = narrow<T>(scale * widen(narrow<T>(result[0])));
    }
};

/// The pass in the arithmetic C.
template <class C>
bound_pass<C> bind_pass(lowered_pass const& p)
{
    static_assert(std::is_trivially_copyable_v<bound_pass<C>>);
    bound_pass<C> b;
    b.rows_written = p.rows_written;
    b.state = p.state;
    b.input = p.input;
    b.masks = p.masks;
    b.writes_input = p.writes_input;
    b.spreads = p.spreads;
    b.draws = p.draws;
    b.operates = p.operates;
    b.recalls = p.recall != pair_map{0.0, 1.0};
    b.operation = p.operation.what;
    b.memory_x = static_cast<C>(p.memory.x);
    b.memory_other = static_cast<C>(p.memory.other);
    b.recall_x = static_cast<C>(p.recall.x);
    b.recall_other = static_cast<C>(p.recall.other);
    b.bound = p.operation.what == x0_operation::kind::clip ? static_cast<C>(p.operation.bound)
                                                           : std::numeric_limits<C>::infinity();
    b.quantile = p.operation.quantile;
    b.least = p.operation.bound;
    b.most = p.operation.max;
    b.scale = static_cast<C>(p.scale);
    if (p.spread.what == noise_spread::kind::range) { // half of u log_max + (1 - u) log_min, u = (F(1) + 1) / 2
        b.spread_constant = static_cast<C>(0.25 * (p.spread.log_max + p.spread.log_min));
        b.spread_factor = static_cast<C>(0.25 * (p.spread.log_max - p.spread.log_min));
    } else {
        b.spread_is_variance = p.spread.what == noise_spread::kind::variance;
        b.spread_factor = C(0.5);
    }
    auto const bound = [&](lowered_row const& r) {
        bound_row<C> out;
        out.target = r.target;
        out.terms = r.terms;
        for (std::size_t t = 0; t < r.terms; ++t) {
            std::uint8_t k = 0;
            while (k < b.reads && b.read[k] != r.from[t])
                ++k;
            if (k == b.reads) {
                require(k < bound_pass<C>::max_reads, "lower", "the number of arrays that a stage reads", k + 1,
                        "at most 24 are allowed");
                b.read[b.reads++] = r.from[t];
            }
            out.read[t] = k;
            out.coefficient[t] = static_cast<C>(r.coefficient[t]);
        }
        return out;
    };
    for (std::size_t r = 0; r < p.rows_written; ++r)
        b.rows[r] = bound(p.rows[r]);
    if (p.masks)
        b.masked = bound(p.masked);
    return b;
}

namespace detail {

/// Standard normals for blocks of a row, whatever the caller's noise is.
template <class Source, class C>
class noise_reader;

template <generator Source, class C>
class noise_reader<Source, C> {
public:
    template <class Fetch>
    C const* read(Source const& from, std::size_t row, std::size_t, std::size_t first, std::size_t n,
                  Fetch const& fetch)
    {
        make(from, row, first, std::span<float>(made_, n), fetch);
        if constexpr (std::is_same_v<C, float>) {
            return made_;
        } else {
            apply([](float x) { return static_cast<C>(x); }, std::tuple(buffer_), n, made_);
            return buffer_;
        }
    }

private:
    alignas(64) float made_[piece];
    alignas(64) C buffer_[std::is_same_v<C, float> ? 1 : piece];
};

template <class In, class C>
class stored_reader {
public:
    /// The n elements at `from` as C: the memory itself where it holds them.
    C const* read(In const* from, std::size_t n)
    {
        if constexpr (std::is_same_v<In, C>) {
            return from;
        } else {
            apply([](auto x) { return static_cast<C>(x); }, std::tuple(buffer_), n, from);
            return buffer_;
        }
    }

private:
    alignas(64) C buffer_[std::is_same_v<In, C> ? 1 : piece];
};

/// Elements of the network's output as C, mixed where it is mixed.
template <class Output, class C>
class output_reader {
public:
    template <class T>
    C const* read(pass_arrays<T, Output> const& a, std::size_t row, std::size_t head, std::size_t first, std::size_t n)
    {
        if (a.mixed.parts < 2)
            return stored_.read(a.output + (row * a.heads + head) * a.row_size + first, n);
        std::size_t const at = row * a.row_size + first;
        switch (a.mixed.parts) {
        case 2: return mix(a.mixed, row, at, n, std::make_index_sequence<1>{});
        case 3: return mix(a.mixed, row, at, n, std::make_index_sequence<2>{});
        default: return mix(a.mixed, row, at, n, std::make_index_sequence<3>{});
        }
    }

private:
    template <std::size_t... K>
    C const* mix(mixed_output<Output> const& m, std::size_t row, std::size_t at, std::size_t n,
                 std::index_sequence<K...>)
    {
        using compute = compute_t<Output>;
        auto const formula = combination_rows<compute, sizeof...(K), false>{m.weights, 0.0}[row];
        apply([formula](auto... p) { return static_cast<C>(formula(static_cast<compute>(p)...)); }, std::tuple(mixed_),
              n, m.part[0] + at, (m.part[K + 1] + at)...);
        return mixed_;
    }

    stored_reader<Output, C> stored_;
    alignas(64) C mixed_[piece];
};

template <tensor Source, class C>
    requires(!generator<Source>)
class noise_reader<Source, C> {
public:
    template <class Fetch>
    C const* read(Source const& from, std::size_t row, std::size_t row_size, std::size_t first, std::size_t n,
                  Fetch const&)
    {
        return reader_.read(traits_of<Source>::elements(from).data() + row * row_size + first, n);
    }

private:
    stored_reader<value_t<Source>, C> reader_;
};

/// Where a pass draws nothing.
struct no_noise {
    void fill(std::size_t, std::size_t, std::span<float>) const {}
};

/// to[k] = the sum of a row at element first + k. The accumulators stay in registers; -0 + u is u, whatever u.
template <std::size_t Count, class C>
ALPHABAR_INLINE void sum_row(bound_row<C> const& row, C const* const* operands, std::size_t first, C* to)
{
    C total[Count];
    C const start = row.terms == 0 ? C(0) : -C(0);
    ALPHABAR_UNROLL
    for (std::size_t k = 0; k < Count; ++k)
        total[k] = start;
    for (std::size_t t = 0; t < row.terms; ++t) {
        C const* const in = operands[row.read[t]] + first;
        C const c = row.coefficient[t];
        ALPHABAR_UNROLL
        for (std::size_t k = 0; k < Count; ++k)
            total[k] = total[k] + c * in[k];
    }
    ALPHABAR_UNROLL
    for (std::size_t k = 0; k < Count; ++k)
        to[k] = total[k];
}

/// Row r of a pass to out[r], for n elements. All rows of a block are computed before one is stored, since a target may
/// be an operand of any. `mask` is null where the pass has none.
template <class C>
struct row_sums {
    bound_pass<C> const& pass;
    C const* const* operands;
    C const* mask;
    std::array<C*, lowered_pass::max_rows> out;

    template <std::size_t Count>
    ALPHABAR_INLINE void block(std::size_t first) const
    {
        constexpr std::size_t known = lowered_pass::max_rows;
        C result[known + 1][Count];
        std::size_t const rows = pass.rows_written, sums = rows + (mask != nullptr ? 1 : 0);
        for (std::size_t r = 0; r < sums; ++r)
            sum_row<Count>(r < rows ? pass.rows[r] : pass.masked, operands, first,
                           r >= rows      ? result[known]
                           : r + 1 < sums ? result[r]
                                          : out[r] + first);
        if (mask != nullptr)
            for (std::size_t k = 0; k < Count; ++k)
                result[0][k] = mask[first + k] != C(0) ? result[known][k] : result[0][k];
        for (std::size_t r = 0; r < rows && r + 1 < sums; ++r) {
            C* const to = out[r] + first;
            ALPHABAR_UNROLL
            for (std::size_t k = 0; k < Count; ++k)
                to[k] = result[r][k];
        }
    }
    void run(std::size_t n) const
    {
        constexpr std::size_t count = 256 / sizeof(C);
        vectorised([&]() ALPHABAR_INLINE_LAMBDA {
            std::size_t i = 0;
            for (; i + count <= n; i += count)
                block<count>(i);
            for (; i < n; ++i)
                block<1>(i);
        });
    }
};

/// bound_pass::remembered with its choices made: each loop has no branch.
template <class C, bool Divides, bool Recalls>
struct remembered_formula {
    C x, other, limit, recall_x, recall_other;
    ALPHABAR_HOST_DEVICE constexpr C operator()(C state, C output) const
    {
        C u = clamped(x * state + other * output, limit);
        if constexpr (Divides)
            u = u / limit;
        return Recalls ? recall_x * state + recall_other * u : u;
    }
};

/// out[i] = sqrt(in[i]) for i < n; NaN below 0. std::sqrt may set errno, and so keeps loops from being vectorised.
template <class C>
inline void square_roots(C const* in, C* out, std::size_t n)
{
    std::size_t i = 0;
#if defined(ALPHABAR_AVX2)
    for (constexpr std::size_t lanes = 16 / sizeof(C); i + lanes <= n; i += lanes)
        if constexpr (std::is_same_v<C, float>)
            _mm_storeu_ps(out + i, _mm_sqrt_ps(_mm_loadu_ps(in + i)));
        else
            _mm_storeu_pd(out + i, _mm_sqrt_pd(_mm_loadu_pd(in + i)));
#endif
    for (; i < n; ++i)
        out[i] = std::sqrt(in[i]);
}

/// The buffers of one thread's pass.
template <class T, class Output, class C, class Source>
struct pass_buffers {
    static constexpr bool direct = std::is_same_v<T, C>;
    noise_reader<Source, C> noise;
    std::array<stored_reader<T, C>, direct ? 1 : bound_pass<C>::max_reads> arrays;
    std::array<output_reader<Output, C>, std::is_same_v<Output, C> ? 1 : 15> outputs;
    stored_reader<T, C> state, mask;
    alignas(64) C memory[piece];
    alignas(64) C spread[piece];
    alignas(64) C results[direct ? 1 : lowered_pass::max_rows][direct ? 1 : piece];
};

/// The pass over elements [begin, end) of sample `row`.
template <class T, class Output, class C, class Source>
void run_pass(bound_pass<C> const& p, pass_arrays<T, Output> const& a, Source const& source, std::size_t row,
              std::size_t begin, std::size_t end, C threshold, pass_buffers<T, Output, C, Source>& buffers)
{
    constexpr bool direct = pass_buffers<T, Output, C, Source>::direct;
    C const* in[bound_pass<C>::max_reads];
    bool const in_place =
        direct && std::is_same_v<Output, C> && !p.draws && !p.operates && a.mixed.parts < 2; // no buffer is used
    std::size_t const step = in_place ? end - begin : piece;
    for (std::size_t first = begin; first < end; first += step) {
        std::size_t const n = std::min(step, end - first), at = row * a.row_size + first;
        auto const head = [&](std::size_t h) { return a.output + (row * a.heads + h) * a.row_size + first; };
        auto const output = [&](std::size_t h) {
            return buffers.outputs[std::is_same_v<Output, C> ? 0 : h].read(a, row, h, first, n);
        };
        // The next piece is fetched while noise is made, a few lines at a time.
        auto const fetch_next = [&](std::size_t from, std::size_t count) {
            if (first + piece + from + count > end)
                return;
            for (std::size_t k = 0; k < p.reads; ++k) {
                if (p.read[k].what == operand::kind::array)
                    prefetch(a.array[p.read[k].index] + at + piece + from, count);
                else if (p.read[k].what == operand::kind::output)
                    prefetch(head(p.read[k].index) + piece + from, count);
            }
        };
        for (std::size_t k = 0; k < p.reads; ++k) {
            operand const from = p.read[k];
            switch (from.what) {
            case operand::kind::array: in[k] = buffers.arrays[direct ? 0 : k].read(a.array[from.index] + at, n); break;
            case operand::kind::output: in[k] = output(from.index); break;
            case operand::kind::data: in[k] = buffers.arrays[direct ? 0 : k].read(a.data + at, n); break;
            case operand::kind::memory: {
                C const* const x = buffers.state.read(a.array[p.state] + at, n);
                C const* const f = output(0);
                bool const divides = p.operation == x0_operation::kind::dynamic_threshold;
                auto const remember = [&]<bool Divides, bool Recalls>() { // each loop without a branch
                    apply(remembered_formula<C, Divides, Recalls>{p.memory_x, p.memory_other,
                                                                  divides ? threshold : p.bound, p.recall_x,
                                                                  p.recall_other},
                          std::tuple(buffers.memory), n, x, f);
                };
                if (divides)
                    p.recalls ? remember.template operator()<true, true>()
                              : remember.template operator()<true, false>();
                else
                    p.recalls ? remember.template operator()<false, true>()
                              : remember.template operator()<false, false>();
                in[k] = buffers.memory;
                break;
            }
            case operand::kind::noise: {
                in[k] = buffers.noise.read(source, row, a.row_size, first, n, fetch_next);
                if (p.spreads) {
                    C const* const f = output(1);
                    if (p.spread_is_variance) {
                        square_roots(f, buffers.spread, n);
                        apply(std::multiplies{}, std::tuple(buffers.spread), n, buffers.spread, in[k]);
                    } else {
                        apply(
                            [c = p.spread_constant, d = p.spread_factor](C u, C z) { return e_to_the(c + d * u) * z; },
                            std::tuple(buffers.spread), n, f, in[k]);
                    }
                    in[k] = buffers.spread;
                }
                break;
            }
            }
        }
        std::array<C*, lowered_pass::max_rows> out{};
        for (std::size_t r = 0; r < p.rows_written; ++r)
            if constexpr (direct)
                out[r] = a.array[p.rows[r].target] + at;
            else
                out[r] = buffers.results[r];
        row_sums<C>{p, in, p.masks ? buffers.mask.read(a.mask + at, n) : nullptr, out}.run(n);
        if constexpr (!direct)
            for (std::size_t r = 0; r < p.rows_written; ++r)
                narrow<T>(out[r], a.array[p.rows[r].target] + at, n);
        if (p.writes_input) {
            C const* const x = buffers.state.read(a.array[p.rows[0].target] + at, n);
            apply([c = p.scale](C u) { return c * u; }, std::tuple(a.array[p.input] + at), n, x);
        }
    }
}

/// The `quantile` of |u| of sample `row`, u = p.before_operation(x, F), linearly interpolated between order statistics,
/// by counting digits of the elements' bits: u is made again in each pass, nothing is stored. NaN counts as the
/// largest.
template <class T, class Output, class C>
double quantile_of(bound_pass<C> const& p, pass_arrays<T, Output> const& a, std::size_t row)
{
    using key = std::conditional_t<std::is_same_v<C, double>, std::uint64_t, std::uint32_t>;
    constexpr unsigned bits = sizeof(key) * 8 - 1, digit = 11;
    T const* const x = a.array[p.state] + row * a.row_size;
    stored_reader<T, C> state;
    output_reader<Output, C> output;
    alignas(64) C magnitude[piece];
    auto const each = [&](auto const& use) {
        for (std::size_t first = 0; first < a.row_size; first += piece) {
            std::size_t const n = std::min(piece, a.row_size - first);
            apply([c = p.memory_x, d = p.memory_other](C u, C v) { return c * u + d * v; }, std::tuple(magnitude), n,
                  state.read(x + first, n), output.read(a, row, 0, first, n));
            for (std::size_t k = 0; k < n; ++k)
                use(static_cast<key>(std::bit_cast<key>(magnitude[k]) & (static_cast<key>(-1) >> 1)));
        }
    };
    double const position = p.quantile * static_cast<double>(a.row_size - 1);
    auto const low = static_cast<std::size_t>(position);
    double const part = position - static_cast<double>(low);
    key prefix = 0;
    std::size_t below = 0, within = 0;
    for (unsigned left = bits; left > 0;) {
        unsigned const width = std::min(digit, left), shift = left - width;
        std::uint32_t counts[1u << digit] = {};
        each([&](key u) {
            if ((left == bits ? key(0) : key(u >> left)) == prefix)
                ++counts[(u >> shift) & ((key(1) << width) - 1)];
        });
        key chosen = 0;
        while (below + counts[chosen] <= low)
            below += counts[chosen++];
        within = counts[chosen];
        prefix = static_cast<key>(prefix << width) | chosen;
        left = shift;
    }
    auto const value = [](key k) { return static_cast<double>(std::bit_cast<C>(k)); };
    if (part == 0.0 || below + within > low + 1)
        return value(prefix);
    key next = static_cast<key>(-1) >> 1;
    each([&](key u) { next = u > prefix && u < next ? u : next; });
    return value(prefix) + part * (value(next) - value(prefix));
}

/// f(begin, end) over ranges that cover [0, count): on the space's threads where it has some.
template <class Space, class F>
void for_ranges(Space const& space, std::size_t count, F const& f)
{
    if constexpr (requires { space.team->for_ranges(count, f); })
        space.team->for_ranges(count, f);
    else
        f(std::size_t{0}, count);
}

} // namespace detail

/// The noise of a stage for each sample: noise[source_of_row[row]], or noise[0] for all.
template <class Source>
struct row_noise {
    Source const* const* sources = nullptr;
    std::uint32_t const* source_of_row = nullptr;
    Source const& operator[](std::size_t row) const { return *sources[source_of_row ? source_of_row[row] : 0]; }
};

/// Runs a pass over all samples: passes[row], or passes[0] for all where `one` holds; `thresholds` has room for a
/// number for each sample where a pass has a dynamic threshold. A device space adds its overload beside its tag.
template <class Space, class T, class Output, class C, class Source>
void run_stage(Space const& space, bound_pass<C> const* passes, bool one, pass_arrays<T, Output> const& arrays,
               row_noise<Source> const& noise, C* thresholds)
{
    if (arrays.row_size == 0 || arrays.rows == 0)
        return;
    auto const pass_of = [&](std::size_t row) -> bound_pass<C> const& { return passes[one ? 0 : row]; };
    if (thresholds != nullptr)
        detail::for_ranges(space, arrays.rows, [&](std::size_t begin, std::size_t end) {
            for (std::size_t row = begin; row < end; ++row) {
                bound_pass<C> const& p = pass_of(row);
                if (!p.operates || p.operation != x0_operation::kind::dynamic_threshold)
                    continue;
                double const s = detail::quantile_of(p, arrays, row);
                thresholds[row] = static_cast<C>(s < p.least ? p.least : p.most < s ? p.most : s);
            }
        });
    row_layout const layout{arrays.rows, arrays.row_size};
    detail::for_ranges(space, layout.chunks(), [&](std::size_t begin, std::size_t end) {
        detail::pass_buffers<T, Output, C, Source> buffers;
        for (std::size_t chunk = begin; chunk < end; ++chunk) {
            std::size_t const row = chunk / layout.chunks_per_row();
            std::size_t const first = chunk % layout.chunks_per_row() * row_layout::chunk;
            detail::run_pass(pass_of(row), arrays, noise[row], row, first,
                             std::min(first + row_layout::chunk, arrays.row_size), thresholds ? thresholds[row] : C(1),
                             buffers);
        }
    });
}

} // namespace alphabar
