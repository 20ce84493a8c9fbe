// SPDX-License-Identifier: MIT
// A plan's stage on a device: one kernel, four elements a thread.
#pragma once

#include <alphabar/backends/device.hpp>
#include <alphabar/sampler/pass.hpp>

#include <bit>
#include <cstddef>
#include <cstdint>
#include <type_traits>

namespace alphabar {

namespace detail {

/// A thread of a stage: four elements of one sample, `bound_pass::element` for each, with every array read once and 16
/// bytes at a time. `Reads` bounds the operands, so that they stay in registers.
template <std::size_t Reads, class T, class Output, class C, class Source>
struct stage_body {
    static constexpr std::size_t width = 4;

    bound_pass<C> pass;
    pass_arrays<T, Output> arrays;
    Source noise;
    C const* thresholds;

    ALPHABAR_HOST_DEVICE std::size_t groups_per_row() const { return (arrays.row_size + width - 1) / width; }

    ALPHABAR_HOST_DEVICE void operator()(std::size_t thread) const
    {
        std::size_t const row = thread / groups_per_row(), first = thread % groups_per_row() * width;
        std::size_t const n = arrays.row_size - first < width ? arrays.row_size - first : width;
        std::size_t const at = row * arrays.row_size + first;
        C const threshold = thresholds ? thresholds[row] : C(1);

        element_group<C, width> value[Reads];
        for (std::size_t k = 0; k < Reads; ++k)
            if (k < pass.reads)
                value[k] = operand_group(pass.read[k], row, first, at, n, threshold);
        element_group<C, width> result[lowered_pass::max_rows], other;
        for (std::size_t r = 0; r < lowered_pass::max_rows; ++r)
            if (r < pass.rows_written)
                sum(pass.rows[r], value, result[r]);
        if (pass.masks) {
            sum(pass.masked, value, other);
            auto const mask = loaded(arrays.mask + at, n);
            for (std::size_t k = 0; k < width; ++k)
                result[0].at[k] = mask.at[k] != C(0) ? other.at[k] : result[0].at[k];
        }
        for (std::size_t r = 0; r < lowered_pass::max_rows; ++r)
            if (r < pass.rows_written)
                store_group<T, width>(narrowable(result[r]), arrays.array[pass.rows[r].target] + at, n);
        if (pass.writes_input) {
            element_group<C, width> input;
            for (std::size_t k = 0; k < width; ++k)
                input.at[k] = pass.scale * static_cast<C>(widen(narrow<T>(static_cast<compute_t<T>>(result[0].at[k]))));
            store_group<T, width>(narrowable(input), arrays.array[pass.input] + at, n);
        }
    }

private:
    template <class In>
    ALPHABAR_HOST_DEVICE static element_group<C, width> loaded(In const* from, std::size_t n)
    {
        auto const wide = load_group<width>(from, n);
        element_group<C, width> group;
        for (std::size_t k = 0; k < width; ++k)
            group.at[k] = static_cast<C>(wide.at[k]);
        return group;
    }
    ALPHABAR_HOST_DEVICE static element_group<compute_t<T>, width> narrowable(element_group<C, width> const& group)
    {
        element_group<compute_t<T>, width> result;
        for (std::size_t k = 0; k < width; ++k)
            result.at[k] = static_cast<compute_t<T>>(group.at[k]);
        return result;
    }
    ALPHABAR_HOST_DEVICE element_group<C, width> output(std::size_t head, std::size_t row, std::size_t first,
                                                        std::size_t n) const
    {
        return loaded(arrays.output + (row * arrays.heads + head) * arrays.row_size + first, n);
    }

    ALPHABAR_HOST_DEVICE element_group<C, width> operand_group(operand from, std::size_t row, std::size_t first,
                                                               std::size_t at, std::size_t n, C threshold) const
    {
        switch (from.what) {
        case operand::kind::array: return loaded(static_cast<T const*>(arrays.array[from.index]) + at, n);
        case operand::kind::output: return output(from.index, row, first, n);
        case operand::kind::data: return loaded(arrays.data + at, n);
        case operand::kind::memory: {
            auto const x = loaded(static_cast<T const*>(arrays.array[pass.state]) + at, n),
                       f = output(0, row, first, n);
            element_group<C, width> m;
            for (std::size_t k = 0; k < width; ++k)
                m.at[k] = pass.remembered(x.at[k], f.at[k], threshold);
            return m;
        }
        case operand::kind::noise: break;
        }
        element_group<C, width> z = read_noise(noise, row, first, n);
        if (pass.spreads) {
            auto const head = output(1, row, first, n);
            for (std::size_t k = 0; k < width; ++k)
                z.at[k] = pass.deviation(head.at[k]) * z.at[k];
        }
        return z;
    }

