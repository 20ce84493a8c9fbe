// expect: live in spaces that do not share memory
// SPDX-License-Identifier: MIT
#include <alphabar/backends/span.hpp>
#include <alphabar/core/transform.hpp>

struct far_space {};
struct far_tensor {};

template <>
struct alphabar::tensor_traits<far_tensor> {
    using value_type = float;
    static constexpr auto order = alphabar::storage_order::row_major;
    static std::span<float const> elements(far_tensor const&) { return {}; }
    static std::span<float> elements(far_tensor&) { return {}; }
    static alphabar::shape shape(far_tensor const&) { return {0}; }
    static far_space space(far_tensor const&) { return {}; }
};

template <class... Anything>
void transform_n(far_space, Anything const&...)
{
}

struct sum {
    constexpr float operator()(float x, float y) const { return x + y; }
};

void f(far_tensor& x, [[maybe_unused]] std::vector<float> const& y)
{
#ifdef MUST_FAIL
    alphabar::transform(sum{}, x, x, y);
#else
    alphabar::transform(sum{}, x, x, x);
#endif
}
