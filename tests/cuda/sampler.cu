// SPDX-License-Identifier: MIT
// A plan on a device gives the bits of the emulated grid, also as a captured graph. Compiled always; without a device:
// SKIPPED.
#include <alphabar/backends/cuda.cuh>
#include <alphabar/sampler/executor.hpp>

#include "device_test.hpp"

using namespace alphabar;
using namespace alphabar::slots;

namespace {

plan three_stages()
{
    plan p;
    stage s{.time = 3, .x = 0.7 * x + 0.2 * m() + 0.3 * z, .memory = {1.1, -0.4}, .input_scale = 0.5};
    s.churn = stage::churn_map{1.0, 0.2};
    s.operation = {.what = x0_operation::kind::clip, .bound = 0.9};
    p.stages.push_back(s);
    p.stages.push_back({.time = 2, .x = 0.5 * x + 0.25 * m() + 0.125 * m(1) + 0.1 * z, .memory = {0.9, -0.3}});
    p.stages.push_back({.time = 1, .x = 0.1 * x + 0.3 * m() + 0.3 * m(1), .memory = {0.2, 0.8}});
    number_draws(p);
    return p;
}

plan with_threshold()
{
    plan p = three_stages();
    p.stages[1].operation = {.what = x0_operation::kind::dynamic_threshold, .bound = 0.5, .quantile = 0.9, .max = 3.0};
    return p;
}

struct network_formula {
    float time;
    ALPHABAR_HOST_DEVICE float operator()(float x) const { return 0.6f * x / (1.0f + x * x) + 0.01f * time; }
};

template <class X>
void drive(plan const& p, X x, X output, std::span<std::byte> work)
{
    executor run(p, x, noise_stream{5}, work);
    while (auto const call = run.next()) {
        transform(network_formula{static_cast<float>(call.time)}, output, call.input);
        run.take(output);
    }
}

void compare(char const* what, plan const& p, shape const& s, cudaStream_t stream, bool graph)
{
    std::vector<float> start(s.size());
    for (std::size_t i = 0; i < start.size(); ++i)
        start[i] = static_cast<float>(static_cast<int>(i * 2654435761u % 2001) - 1000) * 0.002f;
    std::vector<float> x = start, output(s.size());
    std::size_t const bytes = work_bytes<float>(lower(p), s);
    std::vector<std::byte> work(bytes);
    using host = device_tensor_view<float, emulated_space>;
    drive(p, host{x.data(), s}, host{output.data(), s}, work);

    device_array<float> dx(start), doutput(s.size());
    device_array<std::byte> dwork(bytes);
    device_view<float> const vx{dx.data(), s, {stream}}, voutput{doutput.data(), s, {stream}};
    if (graph) {
        cudaGraph_t captured;
        cudaGraphExec_t executable;
        check(cudaStreamBeginCapture(stream, cudaStreamCaptureModeGlobal));
        drive(p, vx, voutput, {dwork.data(), bytes});
        check(cudaStreamEndCapture(stream, &captured));
        check(cudaGraphInstantiate(&executable, captured, 0));
        check(cudaGraphLaunch(executable, stream));
        check(cudaStreamSynchronize(stream));
        check(cudaGraphExecDestroy(executable));
        check(cudaGraphDestroy(captured));
    } else {
        drive(p, vx, voutput, {dwork.data(), bytes});
    }
    expect_same(what, x, dx.host());
}

} // namespace

int main()
{
    skip_without_device();
    cudaStream_t stream;
    check(cudaStreamCreate(&stream));
    for (shape const& s : {shape{2, 3, 5, 7}, shape{4, 3, 64, 64}}) {
        compare("three stages", three_stages(), s, stream, false);
        compare("three stages in a graph", three_stages(), s, stream, true);
        compare("a dynamic threshold", with_threshold(), s, stream, false);
    }
    return finish();
}
