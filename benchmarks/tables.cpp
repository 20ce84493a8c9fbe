// SPDX-License-Identifier: MIT
// What does a process cost to construct? Twenty tables in double-double, against the plain doubles of the textbook
// formulas.
#include <alphabar/schedule/gaussian_diffusion.hpp>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <cstdio>
#include <limits>
#include <vector>

namespace ab = alphabar;

namespace {

template <class F>
double best_milliseconds(F const& f)
{
    double best = std::numeric_limits<double>::infinity();
    for (int i = 0; i < 15; ++i) {
        auto const start = std::chrono::steady_clock::now();
        f();
        best =
            std::min(best, std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count());
    }
    return best;
}

double volatile sink;

/// The same tables in doubles, with the library's log and sqrt.
void plain_tables(std::size_t T)
{
    std::vector<double> out(ab::table_count * T);
    double A = 1.0;
    for (std::size_t t = 0; t < T; ++t) {
        double const beta = T == 1 ? 1e-4 : 1e-4 + (0.02 - 1e-4) * static_cast<double>(t) / static_cast<double>(T - 1);
        double const P = A, a = 1.0 - beta;
        A *= a;
        double const variance = beta * (1.0 - P) / (1.0 - A);
        double const entries[ab::table_count] = {beta,
                                                 std::log(beta),
                                                 a,
                                                 1.0 / std::sqrt(a),
                                                 A,
                                                 P,
                                                 A * (1.0 - beta),
                                                 1.0 - A,
                                                 std::log(1.0 - A),
                                                 std::sqrt(A),
                                                 std::sqrt(1.0 - A),
                                                 1.0 / std::sqrt(A),
                                                 std::sqrt(1.0 / A - 1.0),
                                                 variance,
                                                 std::log(variance),
                                                 beta * std::sqrt(P) / (1.0 - A),
                                                 (1.0 - P) * std::sqrt(a) / (1.0 - A),
                                                 beta / std::sqrt(1.0 - A),
                                                 A / (1.0 - A),
                                                 std::log(A / (1.0 - A))};
        for (std::size_t i = 0; i < ab::table_count; ++i)
            out[i * T + t] = entries[i];
    }
    sink = out[T - 1];
}

} // namespace

int main()
{
    std::printf("%8s %14s %14s %18s %10s\n", "T", "linear, ms", "cosine, ms", "plain doubles, ms", "ratio");
    for (std::size_t T : {std::size_t{50}, std::size_t{1000}, std::size_t{4000}, std::size_t{10000}}) {
        double const linear =
            best_milliseconds([=] { sink = ab::gaussian_diffusion(ab::linear_betas(T)).alpha_bar(T - 1); });
        double const cosine =
            best_milliseconds([=] { sink = ab::gaussian_diffusion(ab::cosine_betas(T)).alpha_bar(T - 1); });
        double const plain = best_milliseconds([=] { plain_tables(T); });
        std::printf("%8zu %14.3f %14.3f %18.3f %10.1f\n", T, linear, cosine, plain, linear / plain);
    }
}
