// SPDX-License-Identifier: MIT
#include <alphabar/sampler/guided.hpp>

#include <alphabar/backends/eigen.hpp>
#include <alphabar/grid/spacing.hpp>
#include <alphabar/guidance/adaptive_projected.hpp>
#include <alphabar/guidance/classifier_free.hpp>
#include <alphabar/guidance/frequency_decoupled.hpp>
#include <alphabar/guidance/interval.hpp>
#include <alphabar/guidance/rescale.hpp>
#include <alphabar/guidance/weighted.hpp>
#include <alphabar/sampler/cfg_pp.hpp>
#include <alphabar/sampler/ddpm.hpp>
#include <alphabar/sampler/euler.hpp>
#include <alphabar/sampler/sample.hpp>
#include <alphabar/sampler/two_stage.hpp>
#include <alphabar/schedule/gaussian_diffusion.hpp>
#include <support/guided.hpp>

#include <doctest/doctest.h>

#include <cstdlib>
#include <new>
#include <stdexcept>

namespace ab = alphabar;

namespace {

std::size_t allocations = 0;

ab::shape const shape{2, 3, 4, 4};

/// A network of the stand-in kind: output = a tanh(x) + b t, and how often it was called.
struct network {
    double a, b;
    int* calls;
    template <class In, class Out>
    void operator()(In const& input, double t, Out& output) const
    {
        ++*calls;
        auto const from = ab::traits_of<In>::elements(input);
        auto const to = ab::traits_of<Out>::elements(output);
        for (std::size_t i = 0; i < from.size(); ++i)
            to[i] = static_cast<ab::value_t<Out>>(a * std::tanh(from[i]) + b * t);
    }
};

/// Guidance by hand: the outputs of the networks, then `guide`.
template <class Rule, class... Network>
std::vector<double> by_hand(ab::plan const& plan, Rule const& rule, std::vector<double> x, Network const&... networks)
{
    ab::executor run(plan, ab::view(x, shape), ab::noise_stream{4});
    std::vector<double> average(x.size());
    std::size_t step = 0, steps = 0;
    for (ab::stage const& s : plan.stages)
        steps += s.ends_step ? 1 : 0;
    while (auto const call = run.next()) {
        std::array<std::vector<double>, sizeof...(Network)> outputs;
        std::size_t k = 0;
        auto const one = [&](auto const& n) {
            outputs[k].resize(x.size());
            auto view = ab::view(outputs[k++], shape);
            n(call.input, call.time, view);
        };
        (one(networks), ...);
        ab::guidance_point const at{.step = step, .steps = steps, .time = call.time};
        std::vector<double> out(x.size());
        auto const to = ab::view(out, shape), memory = ab::view(average, shape);
        [&]<std::size_t... I>(std::index_sequence<I...>) {
            if constexpr (ab::detail::with_momentum<Rule>)
                ab::guide(rule, at, std::tie(to, memory), ab::view(outputs[I], shape)...);
            else
                ab::guide(rule, at, to, ab::view(outputs[I], shape)...);
        }(std::make_index_sequence<sizeof...(Network)>{});
        run.take(to);
        step += plan.stages[call.stage].ends_step ? 1 : 0;
    }
    auto const result = run.state();
    return {result.data, result.data + x.size()};
}

} // namespace

[[gnu::noinline]] void* operator new(std::size_t size)
{
    ++allocations;
    if (void* const p = std::malloc(size == 0 ? 1 : size))
        return p;
    throw std::bad_alloc();
}
[[gnu::noinline]] void operator delete(void* p) noexcept { std::free(p); }
[[gnu::noinline]] void operator delete(void* p, std::size_t) noexcept { std::free(p); }

