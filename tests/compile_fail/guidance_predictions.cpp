// expect: this rule guides another number of predictions
// SPDX-License-Identifier: MIT
#include <alphabar/backends/span.hpp>
#include <alphabar/guidance/classifier_free.hpp>

void f(std::vector<float>& x)
{
#ifdef MUST_FAIL
    alphabar::guide(alphabar::classifier_free{}, x, x, x, x);
#else
    alphabar::guide(alphabar::classifier_free{}, x, x, x);
#endif
}
