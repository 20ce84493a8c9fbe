// SPDX-License-Identifier: MIT
// combine_rows: a linear combination of tensors, with weights that each sample may choose by its inner products.
#pragma once

#include <alphabar/core/error.hpp>
#include <alphabar/core/host_device.hpp>
#include <alphabar/core/reduce.hpp>
#include <alphabar/core/tensor.hpp>
#include <alphabar/core/transform.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

namespace alphabar {

/// g = c C + sum_k d[k] D_k with C the first of K + 1 tensors and D_k = C - (tensor k + 1). So c = 1, d = 0 is C
/// exactly.
template <std::size_t K>
struct combination {
    double c = 1.0;
    std::array<double, K> d{};

    /// The same of more tensors, whose weights are 0.
    template <std::size_t L>
        requires(L > K)
    constexpr explicit operator combination<L>() const
    {
        combination<L> wider{c};
        std::ranges::copy(d, wider.d.begin());
        return wider;
    }
};

/// The inner products of C, D_1, ..., D_K over a sample.
template <std::size_t K>
struct inner_products {
    static constexpr std::size_t count = (K + 1) * (K + 2) / 2;
    double const* values;

    double dot(std::size_t i, std::size_t j) const
    {
        return values[std::max(i, j) * (std::max(i, j) + 1) / 2 + std::min(i, j)];
    }
    /// Those of C, D_1, ..., D_L alone.
    template <std::size_t L>
        requires(L < K)
    operator inner_products<L>() const
    {
        return {values};
    }
};

/// With the sums of C, D_1, ..., D_K over a sample of n elements.
template <std::size_t K>
struct inner_products_and_sums : inner_products<K> {
    static constexpr std::size_t count = inner_products<K>::count + K + 1;
    double n;

