// expect: the output is not a writable tensor
// SPDX-License-Identifier: MIT
#include <alphabar/backends/span.hpp>
#include <alphabar/core/fill.hpp>

#ifdef MUST_FAIL
void f(std::vector<float> const& x) { alphabar::fill(x, 1); }
#else
void f(std::vector<float>& x) { alphabar::fill(x, 1); }
#endif
