// SPDX-License-Identifier: MIT
// The primitives as thread bodies: what each thread of a device does, host and device. A device runs them over a grid
// of threads; the emulated device runs them one by one on the host, so that they are tested where no device is.
#pragma once

#include <alphabar/core/fill.hpp>
#include <alphabar/core/reduce.hpp>
#include <alphabar/core/transform.hpp>

#include <algorithm>
#include <cstddef>
#include <memory>
#include <type_traits>
#include <utility>

namespace alphabar {

/// A space whose loops are grids of threads. Beside its tag stand three functions:
///
///     launch(space, threads, body)           body(thread) for each thread in [0, threads), in any order
///     launch_blocks(space, blocks, body)     in each block, body(phase, block, thread, memory) for thread in
///                                            [0, Body::threads), all of a phase before any of the next, for phase in
///                                            [0, Body::phases); `memory` (Body::memory) is the block's own
///     allocate<T>(space, n)                  n elements of scratch memory, a std::unique_ptr<T[], ...>
///
/// A body is trivially copyable: it travels as a kernel's argument.
template <class Space>
concept device_space = requires { typename Space::is_device_space; };

/// A device without a device: the threads of a grid run one after the other on the host, blocks in reverse, so that
/// nothing can lean on their order. For tests.
struct emulated_space {
    using is_device_space = void;
    static constexpr bool reads_host_memory = true;
    friend constexpr bool operator==(emulated_space, emulated_space) = default;
};

template <class Body>
void launch(emulated_space, std::size_t threads, Body const& body)
{
    static_assert(std::is_trivially_copyable_v<Body>);
    for (std::size_t thread = threads; thread-- > 0;)
        body(thread);
}

template <class Body>
void launch_blocks(emulated_space, std::size_t blocks, Body const& body)
{
    static_assert(std::is_trivially_copyable_v<Body>);
    for (std::size_t block = blocks; block-- > 0;) {
        typename Body::memory memory{};
        for (int phase = 0; phase < Body::phases; ++phase)
            for (std::size_t thread = 0; thread < Body::threads; ++thread)
                body(phase, block, thread, memory);
    }
}

template <class T>
std::unique_ptr<T[]> allocate(emulated_space, std::size_t n)
{
    return std::make_unique<T[]>(n);
}

/// Elements in the memory of a device, with their shape, the batch slowest.
template <class T, device_space Space, storage_order Order = storage_order::row_major>
struct device_tensor_view {
    T* data = nullptr;
    alphabar::shape shape{};
    Space space{};
};

template <class T, class Space, storage_order Order>
struct tensor_traits<device_tensor_view<T, Space, Order>> {
    using value_type = std::remove_cv_t<T>;
    static constexpr storage_order order = Order;
    static std::span<T> elements(device_tensor_view<T, Space, Order> const& t) { return {t.data, t.shape.size()}; }
    static alphabar::shape shape(device_tensor_view<T, Space, Order> const& t) { return t.shape; }
    static Space space(device_tensor_view<T, Space, Order> const& t) { return t.space; }
    static device_tensor_view<T, Space, Order> view(T* data, alphabar::shape const& s, Space space)
    {
        return {data, s, space};
    }
};

namespace detail {

/// The sources of a kernel: a std::tuple that is trivially copyable. apply(f) is f(sources...).
template <class... Source>
struct source_pack {
    template <class F, class... Before>
    ALPHABAR_HOST_DEVICE constexpr auto apply(F const& f, Before const&... before) const
    {
        return f(before...);
    }
};
template <class First, class... Rest>
struct source_pack<First, Rest...> {
    First first;
    source_pack<Rest...> rest;

