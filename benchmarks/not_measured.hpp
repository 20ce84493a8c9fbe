// SPDX-License-Identifier: MIT
// A benchmark that was built beside the tests, and so not optimised, says so and measures nothing.
#pragma once

#include <cstdio>
#include <cstdlib>

[[maybe_unused]] static bool const not_measured = [] {
    std::fputs("This benchmark is built without optimisation: use benchmarks/run.\n", stderr);
    std::_Exit(2);
    return true;
}();
