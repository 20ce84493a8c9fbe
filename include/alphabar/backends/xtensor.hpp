// SPDX-License-Identifier: MIT
// xtensor: xtensor, xarray, xtensor_fixed and adaptors, of 0.24 and of 0.26 and later.
#pragma once

#include <alphabar/core/tensor.hpp>

#if __has_include(<xtensor/containers/xtensor.hpp>) // 0.26 and later
#include <xtensor/containers/xadapt.hpp>
#include <xtensor/containers/xarray.hpp>
#include <xtensor/containers/xtensor.hpp>
#else
#include <xtensor/xadapt.hpp>
#include <xtensor/xarray.hpp>
#include <xtensor/xtensor.hpp>
#endif

#include <array>
#include <concepts>
#include <cstddef>
#include <span>
#include <type_traits>

namespace alphabar {

namespace detail {

/// Containers and adaptors with a layout known at compile time; views, lazy expressions and layout_type::dynamic, whose
/// memory may have gaps, do not qualify.
template <class T>
concept xtensor_container =
    std::derived_from<T, xt::xcontainer<T>> &&
    (T::static_layout == xt::layout_type::row_major || T::static_layout == xt::layout_type::column_major);

} // namespace detail

/// A row-major container is [batch, ...], a column-major one [..., batch].
///
/// Throws std::invalid_argument for more than 8 axes.
template <detail::xtensor_container T>
struct tensor_traits<T> {
    using value_type = std::remove_cv_t<typename T::value_type>;
    static constexpr storage_order order =
        T::static_layout == xt::layout_type::row_major ? storage_order::row_major : storage_order::column_major;
    static std::span<value_type const> elements(T const& t) { return {t.data(), t.size()}; }
    static auto elements(T& t) { return std::span(t.data(), t.size()); }
    static alphabar::shape shape(T const& t)
    {
        std::size_t const rank = t.dimension();
        require(rank <= alphabar::shape::max_rank, "tensor_traits", "the number of axes of an xtensor container", rank,
                "at most 8 are allowed");
        std::array<std::size_t, alphabar::shape::max_rank> extents{};
        for (std::size_t axis = 0; axis < rank; ++axis)
            extents[order == storage_order::row_major ? axis : rank - 1 - axis] =
                static_cast<std::size_t>(t.shape(axis));
        return alphabar::shape(std::span<std::size_t const>(extents.data(), rank));
    }
    static host_space space(T const&) { return {}; }
    /// How an executor shows memory of shape `s` to the network: an adaptor.
    static auto view(value_type* data, alphabar::shape const& s)
    {
        auto extents = xtl::make_sequence<std::remove_cvref_t<typename T::inner_shape_type>>(s.rank(), std::size_t{0});
        for (std::size_t axis = 0; axis < s.rank(); ++axis)
            extents[order == storage_order::row_major ? axis : s.rank() - 1 - axis] = s[axis];
        return xt::adapt<T::static_layout>(data, s.size(), xt::no_ownership(), extents);
    }
};

} // namespace alphabar
