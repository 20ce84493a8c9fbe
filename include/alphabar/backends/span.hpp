// SPDX-License-Identifier: MIT
// std::span, std::vector and plain memory with a shape.
#pragma once

#include <alphabar/core/tensor.hpp>

#include <array>
#include <cstddef>
#include <span>
#include <type_traits>
#include <vector>

namespace alphabar {

/// Elements of someone else's memory with a shape, the batch slowest: [batch, ...]. Order says how the sample's own
/// axes lie in memory. A view of const elements is read only.
template <class T, storage_order Order = storage_order::row_major>
struct tensor_view {
    T* data = nullptr;
    alphabar::shape shape{};

    /// The same elements, read only.
    template <class U>
        requires std::is_same_v<U, T const> && (!std::is_const_v<T>)
    operator tensor_view<U, Order>() const
    {
        return {data, shape};
    }
};

/// A view of `data`: shape.size() elements from there on. Throws std::invalid_argument where data is null and the shape
/// is not empty.
template <storage_order Order = storage_order::row_major, class T>
tensor_view<T, Order> view(T* data, shape const& s)
{
    require(data != nullptr || s.size() == 0, "view", "data", "null", "it must point to the elements of the shape");
    return {data, s};
}

/// A view of contiguous elements (std::span, std::vector, std::array, ...). Throws std::invalid_argument where their
/// number is not that of the shape.
template <storage_order Order = storage_order::row_major, class Range>
    requires requires(Range& r) { std::span(r); }
auto view(Range&& elements, shape const& s)
{
    std::span const all(elements);
    require(all.size() == s.size(), "view", "the number of elements", all.size(),
            "it must be the product of the extents " + to_string(s));
    return view<Order>(all.data(), s);
}

template <class T, storage_order Order>
struct tensor_traits<tensor_view<T, Order>> {
    using value_type = std::remove_cv_t<T>;
    static constexpr storage_order order = Order;
    static std::span<T> elements(tensor_view<T, Order> const& t) { return {t.data, t.shape.size()}; }
    static alphabar::shape shape(tensor_view<T, Order> const& t) { return t.shape; }
    static host_space space(tensor_view<T, Order> const&) { return {}; }
};

/// A span is one sample.
template <class T, std::size_t N>
struct tensor_traits<std::span<T, N>> {
    using value_type = std::remove_cv_t<T>;
    static constexpr storage_order order = storage_order::row_major;
    static std::span<T> elements(std::span<T, N> t) { return t; }
    static alphabar::shape shape(std::span<T, N> t) { return {t.size()}; }
    static host_space space(std::span<T, N>) { return {}; }
};

/// A vector is one sample.
template <class T, class Allocator>
    requires(!std::is_same_v<T, bool>)
struct tensor_traits<std::vector<T, Allocator>> {
    using value_type = T;
    static constexpr storage_order order = storage_order::row_major;
    static std::span<T const> elements(std::vector<T, Allocator> const& t) { return t; }
    static std::span<T> elements(std::vector<T, Allocator>& t) { return t; }
    static alphabar::shape shape(std::vector<T, Allocator> const& t) { return {t.size()}; }
    static host_space space(std::vector<T, Allocator> const&) { return {}; }
};

/// A std::array is one sample.
template <class T, std::size_t N>
struct tensor_traits<std::array<T, N>> {
    using value_type = T;
    static constexpr storage_order order = storage_order::row_major;
    static std::span<T const> elements(std::array<T, N> const& t) { return t; }
    static std::span<T> elements(std::array<T, N>& t) { return t; }
    static alphabar::shape shape(std::array<T, N> const&) { return {N}; }
    static host_space space(std::array<T, N> const&) { return {}; }
};

} // namespace alphabar
