// expect: a formula is a trivially copyable struct
// SPDX-License-Identifier: MIT
#include <alphabar/backends/span.hpp>
#include <alphabar/core/transform.hpp>

struct scaled {
#ifdef MUST_FAIL
    std::vector<float> a;
#else
    std::span<float const> a;
#endif
    float operator()(float x) const { return a[0] * x; }
};

void f(std::vector<float>& x) { alphabar::transform(scaled{}, x, x); }
