// SPDX-License-Identifier: MIT
#include <alphabar/backends/eigen.hpp>
#include <alphabar/backends/span.hpp>
#include <alphabar/backends/xtensor.hpp>
#include <alphabar/sampler/sample.hpp>

#include <doctest/doctest.h>
#include <unsupported/Eigen/CXX11/Tensor>

#include <cstring>
#include <vector>

using namespace alphabar;

namespace {

/// Two stages of F = 0.9 x, the network written in the tensor library's own words.
template <class X, class Network>
std::vector<float> sampled(X x, Network const& network)
{
    using namespace alphabar::slots;
    plan p{{{.time = 1, .x = 0.5 * row(slots::x) + 0.25 * F() + 0.1 * z},
            {.time = 0, .x = 0.5 * row(slots::x) + 0.25 * m(1)}}};
    number_draws(p);
    draw_initial(p, noise_stream{3}, x);
    sample(p, x, noise_stream{3}, network);
    std::span<float const> const all = traits_of<X>::elements(x);
    return {all.begin(), all.end()};
}

} // namespace

TEST_CASE("a network written for Eigen or xtensor works on the executor's views, with the bits of plain memory")
{
    auto const scaled = [](auto const& input, double, auto& output) { output = input * 0.9f; };
    std::vector<float> memory(12);
    auto const plain = [](auto const& input, double, auto& output) {
        for (std::size_t i = 0; i < input.shape.size(); ++i)
            output.data[i] = input.data[i] * 0.9f;
    };
    auto const three = sampled(view(memory, {3, 4}), plain), one = sampled(view(memory, {12}), plain);
    CHECK(sampled(Eigen::ArrayXXf(4, 3), scaled) == three); // a sample a column
    CHECK(sampled(Eigen::Matrix<float, 3, 4, Eigen::RowMajor>(), scaled) == three);
    CHECK(sampled(Eigen::Array<float, 4, 3>(), scaled) == three);
    CHECK(sampled(Eigen::Tensor<float, 3>(2, 2, 3), scaled) == three);
    CHECK(sampled(Eigen::Tensor<float, 3, Eigen::RowMajor>(3, 2, 2), scaled) == three);
    CHECK(sampled(xt::xtensor<float, 2>::from_shape({3, 4}), scaled) == three);
    CHECK(sampled(xt::xarray<float>::from_shape({3, 2, 2}), scaled) == three);
    CHECK(sampled(Eigen::VectorXf(12), scaled) == one);
    CHECK(sampled(Eigen::RowVectorXf(12), scaled) == one);
    CHECK(sampled(xt::xtensor<float, 1>::from_shape({12}), scaled) == one);
}