TEST_CASE("as guidance by hand, run after run")
{
    auto const plan = ab::heun(ab::rectified_flow{}, ab::trailing_grid(5));
    auto const start = support::prediction(1, 2, 48);
    int calls = 0;
    network const c{0.6, 0.2, &calls}, u{0.4, 0.1, &calls}, p{0.5, -0.2, &calls};
    auto const check = [&](auto const& rule, auto const&... networks) {
        auto const want = by_hand(plan, rule, start, networks...);
        ab::guided together(plan, rule, networks...);
        for (int run = 0; run < 2; ++run) {
            auto x = start;
            ab::sample(plan, ab::view(x, shape), ab::noise_stream{4}, together);
            CHECK(x == want);
        }
    };
    check(ab::classifier_free{3.0}, c, u);
    check(ab::rescaled{ab::classifier_free{3.0}, 0.7}, c, u);
    check(ab::zero_star{3.0, 2}, c, u);
    check(ab::adaptive_projected{.scale = 3.0, .radius = 2.0, .momentum = -0.5}, c, u);
    check(ab::rescaled{ab::within{ab::classifier_free{3.5}, ab::step_window{0, 0.4},
                                  ab::adaptive_projected{.momentum = -0.3}},
                       0.5},
          c, u);
    check(ab::perturbed(3.0, 2.0, {0, 0.5}, {0.2, 0.7}), c, u, p);
    ab::frequency_decoupled const bands{{{.scale = 3.0}, {.scale = 2.0, .parallel = 0.5}}};
    check(bands, c, u);
    ab::step_window const middle{0.2, 0.7};
    check(ab::within{bands, middle, ab::classifier_free{2.0}}, c, u);
    check(ab::within{ab::classifier_free{2.0}, middle, bands}, c, u);
    check(ab::within{ab::adaptive_projected{.momentum = -0.5}, middle}, c, u); // the average rests outside
    check(ab::within{ab::rescaled{ab::tangential{3.0}}, middle, ab::adaptive_projected{.eta = 0.4}}, c, u);
    check(ab::within{ab::classifier_free{2.0}, middle, ab::perturbed(3.0, 2.0)}, c, u, p);
    auto const rising = [](ab::guidance_point const& at) {
        return 1 + 3.0 * static_cast<double>(at.step) / static_cast<double>(at.steps);
    };
    check(ab::varying{[&](auto const& at) { return ab::classifier_free{rising(at)}; }}, c, u);
    check(ab::varying{[&](auto const& at) { return ab::perturbed(3.0, rising(at)); }}, c, u, p);
    check(ab::rescaled{ab::varying{
              [&](auto const& at) { return ab::adaptive_projected{.scale = rising(at), .momentum = -0.2}; }}},
          c, u);
    check(ab::varying{[&](auto const& at) { return ab::frequency_decoupled{{{rising(at)}, {2.0}}}; }}, c, u);
}

TEST_CASE("no momentum in an adaptive_projected is as by hand, too")
{
    auto const plan = ab::euler(ab::rectified_flow{}, ab::trailing_grid(4));
    auto const start = support::prediction(1, 2, 48);
    int calls = 0;
    network const c{0.6, 0.2, &calls}, u{0.4, 0.1, &calls};
    auto x = start;
    ab::sample(plan, ab::view(x, shape), ab::noise_stream{},
               ab::guided(plan, ab::adaptive_projected{.scale = 3.0}, c, u));
    CHECK(support::error(x, by_hand(plan, ab::adaptive_projected{.scale = 3.0}, start, c, u)) < 1e-14);
}

