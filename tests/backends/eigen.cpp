// SPDX-License-Identifier: MIT
#include <alphabar/backends/eigen.hpp>

#include <alphabar/backends/span.hpp>
#include <alphabar/core/fill.hpp>
#include <alphabar/core/reduce.hpp>
#include <support/formulas.hpp>

#include <unsupported/Eigen/CXX11/Tensor>

#include <doctest/doctest.h>

#include <array>

namespace ab = alphabar;
using support::counting, support::scaled, support::weighted_sum;

using row_matrix = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

static_assert(ab::writable_tensor<Eigen::MatrixXf> && ab::writable_tensor<Eigen::Array3d> &&
              ab::writable_tensor<row_matrix>);
static_assert(ab::writable_tensor<Eigen::Map<Eigen::ArrayXd>> && ab::writable_tensor<Eigen::Ref<Eigen::MatrixXf>>);
static_assert(ab::tensor<Eigen::Map<Eigen::MatrixXf const>> && !ab::writable_tensor<Eigen::Map<Eigen::MatrixXf const>>);
static_assert(!ab::tensor<decltype(Eigen::MatrixXf() + Eigen::MatrixXf())> &&
              !ab::tensor<decltype(Eigen::MatrixXf::Random(1, 1))>);
static_assert(ab::writable_tensor<Eigen::Tensor<float, 3>> &&
              ab::writable_tensor<Eigen::TensorMap<Eigen::Tensor<float, 3>>>);
static_assert(ab::tensor<Eigen::TensorMap<Eigen::Tensor<float const, 3>>> &&
              !ab::writable_tensor<Eigen::TensorMap<Eigen::Tensor<float const, 3>>>);
static_assert(!ab::writable_tensor<Eigen::TensorMap<Eigen::Tensor<float, 3> const>>);
static_assert(ab::writable_tensor<Eigen::TensorFixedSize<float, Eigen::Sizes<2, 3>>>);
static_assert(!ab::tensor<decltype(Eigen::Tensor<float, 3>() + Eigen::Tensor<float, 3>())>);
static_assert(ab::traits_of<Eigen::MatrixXf>::order == ab::storage_order::column_major);
static_assert(ab::traits_of<row_matrix>::order == ab::storage_order::row_major);

template <class T>
ab::shape shape_of(T const& t)
{
    return ab::traits_of<T>::shape(t);
}

TEST_CASE("a sample is a row of a row-major matrix and a column of a column-major one")
{
    row_matrix r(2, 5);
    Eigen::MatrixXf c(5, 2);
    CHECK(shape_of(r) == ab::shape{2, 5});
    CHECK(shape_of(c) == ab::shape{2, 5});
    ab::fill(r, counting{});
    ab::fill(c, counting{});
    CHECK(r(1, 3) == 10003);
    CHECK(c(3, 1) == 10003);
    std::array<double, 2> sums{};
    ab::reduce_rows(scaled<float>{1}, sums, c);
    CHECK(sums == std::array<double, 2>{10, 50010});
    CHECK(shape_of(Eigen::VectorXf(7)) == ab::shape{7});
    CHECK(shape_of(Eigen::RowVectorXf(7)) == ab::shape{7});
}

TEST_CASE("the tensor module: the batch is the slowest axis")
{
    Eigen::Tensor<float, 3, Eigen::RowMajor> r(2, 3, 4);
    Eigen::Tensor<double, 3> c(4, 3, 2);
    CHECK(shape_of(r) == ab::shape{2, 3, 4});
    CHECK(shape_of(c) == ab::shape{2, 3, 4});
    ab::fill(r, counting{});
    ab::fill(c, counting{});
    CHECK(r(1, 2, 3) == 10011);
    CHECK(c(3, 2, 1) == 10011);
    Eigen::TensorMap<Eigen::Tensor<double, 2>> flat(c.data(), 12, 2);
    ab::transform(scaled<double>{2}, flat, flat);
    CHECK(c(3, 2, 1) == 20022);
    Eigen::TensorFixedSize<float, Eigen::Sizes<3, 2>> fixed;
    ab::fill(fixed, counting{});
    CHECK(fixed(2, 1) == 10002);
}

