// SPDX-License-Identifier: MIT
// What a lowered stage does to elements: the formula of one element, for any space, and its loop on the host.
#pragma once

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
#include <cstring>
#include <span>
#include <type_traits>
#include <utility>

namespace alphabar {

/// The memory that a pass works on: `array[k]` is register k, all of them rows * row_size elements; the output has `heads`
/// arrays for each row, one after the other. `data` and `mask` are null where the caller knows nothing.
template <class T, class Output>
struct pass_arrays {
    std::array<T*, lowered_plan::max_registers> array{};
    Output const* output = nullptr;
    T const* data = nullptr;
    T const* mask = nullptr;
    std::size_t rows = 0;
    std::size_t row_size = 0;
    std::uint32_t heads = 1;
};

/// e^x within 1.2e-7 relative; 0 below -103, infinity above 88.7; the same bits everywhere. No table and no branch:
/// comparisons are of integers, so that compilers vectorise it.
ALPHABAR_HOST_DEVICE constexpr float exp_of(float x)
{
    std::uint32_t const bits = std::bit_cast<std::uint32_t>(x), magnitude = bits & 0x7fffffffu;
    std::uint32_t const beyond = detail::less(0x42d00000u, magnitude); // |x| > 104 is 104
    std::uint32_t const not_a_number = detail::less(0x7f800000u, magnitude) & 0x7fc00000u;
    float const inside = std::bit_cast<float>((bits & 0x80000000u) | (magnitude & ~beyond) | (0x42d00000u & beyond));
    float const rounded = inside * 1.44269504f + 12582912.0f, turns = rounded - 12582912.0f;
    float const r = (inside - turns * 0.693359375f) - turns * -2.12194440e-4f;
    float p = 1.9875691500e-4f;
    p = p * r + 1.3981999507e-3f;
    p = p * r + 8.3334519073e-3f;
    p = p * r + 4.1665795894e-2f;
    p = p * r + 1.6666665459e-1f;
    p = p * r + 5.0000001201e-1f;
    p = p * (r * r) + r + 1.0f;
    // 2^turns in two factors, so that neither overflows nor vanishes before the product does.
    auto const n = static_cast<std::int32_t>(std::bit_cast<std::uint32_t>(rounded) - 0x4b400000u);
    std::int32_t const half = n >> 1;
    auto const power = [](std::int32_t k) { return std::bit_cast<float>(static_cast<std::uint32_t>(k + 127) << 23); };
    float const e = p * power(half) * power(n - half);
    return std::bit_cast<float>(std::bit_cast<std::uint32_t>(e) | not_a_number);
}

/// A row in the arithmetic C of a run: target = sum of coefficient[k] * operand read[k].
template <class C>
struct bound_row {
    std::uint8_t target = 0;
    std::uint8_t terms = 0;
    bool staged = false; ///< written only after every row of the element has been computed
    std::array<std::uint8_t, lowered_row::max_terms> read{};
    std::array<C, lowered_row::max_terms> coefficient{};
};

/// A pass with its coefficients in C and each operand listed once. Trivially copyable: a kernel argument.
///
/// `element` is the pass for one element. The host's loop does the same operations in the same order, a block at a time.
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
    std::array<std::uint8_t, lowered_pass::max_rows> order{}; ///< in which rows are computed
    std::array<bound_row<C>, lowered_pass::max_rows> rows{};
    bound_row<C> masked{};
    C memory_x = 0, memory_other = 1, recall_x = 0, recall_other = 1, bound = 1;
    C spread_constant = 0, spread_factor = 0; ///< z *= exp(constant + factor F(1)), or sqrt(F(1))
    C scale = 1;
    double quantile = 1, least = 1, most = 1;

