// expect: its call operator is const
// SPDX-License-Identifier: MIT
#include <alphabar/backends/span.hpp>
#include <alphabar/core/transform.hpp>

struct counts {
    float n = 0;
#ifdef MUST_FAIL
    float operator()(float x) { return x + ++n; }
#else
    float operator()(float x) const { return x + n; }
#endif
};

void f(std::vector<float>& x) { alphabar::transform(counts{}, x, x); }