    template <class F, class... Before>
    ALPHABAR_HOST_DEVICE constexpr auto apply(F const& f, Before const&... before) const
    {
        return rest.apply(f, before..., first);
    }
};

constexpr source_pack<> packed() { return {}; }
template <class First, class... Rest>
constexpr source_pack<First, Rest...> packed(First const& first, Rest const&... rest)
{
    return {first, packed(rest...)};
}

/// W elements in registers.
template <class T, std::size_t W>
struct element_group {
    T at[W];
};

/// The 16 bytes (or less, for few small elements) that one instruction moves.
template <class T, std::size_t W>
struct alignas(sizeof(T) * W < 16 ? sizeof(T) * W : 16) packet {
    static constexpr std::size_t bytes = sizeof(T) * W < 16 ? sizeof(T) * W : 16;
    static constexpr std::size_t count = bytes / sizeof(T);
    T at[count];
};

/// Whether W elements at `p` can be moved as packets.
template <std::size_t W, class T>
ALPHABAR_HOST_DEVICE bool is_aligned(T const* p)
{
    return reinterpret_cast<std::uintptr_t>(p) % packet<T, W>::bytes == 0;
}

template <std::size_t W, class T>
ALPHABAR_HOST_DEVICE element_group<compute_t<T>, W> load_group(T const* p, std::size_t n)
{
    element_group<compute_t<T>, W> group{};
    if (n == W && is_aligned<W>(p)) {
        using pack = packet<T, W>;
        for (std::size_t j = 0; j < W / pack::count; ++j) {
            pack const together = reinterpret_cast<pack const*>(p)[j];
            for (std::size_t k = 0; k < pack::count; ++k)
                group.at[j * pack::count + k] = widen(together.at[k]);
        }
    } else {
        for (std::size_t k = 0; k < W; ++k)
            if (k < n)
                group.at[k] = widen(p[k]);
    }
    return group;
}

template <class T, std::size_t W>
ALPHABAR_HOST_DEVICE void store_group(element_group<compute_t<T>, W> const& group, T* p, std::size_t n)
{
    if (n == W && is_aligned<W>(p)) {
        using pack = packet<T, W>;
        for (std::size_t j = 0; j < W / pack::count; ++j) {
            pack together;
            for (std::size_t k = 0; k < pack::count; ++k)
                together.at[k] = narrow<T>(group.at[j * pack::count + k]);
            reinterpret_cast<pack*>(p)[j] = together;
        }
    } else {
        for (std::size_t k = 0; k < W; ++k)
            if (k < n)
                p[k] = narrow<T>(group.at[k]);
    }
}

/// A position in a batch: an element of a row.
struct batch_position {
    std::size_t row;
    std::size_t element;

    ALPHABAR_HOST_DEVICE constexpr void advance(std::size_t row_size)
    {
        if (++element == row_size)
            element = 0, ++row;
    }
};

/// A generator in a kernel: made_source points to host memory, this one holds a copy.
template <class G, class Argument>
struct copied_source {
    using argument_type = Argument;
    G made_by;
};

template <class T>
constexpr stored_source<T> on_device(stored_source<T> source)
{
    return source;
}

template <class G, class Argument>
constexpr copied_source<G, Argument> on_device(made_source<G, Argument> source)
{
    static_assert(
        std::is_trivially_copyable_v<G> && requires(G const& g) { g(std::size_t{}, std::size_t{}); },
        "alphabar: on a device a generator is trivially copyable and gives one element: g(row, element)");
    return {*source.made_by};
}

template <std::size_t W, class T>
ALPHABAR_HOST_DEVICE auto read_group(stored_source<T> source, row_layout const&, batch_position, std::size_t first,
                                     std::size_t n)
{
    return load_group<W>(source.data + first, n);
}

/// Noise comes four elements a block; a generator may give such a block at once: g.block(row, index).at[0 .. 3].
template <class G>
concept block_generator = requires(G const& g, std::size_t i) { g.block(i, i).at[0]; };

template <std::size_t W, class G, class Argument>
ALPHABAR_HOST_DEVICE auto read_group(copied_source<G, Argument> const& source, row_layout const& layout,
                                     batch_position position, std::size_t, std::size_t n)
{
    element_group<Argument, W> group{};
    if constexpr (block_generator<G> && W % 4 == 0) {
        if (n == W && position.element % 4 == 0 && position.element + W <= layout.row_size) {
            for (std::size_t j = 0; j < W / 4; ++j) {
                auto const four = source.made_by.block(position.row, position.element / 4 + j);
                for (std::size_t k = 0; k < 4; ++k)
                    group.at[4 * j + k] = static_cast<Argument>(four.at[k]);
            }
            return group;
        }
    }
    for (std::size_t k = 0; k < W; ++k)
        if (k < n) {
            group.at[k] = static_cast<Argument>(source.made_by(position.row, position.element));
            position.advance(layout.row_size);
        }
    return group;
}

/// The bytes of an element of a source; a made one does not limit the width.
template <class T>
constexpr std::size_t stored_bytes(stored_source<T> const*)
{
    return sizeof(T);
}
template <class G, class Argument>
constexpr std::size_t stored_bytes(copied_source<G, Argument> const*)
{
    return 16;
}

/// Elements a thread works on: as many as fill 16 bytes of the narrowest array, at least 4.
template <class T, class... Source>
inline constexpr std::size_t group_width =
    std::max<std::size_t>(4, 16 / std::min({sizeof(T), stored_bytes(static_cast<Source const*>(nullptr))...}));

/// A thread of transform: W elements that follow one another in memory, across the borders of rows.
template <std::size_t W, class Formulas, class T, std::size_t N, class... Source>
struct transform_body {
    row_layout layout;
    Formulas formulas;
    targets<T, N> out;
    source_pack<Source...> in;