    /// op(memory.x x + memory.other F); `threshold` is the sample's own s of a dynamic threshold.
    ALPHABAR_HOST_DEVICE C before_operation(C x, C f) const { return memory_x * x + memory_other * f; }
    ALPHABAR_HOST_DEVICE C remembered(C x, C f, C threshold) const
    {
        C u = before_operation(x, f);
        if (operation == x0_operation::kind::clip)
            u = clipped(u, bound);
        else if (operation == x0_operation::kind::dynamic_threshold)
            u = clipped(u, threshold) / threshold;
        return recalls ? recall_x * x + recall_other * u : u;
    }
    ALPHABAR_HOST_DEVICE static C clipped(C u, C limit)
    {
        return u < -limit ? -limit : limit < u ? limit : u;
    } // a NaN passes
    ALPHABAR_HOST_DEVICE C deviation(C head) const
    {
        if (spread_is_variance)
            return std::sqrt(head);
        if constexpr (std::is_same_v<C, float>)
            return exp_of(spread_constant + spread_factor * head);
        else
            return std::exp(spread_constant + spread_factor * head);
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
    b.bound = static_cast<C>(p.operation.bound);
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

    // A row goes straight to its array where no row that is computed later reads that array; else it waits.
    bool done[lowered_pass::max_rows] = {};
    auto const read_by = [&](bound_row<C> const& r, std::uint8_t array) {
        return std::any_of(r.read.begin(), r.read.begin() + r.terms,
                           [&](std::uint8_t k) { return b.read[k] == operand{operand::kind::array, array}; });
    };
    for (std::size_t place = 0; place < p.rows_written; ++place) {
        std::size_t chosen = p.rows_written;
        bool free = false;
        for (std::size_t r = 0; r < p.rows_written && !free; ++r) {
            if (done[r])
                continue;
            chosen = chosen == p.rows_written ? r : chosen;
            free = !(p.masks && (r == 0 || read_by(b.masked, b.rows[r].target)));
            for (std::size_t later = 0; later < p.rows_written; ++later)
                free = free && (later == r || done[later] || !read_by(b.rows[later], b.rows[r].target));
            chosen = free ? r : chosen;
        }
        done[chosen] = true;
        b.rows[chosen].staged = !free;
        b.order[place] = static_cast<std::uint8_t>(chosen);
    }
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
            for_blocks(n, [this](std::size_t at, auto count) {
                for (std::size_t k = 0; k < decltype(count)::value; ++k)
                    buffer_[at + k] = static_cast<C>(made_[at + k]);
            });
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
        } else if constexpr (std::is_same_v<compute_t<In>, C>) {
            widen(from, buffer_, n);
            return buffer_;
        } else {
            for_blocks(n, [&](std::size_t at, auto count) {
                for (std::size_t k = 0; k < decltype(count)::value; ++k)
                    buffer_[at + k] = static_cast<C>(widen(from[at + k]));
            });
            return buffer_;
        }
    }

private:
    alignas(64) C buffer_[std::is_same_v<In, C> ? 1 : piece];
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

/// A row of N terms.
template <class C, std::size_t N>
struct linear_sum {
    std::array<C, N> coefficient;

    template <class... Rest>
    ALPHABAR_HOST_DEVICE constexpr C operator()(C first, Rest... rest) const
    {
        C total = coefficient[0] * first;
        std::size_t k = 0;
        ((total = total + coefficient[++k] * rest), ...);
        return total;
    }
};

/// out[k] = sum over J of c[J] in[J][k]
template <std::size_t N, class C>
inline void sum_terms(C const* coefficient, C const* const* in, C* out, std::size_t n)
{
    [&]<std::size_t... J>(std::index_sequence<J...>) {
        apply(linear_sum<C, N>{{coefficient[J]...}}, std::array<C*, 1>{out}, n, in[J]...);
    }(std::make_index_sequence<N>{});
}

