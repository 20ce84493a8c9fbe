// SPDX-License-Identifier: MIT
// Solvers side by side on data whose best denoiser is a formula: how far each is from the exact answer after 10 calls.
#include <alphabar/alphabar.hpp>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <vector>

namespace ab = alphabar;

int main()
{
    // Data N(0, 0.25) on the rectified flow: the probability-flow ODE maps x at t = 1 to x / 2 at t = 0.
    ab::rectified_flow const path;
    ab::grid const grid = ab::make_grid(path, ab::trailing_grid(10));
    auto const velocity = [](auto const& input, double t, auto& output) {
        double const slope = (t - 0.25 * (1 - t)) / (0.25 * (1 - t) * (1 - t) + t * t); // E[eps - x_0 | x_t] / x_t
        for (std::size_t i = 0; i < input.shape.size(); ++i)
            output.data[i] = slope * input.data[i];
    };
    struct row {
        char const* name;
        ab::plan plan;
    };
    for (row const& r : {row{"Euler", ab::euler(grid)}, row{"Heun", ab::heun(grid)},
                         row{"DPM-Solver++(2M)", ab::dpmpp_2m(grid)}, row{"UniPC", ab::unipc(grid)}}) {
        std::vector<double> const start{-1.5, -0.5, 0.5, 2.0};
        std::vector<double> x = start;
        ab::sample(r.plan, x, ab::noise_stream{}, velocity);
        double worst = 0;
        for (std::size_t i = 0; i < x.size(); ++i)
            worst = std::max(worst, std::abs(x[i] - 0.5 * start[i]));
        std::printf("%-18s %2zu calls, error %.1e\n", r.name, r.plan.stages.size(), worst);
    }
}
