// SPDX-License-Identifier: MIT
#include <alphabar/denoiser/simd.hpp>

#include <doctest/doctest.h>

#include <cmath>
#include <vector>

namespace {

using namespace alphabar;

struct functions {
    template <class S, int Lanes>
    [[gnu::always_inline]] static inline void run(std::size_t count, S const* x, S* s, S* root)
    {
        for (std::size_t i = 0; i < count; i += Lanes) {
            detail::pack<S, Lanes> const here = detail::at<Lanes>(x + i).v;
            detail::pack<S, Lanes> y;
            detail::sigmoid<S, Lanes>(here, y);
            detail::at<Lanes>(s + i).v = y;
            detail::square_root<S, Lanes>(here * here, y);
            detail::at<Lanes>(root + i).v = y;
        }
    }
};

} // namespace

TEST_CASE("sigmoid and square root of packs of floats are within a few ulp, on every instruction set")
{
    std::vector<float> x;
    for (int i = -1200; i <= 1200; ++i)
        x.push_back(static_cast<float>(i) / 13);
    for (float const extreme : {0.0f, 1e-18f, 1e-10f, 500.0f, -500.0f, 1e15f, -1e15f})
        x.push_back(extreme);
    x.resize((x.size() + 15) / 16 * 16);
    std::vector<float> s(x.size()), root(x.size());
    for (isa const instructions : {isa::baseline, isa::avx2, isa::avx512}) {
        if (instructions > best_isa())
            continue;
        detail::run_kernel<functions, float>(instructions, x.size(), static_cast<float const*>(x.data()), s.data(),
                                             root.data());
        for (std::size_t i = 0; i < x.size(); ++i) {
            CAPTURE(x[i]);
            CHECK(double{s[i]} == doctest::Approx(1 / (1 + std::exp(-double{x[i]}))).epsilon(4e-7).scale(1e-30));
            CHECK(double{root[i]} == doctest::Approx(std::abs(double{x[i]})).epsilon(4e-7).scale(1e-15));
        }
    }
}

TEST_CASE("the widest pack divides the channels")
{
    CHECK(detail::lanes_for<16, 32> == 16);
    CHECK(detail::lanes_for<16, 8> == 8);
    CHECK(detail::lanes_for<16, 12> == 4);
    CHECK(detail::lanes_for<8, 1> == 1);
    CHECK(detail::lanes_for<1, 7> == 1);
}