/// The same for a number of terms known at run time.
template <class C>
inline void sum_terms(bound_row<C> const& r, C const* const* operands, C* out, std::size_t n)
{
    C const* in[lowered_row::max_terms];
    for (std::size_t t = 0; t < r.terms; ++t)
        in[t] = operands[r.read[t]];
    switch (r.terms) {
    case 0: std::fill_n(out, n, C(0)); return;
    case 1: return sum_terms<1>(r.coefficient.data(), in, out, n);
    case 2: return sum_terms<2>(r.coefficient.data(), in, out, n);
    case 3: return sum_terms<3>(r.coefficient.data(), in, out, n);
    case 4: return sum_terms<4>(r.coefficient.data(), in, out, n);
    case 5: return sum_terms<5>(r.coefficient.data(), in, out, n);
    case 6: return sum_terms<6>(r.coefficient.data(), in, out, n);
    default: break;
    }
    alignas(64) C total[piece];
    sum_terms<6>(r.coefficient.data(), in, total, n);
    for (std::size_t t = 6; t < r.terms; ++t) {
        apply([c = r.coefficient[t]](C sum, C v) { return sum + c * v; }, std::array<C*, 1>{total}, n,
              static_cast<C const*>(total), in[t]);
    }
    std::copy_n(total, n, out);
}

/// What a row that has fewer terms than its kernel reads in place of them: coefficient -1 of it adds -0, which changes
/// nothing, not even the sign of a zero.
template <class C>
struct padding {
    alignas(64) static constexpr C zeros[piece] = {};
};

/// R rows that are computed together, so that every operand comes from memory once: row r < R - 1 has N terms, the last
/// row L. All rows of a block are computed before any is stored, so that a target may be an operand.
template <std::size_t R, std::size_t N, std::size_t L, class C>
struct row_block {
    C coefficient[R][std::max(N, L)];
    C const* in[R][std::max(N, L)];
    C* out[R];

    template <std::size_t Turns, std::size_t... J>
    ALPHABAR_INLINE void sum(std::size_t r, std::size_t first, C* result, std::index_sequence<J...>) const
    {
        C const c[] = {coefficient[r][J]...};
        C const* const at[] = {in[r][J] + first...};
        for (std::size_t k = 0; k < Turns; ++k) {
            C total = c[0] * at[0][k];
            ((J == 0 ? void() : void(total = total + c[J] * at[J][k])), ...);
            result[k] = total;
        }
    }
    template <std::size_t Turns>
    ALPHABAR_INLINE void run(std::size_t first) const
    {
        alignas(64) C results[R][Turns];
        for (std::size_t r = 0; r + 1 < R; ++r)
            sum<Turns>(r, first, results[r], std::make_index_sequence<N>{});
        sum<Turns>(R - 1, first, results[R - 1], std::make_index_sequence<L>{});
        for (std::size_t r = 0; r < R; ++r)
            std::memcpy(out[r] + first, results[r], sizeof results[r]);
    }
};

template <class Rows>
ALPHABAR_INLINE void run_blocks(Rows const& rows, std::size_t n)
{
    for_blocks(n, [&rows](std::size_t first, auto count) { rows.template run<decltype(count)::value>(first); });
}
#if defined(ALPHABAR_AVX2)
template <class Rows>
ALPHABAR_AVX2 ALPHABAR_FLATTEN inline void run_blocks_avx2(Rows const& rows, std::size_t n)
{
    run_blocks(rows, n);
}
#endif

template <std::size_t R, std::size_t N, std::size_t L, class C>
inline void sum_rows(bound_row<C> const* const (&given)[R], C const* const* operands, C* const (&out)[R], std::size_t n)
{
    row_block<R, N, L, C> rows;
    for (std::size_t r = 0; r < R; ++r) {
        rows.out[r] = out[r];
        for (std::size_t t = 0; t < std::max(N, L); ++t) {
            bool const real = t < given[r]->terms;
            rows.coefficient[r][t] = real ? given[r]->coefficient[t] : C(-1);
            rows.in[r][t] = real ? operands[given[r]->read[t]] : padding<C>::zeros;
        }
    }
#if defined(ALPHABAR_AVX2)
    if (!plain_loops_are_wide && has_avx2())
        return run_blocks_avx2(rows, n);
#endif
    run_blocks(rows, n);
}

