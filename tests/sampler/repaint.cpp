// SPDX-License-Identifier: MIT
#include <alphabar/sampler/repaint.hpp>

#include <alphabar/backends/span.hpp>
#include <alphabar/grid/spacing.hpp>
#include <alphabar/sampler/ddpm.hpp>
#include <alphabar/sampler/dpm_multistep.hpp>
#include <alphabar/sampler/langevin.hpp>
#include <alphabar/sampler/pndm.hpp>
#include <alphabar/sampler/runge_kutta.hpp>
#include <alphabar/sampler/sample.hpp>
#include <alphabar/sampler/singlestep.hpp>
#include <alphabar/sampler/unipc.hpp>
#include <support/solver_test.hpp>

#include <algorithm>
#include <cmath>
#include <stdexcept>
#include <vector>

TEST_CASE("the jumps of the paper: every stretch is walked jump_n_sample times")
{
    auto const diffusion = support::table();
    plan const p = repaint(diffusion, leading_grid(6), {.jump_length = 2, .jump_n_sample = 3});
    std::vector<double> times;
    for (stage const& s : p.stages)
        times.push_back(s.calls ? s.time / 166 : -1);
    // jumps after the calls 2 and 0, twice each
    CHECK(times == std::vector<double>{5, 4, 3, 2, -1, 3, 2, -1, 3, 2, 1, 0, -1, 1, 0, -1, 1, 0});
    CHECK(std::ranges::count_if(repaint(diffusion, leading_grid(6), {.jump_n_sample = 1}).stages,
                                [](stage const& s) { return !s.calls; }) == 0);
    CHECK_THROWS_AS(repaint(diffusion, leading_grid(6), {.jump_length = 0}), std::invalid_argument);
    CHECK_THROWS_AS(repaint(diffusion, leading_grid(6), {.jump_n_sample = 0}), std::invalid_argument);
}

TEST_CASE("a jump is the forward process, on every path")
{
    for (path_kind kind : support::all_paths) {
        noise_level const low = support::level_at(kind, 1.0), high = support::level_at(kind, -1.0);
        plan const p = repaint_along({{3, high, low}, {0, low, high}});
        stage const& up = p.stages[1];
        CHECK(!up.calls);
        CHECK(up.x[x] * low.alpha == Approx(high.alpha));
        CHECK(std::hypot(up.x[x] * low.sigma, up.x[z]) == Approx(high.sigma));
        CHECK(p.stages[0].masked.value() == low.alpha * d + low.sigma * z);
    }
}

TEST_CASE("the known half is the data; the other half follows its conditional distribution")
{
    // x_0 = (u, v) with u, v ~ N(0, 1) and correlation c; u is known: v has mean c u and variance 1 - c^2
    double const c = 0.8, known_u = 0.9;
    std::size_t const n = 1500;
    shape const s{{n, 2}};
    std::vector<double> points(2 * n), data(2 * n), mask(2 * n);
    for (std::size_t i = 0; i < 2 * n; i += 2)
        data[i] = known_u, mask[i] = 1;
    auto const deviation = [&](path_kind kind, std::size_t jump_n_sample) {
        grid g = support::lambda_grid(kind, 59, false, -3.0, 4.0);
        g.times.push_back(g.end_time);
        g.levels.push_back({1.0, 0.0});
        plan const p =
            repaint(support::lambda_path{kind}, g,
                    {.network = {.predicts = prediction::x_0}, .jump_length = 5, .jump_n_sample = jump_n_sample});
        auto const x_view = view(points, s);
        noise_stream const noise{.seed = 11};
        draw_initial(p, noise, x_view);
        sample(
            p, x_view, noise,
            [&](auto const& input, double lambda, auto& output) {
                // E[x_0 | x] = alpha C (alpha^2 C + sigma^2)^-1 x for C = (1 c; c 1), in its eigenvectors (1, 1), (1,
                // -1)
                auto const [a, b] = support::level_at(kind, lambda);
                double const plus = a * (1 + c) / (a * a * (1 + c) + b * b),
                             minus = a * (1 - c) / (a * a * (1 - c) + b * b);
                for (std::size_t i = 0; i < 2 * n; i += 2) {
                    double const sum = plus * (input.data[i] + input.data[i + 1]) / 2,
                                 difference = minus * (input.data[i] - input.data[i + 1]) / 2;
                    output.data[i] = sum + difference;
                    output.data[i + 1] = sum - difference;
                }
            },
            known(view(data, s), view(mask, s)));
        double mean = 0, square = 0;
        for (std::size_t i = 0; i < 2 * n; i += 2) {
            CHECK(points[i] == known_u);
            mean += points[i + 1] / static_cast<double>(n);
            square += points[i + 1] * points[i + 1] / static_cast<double>(n);
        }
        double const variance = 1 - c * c, root = std::sqrt(static_cast<double>(n)); // in standard errors
        return std::max(std::abs(mean - c * known_u) / std::sqrt(variance) * root,
                        std::abs(square - mean * mean - variance) / (std::sqrt(2.0) * variance) * root);
    };
    for (path_kind kind : support::all_paths) {
        CHECK(deviation(kind, 12) < 4.0);
        CHECK(deviation(kind, 1) > 8.0); // without resampling the halves do not fit
    }
}

