// SPDX-License-Identifier: MIT
// How near is transform to what memory allows, for every tensor library and element type?
//
// x <- a x + b y in place at 16 x 3 x 256 x 256 elements, one thread, against a plain loop over the same bytes in the
// same run; ratio = ceiling / transform, larger is better.
#include "ceiling.hpp"

#include <alphabar/backends/eigen.hpp>
#include <alphabar/backends/span.hpp>
#include <alphabar/backends/threads.hpp>
#include <alphabar/backends/xtensor.hpp>
#include <alphabar/core/aligned.hpp>
#include <alphabar/core/transform.hpp>

#include <unsupported/Eigen/CXX11/Tensor>

#include <array>
#include <cstdio>
#include <tuple>
#include <vector>

namespace ab = alphabar;

namespace {

constexpr std::size_t samples = 16, sample_size = 3 * 256 * 256, n = samples * sample_size;

template <class T>
struct step {
    T a;
    T b;
    constexpr T operator()(T x, T y) const { return a * x + b * y; }
};

template <class T>
struct stage {
    T a, b, c;
    constexpr std::array<T, 2> operator()(T x, T y, T z) const { return {a * x + b * y + c * z, b * x + c * z}; }
};

void print(char const* name, ceiling::times const& t)
{
    std::printf("%-34s %9.0f %9.0f %7.2f\n", name, 1e6 * t.ceiling, 1e6 * t.measured, t.ratio());
}

template <class X>
void measure(char const* name, X& x, X& y)
{
    using C = ab::compute_t<ab::value_t<X>>;
    using T = ab::value_t<X>;
    T* const a = ab::traits_of<X>::elements(x).data();
    T const* const b = ab::traits_of<X>::elements(y).data();
    std::fill_n(a, n, T(1.0f));
    std::copy_n(a, n, ab::traits_of<X>::elements(y).data());
    print(name, ceiling::compare([&] { ceiling::two_in_one_out(a, a, b, n * sizeof(T)); },
                                 [&] { ab::transform(step<C>{C(1), C(0.001)}, x, x, y); }));
}

template <class X>
void measure(char const* name, X x)
{
    X y = x;
    measure(name, x, y);
}

} // namespace

int main()
{
    std::printf("%-34s %9s %9s %7s\n", "x <- a x + b y", "ceiling", "transform", "ratio");
    std::printf("%-34s %9s %9s\n", "", "us", "us");
    measure("float: aligned_vector", ab::aligned_vector<float>(n));
    measure("float: std::vector", std::vector<float>(n));
    measure("float: Eigen array", Eigen::ArrayXf(Eigen::Index(n)));
    measure("float: Eigen matrix", Eigen::MatrixXf(Eigen::Index(sample_size), Eigen::Index(samples)));
    measure("float: Eigen tensor", Eigen::Tensor<float, 4, Eigen::RowMajor>(16, 3, 256, 256));
    measure("float: xt::xtensor", xt::xtensor<float, 4>(std::array<std::size_t, 4>{16, 3, 256, 256}));
    measure("float: xt::xarray", xt::xarray<float>(std::vector<std::size_t>{16, 3, 256, 256}));
    measure("double: aligned_vector", ab::aligned_vector<double>(n));
    measure("Eigen::half: aligned_vector", ab::aligned_vector<Eigen::half>(n));
    measure("Eigen::bfloat16: aligned_vector", ab::aligned_vector<Eigen::bfloat16>(n));
#if defined(ALPHABAR_HAS_FLOAT16)
    measure("_Float16: aligned_vector", ab::aligned_vector<_Float16>(n));
#endif

    ab::aligned_vector<float> x(n, 1.0f), y(n, 1.0f), z(n, 1.0f), p(n), q(n);
    print("float: out apart", ceiling::compare([&] { ceiling::two_in_one_out(p.data(), x.data(), y.data(), 4 * n); },
                                               [&] { ab::transform(step<float>{1, 0.001f}, p, x, y); }));
    ab::shape const s{samples, sample_size};
    std::vector<step<float>> const rows(samples, {1, 0.001f});
    print("float: a formula per sample",
          ceiling::compare([&] { ceiling::two_in_one_out(x.data(), x.data(), y.data(), 4 * n); },
                           [&] { ab::transform_rows(rows, ab::view(x, s), ab::view(x, s), ab::view(y, s)); }));
    print("float: three in, two out",
          ceiling::compare(
              [&] {
                  CEILING_LOOP
                  for (std::size_t i = 0; i < n; ++i) {
                      float const a = x[i], b = y[i], c = z[i];
                      p[i] = a + 0.001f * b + 0.001f * c;
                      q[i] = 0.001f * a + 0.001f * c;
                  }
              },
              [&] { ab::transform(stage<float>{1, 0.001f, 0.001f}, std::tie(p, q), x, y, z); }));
    ab::thread_team team(2);
    print("float: two threads (ceiling: one)",
          ceiling::compare([&] { ceiling::two_in_one_out(x.data(), x.data(), y.data(), 4 * n); },
                           [&] { ab::transform(step<float>{1, 0.001f}, ab::on_threads(x, team), x, y); }));
}