/// Rows of at most 6 terms, two or three of them; false where no kernel fits.
template <std::size_t R, class C>
inline bool sum_rows(bound_row<C> const* const (&rows)[R], C const* const* operands, C* const (&out)[R], std::size_t n)
{
    std::size_t longest = 0, last = rows[R - 1]->terms;
    for (std::size_t r = 0; r + 1 < R; ++r) {
        longest = std::max<std::size_t>(longest, rows[r]->terms);
        if (rows[r]->terms == 0)
            return false;
    }
    if (last == 0 || std::max(longest, last) > 6)
        return false;
    if (last > 2)
        longest = std::max(longest, last);
    bool const brief = last <= 2;
    switch (longest) {
    case 1:
    case 2: brief ? sum_rows<R, 2, 2>(rows, operands, out, n) : sum_rows<R, 3, 3>(rows, operands, out, n); return true;
    case 3: brief ? sum_rows<R, 3, 2>(rows, operands, out, n) : sum_rows<R, 3, 3>(rows, operands, out, n); return true;
    case 4: brief ? sum_rows<R, 4, 2>(rows, operands, out, n) : sum_rows<R, 4, 4>(rows, operands, out, n); return true;
    case 5: brief ? sum_rows<R, 5, 2>(rows, operands, out, n) : sum_rows<R, 5, 5>(rows, operands, out, n); return true;
    default: brief ? sum_rows<R, 6, 2>(rows, operands, out, n) : sum_rows<R, 6, 6>(rows, operands, out, n); return true;
    }
}

/// A formula over blocks of two inputs.
template <class C, class F>
inline void map_block(C const* a, C const* b, C* out, std::size_t n, F const& f)
{
    apply(f, std::array<C*, 1>{out}, n, a, b);
}

/// The buffers of one thread's pass.
template <class T, class Output, class C, class Source>
struct pass_buffers {
    static constexpr bool direct = std::is_same_v<T, C>;
    noise_reader<Source, C> noise;
    std::array<stored_reader<T, C>, direct ? 1 : bound_pass<C>::max_reads> arrays;
    std::array<stored_reader<Output, C>, std::is_same_v<Output, C> ? 1 : 15> outputs;
    stored_reader<T, C> state, mask;
    alignas(64) C memory[piece];
    alignas(64) C spread[piece];
    alignas(64) C staged[lowered_pass::max_rows + 1][piece];
};