TEST_CASE("a network whose prediction has no weight is not called")
{
    auto const plan = ab::euler(ab::rectified_flow{}, ab::trailing_grid(10));
    ab::rectified_flow const path;
    auto const start = support::prediction(1, 2, 48);
    auto const calls_of = [&](auto const& rule, auto... which) {
        std::array<int, 3> calls{};
        std::size_t k = 0;
        auto const make = [&](double a) { return network{a, 0.1, &calls[k++]}; };
        auto networks = std::tuple{make(which)...};
        auto x = start;
        std::apply(
            [&](auto const&... n) {
                ab::sample(plan, ab::view(x, shape), ab::noise_stream{}, ab::guided(plan, rule, n...));
            },
            networks);
        return calls;
    };
    using counts = std::array<int, 3>;
    CHECK(calls_of(ab::classifier_free{3.0}, 0.6, 0.4) == counts{10, 10, 0});
    CHECK(calls_of(ab::classifier_free{1.0}, 0.6, 0.4) == counts{10, 0, 0});
    CHECK(calls_of(ab::within{ab::classifier_free{3.0}, ab::step_window{0.2, 0.5}}, 0.6, 0.4) == counts{10, 3, 0});
    CHECK(calls_of(ab::rescaled{ab::within{ab::adaptive_projected{}, ab::step_window{0.2, 0.5}}}, 0.6, 0.4) ==
          counts{10, 3, 0});
    CHECK(calls_of(ab::within{ab::rescaled{ab::adaptive_projected{}}, ab::step_window{0.2, 0.5}}, 0.6, 0.4) ==
          counts{10, 3, 0});
    // t = 1, 0.9, ..., 0.1: sigma / alpha in (0.3, 1] are t = 0.3, 0.4, 0.5
    CHECK(calls_of(ab::within{ab::classifier_free{3.0}, ab::level_window{&path, 0.3, 1.0001}}, 0.6, 0.4) ==
          counts{10, 3, 0});
    CHECK(calls_of(ab::zero_star{3.0, 4}, 0.6, 0.4) == counts{10, 6, 0});
    CHECK(calls_of(ab::zero_star{1.0, 4}, 0.6, 0.4) == counts{10, 0, 0});
    CHECK(calls_of(ab::magnitude_aware{1.0}, 0.6, 0.4) == counts{10, 0, 0});
    CHECK(calls_of(ab::tangential{1.0}, 0.6, 0.4) == counts{10, 0, 0});
    CHECK(calls_of(ab::rescaled{ab::tangential{1.0}}, 0.6, 0.4) == counts{10, 0, 0});
    CHECK(calls_of(ab::adaptive_projected{.scale = 1.0, .radius = 2.0, .momentum = -0.5}, 0.6, 0.4) ==
          counts{10, 0, 0});
    CHECK(calls_of(ab::adaptive_projected{.scale = 1.0, .radius = 2.0, .from_u = true}, 0.6, 0.4) ==
          counts{10, 10, 0}); // u + what the radius leaves
    CHECK(calls_of(ab::frequency_decoupled{{{.scale = 1.0}, {.scale = 1.0}}}, 0.6, 0.4) == counts{10, 0, 0});
    CHECK(calls_of(ab::within{ab::frequency_decoupled{{{.scale = 2.0}}}, ab::step_window{0.2, 0.5}}, 0.6, 0.4) ==
          counts{10, 3, 0});
    CHECK(calls_of(ab::varying{[](auto const& at) { return ab::classifier_free{at.time > 0.55 ? 3.0 : 1.0}; }}, 0.6,
                   0.4) == counts{10, 5, 0});
    CHECK(calls_of(ab::within{ab::perturbed(3.0, 2.0), ab::step_window{0, 0.2}, ab::classifier_free{2.0}}, 0.6, 0.4,
                   0.5) == counts{10, 10, 2});
    CHECK(calls_of(ab::perturbed(3.0, 2.0, {0, 0.5}, {0.2, 0.3}), 0.6, 0.4, 0.5) == counts{10, 5, 1});
    CHECK(calls_of(ab::perturbed(1.0, 2.0), 0.6, 0.4, 0.5) == counts{10, 0, 10});
    std::vector<double> const scales{1.0, 2.0}; // one sample needs it
    CHECK(calls_of(ab::classifier_free{scales}, 0.6, 0.4) == counts{10, 10, 0});
    CHECK(calls_of(ab::frequency_decoupled{{{.window = {0, 0.5}}, {.window = {0.4, 0.8}}}}, 0.6, 0.4) ==
          counts{10, 8, 0});
}

