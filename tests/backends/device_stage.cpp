// SPDX-License-Identifier: MIT
#include <alphabar/backends/device_stage.hpp>
#include <alphabar/sampler/executor.hpp>

#include <doctest/doctest.h>

#include <cmath>
#include <cstring>
#include <vector>

using namespace alphabar;
using namespace alphabar::slots;

namespace {

/// A plan with every feature: churn, an anchor, memories, clipping, a threshold, a predicted variance, a stage without
/// a call.
plan rich(unsigned heads, bool learned)
{
    plan p;
    p.heads = heads;
    stage s{.time = 3, .x = 0.7 * x + 0.2 * m() + 0.3 * z, .memory = {1.1, -0.4}, .input_scale = 0.5};
    s.churn = stage::churn_map{1.0, 0.2};
    s.y = row(x);
    s.operation = {.what = x0_operation::kind::clip, .bound = 0.9};
    if (learned)
        s.spread = noise_spread{noise_spread::kind::range, -2.0, -1.0};
    p.stages.push_back(s);
    stage t{.time = 2, .x = 0.5 * y + 0.25 * m() + 0.125 * m(1) + 0.1 * z, .memory = {0.9, -0.3}};
    t.operation = {.what = x0_operation::kind::dynamic_threshold, .bound = 0.5, .quantile = 0.9, .max = 3.0};
    t.y = 0.5 * x + 0.5 * y;
    p.stages.push_back(t);
    stage idle{.time = 0, .x = 0.9 * x + 0.1 * y + 0.05 * z};
    idle.calls = false;
    p.stages.push_back(idle);
    p.stages.push_back({.time = 1, .x = 0.1 * x + 0.3 * m() + 0.3 * m(1) + 0.3 * m(2) + 0.1 * y, .memory = {0.2, 0.8}});
    number_draws(p);
    return p;
}

template <class Input>
void network(Input const* in, std::size_t n, double time, float* out)
{
    for (std::size_t i = 0; i < n; ++i)
        out[i] = 0.6f * std::tanh(in[i]) + 0.1f * in[i] * static_cast<float>(time);
}

/// The run of `p` in the space of `x`, whose memory is the host's.
template <class X, class P>
void drive(P const& p, X& x, unsigned heads, std::span<std::byte> work)
{
    executor run(p, x, noise_stream{5}, work);
    shape const s = traits_of<X>::shape(x), out_shape = run.output_shape();
    std::vector<float> output(out_shape.size());
    while (auto const call = run.next()) {
        std::span<float> const input = traits_of<decltype(call.input)>::elements(call.input);
        std::size_t const size = s.sample_size();
        for (std::size_t r = 0; r < s.batch(); ++r)
            for (unsigned h = 0; h < heads; ++h)
                network(input.data() + r * size, size, call.times[r] + 0.5 * h, output.data() + (r * heads + h) * size);
        run.take(run.view_like_x(output.data(), out_shape));
    }
    auto const state = run.state();
    std::span<float const> const end = traits_of<decltype(state)>::elements(state);
    std::memmove(traits_of<X>::elements(x).data(), end.data(), end.size_bytes());
}

} // namespace

TEST_CASE("a plan's stages on the emulated grid give the host's bits")
{
    for (shape const& s : {shape{2, 3, 5, 7}, shape{1, 1, 4, 4}, shape{3, 2, 33, 31}})
        for (bool learned : {false, true})
            for (bool own_plans : {false, true}) {
                CAPTURE(to_string(s));
                CAPTURE(learned);
                CAPTURE(own_plans);
                unsigned const heads = learned ? 2 : 1;
                std::vector<float> a(s.size());
                for (std::size_t i = 0; i < a.size(); ++i)
                    a[i] = std::sin(1.1f * static_cast<float>(i + 1));
                auto b = a;
                std::vector<std::byte> work(work_bytes<float>(lower(rich(heads, learned)), s) + 64);
                std::vector<plan> plans(s.batch(), rich(heads, learned));
                for (std::size_t r = 0; r < plans.size(); ++r)
                    for (stage& one : plans[r].stages)
                        one.x *= 1.0 - 0.1 * static_cast<double>(r);
                tensor_view<float> host{a.data(), s};
                device_tensor_view<float, emulated_space> device{b.data(), s};
                if (own_plans) {
                    drive(plans, host, heads, {});
                    drive(plans, device, heads, work);
                } else {
                    drive(plans[0], host, heads, {});
                    drive(plans[0], device, heads, work);
                }
                CHECK(std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0);
                for (std::size_t i = 0; i < a.size(); ++i)
                    if (std::memcmp(&a[i], &b[i], 4) != 0) {
                        CAPTURE(i);
                        CHECK(a[i] == b[i]);
                        break;
                    }
            }
}

TEST_CASE("a device takes noise from a tensor too")
{
    shape const s{2, 9};
    std::vector<float> noise(s.size());
    for (std::size_t i = 0; i < noise.size(); ++i)
        noise[i] = 0.25f * static_cast<float>(i % 7);
    plan p{{{.time = 1, .x = 0.5 * x + 0.25 * z}}};
    p.stages[0].calls = false;
    number_draws(p);
    std::vector<float> a(s.size(), 1.0f), b = a;
    tensor_view<float> host{a.data(), s};
    device_tensor_view<float, emulated_space> device{b.data(), s};
    executor on_host(p, host, [&](std::uint32_t) { return tensor_view<float const>{noise.data(), s}; });
    CHECK(on_host.take());
    executor on_device(p, device,
                       [&](std::uint32_t) { return device_tensor_view<float const, emulated_space>{noise.data(), s}; });
    CHECK(on_device.take());
    CHECK(a == b);
    CHECK(a[1] == 0.5f + 0.25f * 0.25f);
}
