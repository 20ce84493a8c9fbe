// SPDX-License-Identifier: MIT
// reduce_rows and transform_reduce_rows: a sum for each sample, in one fixed order.
#pragma once

#include <alphabar/core/fill.hpp>
#include <alphabar/core/transform.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>

namespace alphabar {

/// What a formula returns to `transform_reduce_rows`: `value` goes to the output, `term` into the sum.
template <class T>
struct reduced {
    T value;
    T term;
};

/// The binary tree over numbers that come one by one: the left branch of n numbers is the largest power of two below n.
/// A complete subtree may be added as one number: sums over runs of 2^k leaves, begun at multiples of 2^k, give the
/// same tree and so the same bits.
class tree_sum {
public:
    ALPHABAR_HOST_DEVICE constexpr void add(double leaf)
    {
        for (std::uint64_t n = count_++; n & 1; n >>= 1)
            leaf = branches_[--depth_] + leaf;
        branches_[depth_++] = leaf;
    }
    /// The sum of all; 0 of none.
    ALPHABAR_HOST_DEVICE constexpr double value() const
    {
        if (depth_ == 0)
            return 0;
        double sum = branches_[depth_ - 1];
        for (int i = depth_ - 1; i-- > 0;)
            sum = branches_[i] + sum;
        return sum;
    }

private:
    double branches_[64];
    std::uint64_t count_ = 0;
    int depth_ = 0;
};

namespace detail {

/// Node k of level `Stride` in the tree over a block: the sum of the terms k, k + Stride, k + 2 Stride, ... below 256,
/// by halving. The sum over the block is node 0 of level 1.
template <std::size_t Stride, class C>
ALPHABAR_HOST_DEVICE ALPHABAR_INLINE constexpr double block_node(C const* terms, std::size_t k)
{
    if constexpr (Stride == row_layout::block)
        return static_cast<double>(terms[k]);
    else
        return block_node<2 * Stride>(terms, k) + block_node<2 * Stride>(terms, k + Stride);
}

/// The sum over one block of 256 terms: `block_node<1>(terms, 0)` in a form that compilers vectorise.
template <class C>
inline double block_sum(C const* terms)
{
    constexpr std::size_t lanes = 16;
    double node[lanes];
    for (std::size_t k = 0; k < lanes; ++k)
        node[k] = block_node<lanes>(terms, k);
    for (std::size_t k = 0; k < 8; ++k)
        node[k] += node[k + 8];
    for (std::size_t k = 0; k < 4; ++k)
        node[k] += node[k + 4];
    return (node[0] + node[2]) + (node[1] + node[3]);
}

#if defined(ALPHABAR_AVX2)
/// block_node<Stride> of k, k + 1, k + 2 and k + 3.
template <std::size_t Stride, class C>
ALPHABAR_AVX2 ALPHABAR_INLINE __m256d block_nodes(C const* terms, std::size_t k)
{
    if constexpr (Stride < row_layout::block)
        return _mm256_add_pd(block_nodes<2 * Stride>(terms, k), block_nodes<2 * Stride>(terms, k + Stride));
    else if constexpr (std::is_same_v<C, float>)
        return _mm256_cvtps_pd(_mm_loadu_ps(terms + k));
    else
        return _mm256_loadu_pd(terms + k);
}

template <class C>
ALPHABAR_AVX2 inline void add_blocks_avx2(tree_sum& sum, C const* terms, std::size_t blocks)
{
    for (; blocks-- > 0; terms += row_layout::block) {
        alignas(32) double node[4];
        _mm256_store_pd(node, block_nodes<4>(terms, 0));
        sum.add((node[0] + node[2]) + (node[1] + node[3]));
    }
}
#endif

/// Adds the sums of the blocks of n terms. In the last block, terms that are missing count as 0 in the same tree.
template <class C>
inline void add_terms(tree_sum& sum, C const* terms, std::size_t n)
{
    std::size_t const blocks = n / row_layout::block, rest = n % row_layout::block;
#if defined(ALPHABAR_AVX2)
    if (has_avx2())
        add_blocks_avx2(sum, terms, blocks);
    else
#endif
        for (std::size_t i = 0; i < blocks; ++i)
            sum.add(block_sum(terms + i * row_layout::block));
    if (rest != 0) {
        C padded[row_layout::block] = {};
        std::memcpy(padded, terms + blocks * row_layout::block, rest * sizeof(C));
        sum.add(block_sum(padded));
    }
}

/// What a formula gives to sums: a number, or a std::array of several.
template <class Result>
struct summand {
    using type = Result;
    static constexpr std::size_t count = 1;
};
template <class T, std::size_t N>
struct summand<std::array<T, N>> {
    using type = T;
    static constexpr std::size_t count = N;
};

/// A formula that returns `reduced`, as one of two outputs.
template <class F, class C>
struct as_pair {
    F f;
    template <class... Argument>
    ALPHABAR_HOST_DEVICE constexpr auto operator()(Argument... x) const
    {
        struct pair {
            C at[2];
            ALPHABAR_HOST_DEVICE constexpr C operator[](std::size_t i) const { return at[i]; }
        };
        auto const r = f(x...);
        return pair{{static_cast<C>(r.value), static_cast<C>(r.term)}};
    }
};

} // namespace detail

/// The sums over one chunk, on the calling thread: of each term a complete subtree of its row's tree, or its last
/// branch.
template <class Formulas, class... Source>
auto reduce_chunk(row_layout const& layout, std::size_t chunk, Formulas const& formulas, Source const&... in)
{
    using formula = std::remove_cvref_t<decltype(formulas[0])>;
    using summand = detail::summand<decltype(formulas[0](std::declval<typename Source::argument_type>()...))>;
    using compute = std::conditional_t<std::is_same_v<typename summand::type, float>, float, double>;
    std::tuple<detail::reader<Source>...> readers;
    alignas(64) compute terms[summand::count][detail::piece];
    auto const rows = [&]<std::size_t... J>(std::index_sequence<J...>) {
        return std::tuple(terms[J]...);
    }(std::make_index_sequence<summand::count>{});
    detail::chunk_extent const at = detail::extent_of(layout, chunk);
    std::array<tree_sum, summand::count> sums;
    for (std::size_t first = at.begin; first < at.end; first += detail::piece) {
        std::size_t const n = std::min(detail::piece, at.end - first);
        auto const add = [&](auto const*... arguments) {
            if constexpr (std::is_same_v<formula, detail::identity> &&
                          (std::is_same_v<decltype(arguments), compute const*> && ...)) {
                detail::add_terms(sums[0], arguments..., n);
            } else {
                detail::apply(formulas[at.row], rows, n, arguments...);
                for (std::size_t j = 0; j < summand::count; ++j)
                    detail::add_terms(sums[j], terms[j], n);
            }
        };
        std::apply([&](auto&... r) { add(r.read(in, layout, at.row, first, n)...); }, readers);
    }
    std::array<double, summand::count> values;
    for (std::size_t j = 0; j < summand::count; ++j)
        values[j] = sums[j].value();
    return values;
}

/// As `reduce_chunk`, with the formulas' values written to `out` in the same pass.
template <class Formulas, class T, class... Source>
std::array<double, 1> transform_reduce_chunk(row_layout const& layout, std::size_t chunk, Formulas const& formulas,
                                             targets<T, 1> const& out, Source const&... in)
{
    using compute = compute_t<T>;
    using formula = std::remove_cvref_t<decltype(formulas[0])>;
    std::tuple<detail::reader<Source>...> readers;
    alignas(64) compute terms[detail::piece];
    detail::chunk_extent const at = detail::extent_of(layout, chunk);
    detail::as_pair<formula, compute> const f{formulas[at.row]};
    tree_sum sum;
    for (std::size_t first = at.begin; first < at.end; first += detail::piece) {
        std::size_t const n = std::min(detail::piece, at.end - first);
        std::size_t const offset = at.row * layout.row_size + first;
        std::apply(
            [&](auto&... r) {
                detail::apply(f, std::tuple(out.data[0] + offset, terms), n, r.read(in, layout, at.row, first, n)...);
            },
            readers);
        detail::add_terms(sum, terms, n);
    }
    return {sum.value()};
}

/// The loop of a space: sums[r * N + j] = sum j over row r. `chunk_sums(c)` gives the N sums of chunk c (and does what
/// else is to be done there), and each chunk is asked for once.
template <class ChunkSums>
void sum_chunks(host_space, row_layout const& layout, double* sums, ChunkSums const& chunk_sums)
{
    constexpr std::size_t n = std::tuple_size_v<decltype(chunk_sums(std::size_t{}))>;
    for (std::size_t row = 0, chunk = 0; row < layout.rows; ++row) {
        std::array<tree_sum, n> trees;
        for (std::size_t end = chunk + layout.chunks_per_row(); chunk < end; ++chunk) {
            auto const part = chunk_sums(chunk);
            for (std::size_t j = 0; j < n; ++j)
                trees[j].add(part[j]);
        }
        for (std::size_t j = 0; j < n; ++j)
            sums[row * n + j] = trees[j].value();
    }
}

/// The loops of a space. Spaces that run on the host come here and differ in `sum_chunks`; another space adds its
/// overloads beside its tag.
template <class Space, class Formulas, class... Source>
void reduce_rows_n(Space const& space, row_layout const& layout, Formulas const& formulas, double* sums,
                   Source const&... in)
{
    sum_chunks(space, layout, sums, [&](std::size_t chunk) { return reduce_chunk(layout, chunk, formulas, in...); });
}
template <class Space, class Formulas, class T, class... Source>
void transform_reduce_rows_n(Space const& space, row_layout const& layout, Formulas const& formulas,
                             targets<T, 1> const& out, double* sums, Source const&... in)
{
    sum_chunks(space, layout, sums,
               [&](std::size_t chunk) { return transform_reduce_chunk(layout, chunk, formulas, out, in...); });
}

namespace detail {

template <class F>
inline constexpr bool is_range = requires(F const& f) { std::span(f); };

/// One formula for all rows, or the formulas of a contiguous range.
template <class F>
auto formulas_of(std::string_view function, F const& f, [[maybe_unused]] std::size_t batch)
{
    if constexpr (is_range<F>) {
        std::span const all(f);
        require(all.size() == batch, function, "the number of formulas", all.size(),
                "there must be one for each sample of the batch of " + std::to_string(batch));
        return row_formulas<std::remove_cv_t<typename decltype(all)::element_type>>{all.data()};
    } else {
        return one_formula<F>{f};
    }
}

template <std::size_t N, class... T>
void require_sums(std::string_view function, std::span<double> sums, shape const& s, T const&... t)
{
    if (sums.size() != N * s.batch()) // words are made only where they are needed
        reject(function, "the number of sums", sums.size(),
               "there must be " + (N == 1 ? "one" : std::to_string(N)) + " for each sample of the batch of " +
                   std::to_string(s.batch()));
    require((!overlap(byte_range::of(sums), bytes_of(t)) && ...), function, "sums", "in the memory of a tensor",
            "they must lie apart");
}

} // namespace detail

/// sums[r] = the sum over i of f(in[r][i]...), one number for each sample.
///
/// The order is fixed: terms become doubles and are added in blocks of 256 elements (counted within the sample) by
/// halving, then over the blocks by a binary tree; so the bits are the same for any number of threads and any split at
/// blocks. `f` is a formula, or a contiguous range of one formula for each sample. Inputs are tensors or generators, at
/// least one a tensor. The sum over a sample without elements is 0.
///
/// Several sums in one pass, on host memory: f returns a std::array of N terms, and sums[r N + j] is the sum of term j.
///
/// Throws std::invalid_argument where shapes differ, data is null, or the number of sums is not the batch.
template <class F, class... In>
void reduce_rows(F const& f, std::span<double> sums, In const&... in)
{
    if constexpr ((detail::expect_input<In>() && ...)) {
        static_assert((tensor<In> || ...),
                      "alphabar: at least one input of reduce_rows is a tensor: it gives the shape");
        static_assert(detail::same_order<In...>(),
                      "alphabar: row-major and column-major tensors do not mix in one call");
        using made = detail::made_t<In...>;
        shape const s = detail::shape_of(in...);
        detail::require_call("reduce_rows", s, std::tuple<>{}, in...);
        auto const formulas = detail::formulas_of("reduce_rows", f, s.batch());
        if constexpr (detail::expect_formula<std::remove_cvref_t<decltype(formulas[0])>,
                                             detail::argument_t<In, made>...>()) {
            constexpr std::size_t n =
                detail::summand<decltype(formulas[0](std::declval<detail::argument_t<In, made>>()...))>::count;
            detail::require_sums<n>("reduce_rows", sums, s, in...);
            if constexpr (n > 1)
                static_assert(detail::reads_host_memory<decltype(detail::space_of(in...))>,
                              "alphabar: several sums in one pass are for host memory");
            if (s.batch() != 0)
                reduce_rows_n(detail::space_of(in...), row_layout{s.batch(), s.sample_size()}, formulas, sums.data(),
                              detail::source_of<made>(in)...);
        }
    }
}

/// out[r][i] = f(in[r][i]...).value and sums[r] = the sum over i of f(in[r][i]...).term, in one pass over memory: a
/// loss and its gradient, for example.
///
/// `f` returns `reduced`. Order of the sum, formulas, inputs and errors as for `reduce_rows`; `out` as for `transform`.
template <class F, class Out, class... In>
void transform_reduce_rows(F const& f, Out&& out, std::span<double> sums, In const&... in)
{
    using output = std::remove_reference_t<Out>;
    if constexpr (detail::expect_output<output>() && (detail::expect_input<In>() && ...)) {
        static_assert(detail::same_order<std::remove_cv_t<output>, In...>(),
                      "alphabar: row-major and column-major tensors do not mix in one call");
        using made = detail::made_t<std::remove_cv_t<output>, In...>;
        auto const outputs = std::tie(out);
        shape const s = detail::shape_of(out);
        detail::require_call("transform_reduce_rows", s, outputs, in...);
        detail::require_sums<1>("transform_reduce_rows", sums, s, out, in...);
        auto const formulas = detail::formulas_of("transform_reduce_rows", f, s.batch());
        if constexpr (detail::expect_formula<std::remove_cvref_t<decltype(formulas[0])>,
                                             detail::argument_t<In, made>...>()) {
            if (s.batch() != 0)
                transform_reduce_rows_n(detail::space_of(out, in...), row_layout{s.batch(), s.sample_size()}, formulas,
                                        detail::targets_of(outputs), sums.data(), detail::source_of<made>(in)...);
        }
    }
}

} // namespace alphabar