TEST_CASE("guidance comes before x_0 is clipped")
{
    ab::network_form form{.predicts = ab::prediction::x_0, .operation = {ab::x0_operation::kind::clip, 1.0}};
    auto const plan = ab::euler(ab::rectified_flow{}, ab::trailing_grid(1), {.network = form});
    std::vector<double> x{0.3};
    auto const constant = [](double value) {
        return [value](auto const&, double, auto& output) { output.data[0] = value; };
    };
    // x_0 = 0.9 + 2 (3 - 0.9) clips to 1 after the combination; clipped first, 0.9 + 2 (1 - 0.9) would give 1.1, then 1
    ab::sample(plan, x, ab::noise_stream{}, ab::guided(plan, ab::classifier_free{3.0}, constant(0.5), constant(0.9)));
    CHECK(x[0] == doctest::Approx(0.9 + 3 * (0.5 - 0.9)).epsilon(1e-14)); // inside: nothing is clipped
    x[0] = 0.3;
    ab::sample(plan, x, ab::noise_stream{}, ab::guided(plan, ab::classifier_free{2.0}, constant(2.0), constant(3.5)));
    CHECK(x[0] == doctest::Approx(0.5).epsilon(1e-14)); // 3.5 + 2 (2 - 3.5); of clipped predictions it would be 1
}

TEST_CASE("after the first call of a run nothing is allocated")
{
    auto const plan = ab::euler(ab::rectified_flow{}, ab::trailing_grid(8));
    std::vector<double> x = support::prediction(1, 2, 48), output(96);
    int calls = 0;
    network const c{0.6, 0.2, &calls}, u{0.4, 0.1, &calls};
    auto const check = [&](auto const& rule) {
        ab::guided together(plan, rule, c, u);
        ab::executor run(plan, ab::view(x, shape), ab::noise_stream{});
        auto out = ab::view(output, shape);
        for (int k = 0; auto const call = run.next(); ++k) {
            std::size_t const before = allocations;
            together(call.input, call.time, out);
            CHECK((k == 0 || allocations == before));
            run.take(out);
        }
    };
    check(ab::classifier_free{3.0});
    check(ab::rescaled{ab::adaptive_projected{.momentum = -0.5}, 0.7});
}

TEST_CASE("a run that was given up, and a plan that cannot be guided")
{
    auto plan = ab::euler(ab::rectified_flow{}, ab::trailing_grid(3));
    int calls = 0;
    network const c{0.6, 0.2, &calls}, u{0.4, 0.1, &calls};
    ab::guided together(plan, ab::classifier_free{3.0}, c, u);
    std::vector<double> x(96), y(96);
    auto const in = ab::view(x, shape);
    auto out = ab::view(y, shape);
    together(in, plan.stages[0].time, out);
    CHECK_THROWS_WITH_AS(together(in, plan.stages[0].time, out), doctest::Contains("restart()"), std::invalid_argument);
    together.restart();
    together(in, plan.stages[0].time, out);
    together(in, plan.stages[1].time, out);
    CHECK_THROWS_AS(ab::guided(ab::euler_cfg_pp(ab::rectified_flow{}, ab::trailing_grid(3)), ab::unguided{}, c),
                    std::invalid_argument);
}

