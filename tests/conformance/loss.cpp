// SPDX-License-Identifier: MIT
// Kind `loss`: element losses with their gradients.
#include "support.hpp"

#include <alphabar/backends/span.hpp>
#include <alphabar/loss/losses.hpp>

namespace conformance {
namespace {

namespace ab = alphabar;

/// A tensor written as a formula.
array tensor_of(std::string const& formula, std::size_t n)
{
    if (formula == "data")
        return data(n);
    if (formula == "0.6 tanh(initial sample), scale 1") {
        array values = initial(n, 1.0);
        for (double& x : values)
            x = 0.6 * std::tanh(x);
        return values;
    }
    return array(n, number(json(formula)));
}

/// The loss of every sample and the gradient of their weighted sum.
struct reduced {
    array loss;
    array gradient;
};

template <class Loss>
reduced reduce(Loss const& loss, array const& prediction, array const& target, ab::shape const& s,
               ab::loss_options const& o)
{
    reduced r{array(s.batch()), array(prediction.size())};
    ab::sample_losses(loss, ab::view(prediction, s), ab::view(target, s), r.loss, ab::view(r.gradient, s), o);
    return r;
}

using reducer = reduced (*)(json const& arguments, array const& prediction, array const& target, ab::shape const&,
                            ab::loss_options);

std::map<std::string, reducer> const& reducers()
{
    using in = array const&;
    static auto const of = [](json const& a, char const* name) { return number(at(a, name)); };
    static std::map<std::string, reducer> const all = {
        {"mse",
         [](json const&, in p, in t, ab::shape const& s, ab::loss_options o) { return reduce(ab::mse{}, p, t, s, o); }},
        {"sum_of_squares",
         [](json const&, in p, in t, ab::shape const& s, ab::loss_options o) {
             o.over = ab::reduction::sum;
             return reduce(ab::mse{}, p, t, s, o);
         }},
        {"l1",
         [](json const&, in p, in t, ab::shape const& s, ab::loss_options o) { return reduce(ab::l1{}, p, t, s, o); }},
        {"huber", [](json const& a, in p, in t, ab::shape const& s,
                     ab::loss_options o) { return reduce(ab::huber{of(a, "delta")}, p, t, s, o); }},
        {"smooth_l1", [](json const& a, in p, in t, ab::shape const& s,
                         ab::loss_options o) { return reduce(ab::smooth_l1{of(a, "beta")}, p, t, s, o); }},
        {"pseudo_huber", [](json const& a, in p, in t, ab::shape const& s,
                            ab::loss_options o) { return reduce(ab::pseudo_huber_loss(of(a, "c")), p, t, s, o); }},
        {"pseudo_smooth_l1",
         [](json const& a, in p, in t, ab::shape const& s, ab::loss_options o) {
             return reduce(ab::pseudo_smooth_l1_loss(of(a, "c")), p, t, s, o);
         }},
        {"lcm_huber", [](json const& a, in p, in t, ab::shape const& s,
                         ab::loss_options o) { return reduce(ab::lcm_huber_loss(of(a, "c")), p, t, s, o); }},
        {"sample_pseudo_huber",
         [](json const& a, in p, in t, ab::shape const& s, ab::loss_options o) {
             return reduce(ab::sample_pseudo_huber{of(a, "c")}, p, t, s, o);
         }},
    };
    return all;
}

} // namespace

void replay_loss(verdict& v)
{
    json const& given = v.given();
    if (value<std::string>(given, "function", "") != "reduction")
        throw unsupported("the loss " + value<std::string>(given, "function", value<std::string>(given, "loss", "?")));
    auto const reducer = reducers().find(at(given, "reduction").get<std::string>());
    if (reducer == reducers().end())
        throw unsupported("the reduction " + given["reduction"].get<std::string>());
    extents const sizes = shape_of(given);
    ab::shape const s{std::span<std::size_t const>(sizes)};
    array const target = tensor_of(at(given, "target").get<std::string>(), s.size());
    array prediction = tensor_of(at(given, "prediction").get<std::string>(), s.size());
    for (json const& i : value(given, "equal_elements", json::array()))
        prediction[i.get<std::size_t>()] = target[i.get<std::size_t>()];
    array const weights = given.contains("weights") ? numbers(given["weights"]) : array();
    reduced const r =
        reducer->second(value(given, "arguments", json::object()), prediction, target, s, {.weights = weights});
    v.compare("loss", r.loss);
    v.compare("grad_prediction", r.gradient);
    if (!v.expects("weighted_loss"))
        return;
    array weighted = r.loss;
    for (std::size_t i = 0; i < weighted.size(); ++i)
        weighted[i] *= weights[i];
    v.compare("weighted_loss", weighted);
}

} // namespace conformance
