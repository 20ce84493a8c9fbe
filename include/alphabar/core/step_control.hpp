// SPDX-License-Identifier: MIT
// Adaptive steps: what the error of a try says of it and of the next step.
#pragma once

#include <array>
#include <cmath>
#include <cstdint>

namespace alphabar {

/// A try with the error E is accepted or not, and the next step is h times a factor:
///
///     pid    1 + atan(E_1^-b1 E_2^-b2 E_3^-b3 - 1) of the last three errors, b = (p + i + d, -(p + 2d), d) / order;
///            a try is accepted where it is at least `safety` (k-diffusion; Soderlind 2003)
///     power  safety E^(-1/order); a try is accepted where E <= 1 (Lu et al. 2022, arXiv 2206.00927, appendix C)
struct step_control {
    enum class kind : std::uint8_t { pid, power };
    struct verdict {
        bool accepted;
        double factor;
    };
    kind what = kind::pid;
    double safety = 0.81;
    double p = 0.0;
    double i = 1.0;
    double d = 0.0;

    /// `inverse` is 1 / E of the last tries, the newest first; 0 before the first try.
    verdict operator()(double error, double order, std::array<double, 3>& inverse) const
    {
        if (what == kind::power)
            return {error <= 1.0, safety * std::pow(error, -1.0 / order)};
        inverse[0] = 1.0 / (error + 1e-8);
        if (inverse[1] == 0.0)
            inverse.fill(inverse[0]);
        double const factor =
            1.0 + std::atan(std::pow(inverse[0], (p + i + d) / order) * std::pow(inverse[1], -(p + 2.0 * d) / order) *
                                std::pow(inverse[2], d / order) -
                            1.0);
        if (factor >= safety)
            inverse = {inverse[0], inverse[0], inverse[1]};
        return {factor >= safety, factor};
    }
};

} // namespace alphabar