TEST_CASE("Eigen's vectors meet vectors and spans")
{
    Eigen::ArrayXd x(3);
    x << 1, 2, 3;
    std::vector<double> y(3);
    ab::transform(weighted_sum<double>{1, 1}, y, x, x.matrix());
    CHECK(y == std::vector<double>{2, 4, 6});
    Eigen::Map<Eigen::VectorXd> map(y.data(), 3);
    ab::transform(scaled<double>{0.5}, map, map);
    CHECK(y == std::vector<double>{1, 2, 3});
}

TEST_CASE("contiguous parts are tensors; parts with gaps throw and stay as they are")
{
    Eigen::MatrixXf m = Eigen::MatrixXf::Ones(4, 3);
    ab::transform(scaled<float>{2}, m.middleCols(1, 2), m.middleCols(1, 2));
    CHECK(m.sum() == 4 + 16);
    Eigen::Ref<Eigen::MatrixXf> all(m);
    ab::transform(scaled<float>{2}, all, all);
    CHECK(m.sum() == 2 * (4 + 16));
    Eigen::Ref<Eigen::MatrixXf> part(m.topRows(2));
    CHECK_THROWS_WITH_AS(ab::transform(scaled<float>{2}, part, part),
                         "alphabar::tensor_traits: an Eigen object is not contiguous; its elements must lie one after "
                         "the other in memory; "
                         "evaluate it into a matrix first",
                         std::invalid_argument);
    CHECK_THROWS_AS(ab::fill(m.row(0), 1), std::invalid_argument);
    CHECK(m.sum() == 2 * (4 + 16));
    CHECK_NOTHROW(ab::fill(m.col(0), 0));
    CHECK_NOTHROW(ab::fill(m.transpose(), 1)); // a row-major view of the same memory
    CHECK(m.sum() == 12);
}

TEST_CASE_TEMPLATE("16-bit elements are stored: the sum of a large and a small one is formed in float", T, Eigen::half,
                   Eigen::bfloat16)
{
    for (Eigen::Index const n : {5, 16, 100, 3000}) {
        Eigen::Array<T, Eigen::Dynamic, 1> x(n), y(n), out(n);
        for (Eigen::Index i = 0; i < n; ++i) {
            x[i] = T(256.0f);
            y[i] = T(static_cast<float>(i % 200) / 256.0f);
        }
        // 256 + y - 256: the middle term would lose y in 16 bits
        struct there_and_back {
            float operator()(float a, float b) const { return (a + b) - 256.0f; }
        };
        ab::transform(there_and_back{}, out, x, y);
        for (Eigen::Index i = 0; i < n; ++i)
            CHECK(static_cast<float>(out[i]) == static_cast<float>(y[i]));
        double sum = 0, want = 0;
        ab::reduce_rows(scaled<float>{1}, std::span(&sum, 1), y);
        for (Eigen::Index i = 0; i < n; ++i)
            want += static_cast<double>(static_cast<float>(y[i]));
        CHECK(sum == want);
        ab::transform(weighted_sum<float>{1, 1}, x, x, counting{});
        CHECK(static_cast<float>(x[4]) == static_cast<float>(T(260.0f)));
        ab::fill(x, 1.0f / 3);
        CHECK(static_cast<float>(x[n - 1]) == static_cast<float>(T(1.0f / 3)));
    }
}

TEST_CASE("our conversions are Eigen's, for all numbers that are no NaN")
{
    std::size_t wrong = 0;
    for (std::uint32_t b = 0; b < 0x10000; ++b) {
        auto const h = Eigen::numext::bit_cast<Eigen::half>(static_cast<std::uint16_t>(b));
        auto const f = Eigen::numext::bit_cast<Eigen::bfloat16>(static_cast<std::uint16_t>(b));
        if (!(Eigen::numext::isnan)(h))
            wrong +=
                ab::widen(h) != static_cast<float>(h) || ab::narrow<Eigen::half>(static_cast<float>(h) * 1.0004f) !=
                                                             Eigen::half(static_cast<float>(h) * 1.0004f);
        if (!(Eigen::numext::isnan)(f))
            wrong +=
                ab::widen(f) != static_cast<float>(f) || ab::narrow<Eigen::bfloat16>(static_cast<float>(f) * 1.003f) !=
                                                             Eigen::bfloat16(static_cast<float>(f) * 1.003f);
    }
    CHECK(wrong == 0);
}