namespace {

/// Plans of every shape on this grid: one and several stages a step, memories, anchors, churn, noise of each kind.
std::vector<plan> plans_of_every_shape(grid const& g)
{
    support::lambda_path const path{path_kind::variance_preserving};
    return {ddim(g),
            ddim(g, {.eta = 1.0}),
            dpmpp_2m(g),
            unipc(g),
            dpm_singlestep(g, {.order = 3}),
            runge_kutta(path, g, {.churn = {.amount = 4.0}}),
            pndm(g),
            ddpm(g, {.variance = ddpm_variance::learned_log}),
            predictor_corrector(g, {.predictor = score_predictor::none})};
}

/// x with `data` known where the mask is 1, by a network that pulls to 0 in every head.
void run_inpainting(plan const& p, std::vector<double>& x, std::vector<double> const& data,
                    std::vector<double> const& mask, auto const& before, auto const& after)
{
    shape const s{{x.size(), 1}};
    sample(
        p, view(x, s), noise_stream{.seed = 5},
        [&](auto const& input, double time, auto& output) {
            before(input, time);
            for (std::size_t i = 0; i < x.size(); ++i)
                for (std::size_t head = 0; head < p.heads; ++head)
                    output.data[p.heads * i + head] = 0.1 * input.data[i];
        },
        known(view(data, s), view(mask, s)), after);
}

} // namespace

TEST_CASE("inpainting in any solver's plan: the known part has each level's mean and variance, and ends as it is")
{
    grid const g = support::grid_to_zero(path_kind::variance_preserving, 6, -2.0, 2.0);
    std::size_t const n = 40000;
    std::vector<double> const data(n, 0.7), mask(n, 1.0);
    auto const distance = [](auto const& values, noise_level level) { // of mean and variance, in standard errors
        double mean = 0, square = 0;
        for (std::size_t i = 0; i < n; ++i)
            mean += values[i] / n, square += values[i] * values[i] / n;
        double const variance = level.sigma * level.sigma;
        return std::max(std::abs(mean - level.alpha * 0.7) / (level.sigma / std::sqrt(n)),
                        std::abs(square - mean * mean - variance) / (variance * std::sqrt(2.0 / n)));
    };
    for (plan const& whole : plans_of_every_shape(g)) {
        plan const p = inpainted(whole, g);
        std::vector<double> points(n);
        draw_initial(p, noise_stream{.seed = 6}, view(points, {n, 1}));
        std::size_t levels = 1; // seen so far
        bool known_since = false;
        run_inpainting(
            p, points, data, mask,
            [&](auto const& input, double lambda) { // after churn, too; not within a step
                noise_level const level = support::level_at(path_kind::variance_preserving, lambda);
                if (known_since)
                    CHECK(distance(input.data, level) < 4.5);
            },
            [&](std::size_t stage, auto const& now) {
                known_since = p.stages[stage].masked.has_value();
                if (known_since && g.levels[levels].sigma > 0.0)
                    CHECK(distance(now.data, g.levels[levels]) < 4.5);
                levels += known_since;
            });
        CHECK(levels == g.levels.size());
        CHECK(points == data);
    }
}

TEST_CASE("inpainting changes nothing outside the mask, and cannot be of another grid")
{
    grid const g = support::grid_to_zero(path_kind::variance_preserving, 6, -2.0, 2.0);
    std::size_t const n = 100;
    std::vector<double> const data(n, 0.7), none(n, 0.0);
    auto const nothing = [](auto const&...) {};
    for (plan const& p : plans_of_every_shape(g)) {
        std::vector<double> got(n), want;
        draw_initial(p, noise_stream{.seed = 6}, view(got, {n, 1}));
        want = got;
        run_inpainting(inpainted(p, g), got, data, none, nothing, nothing);
        run_inpainting(p, want, data, none, nothing, nothing);
        CHECK(got == want);
        CHECK_THROWS_AS(inpainted(plan_from(p, p.stages.size() - 1), g), std::invalid_argument);
    }
    plan without_jumps = repaint(g, {.jump_n_sample = 1});
    without_jumps.stages.back().masked = row(d); // there it draws a z of no weight
    without_jumps.stages.back().noise = stage::automatic;
    CHECK(inpainted(ddim(g, {.eta = 1.0, .network_epsilon = true}), g) == without_jumps);
}