    template <class G>
    ALPHABAR_HOST_DEVICE element_group<C, width> read_noise(G const& source, std::size_t row, std::size_t first,
                                                            std::size_t n) const
    {
        if constexpr (std::is_same_v<G, no_noise>) {
            return {};
        } else if constexpr (tensor<G>) {
            return loaded(traits_of<G>::elements(source).data() + row * arrays.row_size + first, n);
        } else {
            row_layout const layout{arrays.rows, arrays.row_size};
            return read_group<width>(copied_source<G, C>{source}, layout, {row, first}, 0, n);
        }
    }

    /// The terms of a row in their order; indices into `value` are constants after unrolling.
    ALPHABAR_HOST_DEVICE static void sum(bound_row<C> const& r, element_group<C, width> const (&value)[Reads],
                                         element_group<C, width>& total)
    {
        total = {};
        for (std::size_t t = 0; t < Reads; ++t)
            if (t < r.terms)
                for (std::size_t j = 0; j < Reads; ++j)
                    if (r.read[t] == j)
                        for (std::size_t k = 0; k < width; ++k)
                            total.at[k] = t == 0 ? r.coefficient[t] * value[j].at[k]
                                                 : total.at[k] + r.coefficient[t] * value[j].at[k];
    }
};

/// One more at a counter that the threads of a block share; returns nothing.
ALPHABAR_HOST_DEVICE inline void count_one(std::uint32_t& counter)
{
#if defined(__CUDA_ARCH__)
    atomicAdd(&counter, 1u);
#else
    ++counter;
#endif
}
template <class Key>
ALPHABAR_HOST_DEVICE inline void keep_smaller(Key& least, Key candidate)
{
#if defined(__CUDA_ARCH__)
    atomicMin(&least, candidate);
#else
    least = candidate < least ? candidate : least;
#endif
}

/// A block of threads for a sample: its dynamic threshold, by the digits of the elements' bits, as `quantile_of` on the
/// host.
template <class T, class Output, class C>
struct threshold_body {
    using key = std::conditional_t<std::is_same_v<C, double>, unsigned long long, unsigned>;
    static constexpr unsigned bits = sizeof(key) * 8 - 1, digit = 11, digits = (bits + digit - 1) / digit;
    static constexpr std::size_t threads = 256;
    static constexpr int phases = 3 * static_cast<int>(digits) + 2;
    struct memory {
        std::uint32_t counts[1u << digit];
        key prefix, next;
        std::size_t below, within;
    };

    bound_pass<C> pass;
    pass_arrays<T, Output> arrays;
    C* thresholds;

