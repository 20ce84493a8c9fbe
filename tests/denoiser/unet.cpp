// SPDX-License-Identifier: MIT
#include <alphabar/denoiser/denoiser.hpp>
#include <alphabar/denoiser/unet.hpp>

#include <doctest/doctest.h>

#include <cmath>
#include <numbers>
#include <set>
#include <string>
#include <vector>

namespace {

using namespace alphabar;

template <class S>
std::vector<S> random(std::size_t count, std::uint32_t step, double scale = 1)
{
    std::vector<S> values(count);
    noise_field const field = noise_stream{11}(purpose::test, step);
    for (std::size_t i = 0; i < count; ++i)
        values[i] =
            static_cast<S>(static_cast<float>(scale * double{field(0, i)})); // the same value in float and double
    return values;
}

double distance(std::vector<float> const& a, std::vector<double> const& b, std::size_t first, std::size_t count)
{
    double error = 0, norm = 0;
    for (std::size_t i = first; i < first + count; ++i) {
        error += (double{a[i]} - b[i]) * (double{a[i]} - b[i]);
        norm += b[i] * b[i];
    }
    return std::sqrt(error / norm);
}

} // namespace

TEST_CASE("it has the layers, the parameters and the FLOP of its description")
{
    unet<float> const net;
    CHECK(net.parameters().total() == 148001);
    CHECK(net.forward_flop() == 7671552);
    std::set<std::string> names;
    std::size_t next = 0;
    for (parameter const& p : net.parameters()) {
        names.insert(p.name);
        std::size_t product = 1;
        for (std::size_t const extent : p.shape)
            product *= extent;
        CHECK(p.size == product);
        CHECK(p.offset == next);
        next += p.size;
    }
    CHECK(names.size() == net.parameters().size());
}

TEST_CASE("it begins as the recipe says: its output is 0")
{
    denoiser<unet<float>> d(unet<float>(8));
    auto const p = initial_parameters<float>(d.net().parameters(), {1});
    auto const x = random<float>(2 * 64, 1);
    std::vector<float> out(x.size(), 9);
    d.predict(p, x, std::vector<condition>{{0.1, 2}, {1, no_label}}, out);
    CHECK(out == std::vector<float>(x.size(), 0));
    for (parameter const& tensor : d.net().parameters()) {
        CAPTURE(tensor.name);
        bool const convolution = tensor.shape.size() == 4;
        bool const zero =
            tensor.name.find("second") != std::string::npos || tensor.name.find("leave") == 0 ||
            (tensor.shape.size() == 1 && tensor.name != "embed.bias" && tensor.name != "condition_map.bias");
        double largest = 0, squares = 0;
        for (std::size_t i = 0; i < tensor.size; ++i) {
            double const v = double{p[tensor.offset + i]};
            largest = std::max(largest, std::abs(v));
            squares += v * v / static_cast<double>(tensor.size);
        }
        CHECK((largest == 0) == zero);
        if (convolution && !zero)
            CHECK(squares == doctest::Approx(2.0 / (9 * static_cast<double>(tensor.shape[2]))).epsilon(0.35));
        if (!convolution && !zero)
            CHECK(largest <= 1 / std::sqrt(tensor.name.find("embed") == 0 ? 42.0 : 64.0));
    }
}

TEST_CASE("features: waves of log_sigma / 4, then the class")
{
    std::vector<double> f(unet<double>::features, 5);
    unet<double>::write_features({1.2, 7}, f.data());
    CHECK(f[0] == doctest::Approx(std::cos(std::numbers::pi * 0.25 * 0.3)));
    CHECK(f[15] == doctest::Approx(std::cos(std::numbers::pi * 8 * 0.3)));
    CHECK(f[16 + 6] == doctest::Approx(std::sin(std::numbers::pi * 0.3))); // 2^(-2 + 6 / 3)
    for (std::size_t label = 0; label < 10; ++label)
        CHECK(f[32 + label] == (label == 7 ? 1 : 0));
    unet<double>::write_features({1.2, no_label}, f.data());
    CHECK(f[32 + 7] == 0);
}

TEST_CASE("floats agree with doubles on random shapes, on every instruction set")
{
    struct shape {
        std::size_t side, batch;
    };
    for (shape const s : {shape{4, 1}, {8, 9}, {20, 3}, {28, 5}, {36, 2}}) {
        CAPTURE(s.side);
        unet<double> exact(s.side);
        std::size_t const count = exact.parameters().total(), size = exact.sample_size() * s.batch;
        std::vector<condition> conditions;
        for (std::size_t i = 0; i < s.batch; ++i)
            conditions.push_back({0.7 * static_cast<double>(i) - 1, static_cast<int>(i % 11) - 1});
        denoiser<unet<double>> d(exact);
        auto const p = random<double>(count, 3, 0.08);
        std::vector<double> gradient(count), output(size);
        double const loss = d.gradient(p, random<double>(size, 1), conditions, random<double>(size, 2), gradient);
        d.predict(p, random<double>(size, 1), conditions, output);
        for (isa const instructions : {isa::baseline, isa::avx2, isa::avx512}) {
            if (instructions > best_isa())
                continue;
            layers<float>::instructions = instructions;
            denoiser<unet<float>> f(unet<float>(s.side));
            auto const fp = random<float>(count, 3, 0.08);
            std::vector<float> fg(count), fo(size);
            CHECK(f.gradient(fp, random<float>(size, 1), conditions, random<float>(size, 2), fg) ==
                  doctest::Approx(loss).epsilon(2e-5));
            f.predict(fp, random<float>(size, 1), conditions, fo);
            CHECK(distance(fo, output, 0, size) < 2e-5);
            for (parameter const& tensor : exact.parameters()) {
                CAPTURE(tensor.name);
                CHECK(distance(fg, gradient, tensor.offset, tensor.size) < 2e-5);
            }
        }
    }
    layers<float>::instructions = best_isa();
}
