// expect: frequency_decoupled is rescaled by its own levels
// SPDX-License-Identifier: MIT
#include <alphabar/guidance/frequency_decoupled.hpp>

#ifdef MUST_FAIL
auto f() { return alphabar::rescaled{alphabar::frequency_decoupled{{{.scale = 3.0}}}, 0.7}; }
#else
auto f() { return alphabar::frequency_decoupled{{{.scale = 3.0, .rescale = 0.7}}}; }
#endif