    ALPHABAR_HOST_DEVICE void operator()(std::size_t thread) const
    {
        std::size_t const first = thread * W, size = layout.rows * layout.row_size;
        std::size_t const n = size - first < W ? size - first : W;
        batch_position const start{first / layout.row_size, first % layout.row_size};
        in.apply(
            [&](Source const&... source) { run(start, first, n, read_group<W>(source, layout, start, first, n)...); });
    }

private:
    template <class... Group>
    ALPHABAR_HOST_DEVICE void run(batch_position position, std::size_t first, std::size_t n,
                                  Group const&... in_group) const
    {
        element_group<compute_t<T>, W> result[N];
        for (std::size_t k = 0; k < W; ++k)
            if (k < n) {
                auto const value = formulas[position.row](in_group.at[k]...);
                if constexpr (N == 1) {
                    result[0].at[k] = static_cast<compute_t<T>>(value);
                } else {
                    for (std::size_t j = 0; j < N; ++j)
                        result[j].at[k] = static_cast<compute_t<T>>(value[j]);
                }
                position.advance(layout.row_size);
            }
        for (std::size_t j = 0; j < N; ++j)
            store_group(result[j], out.data[j] + first, n);
    }
};

/// A source read one element at a time.
template <class T>
ALPHABAR_HOST_DEVICE compute_t<T> read_element(stored_source<T> source, row_layout const& layout, std::size_t row,
                                               std::size_t i)
{
    return widen(source.data[row * layout.row_size + i]);
}
template <class G, class Argument>
ALPHABAR_HOST_DEVICE Argument read_element(copied_source<G, Argument> const& source, row_layout const&, std::size_t row,
                                           std::size_t i)
{
    return static_cast<Argument>(source.made_by(row, i));
}

/// The term of a sum at one element.
template <class Formulas, class... Source>
struct plain_term {
    row_layout layout;
    Formulas formulas;
    source_pack<Source...> in;

    ALPHABAR_HOST_DEVICE double operator()(std::size_t row, std::size_t i) const
    {
        return in.apply([&](Source const&... source) {
            return static_cast<double>(formulas[row](read_element(source, layout, row, i)...));
        });
    }
};

/// The term of a sum at one element, while the formula's value is written.
template <class Formulas, class T, class... Source>
struct writing_term {
    row_layout layout;
    Formulas formulas;
    T* out;
    source_pack<Source...> in;

    ALPHABAR_HOST_DEVICE double operator()(std::size_t row, std::size_t i) const
    {
        return in.apply([&](Source const&... source) {
            auto const both = formulas[row](read_element(source, layout, row, i)...);
            out[row * layout.row_size + i] = narrow<T>(static_cast<compute_t<T>>(both.value));
            return static_cast<double>(static_cast<compute_t<T>>(both.term));
        });
    }
};

/// Sums over blocks of 256 elements by halving, four blocks to a block of threads: leaves[row][block].
template <class Term>
struct leaf_body {
    static constexpr std::size_t threads = 256;
    static constexpr int phases = 8;
    struct memory {
        double terms[threads];
    };

    Term term;
    std::size_t leaves_per_row;
    std::size_t leaves_in_all;
    double* leaves;