    ALPHABAR_HOST_DEVICE void operator()(int phase, std::size_t row, std::size_t thread, memory& shared) const
    {
        auto const d = static_cast<unsigned>(phase) / 3;
        double const position = pass.quantile * static_cast<double>(arrays.row_size - 1);
        auto const low = static_cast<std::size_t>(position);
        if (d < digits) {
            unsigned const left = bits - d * digit, size = left < digit ? left : digit, shift = left - size;
            if (phase % 3 == 0) {
                for (std::size_t k = thread; k < (1u << digit); k += threads)
                    shared.counts[k] = 0;
                if (phase == 0 && thread == 0)
                    shared.prefix = 0, shared.below = 0, shared.next = static_cast<key>(-1) >> 1;
            } else if (phase % 3 == 1) {
                for (std::size_t i = thread; i < arrays.row_size; i += threads) {
                    key const u = key_at(row, i);
                    if ((d == 0 ? key(0) : static_cast<key>(u >> left)) == shared.prefix)
                        count_one(shared.counts[(u >> shift) & ((key(1) << size) - 1)]);
                }
            } else if (thread == 0) {
                key chosen = 0;
                while (shared.below + shared.counts[chosen] <= low)
                    shared.below += shared.counts[chosen++];
                shared.within = shared.counts[chosen];
                shared.prefix = static_cast<key>(shared.prefix << size) | chosen;
            }
        } else if (phase % 3 == 0) {
            for (std::size_t i = thread; i < arrays.row_size; i += threads)
                if (key const u = key_at(row, i); u > shared.prefix)
                    keep_smaller(shared.next, u);
        } else if (thread == 0) {
            double const part = position - static_cast<double>(low), here = value(shared.prefix);
            bool const alone = part == 0.0 || shared.below + shared.within > low + 1;
            double const s = alone ? here : here + part * (value(shared.next) - here);
            thresholds[row] = static_cast<C>(s < pass.least ? pass.least : pass.most < s ? pass.most : s);
        }
    }

private:
    ALPHABAR_HOST_DEVICE static double value(key k)
    {
        if constexpr (std::is_same_v<C, double>)
            return std::bit_cast<double>(static_cast<std::uint64_t>(k));
        else
            return static_cast<double>(std::bit_cast<float>(static_cast<std::uint32_t>(k)));
    }
    ALPHABAR_HOST_DEVICE key key_at(std::size_t row, std::size_t i) const
    {
        C const x = static_cast<C>(widen(arrays.array[pass.state][row * arrays.row_size + i]));
        C const f = static_cast<C>(widen(arrays.output[row * arrays.heads * arrays.row_size + i]));
        C const u = pass.before_operation(x, f);
        if constexpr (std::is_same_v<C, double>)
            return std::bit_cast<std::uint64_t>(u) & (static_cast<key>(-1) >> 1);
        else
            return std::bit_cast<std::uint32_t>(u) & (static_cast<key>(-1) >> 1);
    }
};

template <std::size_t Reads, class Space, class T, class Output, class C, class Source>
void launch_stage(Space const& space, bound_pass<C> const& p, pass_arrays<T, Output> const& arrays, Source const& noise,
                  C const* thresholds)
{
    stage_body<Reads, T, Output, C, Source> const body{p, arrays, noise, thresholds};
    launch(space, arrays.rows * body.groups_per_row(), body);
}

} // namespace detail

/// A stage on a device: the kernel's arguments hold the coefficients. Where samples follow plans of their own, each
/// sample is a kernel. A dynamic threshold takes its numbers, one a sample, from `allocate`; no other stage allocates.
template <device_space Space, class T, class Output, class C, class Source>
void run_stage(Space const& space, bound_pass<C> const* passes, bool one, pass_arrays<T, Output> const& arrays,
               row_noise<Source> const& noise, C*)
{
    if (arrays.row_size == 0 || arrays.rows == 0)
        return;
    for (std::size_t first = 0; first < arrays.rows; first += one ? arrays.rows : 1) {
        bound_pass<C> const& p = passes[one ? 0 : first];
        pass_arrays<T, Output> part = arrays;
        Source source = noise[first];
        if (!one) {
            std::size_t const offset = first * arrays.row_size;
            for (auto& array : part.array)
                array = array ? array + offset : nullptr;
            part.output = part.output ? part.output + offset * arrays.heads : nullptr;
            part.data = part.data ? part.data + offset : nullptr;
            part.mask = part.mask ? part.mask + offset : nullptr;
            part.rows = 1;
            if constexpr (requires { source.first_sample += first; })
                source.first_sample += first;
            else
                require(std::is_same_v<Source, detail::no_noise>, "run_stage", "the noise",
                        "a tensor or another generator",
                        "where samples follow plans of their own, a device draws from a noise_stream");
        }
        bool const limits = p.operates && p.operation == x0_operation::kind::dynamic_threshold;
        auto limit = limits ? allocate<C>(space, part.rows) : decltype(allocate<C>(space, 0)){};
        if (limits)
            launch_blocks(space, part.rows, detail::threshold_body<T, Output, C>{p, part, limit.get()});
        if (p.reads <= 3)
            detail::launch_stage<3>(space, p, part, source, limit.get());
        else if (p.reads <= 6)
            detail::launch_stage<6>(space, p, part, source, limit.get());
        else
            detail::launch_stage<bound_pass<C>::max_reads>(space, p, part, source, limit.get());
    }
}

} // namespace alphabar
