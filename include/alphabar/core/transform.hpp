// SPDX-License-Identifier: MIT
// transform and transform_rows: a formula over the elements of tensors, in one pass over memory.
#pragma once

#include <alphabar/core/element.hpp>
#include <alphabar/core/error.hpp>
#include <alphabar/core/tensor.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

namespace alphabar {

/// What a space's loops run over: `rows` samples of `row_size` elements, one after the other in memory.
///
/// Elements are counted within their sample. Blocks of 256 of them are the leaves of sums, and 64 blocks are a chunk,
/// the unit of work of one thread. No result depends on who works on which chunk.
struct row_layout {
    std::size_t rows;
    std::size_t row_size;

    static constexpr std::size_t block = 256;
    static constexpr std::size_t chunk = 64 * block;

    ALPHABAR_HOST_DEVICE constexpr std::size_t chunks_per_row() const { return (row_size + chunk - 1) / chunk; }
    ALPHABAR_HOST_DEVICE constexpr std::size_t chunks() const { return rows * chunks_per_row(); }
};

/// The formula of every row: formulas[row] is f.
template <class F>
struct one_formula {
    F f;
    ALPHABAR_HOST_DEVICE constexpr F const& operator[](std::size_t) const { return f; }
};

/// A formula for each row: formulas[row] is data[row].
template <class F>
struct row_formulas {
    F const* data;
    ALPHABAR_HOST_DEVICE constexpr F const& operator[](std::size_t row) const { return data[row]; }
};

/// An input that lies in memory: element i of row r at data[r * row_size + i].
template <class T>
struct stored_source {
    using element_type = T;
    using argument_type = compute_t<T>;
    T const* data;
};

/// An input that a generator makes; formulas see its elements as Argument.
template <class G, class Argument>
struct made_source {
    using argument_type = Argument;
    G const* made_by;
};

/// The outputs of a pass, N arrays of one element type.
template <class T, std::size_t N>
struct targets {
    T* data[N];
};

namespace detail {

/// Elements that are made at a time: they stay in the L1 cache.
inline constexpr std::size_t piece = 512;

/// Asks for the memory at `from`, which will be read or written soon.
template <class T>
inline void prefetch([[maybe_unused]] T const* from, [[maybe_unused]] std::size_t n)
{
#if defined(__GNUC__)
    for (std::size_t k = 0; k < n; k += 64 / sizeof(T))
        __builtin_prefetch(from + k, 1);
#endif
}

/// For callers of `make` who have nothing to fetch.
struct fetch_nothing {
    void operator()(std::size_t, std::size_t) const {}
};

/// g.fill(row, first, out). While numbers are made, memory would idle: before each group of them fetch(its place in
/// `out`, its size) is called, where the generator has such a hook.
template <generator G, class Fetch>
void make(G const& g, std::size_t row, std::size_t first, std::span<float> out, Fetch const& fetch)
{
    auto const hook = [&](float const* at, std::size_t count) {
        fetch(static_cast<std::size_t>(at - out.data()), count);
    };
    if constexpr (requires { g.fill(row, first, out, hook); })
        g.fill(row, first, out, hook);
    else
        g.fill(row, first, out);
}

/// Hands out the arguments of a formula for a piece of a row: the memory itself, or a buffer with what was made.
template <class Source>
class reader;

template <class T>
class reader<stored_source<T>> {
public:
    template <class Fetch = fetch_nothing>
    T const* read(stored_source<T> from, row_layout const& layout, std::size_t row, std::size_t first, std::size_t,
                  Fetch const& = {})
    {
        return from.data + row * layout.row_size + first;
    }
};

template <class G, class C>
class reader<made_source<G, C>> {
public:
    template <class Fetch = fetch_nothing>
    C const* read(made_source<G, C> from, row_layout const&, std::size_t row, std::size_t first, std::size_t n,
                  Fetch const& fetch = {})
    {
        make(*from.made_by, row, first, std::span<float>(made_, n), fetch);
        if constexpr (std::is_same_v<C, float>) {
            return made_;
        } else {
            apply([](float x) { return static_cast<C>(x); }, std::tuple(converted_), n, made_);
            return converted_;
        }
    }

private:
    alignas(64) float made_[piece];
    alignas(64) C converted_[std::is_same_v<C, float> ? 1 : piece];
};

template <class Source>
inline constexpr bool is_made = false;
template <class G, class C>
inline constexpr bool is_made<made_source<G, C>> = true;

/// The outputs of a pass from element `at` on.
template <class T, std::size_t N>
auto targets_at(targets<T, N> const& out, std::size_t at)
{
    return [&]<std::size_t... J>(std::index_sequence<J...>) {
        return std::tuple((out.data[J] + at)...);
    }(std::make_index_sequence<N>{});
}

/// The elements of one chunk: its row, and [begin, end) within it.
struct chunk_extent {
    std::size_t row;
    std::size_t begin;
    std::size_t end;
};

constexpr chunk_extent extent_of(row_layout const& layout, std::size_t chunk)
{
    std::size_t const row = chunk / layout.chunks_per_row();
    std::size_t const begin = chunk % layout.chunks_per_row() * row_layout::chunk;
    return {row, begin, std::min(begin + row_layout::chunk, layout.row_size)};
}

template <class T>
void prefetch_source(stored_source<T> const& from, std::size_t at, std::size_t n)
{
    prefetch(from.data + at, n);
}
template <class G, class Argument>
void prefetch_source(made_source<G, Argument> const&, std::size_t, std::size_t)
{
}

} // namespace detail

/// The chunks [begin, end) of a transform, on the calling thread.
template <class Formulas, class T, std::size_t N, class... Source>
void transform_chunks(row_layout const& layout, std::size_t begin, std::size_t end, Formulas const& formulas,
                      targets<T, N> const& out, Source const&... in)
{
    std::tuple<detail::reader<Source>...> readers;
    constexpr std::size_t step = (detail::is_made<Source> || ...) ? detail::piece : row_layout::chunk;
    for (std::size_t chunk = begin; chunk < end; ++chunk) {
        detail::chunk_extent const at = detail::extent_of(layout, chunk);
        for (std::size_t first = at.begin; first < at.end; first += step) {
            std::size_t const n = std::min(step, at.end - first);
            std::size_t const offset = at.row * layout.row_size + first;
            auto const fetch_next = [&](std::size_t from, std::size_t count) {
                if (first + step + from + count > at.end)
                    return;
                (detail::prefetch_source(in, offset + step + from, count), ...);
                for (T* const to : out.data)
                    detail::prefetch(to + offset + step + from, count);
            };
            std::apply(
                [&](auto&... r) {
                    detail::apply(formulas[at.row], detail::targets_at(out, offset), n,
                                  r.read(in, layout, at.row, first, n, fetch_next)...);
                },
                readers);
        }
    }
}

/// The loop of a space: out.data[j][r * row_size + i] = result j of formulas[r](in...) at element i of row r. Another
/// space adds its overload beside its tag; argument-dependent lookup finds it.
template <class Formulas, class T, std::size_t N, class... Source>
void transform_n(host_space, row_layout const& layout, Formulas const& formulas, targets<T, N> const& out,
                 Source const&... in)
{
    transform_chunks(layout, 0, layout.chunks(), formulas, out, in...);
}

namespace detail {

template <class T>
inline constexpr bool is_tuple = false;
template <class... T>
inline constexpr bool is_tuple<std::tuple<T&...>> = true;

/// The outputs of a call as a tuple of references: a tensor alone, or what std::tie made of several.
template <class Out>
constexpr auto tied(Out& out)
{
    if constexpr (is_tuple<std::remove_cv_t<Out>>)
        return out;
    else
        return std::tie(out);
}

template <class T>
consteval bool expect_input()
{
    static_assert(
        tensor<T> || generator<T>,
        "alphabar: an input is neither a tensor nor a generator. Evaluate a lazy expression into a tensor "
        "first (.eval()); include the header of its library from alphabar/backends; or specialise tensor_traits");
    return tensor<T> || generator<T>;
}

template <class T>
consteval bool expect_output()
{
    constexpr bool good = [] {
        if constexpr (writable_tensor<T>)
            return requires(T& t) {
                { traits_of<T>::elements(t) } -> std::same_as<std::span<value_t<T>>>;
            };
        else
            return false;
    }();
    static_assert(good, "alphabar: the output is not a writable tensor: it is a lazy expression, read only or const");
    return good;
}

/// The order that all tensors of a call have, or none.
template <class... T>
consteval bool same_order()
{
    int row_major = 0, column_major = 0;
    (
        [&] {
            if constexpr (tensor<T>)
                ++(traits_of<T>::order == storage_order::row_major ? row_major : column_major);
        }(),
        ...);
    return row_major == 0 || column_major == 0;
}

template <class T>
inline constexpr bool is_double = false;
template <tensor T>
inline constexpr bool is_double<T> = std::is_same_v<value_t<T>, double>;

/// What generators give to formulas: double where a tensor of the call holds doubles, else float.
template <class... T>
using made_t = typename std::conditional<std::disjunction_v<std::bool_constant<is_double<T>>...>, double, float>::type;

template <class In, class Made>
struct argument {
    using type = Made;
};
template <tensor In, class Made>
struct argument<In, Made> {
    using type = compute_t<value_t<In>>;
};
/// What a formula sees of one element of the input In.
template <class In, class Made>
using argument_t = typename argument<In, Made>::type;

template <class F, class... Argument>
consteval bool expect_formula()
{
    static_assert(std::is_trivially_copyable_v<F>,
                  "alphabar: a formula is a trivially copyable struct: only numbers in it");
    static_assert(std::is_invocable_v<F const&, Argument...>,
                  "alphabar: the formula does not take these inputs: its call operator is const and has one argument "
                  "for each input, in the type in which its elements compute (double, or float for all other types)");
    return std::is_trivially_copyable_v<F> && std::is_invocable_v<F const&, Argument...>;
}

/// Whether the loops of Space read host memory.
template <class Space>
inline constexpr bool reads_host_memory = false;
template <>
inline constexpr bool reads_host_memory<host_space> = true;
template <class Space>
    requires requires { Space::reads_host_memory; }
inline constexpr bool reads_host_memory<Space> = Space::reads_host_memory;

/// Functions that keep coefficients for each sample in host memory come here.
template <class T>
consteval bool expect_host_memory()
{
    constexpr bool good =
        reads_host_memory<std::remove_cvref_t<decltype(traits_of<T>::space(std::declval<T const&>()))>>;
    static_assert(
        good, "alphabar: this function works on host memory; on a device use transform, transform_rows and executor "
              "with what they read in device memory");
    return good;
}

/// Whether formulas of this type lie in host memory for certain: another memory is handed over as a span.
template <class T>
inline constexpr bool is_host_vector = false;
template <class T>
inline constexpr bool is_host_vector<std::vector<T>> = true;

/// Before the first tensor of a call.
struct no_space {};

/// The space in which a call with tensors of both spaces runs.
template <class A, class B>
constexpr auto joined(A const& a, B const& b)
{
    if constexpr (std::is_same_v<A, no_space>) {
        return b;
    } else if constexpr (std::is_same_v<A, B> || (std::is_same_v<B, host_space> && reads_host_memory<A>)) {
        return a;
    } else {
        static_assert(std::is_same_v<A, host_space> && reads_host_memory<B>,
                      "alphabar: the tensors of one call live in spaces that do not share memory");
        return b;
    }
}

template <class... T>
constexpr auto space_of(T const&... t)
{
    auto fold = [](auto&& self, auto space, auto const&... rest) {
        if constexpr (sizeof...(rest) == 0) {
            return space;
        } else {
            return [&self, &space](auto const& next, auto const&... after) {
                if constexpr (tensor<decltype(next)>)
                    return self(self, joined(space, traits_of<decltype(next)>::space(next)), after...);
                else
                    return self(self, space, after...);
            }(rest...);
        }
    };
    return fold(fold, no_space{}, t...);
}

/// The bytes of a tensor, for messages and for the check of overlap.
struct byte_range {
    std::uintptr_t begin = 0;
    std::uintptr_t end = 0;
    std::size_t element = 0;

