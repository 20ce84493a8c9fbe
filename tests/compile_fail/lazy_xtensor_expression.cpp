// expect: Evaluate a lazy expression into a tensor first
// SPDX-License-Identifier: MIT
#include <alphabar/backends/xtensor.hpp>
#include <alphabar/core/reduce.hpp>

struct twice {
    constexpr float operator()(float x) const { return 2 * x; }
};

void f(xt::xarray<float> const& x, std::span<double> sums)
{
#ifdef MUST_FAIL
    alphabar::reduce_rows(twice{}, sums, x + x);
#else
    alphabar::reduce_rows(twice{}, sums, xt::xarray<float>(x + x));
#endif
}
