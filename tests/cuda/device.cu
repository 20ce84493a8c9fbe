// SPDX-License-Identifier: MIT
// The primitives and the noise on a device give the bits of the emulated grid. Compiled always; without a device:
// SKIPPED.
#include <alphabar/backends/cuda.cuh>
#include <alphabar/noise/stream.hpp>

#include "device_test.hpp"

using namespace alphabar;

namespace {

struct blend {
    float a, b;
    ALPHABAR_HOST_DEVICE float operator()(float x, float y) const { return a * x + b * y; }
};
struct squared_difference {
    ALPHABAR_HOST_DEVICE float operator()(float x, float y) const { return (x - y) * (x - y); }
};
struct value_and_slope {
    ALPHABAR_HOST_DEVICE reduced<float> operator()(float x, float y) const { return {2 * (x - y), (x - y) * (x - y)}; }
};

void run(shape const& s, cudaStream_t stream)
{
    std::vector<float> x(s.size()), y(s.size()), out(s.size());
    auto const field = noise_stream{7}(purpose::test, 3, 11);
    device_tensor_view<float, emulated_space> const hx{x.data(), s}, hy{y.data(), s}, hout{out.data(), s};
    device_array<float> dx(s.size()), dy(s.size()), dout(s.size());
    device_view<float> const vx{dx.data(), s, {stream}}, vy{dy.data(), s, {stream}}, vout{dout.data(), s, {stream}};

    fill(hx, field);
    fill(vx, field);
    expect_same("fill with noise", x, dx.host());
    fill(hy, noise_stream{9}(purpose::test, 4));
    fill(vy, noise_stream{9}(purpose::test, 4));

    transform(blend{0.3f, -1.7f}, hout, hx, hy);
    transform(blend{0.3f, -1.7f}, vout, vx, vy);
    expect_same("transform", out, dout.host());

    std::vector<blend> rows;
    for (std::size_t r = 0; r < s.batch(); ++r)
        rows.push_back({0.1f * static_cast<float>(r), 1.0f});
    device_array<blend> drows(rows);
    transform_rows(rows, hout, hx, field);
    transform_rows(std::span<blend const>(drows.data(), rows.size()), vout, vx, field);
    expect_same("transform_rows", out, dout.host());

    std::vector<double> sums(s.batch());
    device_array<double> dsums(s.batch());
    reduce_rows(squared_difference{}, sums, hx, hy);
    reduce_rows(squared_difference{}, std::span<double>(dsums.data(), s.batch()), vx, vy);
    expect_same("reduce_rows", sums, dsums.host());
    transform_reduce_rows(value_and_slope{}, hout, sums, hx, field);
    transform_reduce_rows(value_and_slope{}, vout, std::span<double>(dsums.data(), s.batch()), vx, field);
    expect_same("transform_reduce_rows", sums, dsums.host());
    expect_same("transform_reduce_rows, output", out, dout.host());
}

} // namespace

int main()
{
    skip_without_device();
    cudaStream_t stream;
    check(cudaStreamCreate(&stream));
    for (shape const& s : {shape{1, 1}, shape{3, 5}, shape{5, 257}, shape{2, 3, 1021}, shape{1, 1400000}})
        run(s, stream);
    return finish();
}
