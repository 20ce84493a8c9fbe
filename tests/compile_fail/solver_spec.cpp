// expect: the second argument makes no grid of this path
// SPDX-License-Identifier: MIT
#include <alphabar/grid/sigmas.hpp>
#include <alphabar/sampler/ddim.hpp>

#ifdef MUST_FAIL
void f() { alphabar::ddim(alphabar::rectified_flow{}, 20); }
#else
void f() { alphabar::ddim(alphabar::rectified_flow{}, alphabar::karras_grid(20)); }
#endif
