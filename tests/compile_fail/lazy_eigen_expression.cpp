// expect: Evaluate a lazy expression into a tensor first
// SPDX-License-Identifier: MIT
#include <alphabar/backends/eigen.hpp>
#include <alphabar/core/transform.hpp>

struct twice {
    constexpr float operator()(float x) const { return 2 * x; }
};

void f(Eigen::ArrayXf& x, Eigen::ArrayXf const& y)
{
#ifdef MUST_FAIL
    alphabar::transform(twice{}, x, x + y);
#else
    alphabar::transform(twice{}, x, (x + y).eval());
#endif
}
