// expect: row-major and column-major tensors do not mix
// SPDX-License-Identifier: MIT
#include <alphabar/backends/span.hpp>
#include <alphabar/core/transform.hpp>

struct sum {
    constexpr float operator()(float x, float y) const { return x + y; }
};

void f(alphabar::tensor_view<float> x, float* memory)
{
#ifdef MUST_FAIL
    constexpr auto order = alphabar::storage_order::column_major;
#else
    constexpr auto order = alphabar::storage_order::row_major;
#endif
    alphabar::transform(sum{}, x, x, alphabar::view<order>(memory, x.shape));
}
