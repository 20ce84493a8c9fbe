// expect: row-major and column-major tensors do not mix
// SPDX-License-Identifier: MIT
#include <alphabar/backends/eigen.hpp>
#include <alphabar/backends/span.hpp>
#include <alphabar/core/reduce.hpp>

struct sum {
    constexpr float operator()(float x, float y) const { return x + y; }
};

void f(std::span<double> sums, alphabar::tensor_view<float> x, Eigen::MatrixXf const& y)
{
#ifdef MUST_FAIL
    alphabar::reduce_rows(sum{}, sums, x, y);
#else
    alphabar::reduce_rows(sum{}, sums, x, y.transpose());
#endif
}
