// SPDX-License-Identifier: MIT
//
// Kind `sigmas`: grids of noise levels.
#include "support.hpp"

#include <alphabar/grid/sigmas.hpp>
#include <alphabar/schedule/paths.hpp>

namespace conformance {
namespace {

namespace ab = alphabar;

/// The noise levels of a grid spec, the end included.
template <class Spec>
array levels(Spec const& spec)
{
    array sigmas;
    for (ab::noise_level const level : ab::make_grid(ab::variance_exploding{}, spec).levels)
        sigmas.push_back(level.sigma);
    return sigmas;
}

using maker = array (*)(std::size_t n, ab::sigma_range const& range, json const& arguments);

std::map<std::string, maker> const& makers()
{
    static std::map<std::string, maker> const all = {
        {"get_sigmas_karras",
         [](std::size_t n, ab::sigma_range const& range, json const& a) {
             return levels(ab::karras_grid(n, {.rho = value(a, "rho", 7.0), .range = range}));
         }},
        {"get_sigmas_exponential", [](std::size_t n, ab::sigma_range const& range,
                                      json const&) { return levels(ab::exponential_grid(n, range)); }},
        {"get_sigmas_polyexponential",
         [](std::size_t n, ab::sigma_range const& range, json const& a) {
             return levels(ab::polyexponential_grid(n, {.rho = value(a, "rho", 1.0), .range = range}));
         }},
    };
    return all;
}

} // namespace

void replay_sigmas(verdict& v)
{
    json const& given = v.given();
    std::string const family = at(given, "family").get<std::string>(), name = at(given, "function").get<std::string>();
    if (v.in_ulps())
        throw unsupported("sigma grids to 0.51 ulp: theirs are computed in double");
    if (name == "DiscreteSchedule.get_sigmas")
        throw unsupported("the case does not name the length of its table");
    auto const maker = makers().find(name);
    if (maker == makers().end())
        throw unsupported(family + "'s " + name);
    json const& a = at(given, "arguments");
    ab::sigma_range range;
    if (a.contains("sigma_min"))
        range = {number(at(a, "sigma_min")), number(at(a, "sigma_max"))};
    v.compare("values", maker->second(at(a, "n").get<std::size_t>(), range, a));
}

} // namespace conformance
