// SPDX-License-Identifier: MIT
// Kind `random`: which family a case belongs to, and what all of them need.
#include "random.hpp"

#include <cstdio>

namespace conformance {

std::uint64_t seed_of(json const& given) { return std::stoull(at(given, "seed").get<std::string>()); }

void compare_call(verdict& v, std::size_t k, array const& values)
{
    std::string const name = "call_" + std::to_string(k), index = name + "_index";
    v.skip(index);
    v.skip(name + "_scalar");
    if (!v.expects(index))
        return v.compare(name, values);
    array chosen;
    for (std::size_t i : v.expect()[index].get<std::vector<std::size_t>>())
        chosen.push_back(values.at(i));
    v.compare(name, chosen);
}

std::string hexadecimal(std::uint64_t word, int bits)
{
    char text[17];
    std::snprintf(text, sizeof text, "%0*llx", bits / 4, static_cast<unsigned long long>(word));
    return text;
}

void replay_random(verdict& v)
{
    std::string const generator = at(v.given(), "generator").get<std::string>();
    if (generator.starts_with("philox") || generator.starts_with("threefry") || generator.starts_with("std::"))
        replay_random_engine(v, generator);
    else if (generator.starts_with("torch_"))
        replay_random_torch(v, generator);
    else if (generator.starts_with("numpy.") || generator.starts_with("python."))
        replay_random_numpy(v, generator);
    else if (generator == "jax.threefry2x32")
        replay_random_jax(v);
    else
        throw unsupported("the generator " + generator);
}

} // namespace conformance