TEST_CASE("a predicted variance is the first network's; the predictions beside it are guided")
{
    auto const diffusion = ab::gaussian_diffusion(ab::linear_betas(1000));
    auto const plan = ab::ddpm(diffusion, ab::leading_grid(6), {.variance = ab::ddpm_variance::learned_range});
    auto const start = support::prediction(1, 2, 48);
    auto const two_heads = [](double a, double b) { // of each sample: the prediction, then the variance
        return [=](auto const& in, double t, auto& out) {
            for (std::size_t i = 0; i < 96; ++i) {
                std::size_t const at = i / 48 * 96 + i % 48;
                out.data[at] = a * std::tanh(in.data[i]) + b * t / 1000;
                out.data[at + 48] = std::sin(b + in.data[i]);
            }
        };
    };
    auto const c = two_heads(0.6, 0.2), u = two_heads(0.4, 0.1);
    auto const check = [&](auto const& rule) {
        std::vector<double> want = start, average(96);
        double step = 0;
        ab::sample(plan, ab::view(want, shape), ab::noise_stream{4}, [&](auto const& in, double t, auto& out) {
            std::vector<double> of_c(192), of_u(192), first(96), second(96), result(96);
            auto to_c = ab::view(of_c, out.shape), to_u = ab::view(of_u, out.shape);
            c(in, t, to_c);
            u(in, t, to_u);
            for (std::size_t i = 0; i < 96; ++i) {
                first[i] = of_c[i / 48 * 96 + i % 48];
                second[i] = of_u[i / 48 * 96 + i % 48];
            }
            ab::guidance_point const at{.step = static_cast<std::size_t>(step++), .steps = 6, .time = t};
            auto const to = ab::view(result, shape), memory = ab::view(average, shape);
            if constexpr (ab::detail::with_momentum<std::remove_cvref_t<decltype(rule)>>)
                ab::guide(rule, at, std::tie(to, memory), ab::view(first, shape), ab::view(second, shape));
            else
                ab::guide(rule, at, to, ab::view(first, shape), ab::view(second, shape));
            for (std::size_t i = 0; i < 96; ++i)
                of_c[i / 48 * 96 + i % 48] = result[i];
            std::ranges::copy(of_c, out.data);
        });
        ab::guided together(plan, rule, c, u);
        for (int run = 0; run < 2; ++run) {
            auto x = start;
            ab::sample(plan, ab::view(x, shape), ab::noise_stream{4}, together);
            CHECK(x == want);
        }
    };
    check(ab::classifier_free{3.0});
    check(ab::classifier_free{std::vector<double>{1.0, 4.0}});
    check(ab::rescaled{ab::classifier_free{3.0}, 0.7});
    check(ab::within{ab::zero_star{3.0, 2}, ab::step_window{0, 0.7}});
    check(ab::adaptive_projected{.scale = 3.0, .radius = 2.0, .momentum = -0.5});
    auto x = start;
    CHECK_THROWS_WITH_AS(ab::sample(plan, ab::view(x, shape), ab::noise_stream{},
                                    ab::guided(plan, ab::frequency_decoupled{{{.scale = 3.0}}}, c, u)),
                         doctest::Contains("guides no prediction with a variance"), std::invalid_argument);
}

TEST_CASE("CFG++: the unconditional prediction is head 0, the rule's result head 1")
{
    ab::rectified_flow const path;
    auto const start = support::prediction(1, 2, 48);
    int calls = 0, of_u = 0;
    network const c{0.6, 0.2, &calls}, u{0.4, 0.1, &of_u}, p{0.5, -0.2, &calls};
    for (ab::plan const& plan :
         {ab::euler_cfg_pp(path, ab::trailing_grid(5)), ab::dpmpp_2m_cfg_pp(path, ab::trailing_grid(5)),
          ab::dpmpp_2s_ancestral_cfg_pp(path, ab::trailing_grid(5))}) {
        auto const calls_of_plan = std::ranges::count(plan.stages, true, &ab::stage::calls);
        auto const check = [&](auto const& rule, auto const&... networks) {
            std::vector<double> want = start, average(96);
            ab::sample(plan, ab::view(want, shape), ab::noise_stream{4}, [&](auto const& in, double t, auto& out) {
                CHECK(out.shape == ab::shape{2, 6, 4, 4});
                std::vector<std::vector<double>> heads;
                auto const view_of = [&](std::size_t k) { return ab::view(heads[k], shape); };
                auto const run = [&](auto const& n) {
                    heads.emplace_back(96);
                    auto to = view_of(heads.size() - 1);
                    n(in, t, to);
                };
                (run(networks), ...);
                heads.emplace_back(96);
                ab::guidance_point const at{.time = t};
                auto const result = view_of(heads.size() - 1), memory = ab::view(average, shape);
                if constexpr (ab::detail::with_momentum<std::remove_cvref_t<decltype(rule)>>)
                    ab::guide(rule, at, std::tie(result, memory), view_of(0), view_of(1));
                else if constexpr (sizeof...(networks) == 3)
                    ab::guide(rule, at, result, view_of(0), view_of(1), view_of(2));
                else
                    ab::guide(rule, at, result, view_of(0), view_of(1));
                for (std::size_t i = 0; i < 96; ++i) // each sample: the unconditional prediction, then the guided one
                    for (std::size_t head = 0; head < 2; ++head)
                        out.data[(2 * (i / 48) + head) * 48 + i % 48] = heads[head == 0 ? 1 : heads.size() - 1][i];
            });
            ab::guided together(plan, rule, networks...);
            for (int run = 0; run < 2; ++run) {
                auto x = start;
                of_u = 0;
                ab::sample(plan, ab::view(x, shape), ab::noise_stream{4}, together);
                CHECK(x == want);
                CHECK(of_u == calls_of_plan);
            }
        };
        std::vector<double> const scales{0.6, 1.0};
        check(ab::classifier_free{0.6}, c, u);
        check(ab::classifier_free{1.0}, c, u); // of no weight, and called all the same
        check(ab::classifier_free{scales}, c, u);
        check(ab::rescaled{ab::classifier_free{0.6}, 0.7}, c, u);
        check(ab::adaptive_projected{.scale = 0.8, .momentum = -0.5}, c, u);
        check(ab::perturbed(0.6, 0.5), c, u, p);
    }
}

