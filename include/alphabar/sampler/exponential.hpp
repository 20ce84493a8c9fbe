// SPDX-License-Identifier: MIT
// The one formula behind every exponential solver: transition, moments, and the rules by which solvers differ.
#pragma once

#include <alphabar/core/quadrature.hpp>
#include <alphabar/core/special.hpp>
#include <alphabar/schedule/noise_level.hpp>

namespace alphabar {

/// What a solver remembers of a network call, and the variable u in which the memories are taken for a polynomial:
///
///     x_0       x_0 in lambda = log(alpha / sigma)
///     epsilon   epsilon in lambda
///     rho       epsilon in rho = sigma / alpha: d(x / alpha) = epsilon d rho
///     velocity  epsilon - x_0 in sigma, on the rectified flow: dx = velocity d sigma
enum class memory_form : std::uint8_t { x_0, epsilon, rho, velocity };

/// The position of a level in the variable of `form`; infinite at an end of the path.
inline double position(noise_level level, memory_form form)
{
    switch (form) {
    case memory_form::rho: return sigma_ratio(level);
    case memory_form::velocity: return level.sigma;
    default: return half_log_snr(level);
    }
}

/// Whether the level is an end of the path: clean data or pure noise.
inline bool is_end(noise_level level) { return level.sigma == 0.0 || level.alpha == 0.0; }

/// The form in which a step from this level remembers: x_0 where alpha = 0 and epsilon where sigma = 0 if the form
/// asked for is no memory there. Such a step is DDIM's.
inline memory_form form_from(noise_level level, memory_form form)
{
    bool const x_0 = form == memory_form::x_0;
    return level.alpha == 0.0 && form != memory_form::velocity ? memory_form::x_0
           : level.sigma == 0.0 && x_0                         ? memory_form::epsilon
                                                               : form;
}

/// A step from level s to level t, exactly, with h the length of the step in the variable of the form:
///
///     x_t = a x_s + b * integral_0^h w(u) m(u) du + c z,    w(u) = shift exp(-K (h - u)) (1)
///
///     x_0       K = 1 + tau^2   a = sigma_t/sigma_s exp(-tau^2 h)   b = (1 + tau^2) alpha_t
///               c = sigma_t sqrt(1 - exp(-2 tau^2 h))
///     epsilon   K = -1          a = alpha_t/alpha_s   b = -(1 + tau^2) sigma_s alpha_t/alpha_s
///               c = tau sigma_t sqrt(exp(2h) - 1)
///     rho       K = 0           a = alpha_t/alpha_s   b = alpha_t
///     velocity  K = 0           a = 1                 b = 1
///
/// `shift` is 1, and exp(-h) in the form epsilon. tau = 0 is the ODE, tau = 1 the reverse SDE;
/// k-diffusion's eta is tau^2. Source: Xue et al. 2023 (SA-Solver), arXiv 2309.05019, (11) and
/// (13); for tau = 0 Lu et al. 2022, arXiv 2211.01095, (8).
struct transition {
    double a, b, c, K, h, shift;
};

/// The transition between two levels. At the ends of the path h is infinite and a, b, c are limits: to sigma = 0, from
/// alpha = 0, and in inversions to alpha = 0 and from sigma = 0.
///
/// Throws std::invalid_argument where the limit does not exist: a step from alpha = 0 in the forms epsilon and rho,
/// from sigma = 0 in the form x_0, a stochastic step to sigma = 0 in the form epsilon; where tau is not 0 in the forms
/// rho and velocity and in a step to more noise; and where alpha + sigma is not 1 in the form velocity.
inline transition make_transition(noise_level s, noise_level t, memory_form form, double tau = 0.0)
{
    bool const x_0 = form == memory_form::x_0, to_noise = t.alpha == 0.0;
    require(tau == 0.0 || x_0 || form == memory_form::epsilon, "make_transition", "tau", tau,
            "only the forms x_0 and epsilon have an SDE");
    if (form == memory_form::velocity) {
        for (auto const& [alpha, sigma] : {s, t})
            require(std::abs(alpha + sigma - 1.0) < 1e-6, "make_transition", "alpha + sigma", alpha + sigma,
                    "it must be 1: a velocity is remembered on rectified flow, and by its ODE");
        return {1.0, 1.0, 0.0, 0.0, t.sigma - s.sigma, 1.0};
    }
    require(form_from(s, form) == form, "make_transition", "sigma / alpha", sigma_ratio(s),
            "a step from alpha = 0 remembers x_0, one from sigma = 0 epsilon or rho");
    if (form == memory_form::rho)
        return {t.alpha / s.alpha, to_noise ? t.sigma : t.alpha, 0.0, 0.0, position(t, form) - position(s, form), 1.0};
    double const shrink = std::abs((t.sigma / s.sigma) * (s.alpha / t.alpha)); // also of a -0
    double const h = -std::log(shrink), g = 1.0 + tau * tau;
    require(tau == 0.0 || !(h < 0.0), "make_transition", "tau", tau, "a step to more noise has tau = 0");
    if (x_0) {
        double const kept = t.sigma / s.sigma, decay = std::pow(shrink, tau * tau), q = (1.0 - decay) * (1.0 + decay);
        return {kept * decay, to_noise ? -s.alpha * kept : g * t.alpha, t.sigma * std::sqrt(q), g, h, 1.0};
    }
    require(tau == 0.0 || t.sigma > 0.0, "make_transition", "tau", tau,
            "a stochastic step to sigma = 0 must remember x_0, or the grid must end above 0");
    double const ratio = t.alpha / s.alpha, b = to_noise || s.sigma == 0.0 ? t.sigma : -g * s.sigma * ratio;
    return {ratio, b, tau == 0.0 ? 0.0 : tau * t.sigma * std::sqrt(std::expm1(2.0 * h)), -1.0, h, shrink};
}

/// Whether the kernel of an infinite step sits at its end, that is to sigma = 0 in the form x_0, and to alpha = 0 in
/// the forms epsilon and rho; else it sits at its start.
inline bool ends_heavy(transition const& step) { return std::isinf(step.h) && !(step.K * step.h < 0.0); }

/// I_k = integral_0^h w(u) u^k du = shift k! h^(k+1) phi_{k+1}(-K h) for k < count, with the w of (1). For infinite h
/// I_0 = 1 / K in the form x_0, 1 in the others; the further ones are infinite where the step `ends_heavy`, else
/// (+-1)^k k! with the sign of h.
inline node_values moments(transition const& step, std::size_t count)
{
    bool const infinite = std::isinf(step.h);
    node_values I{infinite && step.K > 0.0 ? 1.0 / step.K : 1.0};
    double factorial = 1.0, power = step.h;
    for (std::size_t k = infinite ? 1 : 0; k < count; ++k, power *= step.h) {
        factorial *= k ? static_cast<double>(k) : 1.0;
        if (infinite)
            I[k] = ends_heavy(step) ? power : std::copysign(factorial, power);
        else
            I[k] = step.shift * factorial * power * phi(static_cast<unsigned>(k + 1), -step.K * step.h);
    }
    return I;
}

/// Where a published or shipped solver departs from (1): it changes one moment. The default is exact.
///
/// Two nodes:
///
///     midpoint   I_1 = h/2 I_0   DPM-Solver(++) "midpoint" (arXiv 2206.00927, 2211.01095), UniPC's B_2 (2302.04867)
///     flat       I_1 = h^2/2     the kernel replaced by 1: UniPC's B_1, and SA-Solver of order 2 as it is shipped
///
/// Three nodes:
///
///     half_curvature  I_2 / 2           3M of diffusers, DPM-Solver's authors and k-diffusion (SDE): order 2, not 3
///     wrong_constant  I_2 / 2 - h^2/K   diffusers' sde-dpmsolver++ of order 3, -1/2 in place of +1/2: order 1 at best;
///                                       its weights do not vanish with h: it may diverge on fine grids
///     wrong_constant_singlestep  I_2 - 2 h^2/K   the same in its singlestep class
struct moment_rule {
    enum class two_nodes : std::uint8_t { exact, midpoint, flat };
    enum class three_nodes : std::uint8_t { exact, half_curvature, wrong_constant, wrong_constant_singlestep };
    two_nodes two = two_nodes::exact;
    three_nodes three = three_nodes::exact;

