// SPDX-License-Identifier: MIT
// Eigen: Array, Matrix, Map and what else has memory (Ref, Block, Transpose), and the unsupported Tensor and TensorMap.
#pragma once

#include <alphabar/core/element.hpp>
#include <alphabar/core/tensor.hpp>

#include <Eigen/Core>

#include <array>
#include <concepts>
#include <cstddef>
#include <span>
#include <type_traits>

// The tensor module doubles the compile time; its types are tensors here once the user includes it, before or after.
namespace Eigen {
template <typename Scalar, int NumIndices, int Options, typename IndexType>
class Tensor;
template <typename Scalar, typename Dimensions, int Options, typename IndexType>
class TensorFixedSize;
template <typename PlainObjectType, int Options, template <class> class MakePointer>
class TensorMap;
template <typename T>
struct MakePointer;
} // namespace Eigen

namespace alphabar {

template <>
inline constexpr element_format format_of<Eigen::half> = element_format::binary16;
template <>
inline constexpr element_format format_of<Eigen::bfloat16> = element_format::bfloat16;

namespace detail {

/// Dense Eigen objects with memory behind them; an expression has none.
template <class T>
concept eigen_dense = std::derived_from<T, Eigen::DenseBase<T>> && requires(T const& t) {
    t.data();
    requires((int(T::Flags) & int(Eigen::DirectAccessBit)) != 0);
};

/// The traits of the tensor module's types.
template <class T>
struct eigen_tensor_traits {
    using value_type = std::remove_cv_t<typename T::Scalar>;
    static constexpr int rank = T::NumIndices;
    static constexpr bool is_row_major = rank < 2 || int(T::Layout) == int(Eigen::RowMajor);
    static constexpr storage_order order = is_row_major ? storage_order::row_major : storage_order::column_major;
    static std::span<value_type const> elements(T const& t) { return {t.data(), static_cast<std::size_t>(t.size())}; }
    static auto elements(T& t) { return std::span(t.data(), static_cast<std::size_t>(t.size())); }
    static alphabar::shape shape(T const& t)
    {
        std::array<std::size_t, static_cast<std::size_t>(rank)> extents{};
        for (std::size_t axis = 0; axis < extents.size(); ++axis)
            extents[is_row_major ? axis : extents.size() - 1 - axis] = static_cast<std::size_t>(extent(t, axis));
        return alphabar::shape(std::span<std::size_t const>(extents));
    }
    static host_space space(T const&) { return {}; }
    /// How an executor shows memory of shape `s` to the network: a TensorMap.
    static auto view(value_type* data, alphabar::shape const& s)
    {
        std::array<Eigen::Index, static_cast<std::size_t>(rank)> extents{};
        for (std::size_t axis = 0; axis < extents.size(); ++axis)
            extents[is_row_major ? axis : extents.size() - 1 - axis] = static_cast<Eigen::Index>(s[axis]);
        using plain = Eigen::Tensor<value_type, rank, static_cast<int>(T::Layout), Eigen::Index>;
        return Eigen::TensorMap<plain, 0, Eigen::MakePointer>(data, extents);
    }

private:
    static auto extent(T const& t, std::size_t axis)
    {
        if constexpr (requires { t.dimensions().size(); }) // a std::array; the fixed sizes are indexed by ptrdiff_t
            return t.dimensions()[axis];
        else
            return t.dimensions()[static_cast<std::ptrdiff_t>(axis)];
    }
};

} // namespace detail

/// Array, Matrix, Map, Ref, Block, ... with dense memory. A matrix holds one sample a row where it is row-major and one
/// a column where it is column-major; its shape is [batch, sample]. A vector is one sample.
///
/// Expressions do not qualify: evaluate them first. An object whose memory has gaps (a block of some rows of a
/// column-major matrix) throws std::invalid_argument.
template <detail::eigen_dense T>
struct tensor_traits<T> {
    using value_type = typename T::Scalar;
    static constexpr bool is_vector = T::IsVectorAtCompileTime;
    static constexpr storage_order order =
        is_vector || T::IsRowMajor ? storage_order::row_major : storage_order::column_major;
    static std::span<value_type const> elements(T const& t) { return {t.data(), size_without_gaps(t)}; }
    static auto elements(T& t) { return std::span(t.data(), size_without_gaps(t)); }
    static alphabar::shape shape(T const& t)
    {
        if constexpr (is_vector)
            return {static_cast<std::size_t>(t.size())};
        else
            return {static_cast<std::size_t>(t.outerSize()), static_cast<std::size_t>(t.innerSize())};
    }
    static host_space space(T const&) { return {}; }
    /// How an executor shows memory of shape `s` to the network: a Map.
    static auto view(value_type* data, alphabar::shape const& s)
    {
        constexpr bool one_row = is_vector && T::IsRowMajor, one_column = is_vector && !T::IsRowMajor;
        constexpr int rows = one_row ? 1 : Eigen::Dynamic, columns = one_column ? 1 : Eigen::Dynamic;
        constexpr int options = T::IsRowMajor ? Eigen::RowMajor : Eigen::ColMajor;
        using plain = std::conditional_t<std::derived_from<T, Eigen::ArrayBase<T>>,
                                         Eigen::Array<value_type, rows, columns, options>,
                                         Eigen::Matrix<value_type, rows, columns, options>>;
        auto const outer = static_cast<Eigen::Index>(s.batch()), inner = static_cast<Eigen::Index>(s.sample_size());
        return T::IsRowMajor ? Eigen::Map<plain>(data, outer, inner) : Eigen::Map<plain>(data, inner, outer);
    }

private:
    static std::size_t size_without_gaps(T const& t)
    {
        bool const inner = t.innerSize() <= 1 || t.innerStride() == 1;
        bool const outer = t.outerSize() <= 1 || t.innerSize() == 0 || t.outerStride() == t.innerSize();
        require(inner && outer, "tensor_traits", "an Eigen object", "not contiguous",
                "its elements must lie one after the other in memory; evaluate it into a matrix first");
        return static_cast<std::size_t>(t.size());
    }
};

/// The tensor module: a row-major tensor is [batch, ...], a column-major one [..., batch].
template <class Scalar, int NumIndices, int Options, class Index>
struct tensor_traits<Eigen::Tensor<Scalar, NumIndices, Options, Index>>
    : detail::eigen_tensor_traits<Eigen::Tensor<Scalar, NumIndices, Options, Index>> {};
template <class Scalar, class Dimensions, int Options, class Index>
struct tensor_traits<Eigen::TensorFixedSize<Scalar, Dimensions, Options, Index>>
    : detail::eigen_tensor_traits<Eigen::TensorFixedSize<Scalar, Dimensions, Options, Index>> {};
template <class Plain, int Options, template <class> class MakePointer>
struct tensor_traits<Eigen::TensorMap<Plain, Options, MakePointer>>
    : detail::eigen_tensor_traits<Eigen::TensorMap<Plain, Options, MakePointer>> {};

} // namespace alphabar
