// SPDX-License-Identifier: MIT
#include <alphabar/sampler/langevin.hpp>

#include <alphabar/backends/span.hpp>
#include <alphabar/backends/threads.hpp>
#include <alphabar/grid/sigmas.hpp>
#include <alphabar/sampler/sample.hpp>
#include <alphabar/sampler/serialise.hpp>
#include <alphabar/schedule/paths.hpp>
#include <support/solver_test.hpp>

#include <cmath>
#include <stdexcept>
#include <vector>

namespace {

plan one_step(bool over_batch)
{
    plan p{.stages = {langevin_stage({.predicts = prediction::score}, 2.0, {1.0, 2.0}, 0.9,
                                     {.snr = 0.3, .over_batch = over_batch})}};
    number_draws(p);
    return p;
}

template <class T>
void score_network(T const* input, double sigma, T* output, std::size_t n)
{
    for (std::size_t i = 0; i < n; ++i)
        output[i] = static_cast<T>(-static_cast<double>(input[i]) / (1 + sigma * sigma) +
                                   0.1 * std::sin(static_cast<double>(i)));
}

template <class T, class P>
std::vector<T> sampled(P const& plans, std::size_t batch, std::size_t size, thread_team* team = nullptr,
                       std::size_t first = 0)
{
    std::vector<T> x(batch * size);
    for (std::size_t i = 0; i < x.size(); ++i)
        x[i] = static_cast<T>(std::cos(0.37 * static_cast<double>(i + first * size)));
    auto const noise = [first](std::uint32_t index) { return noise_stream{.seed = 9}(purpose::sampler, index, first); };
    auto const network = [&](auto const& input, auto const& time, auto& output) {
        double sigma = 0;
        if constexpr (std::is_same_v<std::remove_cvref_t<decltype(time)>, double>)
            sigma = time;
        else
            sigma = time[0];
        for (std::size_t row = 0; row < batch; ++row)
            score_network(input.data + row * size, sigma, output.data + row * size, size);
    };
    auto v = view(x, {batch, size});
    if (team != nullptr)
        sample(plans, on_threads(v, *team), noise, network);
    else
        sample(plans, v, noise, network);
    return x;
}

} // namespace

TEST_CASE("a step is x + e score + sqrt(2 e) z, e = 2 keep^2 (snr |z| / |score|)^2, of the sample or of the batch's "
          "mean norms")
{
    std::size_t const batch = 3, size = 700;
    for (bool over_batch : {false, true}) {
        auto const got = sampled<double>(one_step(over_batch), batch, size);
        noise_field const field = noise_stream{.seed = 9}(purpose::sampler, noise_index(1, 0));
        std::vector<double> start(batch * size), score(batch * size), norm_s(batch), norm_z(batch);
        for (std::size_t i = 0; i < start.size(); ++i)
            start[i] = std::cos(0.37 * static_cast<double>(i));
        for (std::size_t r = 0; r < batch; ++r) {
            score_network(start.data() + r * size, 2.0, score.data() + r * size, size);
            for (std::size_t i = 0; i < size; ++i) {
                norm_s[r] += score[r * size + i] * score[r * size + i];
                norm_z[r] += static_cast<double>(field(r, i)) * static_cast<double>(field(r, i));
            }
            norm_s[r] = std::sqrt(norm_s[r]), norm_z[r] = std::sqrt(norm_z[r]);
        }
        for (std::size_t r = 0; r < batch; ++r) {
            double const z_norm = over_batch ? (norm_z[0] + norm_z[1] + norm_z[2]) / 3 : norm_z[r],
                         s_norm = over_batch ? (norm_s[0] + norm_s[1] + norm_s[2]) / 3 : norm_s[r];
            double const e = 2 * 0.81 * std::pow(0.3 * z_norm / s_norm, 2);
            for (std::size_t i = 0; i < size; ++i)
                CHECK(got[r * size + i] == Approx(start[r * size + i] + e * score[r * size + i] +
                                                  std::sqrt(2 * e) * static_cast<double>(field(r, i)))
                                               .epsilon(1e-12));
        }
    }
}

