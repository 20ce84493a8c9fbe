// expect: the outputs of one pass have one element type
// SPDX-License-Identifier: MIT
#include <alphabar/backends/span.hpp>
#include <alphabar/core/transform.hpp>

struct two {
    constexpr std::array<float, 2> operator()(float x) const { return {x, x}; }
};

#ifdef MUST_FAIL
void f(std::vector<float>& x, std::vector<double>& y) { alphabar::transform(two{}, std::tie(x, y), x); }
#else
void f(std::vector<float>& x, std::vector<float>& y) { alphabar::transform(two{}, std::tie(x, y), x); }
#endif
