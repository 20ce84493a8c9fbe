// SPDX-License-Identifier: MIT
#include "function.hpp"

namespace conformance {

array values_named(json const& a, char const* name, std::size_t n)
{
    json const& given = at(a, name);
    if (!given.is_string())
        return numbers(given);
    std::string const word = given.get<std::string>();
    return word == "initial" ? initial(n, 1.0) : word == "data" ? data(n) : noise(n, 0, 0);
}

array state_of(json const& a)
{
    std::size_t const n = size_of(shape_of(a));
    return a.contains("x_t") ? values_named(a, "x_t", n) : initial(n, value(a, "initial_scale", 1.0));
}

void replay_function(verdict& v)
{
    std::string const name =
        at(v.given(), "family").get<std::string>() + " " + at(v.given(), "function").get<std::string>();
    for (function_table const* table : {&denoiser_functions(), &solver_functions(), &score_functions(),
                                        &vdm_functions(), &flow_functions(), &manifold_functions()})
        if (auto const function = table->find(name); function != table->end())
            return function->second(v, at(v.given(), "arguments"));
    throw unsupported(name);
}

} // namespace conformance
