// SPDX-License-Identifier: MIT
// Variational diffusion models' gamma, bins and embedding of time; EDM2's layers and averages.
#include "function.hpp"

#include <alphabar/denoiser/magnitude.hpp>
#include <alphabar/process/vdm.hpp>
#include <alphabar/schedule/continuous.hpp>

#include <algorithm>
#include <cmath>

namespace conformance {
namespace {

namespace ab = alphabar;

ab::monotone_gamma gamma_of(json const& a)
{
    if (at(a, "type") == "scalar")
        return {.kernel = number(at(a, "w")), .bias = number(at(a, "b"))};
    json const& p = at(a, "parameters");
    return {number(p["l1"]["kernel"]), number(p["l1"]["bias"]), numbers(p["l2"]["kernel"]), numbers(p["l2"]["bias"]),
            numbers(p["l3"]["kernel"])};
}

void gamma(verdict& v, json const& a)
{
    if (at(a, "type") == "fixed") {
        ab::log_snr_path<ab::vdm_fixed_linear> const path{{number(at(a, "gamma_min")), number(at(a, "gamma_max"))}};
        return v.compare("values", of_numbers(a, "t", [&](double t) { return -path.log_snr(t); }));
    }
    ab::monotone_gamma const g = gamma_of(a);
    v.compare("values", of_numbers(a, "t", [&](double t) { return g(t).value; }));
    if (v.expects("derivative"))
        v.compare("derivative", of_numbers(a, "t", [&](double t) { return g(t).derivative; }));
}

array encoded(json const& a)
{
    auto const vocabulary = at(a, "vocabulary").get<std::size_t>();
    return of_numbers(a, "x", [&](double x) { return ab::bin_centre(static_cast<std::size_t>(x), vocabulary); });
}

/// z = encode(x) + exp(gamma_0 / 2) noise.
void logprob(verdict& v, json const& a)
{
    double const gamma_0 = number(at(a, "gamma_0")), deviation = std::exp(0.5 * gamma_0);
    array const centres = encoded(a), x = numbers(at(a, "x")), z = noise(x.size(), 0, 0);
    array sums(shape_of(a)[0], 0.0);
    for (std::size_t i = 0; i < x.size(); ++i)
        sums[i / (x.size() / sums.size())] +=
            ab::bin_log_probability(centres[i] + deviation * z[i], static_cast<std::size_t>(x[i]), gamma_0,
                                    at(a, "vocabulary").get<std::size_t>());
    v.compare("values", sums);
}

void embedding(verdict& v, json const& a)
{
    array values, one(at(a, "dim").get<std::size_t>());
    for (double t : numbers(at(a, "t"))) {
        ab::sinusoidal_embedding(1000 * t, one);
        values.insert(values.end(), one.begin(), one.end());
    }
    v.compare("values", values);
}

void sum(verdict& v, json const& a)
{
    ab::mp_weights const w = ab::mp_sum(number(at(a, "t")));
    std::size_t const n = size_of(shape_of(a));
    array values = values_named(a, "a", n);
    array const b = values_named(a, "b", n);
    for (std::size_t i = 0; i < n; ++i)
        values[i] = w.a * values[i] + w.b * b[i];
    v.compare("values", values);
}

/// Along the channels; b has the first ones of its array.
void cat(verdict& v, json const& a)
{
    extents const shape = shape_of(a);
    std::size_t const n = size_of(shape), channels = shape[1], taken = at(a, "b_channels").get<std::size_t>();
    std::size_t const place = n / (shape[0] * channels);
    ab::mp_weights const w = ab::mp_cat(channels, taken, number(at(a, "t")));
    array const first = values_named(a, "a", n), second = values_named(a, "b", n);
    array values;
    for (std::size_t sample = 0; sample < shape[0]; ++sample) {
        std::size_t const at = sample * channels * place;
        for (std::size_t i = 0; i < channels * place; ++i)
            values.push_back(w.a * first[at + i]);
        for (std::size_t i = 0; i < taken * place; ++i)
            values.push_back(w.b * second[at + i]);
    }
    v.compare("values", values);
}

} // namespace

function_table const& vdm_functions()
{
    static function_table const functions = {
        {"vdm gamma", gamma},
        {"vdm encode", [](verdict& v, json const& a) { v.compare("values", encoded(a)); }},
        {"vdm logprob", logprob},
        {"vdm get_timestep_embedding", embedding},
        {"edm2 mp_silu",
         [](verdict& v, json const& a) {
             array values = values_named(a, "a", size_of(shape_of(a)));
             std::ranges::transform(values, values.begin(), ab::mp_silu);
             v.compare("values", values);
         }},
        {"edm2 mp_sum", sum},
        {"edm2 mp_cat", cat},
        {"edm2 exp_to_std",
         [](verdict& v, json const& a) { v.compare("values", of_numbers(a, "exp", ab::ema_width)); }},
        {"edm2 std_to_exp",
         [](verdict& v, json const& a) { v.compare("values", of_numbers(a, "std", ab::ema_exponent)); }},
    };
    return functions;
}

} // namespace conformance