    void operator()(std::span<double> I, transition const& step) const
    {
        if (I.size() == 2 && two == two_nodes::midpoint)
            I[1] = step.h / 2.0 * I[0];
        if (I.size() == 2 && two == two_nodes::flat)
            I[1] = step.shift * step.h * step.h / 2.0;
        if (I.size() != 3 || three == three_nodes::exact)
            return;
        if (three != three_nodes::half_curvature)
            I[2] -= 2.0 * step.shift * step.h * step.h / step.K;
        if (three != three_nodes::wrong_constant_singlestep)
            I[2] /= 2.0;
    }
    friend constexpr bool operator==(moment_rule, moment_rule) = default;
};

/// The coefficients in x_t of the memories at the nodes, b times their weights. Nodes are positions
/// relative to the start of the step: past ones (<= 0) make a multistep predictor, a node at h a
/// corrector, nodes inside a singlestep method.
///
/// A node infinitely far away (a call at alpha = 0) has weight 0. Where an infinite step `ends_heavy`, its whole weight
/// is on the node at h (of two nodes with a rule, by half as the midpoint rule has it), or, without one, on the only
/// node. Throws std::invalid_argument where two nodes coincide, where there are more than 8,
/// and where an infinite step would have to extrapolate from two nodes.
inline node_values integral(transition const& step, std::span<double const> nodes, moment_rule rule = {})
{
    require(!nodes.empty() && nodes.size() <= max_nodes, "integral", "the number of memories", nodes.size(),
            "it must lie in [1, 8]");
    bool const infinite = std::isinf(step.h);
    node_values near{}, coefficients{};
    std::array<std::size_t, max_nodes> place{};
    std::size_t n = 0;
    for (std::size_t j = 0; j < nodes.size(); ++j) {
        if (ends_heavy(step) && nodes[j] == step.h) {
            double const whole = moments(step, 1)[0];
            std::array I{whole, whole};
            transition unit = step;
            unit.h = 1.0;
            if (nodes.size() == 2) {
                rule(I, unit);
                coefficients[1 - j] = step.b * (I[0] - I[1]);
            }
            coefficients[j] = step.b * I[1];
            return coefficients;
        }
        if (std::isfinite(nodes[j]))
            place[n] = j, near[n++] = nodes[j];
    }
    require(n > 0, "integral", "a node", nodes[0], "at least one must be finite");
    node_values I = moments(step, nodes.size());
    rule(std::span(I).first(nodes.size()), step); // a rule counts the far nodes, too
    require(!infinite || n == 1 || std::isfinite(I[1]), "integral", "the number of memories", n,
            "a step to an end of the path takes one memory");
    node_values const w = weights(std::span(near).first(n), I);
    for (std::size_t j = 0; j < n; ++j)
        coefficients[place[j]] = step.b * w[j];
    return coefficients;
}

} // namespace alphabar