    ALPHABAR_HOST_DEVICE void operator()(int phase, std::size_t block, std::size_t thread, memory& shared) const
    {
        std::size_t const leaf = block * 4 + thread / 64, k = thread % 64;
        double* const terms = shared.terms + thread / 64 * 64;
        if (leaf >= leaves_in_all)
            return;
        if (phase == 0) {
            std::size_t const row = leaf / leaves_per_row;
            std::size_t const first = leaf % leaves_per_row * row_layout::block;
            auto const at = [&](std::size_t i) {
                return first + i < term.layout.row_size ? term(row, first + i) : 0.0;
            };
            terms[k] = (at(k) + at(k + 128)) + (at(k + 64) + at(k + 192));
        } else if (phase < 7) {
            std::size_t const half = std::size_t{64} >> phase;
            if (k < half)
                terms[k] += terms[k + half];
        } else if (k == 0) {
            leaves[leaf] = terms[0];
        }
    }
};

/// One level of a row's tree: 512 neighbours become one number, as `tree_sum` adds them.
struct branch_body {
    static constexpr std::size_t threads = 256;
    static constexpr std::size_t width = 2 * threads;
    static constexpr int phases = 11;
    struct memory {
        double sums[width];
    };

    double const* in;
    double* out;
    std::size_t in_per_row;
    std::size_t out_per_row;

    ALPHABAR_HOST_DEVICE void operator()(int phase, std::size_t block, std::size_t thread, memory& shared) const
    {
        std::size_t const row = block / out_per_row, first = block % out_per_row * width;
        std::size_t const n = in_per_row - first < width ? in_per_row - first : width;
        if (phase == 0) {
            for (std::size_t i = thread; i < n; i += threads)
                shared.sums[i] = in[row * in_per_row + first + i];
        } else if (phase < 10) {
            std::size_t const stride = std::size_t{1} << (phase - 1), i = 2 * thread * stride;
            if (i + stride < n)
                shared.sums[i] += shared.sums[i + stride];
        } else if (thread == 0) {
            out[block] = shared.sums[0];
        }
    }
};

template <class Space, class Term>
void sum_rows(Space const& space, row_layout const& layout, double* sums, Term const& term)
{
    if (layout.row_size == 0) {
        transform_n(space, row_layout{1, layout.rows}, one_formula<constant<double>>{{0.0}},
                    targets<double, 1>{{sums}});
        return;
    }
    std::size_t count = (layout.row_size + row_layout::block - 1) / row_layout::block;
    std::size_t const leaves = layout.rows * count;
    auto from = allocate<double>(space, leaves);
    launch_blocks(space, (leaves + 3) / 4, leaf_body<Term>{term, count, leaves, from.get()});
    do {
        std::size_t const next = (count + branch_body::width - 1) / branch_body::width;
        auto to = next == 1 ? decltype(from){} : allocate<double>(space, layout.rows * next);
        launch_blocks(space, layout.rows * next, branch_body{from.get(), next == 1 ? sums : to.get(), count, next});
        from = std::move(to);
        count = next;
    } while (count > 1);
}

} // namespace detail

template <device_space Space, class Formulas, class T, std::size_t N, class... Source>
void transform_n(Space const& space, row_layout const& layout, Formulas const& formulas, targets<T, N> const& out,
                 Source const&... in)
{
    constexpr std::size_t width = detail::group_width<T, decltype(detail::on_device(in))...>;
    launch(space, (layout.rows * layout.row_size + width - 1) / width,
           detail::transform_body<width, Formulas, T, N, decltype(detail::on_device(in))...>{
               layout, formulas, out, detail::packed(detail::on_device(in)...)});
}

/// `sums` lies where the device writes it.
template <device_space Space, class Formulas, class... Source>
void reduce_rows_n(Space const& space, row_layout const& layout, Formulas const& formulas, double* sums,
                   Source const&... in)
{
    detail::sum_rows(space, layout, sums,
                     detail::plain_term<Formulas, decltype(detail::on_device(in))...>{
                         layout, formulas, detail::packed(detail::on_device(in)...)});
}

/// `sums` lies where the device writes it.
template <device_space Space, class Formulas, class T, class... Source>
void transform_reduce_rows_n(Space const& space, row_layout const& layout, Formulas const& formulas,
                             targets<T, 1> const& out, double* sums, Source const&... in)
{
    detail::sum_rows(space, layout, sums,
                     detail::writing_term<Formulas, T, decltype(detail::on_device(in))...>{
                         layout, formulas, out.data[0], detail::packed(detail::on_device(in)...)});
}

} // namespace alphabar