TEST_CASE("with Eigen, whose networks see Eigen's types")
{
    auto const plan = ab::euler(ab::rectified_flow{}, ab::trailing_grid(4));
    Eigen::ArrayXXf x = Eigen::ArrayXXf::Constant(5, 2, 0.3f);
    auto const one = [](auto const& input, double t, auto& output) { output = 0.5f * input + float(t); };
    auto const two = [](auto const& input, double t, auto& output) { output = 0.25f * input - float(t); };
    auto const both = [](auto const& input, double t, auto& output) {
        output = 0.5f * input + float(t) + 2 * (0.25f * input + 2 * float(t));
    };
    Eigen::ArrayXXf y = x;
    ab::sample(plan, x, ab::noise_stream{}, ab::guided(plan, ab::classifier_free{3.0}, one, two));
    ab::sample(plan, y, ab::noise_stream{}, both);
    CHECK((x - y).abs().maxCoeff() < 1e-5f);
}

TEST_CASE("the step combines the predictions as it reads them: the same bits as guide and step")
{
    ab::rectified_flow const flow;
    int calls = 0;
    network const c{1.0, 0.2, &calls}, u{0.7, -0.1, &calls}, p{0.4, 0.3, &calls};
    auto const check = [&]<class T>(T, ab::plan const& plan, auto const& rule, auto const&... networks) {
        ab::shape const wide{3, 2, 30, 30}; // more than one piece a sample
        std::vector<T> whole(wide.size()), apart;
        for (std::size_t i = 0; i < whole.size(); ++i)
            whole[i] = static_cast<T>(1.5 * std::sin(0.1 * static_cast<double>(i * i % 977)));
        apart = whole;
        ab::guided together(plan, rule, networks...), by_itself(plan, rule, networks...);
        ab::sample(plan, ab::view(whole, wide), ab::noise_stream{4}, together);
        ab::sample(plan, ab::view(apart, wide), ab::noise_stream{4},
                   [&](auto const& in, double t, auto& out) { by_itself(in, t, out); });
        CHECK(whole == apart);
        CHECK(std::isfinite(static_cast<double>(whole[7])));
    };
    ab::network_form const clipped{.operation = {.what = ab::x0_operation::kind::clip, .bound = 0.8}},
        threshold{.operation = {.what = ab::x0_operation::kind::dynamic_threshold, .quantile = 0.9, .max = 2.0}};
    std::vector<double> const scales{1.0, 3.0, 7.5};
    for (ab::network_form const& form : {ab::network_form{}, clipped, threshold})
        for (ab::plan const& plan : {ab::euler(flow, ab::trailing_grid(3), {.network = form}),
                                     ab::heun(flow, ab::trailing_grid(3), {.network = form}),
                                     ab::euler_ancestral_flow(flow, ab::trailing_grid(3), {.network = form})}) {
            check(float{}, plan, ab::classifier_free{scales}, c, u);
            check(double{}, plan, ab::classifier_free{scales}, c, u);
            check(float{}, plan, ab::rescaled{ab::classifier_free{4.0}}, c, u); // reads inner products
            check(float{}, plan, ab::perturbed(), c, u, p);
            check(float{}, plan, ab::adaptive_projected{.radius = 5, .momentum = -0.5}, c, u); // writes an average
        }
}
