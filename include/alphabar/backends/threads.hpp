// SPDX-License-Identifier: MIT
// The threads space: the loops of host tensors on the threads of a team, with the bits of one thread.
#pragma once

#include <alphabar/core/fill.hpp>
#include <alphabar/core/reduce.hpp>
#include <alphabar/core/tensor.hpp>
#include <alphabar/core/threads.hpp>
#include <alphabar/core/transform.hpp>

#include <cstddef>
#include <span>
#include <type_traits>
#include <vector>

namespace alphabar {

/// Elements live in host memory; loops run on the threads of `team`. A call in which one tensor lives here and the
/// others in host_space runs here. Generators are asked by several threads at once.
struct threads_space {
    thread_team* team;
    static constexpr bool reads_host_memory = true;
    friend constexpr bool operator==(threads_space, threads_space) = default;
};

/// A tensor in host memory whose loops run on a team.
template <class T>
struct threaded {
    T* tensor;
    thread_team* team;
};

/// `t` as it is, but loops over it run on the threads of `team`: transform(f, on_threads(x, team), x, z).
template <tensor T>
threaded<T> on_threads(T& t, thread_team& team)
{
    return {&t, &team};
}

template <tensor T>
struct tensor_traits<threaded<T>> {
    static_assert(std::is_same_v<decltype(traits_of<T>::space(std::declval<T const&>())), host_space>,
                  "alphabar: on_threads takes a tensor in host memory");
    using value_type = value_t<T>;
    static constexpr storage_order order = traits_of<T>::order;
    static auto elements(threaded<T> const& t) { return traits_of<T>::elements(*t.tensor); }
    static alphabar::shape shape(threaded<T> const& t) { return traits_of<T>::shape(*t.tensor); }
    static threads_space space(threaded<T> const& t) { return {t.team}; }
};

template <class Formulas, class T, std::size_t N, class... Source>
void transform_n(threads_space space, row_layout const& layout, Formulas const& formulas, targets<T, N> const& out,
                 Source const&... in)
{
    space.team->for_ranges(layout.chunks(), [&](std::size_t begin, std::size_t end) {
        transform_chunks(layout, begin, end, formulas, out, in...);
    });
}

template <class ChunkSums>
void sum_chunks(threads_space space, row_layout const& layout, double* sums, ChunkSums const& chunk_sums)
{
    std::vector<decltype(chunk_sums(std::size_t{}))> parts(layout.chunks());
    space.team->for_each(parts.size(), [&](std::size_t chunk) { parts[chunk] = chunk_sums(chunk); });
    sum_chunks(host_space{}, layout, sums, [&](std::size_t chunk) { return parts[chunk]; });
}

} // namespace alphabar
