// SPDX-License-Identifier: MIT
// Scores of score_sde's models, its prior, and the times that SiT integrates over.
#include "function.hpp"

#include <alphabar/process/likelihood.hpp>
#include <alphabar/process/prediction.hpp>
#include <alphabar/schedule/continuous.hpp>
#include <alphabar/schedule/gaussian_diffusion.hpp>

#include <cmath>

namespace conformance {
namespace {

namespace ab = alphabar;

/// SiT keeps away from the ends where the prediction or the SDE is singular.
void check_interval(verdict& v, json const& a)
{
    bool const vp = at(a, "path") == "VP", velocity = at(a, "prediction") == "velocity", sde = at(a, "sde").get<bool>();
    double const margin = velocity && !vp ? 0.0 : 1e-3, last = number(at(a, "last_step_size"));
    double first = vp || (velocity && !(sde && at(a, "diffusion_form") == "SBDM")) ? 0.0 : margin;
    double end = !sde || last == 0.0 ? 1.0 - margin : 1.0 - last;
    if (at(a, "reverse").get<bool>())
        first = 1.0 - first, end = 1.0 - end;
    v.compare("values", array{first, end});
}

/// The score of a model: of epsilon on VP, itself on VE, at the label that the network was trained with.
void score_fn(verdict& v, json const& a)
{
    bool const vp = at(a, "sde") == "VP", continuous = at(a, "continuous").get<bool>();
    auto const N = at(a, "N").get<std::size_t>();
    double const last = static_cast<double>(N - 1), low = value(a, "beta_min", 0.1), high = value(a, "beta_max", 20.0);
    ab::vp_sde const sde{low, high};
    ab::gaussian_diffusion const table(ab::vp_sde_betas(N, low, high));
    ab::ve_sde const ve{value(a, "sigma_min", 0.01), value(a, "sigma_max", 50.0)};
    array labels;
    std::vector<ab::pair_map> maps;
    for (double t : numbers(at(a, "t"))) {
        labels.push_back(vp           ? t * (continuous ? 999.0 : last)
                         : continuous ? ve.sigma(t)
                                      : std::nearbyint((1 - t) * last));
        ab::noise_level const level = continuous ? sde.level(t) : table.level(std::floor(t * last));
        maps.push_back(vp ? ab::convert_prediction(ab::prediction::epsilon, ab::prediction::score, level)
                          : ab::pair_map{0.0, 1.0});
    }
    array const x = state_of(a);
    array values = model_named(at(a, "model").get<std::string>())(x, labels);
    for (std::size_t i = 0; i < x.size(); ++i) {
        ab::pair_map const& map = maps[i / (x.size() / maps.size())];
        values[i] = map.x * x[i] + map.other * values[i];
    }
    v.compare("values", values);
}

void prior_logp(verdict& v, json const& a)
{
    extents const shape = shape_of(a);
    array const x = values_named(a, "x", size_of(shape));
    std::size_t const block = x.size() / shape[0];
    array sums(shape[0], 0.0);
    for (std::size_t i = 0; i < x.size(); ++i)
        sums[i / block] += x[i] * x[i];
    for (double& s : sums)
        s = ab::normal_log_density(s, block, at(a, "sde") == "VP" ? 1.0 : number(at(a, "sigma_max")));
    v.compare("values", sums);
}

} // namespace

function_table const& score_functions()
{
    static function_table const functions = {
        {"sit check_interval", check_interval},
        {"score_sde get_score_fn", score_fn},
        {"score_sde prior_logp", prior_logp},
    };
    return functions;
}

} // namespace conformance
