// expect: the output is not a writable tensor
// SPDX-License-Identifier: MIT
#include <alphabar/backends/eigen.hpp>
#include <alphabar/core/fill.hpp>

void f(Eigen::ArrayXf& x)
{
#ifdef MUST_FAIL
    alphabar::transform(alphabar::detail::identity{}, x + x, x);
#else
    alphabar::transform(alphabar::detail::identity{}, x, x);
#endif
}