    template <class T>
    static byte_range of(std::span<T> elements)
    {
        auto const begin = reinterpret_cast<std::uintptr_t>(elements.data());
        return {begin, begin + elements.size_bytes(), sizeof(T)};
    }
    friend bool overlap(byte_range a, byte_range b) { return a.begin < b.end && b.begin < a.end; }
    friend bool operator==(byte_range, byte_range) = default;
};

template <class In>
byte_range bytes_of(In const& in)
{
    if constexpr (tensor<In>)
        return byte_range::of(std::span<value_t<In> const>(traits_of<In>::elements(in)));
    else
        return {};
}

inline std::string numbered(std::string_view what, std::size_t index, std::size_t count)
{
    return count == 1 ? std::string(what) : std::string(what) + " " + std::to_string(index + 1);
}

template <class T>
void require_tensor(std::string_view function, std::string const& name, T const& t, shape const& expected)
{
    shape const found = traits_of<T>::shape(t);
    if (found != expected)
        reject(function, "the shape of " + name, to_string(found), "it must be " + to_string(expected));
    auto const elements = traits_of<T>::elements(t);
    if (elements.size() != found.size())
        reject(function, "the number of elements of " + name, elements.size(),
               "it must be that of " + to_string(found));
    require(elements.data() != nullptr || found.size() == 0, function, name, "null", "it must point to the elements");
}

/// Throws unless every tensor has the shape `expected` and memory, and every output lies apart from every other tensor
/// or (inputs only) is exactly the same array.
template <class... Out, class... In>
void require_call(std::string_view function, shape const& expected, std::tuple<Out&...> const& out, In const&... in)
{
    std::array<byte_range, sizeof...(Out)> written{};
    std::array<byte_range, sizeof...(In)> read{};
    std::size_t index = 0;
    auto check_output = [&](auto const& t) {
        require_tensor(function, numbered("out", index, sizeof...(Out)), t, expected);
        written[index++] = bytes_of(t);
    };
    std::apply([&](auto const&... t) { (check_output(t), ...); }, out);
    index = 0;
    [[maybe_unused]] auto check_input = [&](auto const& t) {
        if constexpr (tensor<decltype(t)>)
            require_tensor(function, numbered("input", index, sizeof...(In)), t, expected);
        read[index++] = bytes_of(t);
    };
    (check_input(in), ...);
    for (std::size_t j = 0; j < written.size(); ++j) {
        for (std::size_t i = 0; i < j; ++i)
            require(!overlap(written[i], written[j]), function, numbered("out", j, written.size()),
                    "in the memory of another output", "outputs must lie apart");
        for (std::size_t i = 0; i < read.size(); ++i)
            if (overlap(written[j], read[i]) && written[j] != read[i]) // words are made only where they are needed
                reject(function, numbered("out", j, written.size()),
                       "partly in the memory of " + numbered("input", i, read.size()),
                       "it must be an input exactly, or lie apart from all of them");
    }
}

/// The shape that all tensors of a call must have: that of the first one.
template <class First, class... Rest>
shape shape_of(First const& first, Rest const&... rest)
{
    if constexpr (tensor<First>)
        return traits_of<First>::shape(first);
    else
        return shape_of(rest...);
}

template <class Made, class In>
auto source_of(In const& in)
{
    if constexpr (tensor<In>)
        return stored_source<value_t<In>>{traits_of<In>::elements(in).data()};
    else
        return made_source<In, Made>{&in};
}

template <class First, class... Out>
auto targets_of(std::tuple<First&, Out&...> const& out)
{
    static_assert((std::is_same_v<value_t<First>, value_t<Out>> && ...),
                  "alphabar: the outputs of one pass have one element type");
    return std::apply(
        [](auto&... t) {
            return targets<value_t<First>, 1 + sizeof...(Out)>{{traits_of<decltype(t)>::elements(t).data()...}};
        },
        out);
}

/// Everything between the user's call and the loop of the space: compile-time rules, checks, flattening.
template <class Formulas, class... Out, class... In>
void transform_checked(std::string_view function, Formulas const& formulas, std::tuple<Out&...> const& out,
                       In const&... in)
{
    using formula = std::remove_cvref_t<decltype(formulas[0])>;
    if constexpr ((expect_output<Out>() && ...) && (expect_input<In>() && ...)) {
        static_assert(same_order<std::remove_cv_t<Out>..., In...>(),
                      "alphabar: row-major and column-major tensors do not mix in one call");
        using made = made_t<std::remove_cv_t<Out>..., In...>;
        if constexpr (expect_formula<formula, argument_t<In, made>...>()) {
            shape const s = std::apply([](auto const&... t) { return shape_of(t...); }, out);
            require_call(function, s, out, in...);
            bool constexpr flat = std::is_same_v<Formulas, one_formula<formula>> && (tensor<In> && ...);
            row_layout const layout = flat ? row_layout{1, s.size()} : row_layout{s.batch(), s.sample_size()};
            if (s.size() == 0)
                return;
            auto const space = std::apply([&](auto const&... t) { return space_of(t..., in...); }, out);
            transform_n(space, layout, formulas, targets_of(out), source_of<made>(in)...);
        }
    }
}

} // namespace detail

/// out[i] = f(in[i]...) for every element, in one pass over memory.
///
/// `f` is a formula: a trivially copyable struct whose const call operator takes one argument for each input. Elements
/// are widened to compute_t (float for 16-bit types), and the result is rounded once. An input is a tensor or a
/// generator, whose elements are made block by block and never stored. `out` may be any of the inputs. With `out` =
/// std::tie(a, b) one pass writes several tensors of one element type; then f returns what [0], [1], ... reads, as
/// std::array does.
///
/// Loops are vectorised, with AVX2 where the processor has it, for a formula without a branch: one that chooses between
/// numbers (u < a ? a : u, std::clamp), not between results. std::sqrt and std::exp, which may set errno, stand alone.
///
/// Shapes: any, the same for all; an empty batch is fine. Throws std::invalid_argument where shapes differ, data is
/// null or `out` lies partly in the memory of another tensor; nothing is written then. Mixed orders do not compile.
template <class F, class Out, class... In>
void transform(F const& f, Out&& out, In const&... in)
{
    detail::transform_checked("transform", one_formula<F>{f}, detail::tied(out), in...);
}

/// out[r][i] = formulas[r](in[r][i]...): as `transform`, with a formula for each sample r of the batch.
///
/// `formulas` is contiguous (std::vector, std::span, ...) and, for a device space, lies where the device reads it.
/// Throws std::invalid_argument also where their number is not the batch.
template <class Formulas, class Out, class... In>
void transform_rows(Formulas const& formulas, Out&& out, In const&... in)
{
    std::span const all(formulas);
    using formula = std::remove_cv_t<typename decltype(all)::element_type>;
    auto const outputs = detail::tied(out);
    using first_output = std::remove_reference_t<std::tuple_element_t<0, decltype(outputs)>>;
    if constexpr (detail::expect_output<first_output>()) {
        if constexpr (detail::is_host_vector<Formulas>)
            static_assert(detail::expect_host_memory<first_output>());
        std::size_t const batch = std::apply([](auto const&... t) { return detail::shape_of(t...); }, outputs).batch();
        require(all.size() == batch, "transform_rows", "the number of formulas", all.size(),
                "there must be one for each sample of the batch of " + std::to_string(batch));
        detail::transform_checked("transform_rows", row_formulas<formula>{all.data()}, outputs, in...);
    }
}

} // namespace alphabar
