// SPDX-License-Identifier: MIT
//
// Kind `random`: torch on a CPU.
#include "random.hpp"

#include <alphabar/noise/torch_cpu.hpp>

namespace conformance {
namespace {

/// 16-bit elements of any kind: the compiler may have none.
template <alphabar::element_format Format>
struct bits_of {
    std::uint16_t bits;
};

} // namespace
} // namespace conformance

template <alphabar::element_format Format>
inline constexpr alphabar::element_format alphabar::format_of<conformance::bits_of<Format>> = Format;

namespace conformance {
namespace {

using half = bits_of<alphabar::element_format::binary16>;
using bfloat16 = bits_of<alphabar::element_format::bfloat16>;

/// What f(std::span<T>) writes to n elements of the dtype.
template <class F>
array drawn(std::string const& dtype, std::size_t n, F const& f)
{
    auto const draw = [&]<class T>(T) {
        std::vector<T> out(n);
        f(std::span<T>(out));
        array result;
        for (T x : out)
            result.push_back(static_cast<double>(alphabar::widen(x)));
        return result;
    };
    if (dtype == "float32")
        return draw(float{});
    if (dtype == "float64")
        return draw(double{});
    if (dtype == "float16")
        return draw(half{});
    if (dtype == "bfloat16")
        return draw(bfloat16{});
    throw unsupported("the dtype " + dtype);
}

/// out(column, row) = in(row, column) of a matrix of the wanted shape whose memory was filled column by column.
array transposed(array const& memory, extents const& shape)
{
    array result(memory.size());
    for (std::size_t i = 0; i < memory.size(); ++i)
        result[i % shape[0] * shape[1] + i / shape[0]] = memory[i];
    return result;
}

template <class Integers>
array as_doubles(Integers const& list)
{
    return array(list.begin(), list.end());
}

array cpu_call(alphabar::torch_cpu_generator& g, json const& call)
{
    std::string const function = at(call, "function").get<std::string>();
    std::size_t const n = call.contains("shape") ? size_of(shape_of(call)) : value<std::size_t>(call, "n", 0);
    std::string const dtype = value<std::string>(call, "dtype", "");
    double const mean = value(call, "mean", 0.0), deviation = value(call, "std", 1.0);
    if (function == "rand")
        return drawn(dtype, n, [&](auto out) { g.rand(out); });
    if (function == "randn")
        return drawn(dtype, n, [&](auto out) { g.randn(out); });
    if (function == "normal")
        return drawn(dtype, n, [&](auto out) { g.normal(out, mean, deviation); });
    if (function == "normal_transposed")
        return transposed(drawn(dtype, n, [&](auto out) { g.normal_one_by_one(out, mean, deviation); }),
                          shape_of(call));
    if (function == "bernoulli")
        return drawn(dtype, n, [&](auto out) { g.bernoulli(out, at(call, "p").get<double>()); });
    if (function == "exponential")
        return drawn(dtype, n, [&](auto out) { g.exponential(out, at(call, "lambd").get<double>()); });
    if (function == "randint") {
        std::vector<std::int64_t> out(n);
        g.randint(out, at(call, "low").get<std::int64_t>(), at(call, "high").get<std::int64_t>());
        return as_doubles(out);
    }
    if (function == "randperm")
        return as_doubles(g.randperm(n));
    if (function == "manual_seed") {
        auto const& seed = at(call, "seed");
        g.manual_seed(seed.is_string() ? std::stoull(seed.get<std::string>()) : seed.get<std::uint64_t>());
        return {};
    }
    throw unsupported("the function " + function);
}

} // namespace

void replay_random_torch(verdict& v, std::string const& generator)
{
    json const& g = v.given();
    json const& calls = at(g, "calls");
    if (generator != "torch_cpu")
        throw unsupported("the generator " + generator);
    alphabar::torch_cpu_generator torch(seed_of(g));
    for (std::size_t k = 0; k < calls.size(); ++k)
        compare_call(v, k, cpu_call(torch, calls[k]));
}

} // namespace conformance