TEST_CASE("the same bits for any number of threads; a batch or its samples alone, and plans of their own")
{
    std::size_t const batch = 4, size = 9000;
    plan const p = predictor_corrector(variance_exploding{}, karras_grid(3));
    auto const whole = sampled<float>(p, batch, size);
    for (unsigned threads : {1u, 2u, 3u}) {
        thread_team team(threads);
        CHECK(sampled<float>(p, batch, size, &team) == whole);
    }
    for (std::size_t row = 0; row < batch; ++row) {
        auto const alone = sampled<float>(p, 1, size, nullptr, row);
        CHECK(std::equal(alone.begin(), alone.end(), whole.begin() + static_cast<std::ptrdiff_t>(row * size)));
    }
    CHECK(sampled<float>(std::vector<plan>(batch, p), batch, size) == whole);
    plan published = one_step(true);
    CHECK(sampled<float>(published, batch, size) != sampled<float>(one_step(false), batch, size));
}

TEST_CASE("a score of 0 takes no step; a plan reads back; what is refused")
{
    plan const p = one_step(true);
    CHECK(read_plan(write_plan(p)) == p);
    CHECK(to_string(p).find("(0.3 |z| / |m0|)^2 of the batch's mean norms") != std::string::npos);
    CHECK(lower(p).fingerprint() != lower(one_step(false)).fingerprint());
    std::vector<double> v{1.0, -2.0};
    sample(p, view(v, {1, 2}), noise_stream{},
           [](auto const&, double, auto& output) { output.data[0] = output.data[1] = 0; });
    CHECK(v == std::vector<double>{1.0, -2.0});
    for (int what = 0; what < 5; ++what) {
        plan bad = p;
        stage& s = bad.stages[0];
        if (what == 0)
            s.langevin->snr = 0;
        else if (what == 1)
            s.x = row(x) + m(0);
        else if (what == 2)
            s.y = x;
        else if (what == 3)
            s.operation.what = x0_operation::kind::clip;
        else
            bad.heads = 2;
        CHECK_THROWS_AS(lower(bad), std::invalid_argument);
    }
    CHECK_THROWS_AS(langevin_stage({.predicts = prediction::score}, 1, {1, 1}, 1, {.snr = -1}), std::invalid_argument);
}

TEST_CASE("the density of a level stays what it is: mean and covariance after many Langevin steps")
{
    for (path_kind kind : support::all_paths) {
        double const lambda = -0.3;
        noise_level const level = support::level_at(kind, lambda);
        plan p;
        for (int i = 0; i < 100; ++i)
            p.stages.push_back(langevin_stage({.predicts = prediction::x_0}, lambda, level, 1.0,
                                              {.snr = 0.1, .annealed = i % 2 == 0}));
        number_draws(p);
        auto const deviation = [&](plan const& of) {
            return support::worst_deviation(of, level, support::exact_network(kind), 3000, 3, level);
        };
        CHECK(deviation(p) < 4.0);
        CHECK(deviation(support::with_noise(p, 1.2)) > 4.0);
    }
}

TEST_CASE("predictor-corrector: its stages; without corrector the ancestral predictor is ddim")
{
    for (path_kind kind : {path_kind::variance_preserving, path_kind::variance_exploding, path_kind::rectified_flow}) {
        grid const g = support::grid_to_zero(kind, 40);
        CHECK(predictor_corrector(g, {.network = {.predicts = prediction::x_0},
                                      .predictor = score_predictor::ancestral,
                                      .corrector = {.steps = 0}}) ==
              ddim(g, {.network = {.predicts = prediction::x_0}, .eta = 1.0}));
    }
    grid const g = support::grid_to_zero(path_kind::variance_exploding, 20, -3.0);
    plan const p = predictor_corrector(g, {.network = {.predicts = prediction::x_0}, .corrector = {.steps = 2}});
    CHECK(p.stages.size() == 60);
    CHECK(!p.stages[0].ends_step);
    CHECK(p.stages[2].ends_step);
    CHECK(!draws_noise(p.stages.back()));
    CHECK_THROWS_AS(predictor_corrector(g, {.predictor = score_predictor::none, .corrector = {.steps = 0}}),
                    std::invalid_argument);
}
