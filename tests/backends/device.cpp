// SPDX-License-Identifier: MIT
#include <alphabar/backends/device.hpp>
#include <alphabar/backends/span.hpp>
#include <alphabar/noise/stream.hpp>

#include <doctest/doctest.h>

#include <cmath>
#include <cstring>
#include <vector>

using namespace alphabar;

namespace {

struct blend {
    float a, b;
    ALPHABAR_HOST_DEVICE float operator()(float x, float y) const { return a * x + b * y; }
};
struct both_ways {
    struct pair {
        float at[2];
        ALPHABAR_HOST_DEVICE float operator[](std::size_t i) const { return at[i]; }
    };
    ALPHABAR_HOST_DEVICE pair operator()(float x, float y) const { return {{x + y, x - y}}; }
};
struct squared_difference {
    ALPHABAR_HOST_DEVICE float operator()(float x, float y) const { return (x - y) * (x - y); }
};
struct value_and_slope {
    ALPHABAR_HOST_DEVICE reduced<float> operator()(float x, float y) const { return {2 * (x - y), (x - y) * (x - y)}; }
};

std::vector<float> wave(std::size_t n, float step)
{
    std::vector<float> x(n);
    for (std::size_t i = 0; i < n; ++i)
        x[i] = std::sin(step * static_cast<float>(i + 1));
    return x;
}

template <class T>
bool same_bits(std::vector<T> const& a, std::vector<T> const& b)
{
    return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(T)) == 0;
}

auto on_grid(std::vector<float>& x, shape const& s) { return device_tensor_view<float, emulated_space>{x.data(), s}; }

} // namespace

TEST_CASE("the threads of an emulated grid give the host's bits, for every tail and row border")
{
    for (shape const& s : {shape{1, 1}, shape{3, 5}, shape{2, 4}, shape{5, 257}, shape{2, 3, 1021}, shape{1, 140000}}) {
        CAPTURE(to_string(s));
        auto const x = wave(s.size(), 0.7f), y = wave(s.size(), 1.3f);
        auto dx = x, dy = y;
        std::vector<float> out(s.size()), device_out(s.size(), -9);

        transform(blend{0.3f, -1.7f}, view(out, s), view(x, s), view(y, s));
        transform(blend{0.3f, -1.7f}, on_grid(device_out, s), on_grid(dx, s), on_grid(dy, s));
        CHECK(same_bits(out, device_out));

        std::vector<blend> rows;
        for (std::size_t r = 0; r < s.batch(); ++r)
            rows.push_back({0.1f * static_cast<float>(r), 1.0f});
        transform_rows(rows, view(out, s), view(x, s), view(y, s));
        transform_rows(rows, on_grid(device_out, s), on_grid(dx, s), on_grid(dy, s));
        CHECK(same_bits(out, device_out));

        auto const field = noise_stream{7}(purpose::test, 3, 11);
        transform(blend{0.3f, -1.7f}, view(out, s), view(x, s), field);
        transform(blend{0.3f, -1.7f}, on_grid(device_out, s), on_grid(dx, s), field);
        CHECK(same_bits(out, device_out));

        std::vector<float> second(s.size()), device_second(s.size());
        auto a = view(out, s), b = view(second, s);
        auto da = on_grid(device_out, s), db = on_grid(device_second, s);
        transform(both_ways{}, std::tie(a, b), view(x, s), view(y, s));
        transform(both_ways{}, std::tie(da, db), on_grid(dx, s), on_grid(dy, s));
        CHECK(same_bits(out, device_out));
        CHECK(same_bits(second, device_second));

        std::vector<double> sums(s.batch()), device_sums(s.batch(), -9);
        reduce_rows(squared_difference{}, sums, view(x, s), view(y, s));
        reduce_rows(squared_difference{}, device_sums, on_grid(dx, s), on_grid(dy, s));
        CHECK(same_bits(sums, device_sums));

        transform_reduce_rows(value_and_slope{}, view(out, s), sums, view(x, s), field);
        transform_reduce_rows(value_and_slope{}, on_grid(device_out, s), device_sums, on_grid(dx, s), field);
        CHECK(same_bits(sums, device_sums));
        CHECK(same_bits(out, device_out));

        fill(view(out, s), field);
        fill(on_grid(device_out, s), field);
        CHECK(same_bits(out, device_out));
    }
}

TEST_CASE("a view that does not begin at 16 bytes is read element by element")
{
    auto x = wave(101, 0.9f), out = x;
    for (std::size_t offset : {0u, 1u, 2u, 3u}) {
        shape const s{97};
        device_tensor_view<float, emulated_space> const from{x.data() + offset, s}, to{out.data() + offset, s};
        transform(blend{2, 1}, to, from, from);
        for (std::size_t i = 0; i < 97; ++i)
            REQUIRE(out[offset + i] == 2 * x[offset + i] + x[offset + i]);
    }
}

TEST_CASE("the sum over samples without elements is 0")
{
    std::vector<float> none;
    std::vector<double> sums(3, -9);
    reduce_rows(squared_difference{}, sums, on_grid(none, {3, 0}), on_grid(none, {3, 0}));
    CHECK(sums == std::vector<double>{0, 0, 0});
}