    /// The sum over the sample of (g - mean g)^2.
    double spread(combination<K> const& w) const
    {
        auto const weight = [&](std::size_t i) { return i == 0 ? w.c : w.d[i - 1]; };
        double square = 0, sum = 0;
        for (std::size_t i = 0; i <= K; ++i) {
            sum += weight(i) * this->values[inner_products<K>::count + i];
            for (std::size_t j = 0; j <= K; ++j)
                square += weight(i) * weight(j) * this->dot(i, j);
        }
        return std::max(square - sum * sum / n, 0.0);
    }
};

namespace detail {

/// [C, D_1, ..., D_K] of one element. Where it averages, the last input is an average M, and the last result D_1 + mu
/// M.
template <class T, bool Averages, class... P>
ALPHABAR_HOST_DEVICE constexpr std::array<T, sizeof...(P)> combination_basis(T mu, P... p)
{
    constexpr std::size_t K = sizeof...(P) - 1;
    std::array<T, K + 1> const in{static_cast<T>(p)...};
    return [&]<std::size_t... I>(std::index_sequence<I...>) {
        return std::array<T, K + 1>{in[0],
                                    (Averages && I + 1 == K ? in[0] - in[1] + mu * in[K] : in[0] - in[I + 1])...};
    }(std::make_index_sequence<K>{});
}

/// The products [00, 10, 11, 20, 21, 22, ...] of the basis, then for sums the basis itself.
template <class T, bool Averages, bool Sums>
struct products_formula {
    T mu;
    template <class... P>
    ALPHABAR_HOST_DEVICE constexpr auto operator()(P... p) const
    {
        constexpr std::size_t K = sizeof...(P) - 1, products = inner_products<K>::count;
        constexpr auto pairs = [] {
            std::array<std::size_t, 2 * products> at{};
            for (std::size_t i = 0, t = 0; i <= K; ++i)
                for (std::size_t j = 0; j <= i; ++j)
                    at[t++] = i, at[t++] = j;
            return at;
        }();
        auto const e = combination_basis<T, Averages>(mu, p...);
        return [&]<std::size_t... I, std::size_t... J>(std::index_sequence<I...>, std::index_sequence<J...>) {
            return std::array{(e[pairs[2 * I]] * e[pairs[2 * I + 1]])..., e[J]...};
        }(std::make_index_sequence<products>{}, std::make_index_sequence<Sums ? K + 1 : 0>{});
    }
};

/// g of one element; where it averages [g, the new average].
template <class T, std::size_t K, bool Averages>
struct combination_formula {
    T mu, c;
    std::array<T, K> d;
    template <class... P>
    ALPHABAR_HOST_DEVICE constexpr auto operator()(P... p) const
    {
        auto const e = combination_basis<T, Averages>(mu, p...);
        T const g = [&]<std::size_t... I>(std::index_sequence<I...>) {
            return ((c * e[0]) + ... + (d[I] * e[I + 1]));
        }(std::make_index_sequence<K>{});
        if constexpr (Averages)
            return std::array<T, 2>{g, e[K]};
        else
            return g;
    }
};

/// The formula of each row, from its weights [c, d_1, ..., d_K].
template <class T, std::size_t K, bool Averages>
struct combination_rows {
    double const* weights;
    double mu;
    combination_formula<T, K, Averages> operator[](std::size_t row) const
    {
        double const* const w = weights + row * (K + 1);
        combination_formula<T, K, Averages> f{static_cast<T>(mu), static_cast<T>(w[0]), {}};
        for (std::size_t k = 0; k < K; ++k)
            f.d[k] = static_cast<T>(w[k + 1]);
        return f;
    }
};

} // namespace detail

/// What `combine_rows` needs of memory: kept, it is allocated once.
struct combination_work {
    std::vector<double> products, weights;
};

/// out = the combination of the tensors `in` that weigh(row, products) chooses for each sample, in one pass over
/// memory, two where `Products` is inner_products<K> or inner_products_and_sums<K> (std::tuple<>: none are taken).
/// Without an `out` the weights alone are made, [c, d_1, ..., d_K] of each sample in work.weights.
///
/// With `Averages` the call has std::tie(out, average) and `average` as its last input, which stands for D_1 + mu
/// average in place of a difference and becomes that, in the same passes. Shapes, in place and errors as for
/// `transform_rows`; what `weigh` throws comes before anything is written. Sums are those of `reduce_rows`. For host
/// memory.
template <class Products, bool Averages = false, class Weigh, class... Out, class... In>
void combine_rows(std::string_view function, combination_work& work, Weigh const& weigh, double mu,
                  std::tuple<Out&...> const& out, In const&... in)
{
    constexpr std::size_t K = sizeof...(In) - 1;
    using T = compute_t<value_t<std::tuple_element_t<0, std::tuple<Out..., In...>>>>;
    constexpr bool sums = std::is_same_v<Products, inner_products_and_sums<K>>;
    constexpr std::size_t count = std::is_same_v<Products, std::tuple<>> ? 0
                                  : sums                                 ? inner_products_and_sums<K>::count
                                                                         : inner_products<K>::count;
    static_assert((detail::expect_host_memory<Out>() && ...));
    shape const s = detail::shape_of(in...);
    detail::require_call(function, s, out, in...);
    work.products.resize(s.batch() * count);
    if constexpr (count > 0)
        reduce_rows(detail::products_formula<T, Averages, sums>{static_cast<T>(mu)}, work.products, in...);
    work.weights.clear();
    for (std::size_t row = 0; row < s.batch(); ++row) {
        inner_products_and_sums<K> const products{{work.products.data() + row * count},
                                                  static_cast<double>(s.sample_size())};
        combination<K> const w = weigh(row, products);
        work.weights.push_back(w.c);
        work.weights.insert(work.weights.end(), w.d.begin(), w.d.end());
    }
    if constexpr (sizeof...(Out) > 0)
        detail::transform_checked(function, detail::combination_rows<T, K, Averages>{work.weights.data(), mu}, out,
                                  in...);
}

} // namespace alphabar
