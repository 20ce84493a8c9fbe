// SPDX-License-Identifier: MIT
// What the library asks of a tensor: where its elements are, its shape, its order and its space.
#pragma once

#include <alphabar/core/error.hpp>

#include <array>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <limits>
#include <span>
#include <string>
#include <type_traits>

namespace alphabar {

/// Extents of a tensor, the batch first: [batch, ...]. At most 8 of them. A tensor of one dimension is one sample.
///
/// Throws std::invalid_argument where the number of elements does not fit std::ptrdiff_t (a zero extent does not hide
/// an overflow of the others) or where there are more than 8 extents.
class shape {
public:
    static constexpr std::size_t max_rank = 8;

    constexpr shape() = default;
    constexpr shape(std::initializer_list<std::size_t> extents) : shape(extents.begin(), extents.size()) {}
    constexpr explicit shape(std::span<std::size_t const> extents) : shape(extents.data(), extents.size()) {}

    constexpr std::size_t rank() const { return rank_; }
    constexpr std::size_t operator[](std::size_t axis) const { return extents_[axis]; }
    /// The number of samples: the first extent; 1 for a tensor of one dimension or none.
    constexpr std::size_t batch() const { return rank_ < 2 ? 1 : extents_[0]; }
    /// The number of elements of one sample.
    constexpr std::size_t sample_size() const
    {
        std::size_t n = 1;
        for (std::size_t axis = rank_ < 2 ? 0 : 1; axis < rank_; ++axis)
            n *= extents_[axis];
        return n;
    }
    constexpr std::size_t size() const { return batch() * sample_size(); }
    constexpr std::span<std::size_t const> extents() const { return {extents_.data(), rank_}; }

    friend constexpr bool operator==(shape const&, shape const&) = default;

private:
    constexpr shape(std::size_t const* extents, std::size_t rank) : rank_(rank)
    {
        require(rank <= max_rank, "shape", "the number of extents", rank, "at most 8 are allowed");
        constexpr auto limit = static_cast<std::size_t>(std::numeric_limits<std::ptrdiff_t>::max());
        std::size_t product = 1;
        for (std::size_t axis = 0; axis < rank; ++axis) {
            extents_[axis] = extents[axis];
            std::size_t const factor = extents[axis] == 0 ? 1 : extents[axis];
            require(factor <= limit / product, "shape", "an extent", extents[axis],
                    "the product of the extents must fit std::ptrdiff_t");
            product *= factor;
        }
    }

    std::array<std::size_t, max_rank> extents_{};
    std::size_t rank_ = 0;
};

/// "[16, 3, 256, 256]", as messages show it.
inline std::string to_string(shape const& s)
{
    std::string text = "[";
    for (std::size_t axis = 0; axis < s.rank(); ++axis)
        text += (axis ? ", " : "") + std::to_string(s[axis]);
    return text + "]";
}

/// How a tensor library lays out its elements. The batch is the slowest axis in memory in either order: a column-major
/// tensor names its extents in reverse (an Eigen matrix holds one sample a column), and its `shape` here is [batch,
/// ...].
enum class storage_order { row_major, column_major };

/// Elements live in host memory; loops run on the calling thread.
struct host_space {
    friend constexpr bool operator==(host_space, host_space) = default;
};

/// The one customisation point. Specialise it once for each tensor type:
///
///     using value_type = ...;                                   scalar of one element
///     static constexpr storage_order order = ...;               row_major or column_major
///     static std::span<value_type const> elements(T const&);    contiguous, the batch slowest
///     static std::span<value_type>       elements(T&);          omit for read-only types
///     static alphabar::shape shape(T const&);                   [batch, ...]
///     static auto space(T const&);                              where the elements live: host_space, ...
template <class T>
struct tensor_traits;

template <class T>
using traits_of = tensor_traits<std::remove_cvref_t<T>>;

/// The scalar of one element.
template <class T>
using value_t = typename traits_of<T>::value_type;

/// The scalar in which formulas compute: double for double, float for float and for the 16-bit types, which are stored
/// only.
template <class T>
using compute_t = std::conditional_t<std::is_same_v<T, double>, double, float>;

/// A type whose elements this library can read. A lazy expression is not one: evaluate it into a tensor first.
template <class T>
concept tensor = requires(std::remove_cvref_t<T> const& t) {
    { traits_of<T>::elements(t) } -> std::convertible_to<std::span<value_t<T> const>>;
    { traits_of<T>::shape(t) } -> std::same_as<shape>;
    { traits_of<T>::order } -> std::convertible_to<storage_order>;
    traits_of<T>::space(t);
};

/// A tensor whose elements this library can also write.
template <class T>
concept writable_tensor = tensor<T> && requires(std::remove_cvref_t<T>& t) {
    { traits_of<T>::elements(t) } -> std::same_as<std::span<value_t<T>>>;
};

/// An input that is made, not stored: fill(row, first, out) writes the elements first, first + 1, ... of sample `row`.
/// Where a primitive takes a tensor as input, it takes a generator too (the stream's noise is one).
template <class G>
concept generator = requires(G const& g, std::size_t row, std::size_t first, std::span<float> out) {
    { g.fill(row, first, out) } -> std::same_as<void>;
};

} // namespace alphabar
