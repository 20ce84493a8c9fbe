// expect: the formula does not take these inputs
// SPDX-License-Identifier: MIT
#include <alphabar/backends/span.hpp>
#include <alphabar/core/transform.hpp>

struct sum {
    constexpr float operator()(float x, float y) const { return x + y; }
};

void f(std::vector<float>& x)
{
#ifdef MUST_FAIL
    alphabar::transform(sum{}, x, x);
#else
    alphabar::transform(sum{}, x, x, x);
#endif
}
