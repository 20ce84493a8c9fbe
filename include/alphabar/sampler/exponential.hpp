// SPDX-License-Identifier: MIT
// The one formula behind every exponential solver: transition, moments, weights, and the rules
// by which solvers differ.
#pragma once

#include <alphabar/core/error.hpp>
#include <alphabar/core/special.hpp>
#include <alphabar/schedule/noise_level.hpp>

#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <utility>

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
    double a;
    double b;
    double c;
    double K;
    double h;
    double shift;
};

/// The transition between two levels, also where sigma_t = 0 or, in the form x_0, alpha_s = 0: h is
/// infinite there and a, b, c are limits.
///
/// Throws std::invalid_argument where the limit does not exist: a step from alpha = 0 in the forms epsilon and rho, a
/// stochastic step to sigma = 0 in the form epsilon; where tau is not 0 in the forms rho and velocity; and where alpha
/// + sigma is not 1 in the form velocity.
inline transition make_transition(noise_level s, noise_level t, memory_form form, double tau = 0.0)
{
    require(tau == 0.0 || form == memory_form::x_0 || form == memory_form::epsilon, "make_transition", "tau", tau,
            "only the forms x_0 and epsilon have an SDE");
    if (form == memory_form::velocity) {
        for (auto const& [alpha, sigma] : {s, t})
            require(std::abs(alpha + sigma - 1.0) < 1e-6, "make_transition", "alpha + sigma", alpha + sigma,
                    "it must be 1: a velocity is remembered on rectified flow, and by its ODE");
        return {1.0, 1.0, 0.0, 0.0, t.sigma - s.sigma, 1.0};
    }
    require(form == memory_form::x_0 || s.alpha > 0.0, "make_transition", "alpha", s.alpha,
            "a step in epsilon cannot start at alpha = 0; remember x_0 instead");
    if (form == memory_form::rho)
        return {t.alpha / s.alpha, t.alpha, 0.0, 0.0, position(t, form) - position(s, form), 1.0};
    double const shrink = (t.sigma / s.sigma) * (s.alpha / t.alpha);
    double const h = -std::log(shrink), g = 1.0 + tau * tau;
    if (form == memory_form::x_0) {
        double const decay = std::pow(shrink, tau * tau);
        return {t.sigma / s.sigma * decay, g * t.alpha, t.sigma * std::sqrt((1.0 - decay) * (1.0 + decay)), g, h, 1.0};
    }
    require(tau == 0.0 || t.sigma > 0.0, "make_transition", "tau", tau,
            "a stochastic step to sigma = 0 must remember x_0, or the grid must end above 0");
    double const ratio = t.alpha / s.alpha;
    return {ratio, -g * s.sigma * ratio, tau == 0.0 ? 0.0 : tau * t.sigma * std::sqrt(std::expm1(2.0 * h)), -1.0, h,
            shrink};
}

/// The most nodes of one step.
inline constexpr std::size_t max_nodes = 8;
using node_values = std::array<double, max_nodes>;

/// I_k = integral_0^h w(u) u^k du = shift k! h^(k+1) phi_{k+1}(-K h) for k < count, with the w of (1). For infinite h
/// in the form x_0 I_0 = 1 / K and the others are infinite, in the form epsilon I_k = k!.
inline node_values moments(transition const& step, std::size_t count)
{
    node_values I{};
    double factorial = 1.0, power = step.h;
    for (std::size_t k = 0; k < count; ++k, power *= step.h) {
        factorial *= k ? static_cast<double>(k) : 1.0;
        if (std::isinf(step.h))
            I[k] = step.K < 0.0 ? factorial : k ? std::numeric_limits<double>::infinity() : 1.0 / step.K;
        else
            I[k] = step.shift * factorial * power * phi(static_cast<unsigned>(k + 1), -step.K * step.h);
    }
    return I;
}

/// Where a published or shipped solver departs from (1): it changes one moment. The default is exact.
///
/// Two nodes:
///
///     midpoint   I_1 = h/2 I_0   DPM-Solver(++) "midpoint" (arXiv 2206.00927, 2211.01095) and
///                                UniPC's B_2 (2302.04867)
///     flat       I_1 = h^2/2     the kernel replaced by 1: UniPC's B_1, and SA-Solver of order 2
///                                as it is shipped
///
/// Three nodes:
///
///     half_curvature  I_2 / 2           DPM-Solver(++) 3M of diffusers and of its authors,
///                                       k-diffusion's 3m_sde: order 2, not 3
///     wrong_constant  I_2 / 2 - h^2/K   diffusers' sde-dpmsolver++ of order 3, with -1/2 where +1/2
///                                       is right: order 1 at best; its weights do not vanish
///                                       with h, so that it may diverge on fine grids
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

/// The w with sum_j w_j u_j^k = I_k for k < n, n the number of nodes u: Newton's form, no matrix
/// (Bjorck & Pereyra 1970).
///
/// Throws std::invalid_argument where two nodes coincide.
inline node_values weights(std::span<double const> nodes, std::span<double const> I)
{
    std::size_t const n = nodes.size();
    node_values u{}, w{}, sorted{};
    std::array<std::size_t, max_nodes> place{};
    for (std::size_t j = 0; j < n; ++j)
        place[j] = j;
    for (std::size_t j = 0; j + 1 < n; ++j) // the largest node last: then all the sums below are of positive terms
        if (nodes[place[j]] > nodes[place[n - 1]])
            std::swap(place[j], place[n - 1]);
    for (std::size_t j = 0; j < n; ++j)
        u[j] = nodes[place[j]], w[j] = I[j];
    for (std::size_t k = 0; k + 1 < n; ++k)
        for (std::size_t i = n - 1; i > k; --i)
            w[i] -= u[k] * w[i - 1];
    for (std::size_t k = n - 1; k-- > 0;) {
        for (std::size_t i = k + 1; i < n; ++i) {
            double const gap = u[i] - u[i - k - 1];
            require(gap != 0.0, "weights", "a node", u[i], "the levels that a step remembers must differ");
            w[i] /= gap;
        }
        for (std::size_t i = k; i + 1 < n; ++i)
            w[i] -= w[i + 1];
    }
    for (std::size_t j = 0; j < n; ++j)
        sorted[place[j]] = w[j];
    return sorted;
}

/// The coefficients in x_t of the memories at the nodes, b times their weights. Nodes are positions
/// relative to the start of the step: past ones (<= 0) make a multistep predictor, a node at h a
/// corrector, nodes inside a singlestep method.
///
/// A node infinitely far away (a call at alpha = 0) has weight 0. In an infinite step of the form x_0 the whole weight
/// of the kernel sits at its end: on the node at h (of two nodes with a rule, by half as the midpoint rule has it), or,
/// without one, on the only node. Throws std::invalid_argument where two nodes coincide, where there are more than 8,
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
        if (infinite && step.K > 0.0 && nodes[j] == step.h) {
            std::array I{1.0 / step.K, 1.0 / step.K};
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
            "a step from alpha = 0 or to sigma = 0 takes one memory");
    node_values const w = weights(std::span(near).first(n), I);
    for (std::size_t j = 0; j < n; ++j)
        coefficients[place[j]] = step.b * w[j];
    return coefficients;
}

} // namespace alphabar
