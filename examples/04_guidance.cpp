// SPDX-License-Identifier: MIT
// Guidance: several predictions become one, by a rule; `guided` makes one network of several.
#include <alphabar/alphabar.hpp>

#include <cmath>
#include <cstdio>
#include <vector>

namespace ab = alphabar;

int main()
{
    // Data: two classes, N(-1, 0.25) and N(1, 0.25). The best velocity of each is a formula; that of both is their
    // mixture.
    ab::rectified_flow const path;
    auto const velocity = [](double x, double t, double mean) {
        double const variance = 0.25 * (1 - t) * (1 - t) + t * t, centred = x - (1 - t) * mean;
        return centred * (t - 0.25 * (1 - t)) / variance - mean; // E[eps - x_0 | x_t]
    };
    auto const conditional = [&](auto const& input, double t, auto& output) {
        for (std::size_t i = 0; i < input.shape.size(); ++i)
            output.data[i] = velocity(input.data[i], t, 1);
    };
    int unconditional_calls = 0;
    auto const unconditional = [&](auto const& input, double t, auto& output) {
        ++unconditional_calls;
        for (std::size_t i = 0; i < input.shape.size(); ++i) {
            double const x = input.data[i], variance = 0.25 * (1 - t) * (1 - t) + t * t;
            double const of_one = 1 / (1 + std::exp(-2 * x * (1 - t) / variance)); // p(class 1 | x_t)
            output.data[i] = of_one * velocity(x, t, 1) + (1 - of_one) * velocity(x, t, -1);
        }
    };

    auto const plan = ab::dpmpp_2m(ab::make_grid(path, ab::trailing_grid(50)));
    ab::noise_stream const noise{.seed = 42};
    auto const run = [&](char const* name, auto const& rule) {
        std::vector<double> x(4000);
        unconditional_calls = 0;
        ab::draw_initial(plan, noise, x);
        ab::sample(plan, x, noise, ab::guided(plan, rule, conditional, unconditional));
        double mean = 0, square = 0;
        for (double v : x)
            mean += v / 4000;
        for (double v : x)
            square += (v - mean) * (v - mean) / 4000;
        std::printf("%-34s mean %5.2f, standard deviation %.2f, %2d calls without the class\n", name, mean,
                    std::sqrt(square), unconditional_calls);
        return mean;
    };
    double const plain = run("no guidance (w = 1)", ab::classifier_free{1.0});
    double const guided = run("classifier-free, w = 3", ab::classifier_free{3.0});
    run("the same in the middle of the noise", ab::within{ab::classifier_free{3.0}, ab::level_window{&path, 0.2, 2.0}});
    run("adaptive projected, w = 3", ab::adaptive_projected{.scale = 3.0, .eta = 0.5, .momentum = -0.3});
    run("classifier-free, w = 3, rescaled", ab::rescaled{ab::classifier_free{3.0}, 0.7});
    return std::abs(plain - 1) < 0.03 && guided > plain + 0.1 ? 0 : 1;
}
