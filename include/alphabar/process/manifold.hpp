// SPDX-License-Identifier: MIT
// The manifolds of flow matching: the sphere and the flat torus.
#pragma once

#include <alphabar/core/error.hpp>

#include <cmath>
#include <cstddef>
#include <iterator>
#include <limits>
#include <numbers>
#include <type_traits>

namespace alphabar {

namespace detail {

template <class T>
void store(T& to, double value)
{
    to = static_cast<T>(value);
}

} // namespace detail

// A manifold works on one point x of R^d at a time; points and vectors are whatever has a size and elements of a
// floating type (std::span, std::vector), all of one size. Outputs may be inputs.
//
//     project(x)                  x becomes the nearest point of the manifold
//     project_tangent(x, u)       u becomes its part that is tangent at x
//     geodesic(x, u, s, y, w)     y = the geodesic from x with velocity u at time s, w its velocity there
//     logarithm(x, y, u)          u = the velocity at x of the shortest geodesic that is at y at time 1
//     distance(x, y)              |u| of the logarithm
//
// A plan of the ODE on rectified flow (a network of velocities) runs on a manifold where the network's answer is made
// tangent at its input and x is projected after every stage; so are the paths of training made, y and w of the geodesic
// from noise to data at time kappa(t), w times kappa'. Source: Chen & Lipman 2023, arXiv 2302.03660, sections 3 and 4;
// Lipman et al. 2024, arXiv 2412.06264, section 5.

/// The unit sphere of R^d.
struct sphere {
    /// Throws std::invalid_argument for x = 0.
    void project(auto&& x) const
    {
        double const length = std::sqrt(dot(x, x));
        require(length > 0.0, "sphere::project", "the length", length, "it must be positive");
        for (auto& v : x)
            detail::store(v, v / length);
    }
    void project_tangent(auto const& x, auto&& u) const
    {
        double const along = dot(x, u);
        for (std::size_t i = 0; i < std::size(x); ++i)
            detail::store(u[i], u[i] - along * x[i]);
    }
    void geodesic(auto const& x, auto const& u, double s, auto&& y, auto&& w) const
    {
        double const angle = std::sqrt(dot(u, u)), cosine = std::cos(s * angle), sine = std::sin(s * angle);
        double const share = angle > 0.0 ? sine / angle : s;
        for (std::size_t i = 0; i < std::size(x); ++i) {
            double const at = x[i], slope = u[i];
            detail::store(y[i], cosine * at + share * slope);
            detail::store(w[i], cosine * slope - angle * sine * at);
        }
    }
    /// Throws std::invalid_argument where y is -x within rounding, which every great circle reaches.
    void logarithm(auto const& x, auto const& y, auto&& u) const
    {
        double const cosine = dot(x, y);
        double square = 0.0;
        for (std::size_t i = 0; i < std::size(x); ++i) {
            detail::store(u[i], y[i] - cosine * x[i]);
            square += static_cast<double>(u[i]) * u[i];
        }
        double const sine = std::sqrt(square);
        double const rounding = std::numeric_limits<std::remove_cvref_t<decltype(u[0])>>::epsilon();
        require(cosine > 0.0 || sine > std::sqrt(rounding), "sphere::logarithm", "y", "-x", "it must not be opposite");
        double const factor = sine > 0.0 ? std::atan2(sine, cosine) / sine : 1.0;
        for (auto& v : u)
            detail::store(v, v * factor);
    }
    double distance(auto const& x, auto const& y) const
    {
        double const cosine = dot(x, y);
        double square = 0.0;
        for (std::size_t i = 0; i < std::size(x); ++i)
            square += std::pow(y[i] - cosine * x[i], 2);
        return std::atan2(std::sqrt(square), cosine);
    }

private:
    static double dot(auto const& a, auto const& b)
    {
        double sum = 0.0;
        for (std::size_t i = 0; i < std::size(a); ++i)
            sum += static_cast<double>(a[i]) * b[i];
        return sum;
    }
};

/// Angles in [0, 2 pi)^d, with the metric of R^d.
struct flat_torus {
    void project(auto&& x) const
    {
        for (auto& v : x) {
            detail::store(v, v - turn * std::floor(v / turn));
            if (v < 0 || v >= turn) // by rounding
                v = 0;
        }
    }
    void project_tangent(auto const&, auto&&) const {}
    void geodesic(auto const& x, auto const& u, double s, auto&& y, auto&& w) const
    {
        for (std::size_t i = 0; i < std::size(x); ++i) {
            double const slope = u[i];
            detail::store(y[i], x[i] + s * slope);
            detail::store(w[i], slope);
        }
        project(y);
    }
    void logarithm(auto const& x, auto const& y, auto&& u) const
    {
        for (std::size_t i = 0; i < std::size(x); ++i)
            detail::store(u[i], std::remainder(static_cast<double>(y[i]) - x[i], turn));
    }
    double distance(auto const& x, auto const& y) const
    {
        double square = 0.0;
        for (std::size_t i = 0; i < std::size(x); ++i)
            square += std::pow(std::remainder(static_cast<double>(y[i]) - x[i], turn), 2);
        return std::sqrt(square);
    }

private:
    static constexpr double turn = 2.0 * std::numbers::pi;
};

} // namespace alphabar
