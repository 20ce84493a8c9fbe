// SPDX-License-Identifier: MIT
// How near are the sums to reading memory, and a loss with its gradient to a plain loop over the same arrays?
//
// 16 x 3 x 256 x 256 elements, one thread; ratio = ceiling / measured, larger is better.
#include "ceiling.hpp"

#include <alphabar/backends/eigen.hpp>
#include <alphabar/backends/span.hpp>
#include <alphabar/backends/threads.hpp>
#include <alphabar/core/aligned.hpp>
#include <alphabar/core/reduce.hpp>

#include <array>
#include <cstdio>

namespace ab = alphabar;

namespace {

constexpr std::size_t samples = 16, sample_size = 3 * 256 * 256, n = samples * sample_size;
ab::shape const sizes{samples, sample_size};

template <class T>
struct squared_error {
    constexpr T operator()(T x, T y) const { return (x - y) * (x - y); }
};

template <class T>
struct one {
    constexpr T operator()(T x) const { return x; }
};

void print(char const* name, ceiling::times const& t)
{
    std::printf("%-34s %9.0f %9.0f %7.2f\n", name, 1e6 * t.ceiling, 1e6 * t.measured, t.ratio());
}

template <class T>
void measure(char const* type)
{
    using C = ab::compute_t<T>;
    ab::aligned_vector<T> x(n, T(1.0f)), y(n, T(0.5f));
    std::array<double, samples> sums;
    std::size_t const bytes = n * sizeof(T);
    std::printf("%s\n", type);
    print("  sum", ceiling::compare([&] { ceiling::keep(ceiling::one_in(x.data(), bytes)); },
                                    [&] { ab::reduce_rows(one<C>{}, sums, ab::view(x, sizes)); }));
    print("  sum of squared errors",
          ceiling::compare([&] { ceiling::keep(ceiling::two_in(x.data(), y.data(), bytes)); },
                           [&] { ab::reduce_rows(squared_error<C>{}, sums, ab::view(x, sizes), ab::view(y, sizes)); }));
    ab::thread_team team(2);
    auto const view = ab::view(x, sizes);
    print("  the same, two threads",
          ceiling::compare(
              [&] { ceiling::keep(ceiling::two_in(x.data(), y.data(), bytes)); },
              [&] { ab::reduce_rows(squared_error<C>{}, sums, ab::on_threads(view, team), ab::view(y, sizes)); }));
}

} // namespace

int main()
{
    std::printf("%-34s %9s %9s %7s\n", "sums by sample", "ceiling", "measured", "ratio");
    std::printf("%-34s %9s %9s\n", "", "us", "us");
    measure<float>("float");
    measure<double>("double");
    measure<Eigen::half>("Eigen::half");
    measure<Eigen::bfloat16>("Eigen::bfloat16");
}
