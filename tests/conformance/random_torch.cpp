// SPDX-License-Identifier: MIT
// Kind `random`: torch on a CPU and on a GPU.
#include "random.hpp"

#include <alphabar/noise/torch_cpu.hpp>
#include <alphabar/noise/torch_cuda.hpp>

namespace conformance {
namespace {

/// out(column, row) = in(row, column) of a matrix of the wanted shape whose memory was filled column by column.
array transposed(array const& memory, extents const& shape)
{
    array result(memory.size());
    for (std::size_t i = 0; i < memory.size(); ++i)
        result[i % shape[0] * shape[1] + i / shape[0]] = memory[i];
    return result;
}

/// The functions that both have; nothing for another.
template <class Generator>
array common_call(Generator& g, json const& call, std::string const& function, std::size_t n)
{
    std::string const dtype = value<std::string>(call, "dtype", "");
    if (function == "rand")
        return drawn(dtype, n, [&](auto out) { g.rand(out); });
    if (function == "randn")
        return drawn(dtype, n, [&](auto out) { g.randn(out); });
    if (function == "normal")
        return drawn(dtype, n, [&](auto out) { g.normal(out, value(call, "mean", 0.0), value(call, "std", 1.0)); });
    if (function == "randint") {
        std::vector<std::int64_t> out(n);
        g.randint(out, at(call, "low").get<std::int64_t>(), at(call, "high").get<std::int64_t>());
        return as_doubles(out);
    }
    throw unsupported("the function " + function);
}

array cpu_call(alphabar::torch_cpu_generator& g, json const& call)
{
    std::string const function = at(call, "function").get<std::string>(), dtype = value<std::string>(call, "dtype", "");
    std::size_t const n = call.contains("shape") ? size_of(shape_of(call)) : value<std::size_t>(call, "n", 0);
    if (function == "normal_transposed")
        return transposed(drawn(dtype, n,
                                [&](auto out) {
                                    g.normal_one_by_one(out, at(call, "mean").get<double>(),
                                                        at(call, "std").get<double>());
                                }),
                          shape_of(call));
    if (function == "bernoulli")
        return drawn(dtype, n, [&](auto out) { g.bernoulli(out, at(call, "p").get<double>()); });
    if (function == "exponential")
        return drawn(dtype, n, [&](auto out) { g.exponential(out, at(call, "lambd").get<double>()); });
    if (function == "randperm")
        return as_doubles(g.randperm(n));
    if (function == "manual_seed") {
        auto const& seed = at(call, "seed");
        g.manual_seed(seed.is_string() ? std::stoull(seed.get<std::string>()) : seed.get<std::uint64_t>());
        return {};
    }
    return common_call(g, call, function, n);
}

void replay_cuda(verdict& v)
{
    json const& g = v.given();
    alphabar::torch_cuda_generator torch(
        seed_of(g), {at(g, "sm_count").get<std::uint32_t>(), at(g, "threads_per_sm").get<std::uint32_t>()},
        at(g, "offset").get<std::uint64_t>());
    json const& calls = at(g, "calls");
    for (std::size_t k = 0; k < calls.size(); ++k) {
        json const& call = calls[k];
        compare_call(
            v, k, common_call(torch, call, at(call, "function").get<std::string>(), at(call, "n").get<std::size_t>()));
        std::string const after = "call_" + std::to_string(k) + "_offset_after";
        if (v.expects(after))
            v.compare(after, array{static_cast<double>(torch.offset())});
    }
}

} // namespace

void replay_random_torch(verdict& v, std::string const& generator)
{
    json const& g = v.given();
    json const& calls = at(g, "calls");
    if (generator == "torch_cuda")
        return replay_cuda(v);
    if (generator != "torch_cpu")
        throw unsupported("the generator " + generator);
    alphabar::torch_cpu_generator torch(seed_of(g));
    for (std::size_t k = 0; k < calls.size(); ++k)
        compare_call(v, k, cpu_call(torch, calls[k]));
}

} // namespace conformance
