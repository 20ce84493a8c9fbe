// SPDX-License-Identifier: MIT
// flow_matching's manifolds, point by point.
#include "function.hpp"

#include <alphabar/process/manifold.hpp>

#include <utility>

namespace conformance {
namespace {

/// of(manifold) on the manifold of the case.
template <class Work>
void on_manifold(json const& a, Work const& work)
{
    std::string const name = at(a, "manifold").get<std::string>();
    if (name == "sphere")
        work(alphabar::sphere{});
    else if (name == "flat_torus")
        work(alphabar::flat_torus{});
    else
        throw unsupported("the manifold " + name);
}

/// What a function makes of the points x and a second argument: points are the last axis of the shape.
template <class Function>
void of_points(verdict& v, json const& a, char const* second, Function const& function)
{
    on_manifold(a, [&](auto const& manifold) {
        array x = numbers(at(a, "x")), other = second ? numbers(at(a, second)) : array(x.size());
        std::size_t const d = shape_of(a).back();
        array values;
        for (std::size_t i = 0; i < x.size(); i += d)
            for (double result : function(manifold, std::span(x).subspan(i, d), std::span(other).subspan(i, d)))
                values.push_back(result);
        v.compare("values", values);
    });
}

} // namespace

function_table const& manifold_functions()
{
    using points = std::span<double>;
    static function_table const functions = {
        {"flow_matching projx",
         [](verdict& v, json const& a) {
             of_points(v, a, nullptr, [](auto const& m, points x, points) { return m.project(x), x; });
         }},
        {"flow_matching proju",
         [](verdict& v, json const& a) {
             of_points(v, a, "u", [](auto const& m, points x, points u) { return m.project_tangent(x, u), u; });
         }},
        {"flow_matching expmap",
         [](verdict& v, json const& a) {
             of_points(v, a, "u", [](auto const& m, points x, points u) { return m.geodesic(x, u, 1.0, x, u), x; });
         }},
        {"flow_matching logmap",
         [](verdict& v, json const& a) {
             of_points(v, a, "y", [](auto const& m, points x, points y) { return m.logarithm(x, y, y), y; });
         }},
        {"flow_matching dist",
         [](verdict& v, json const& a) {
             of_points(v, a, "y", [](auto const& m, points x, points y) { return array{m.distance(x, y)}; });
         }},
    };
    return functions;
}

void replay_geodesic(verdict& v, std::function<std::pair<double, double>(double)> const& kappa)
{
    json const& given = v.given();
    on_manifold(given, [&](auto const& manifold) {
        array x = numbers(at(given, "x_0")), y = numbers(at(given, "x_1"));
        array const t = numbers(at(given, "t"));
        std::size_t const d = x.size() / t.size();
        for (std::size_t k = 0; k < t.size(); ++k) {
            std::span const from = std::span(x).subspan(k * d, d), to = std::span(y).subspan(k * d, d);
            auto const [share, rate] = kappa(t[k]);
            manifold.logarithm(from, to, to);
            manifold.geodesic(from, to, share, from, to);
            for (double& u : to)
                u *= rate;
        }
        v.compare("noisy", x);
        v.compare("velocity", y);
    });
}

} // namespace conformance