/// The pass over elements [begin, end) of sample `row`.
template <class T, class Output, class C, class Source>
void run_pass(bound_pass<C> const& p, pass_arrays<T, Output> const& a, Source const& source, std::size_t row,
              std::size_t begin, std::size_t end, C threshold, pass_buffers<T, Output, C, Source>& buffers)
{
    constexpr bool direct = pass_buffers<T, Output, C, Source>::direct;
    C const* in[bound_pass<C>::max_reads];
    for (std::size_t first = begin; first < end; first += piece) {
        std::size_t const n = std::min(piece, end - first), at = row * a.row_size + first;
        auto const head = [&](std::size_t h) { return a.output + (row * a.heads + h) * a.row_size + first; };
        auto const output = [&](std::size_t h) {
            return buffers.outputs[std::is_same_v<Output, C> ? 0 : h].read(head(h), n);
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
                if (p.operation == x0_operation::kind::clip &&
                    !p.recalls) // by its kind, so that each loop has no branch
                    map_block(x, f, buffers.memory, n, [c = p.memory_x, d = p.memory_other, e = p.bound](C u, C v) {
                        return bound_pass<C>::clipped(c * u + d * v, e);
                    });
                else if (p.operation == x0_operation::kind::clip)
                    map_block(x, f, buffers.memory, n,
                              [c = p.memory_x, d = p.memory_other, e = p.bound, g = p.recall_x, h = p.recall_other](
                                  C u, C v) { return g * u + h * bound_pass<C>::clipped(c * u + d * v, e); });
                else
                    map_block(x, f, buffers.memory, n,
                              [&p, threshold](C u, C v) { return p.remembered(u, v, threshold); });
                in[k] = buffers.memory;
                break;
            }
            case operand::kind::noise: {
                in[k] = buffers.noise.read(source, row, a.row_size, first, n, fetch_next);
                if (p.spreads) {
                    C const* const f = output(1);
                    if (p.spread_is_variance || !std::is_same_v<C, float>)
                        map_block(f, in[k], buffers.spread, n, [&p](C u, C z) { return p.deviation(u) * z; });
                    else
                        map_block(f, in[k], buffers.spread, n, [c = p.spread_constant, d = p.spread_factor](C u, C z) {
                            return static_cast<C>(exp_of(static_cast<float>(c + d * u))) * z;
                        });
                    in[k] = buffers.spread;
                }
                break;
            }
            }
        }
        auto const finish = [&](std::size_t r) { // from the buffer to its array
            if constexpr (direct)
                std::copy_n(buffers.staged[r], n, a.array[p.rows[r].target] + at);
            else
                narrow<T>(buffers.staged[r], a.array[p.rows[r].target] + at, n);
        };
        bool together = false; // every row at once, straight to the arrays
        if constexpr (direct)
            if (!p.masks && p.rows_written > 1) {
                auto const row_at = [&](std::size_t place) { return &p.rows[p.order[place]]; };
                auto const target = [&](std::size_t place) { return a.array[row_at(place)->target] + at; };
                if (p.rows_written == 2) {
                    bound_row<C> const* const rows[] = {row_at(0), row_at(1)};
                    C* const out[] = {target(0), target(1)};
                    together = sum_rows(rows, in, out, n);
                } else {
                    bound_row<C> const* const rows[] = {row_at(0), row_at(1), row_at(2)};
                    C* const out[] = {target(0), target(1), target(2)};
                    together = sum_rows(rows, in, out, n);
                }
            }
        for (std::size_t place = 0; place < p.rows_written && !together; ++place) {
            std::size_t const r = p.order[place];
            bound_row<C> const& computed = p.rows[r];
            if constexpr (direct)
                sum_terms(computed, in, computed.staged ? buffers.staged[r] : a.array[computed.target] + at, n);
            else
                sum_terms(computed, in, buffers.staged[r], n);
        }
        if (p.masks) {
            C* const last = buffers.staged[lowered_pass::max_rows];
            sum_terms(p.masked, in, last, n);
            C const* const mask = buffers.mask.read(a.mask + at, n);
            C* const x = buffers.staged[0];
            for (std::size_t k = 0; k < n; ++k)
                x[k] = mask[k] != C(0) ? last[k] : x[k];
        }
        for (std::size_t r = 0; r < p.rows_written && !together; ++r)
            if (!direct || p.rows[r].staged)
                finish(r);
        if (p.writes_input) {
            C const* const x = buffers.state.read(a.array[p.rows[0].target] + at, n);
            if constexpr (direct) {
                sum_terms<1>(&p.scale, &x, a.array[p.input] + at, n);
            } else {
                sum_terms<1>(&p.scale, &x, buffers.staged[0], n);
                narrow<T>(buffers.staged[0], a.array[p.input] + at, n);
            }
        }
    }
}

/// The `quantile` of |u| of sample `row`, u = p.before_operation(x, F), linearly interpolated between order statistics,
/// by counting digits of the elements' bits: u is made again in each pass, nothing is stored. NaN counts as the largest.
template <class T, class Output, class C>
double quantile_of(bound_pass<C> const& p, pass_arrays<T, Output> const& a, std::size_t row)
{
    using key = std::conditional_t<std::is_same_v<C, double>, std::uint64_t, std::uint32_t>;
    constexpr unsigned bits = sizeof(key) * 8 - 1, digit = 11;
    T const* const x = a.array[p.state] + row * a.row_size;
    Output const* const f = a.output + row * a.heads * a.row_size;
    stored_reader<T, C> state;
    stored_reader<Output, C> output;
    alignas(64) C magnitude[piece];
    auto const each = [&](auto const& use) {
        for (std::size_t first = 0; first < a.row_size; first += piece) {
            std::size_t const n = std::min(piece, a.row_size - first);
            map_block(state.read(x + first, n), output.read(f + first, n), magnitude, n,
                      [c = p.memory_x, d = p.memory_other](C u, C v) {
                          C const m = c * u + d * v;
                          return m < 0 ? -m : m;
                      });
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

/// Runs a pass over all samples: passes[row], or passes[0] for all where `one` holds; `thresholds` has room for a number
/// for each sample where a pass has a dynamic threshold. A device space adds its overload beside its tag.
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
