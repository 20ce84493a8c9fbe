// SPDX-License-Identifier: MIT
// What does a loss with its gradient cost, against a plain loop that reads both arrays and writes a third?
//
// 16 x 3 x 256 x 256 floats, one thread; ratio = ceiling / loss, larger is better.
#include "ceiling.hpp"

#include <alphabar/backends/span.hpp>
#include <alphabar/core/aligned.hpp>
#include <alphabar/loss/losses.hpp>

#include <array>
#include <cstdio>

namespace ab = alphabar;

namespace {

constexpr std::size_t samples = 16, sample_size = 3 * 256 * 256, n = samples * sample_size;
ab::shape const sizes{samples, sample_size};

template <class Loss>
void measure(char const* name, Loss const& loss)
{
    ab::aligned_vector<float> x(n), y(n), gradient(n);
    for (std::size_t i = 0; i < n; ++i) {
        x[i] = static_cast<float>(i % 1001) / 500 - 1;
        y[i] = static_cast<float>(i % 777) / 388 - 1;
    }
    std::array<double, samples> values;
    auto const both = ceiling::compare(
        [&] { ceiling::two_in_one_out(gradient.data(), x.data(), y.data(), 4 * n); },
        [&] { ab::sample_losses(loss, ab::view(x, sizes), ab::view(y, sizes), values, ab::view(gradient, sizes)); });
    auto const alone =
        ceiling::compare([&] { ceiling::keep(ceiling::two_in(x.data(), y.data(), 4 * n)); },
                         [&] { ab::sample_losses(loss, ab::view(x, sizes), ab::view(y, sizes), values); });
    std::printf("%-24s %9.0f %9.0f %7.2f %12.0f %9.0f %7.2f\n", name, 1e6 * both.ceiling, 1e6 * both.measured,
                both.ratio(), 1e6 * alone.ceiling, 1e6 * alone.measured, alone.ratio());
}

} // namespace

int main()
{
    std::printf("%-24s %9s %9s %7s %12s %9s %7s\n", "", "ceiling", "loss and", "ratio", "ceiling", "loss", "ratio");
    std::printf("%-24s %9s %9s %7s %12s %9s %7s\n", "", "us", "grad., us", "", "us", "us", "");
    measure("mse", ab::mse{});
    measure("l1", ab::l1{});
    measure("huber", ab::huber{});
    measure("smooth_l1", ab::smooth_l1{});
    measure("pseudo_huber", ab::pseudo_huber_loss(0.1));
    measure("sample_pseudo_huber", ab::sample_pseudo_huber{0.03});
}
