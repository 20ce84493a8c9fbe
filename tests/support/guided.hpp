// SPDX-License-Identifier: MIT
// Predictions, and guidance as a vector: guided(rule, {c, u}) with samples of equal size.
#pragma once

#include <alphabar/backends/span.hpp>
#include <alphabar/guidance/guide.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <tuple>
#include <vector>

namespace support {

/// Predictions of `batch` samples of n elements; no two are alike, and no sample is a multiple of another.
inline std::vector<double> prediction(int which, std::size_t batch, std::size_t n)
{
    std::vector<double> values(batch * n);
    for (std::size_t i = 0; i < values.size(); ++i) {
        double const k = static_cast<double>(i + 1);
        values[i] = std::sin(0.9 * k) + 0.4 * std::sin((0.5 + 0.1 * which) * k + which) + 0.05 * which;
    }
    return values;
}

template <class Rule, class... P>
std::vector<double> guided(Rule const& rule, alphabar::guidance_point const& at, std::size_t batch,
                           P const&... predictions)
{
    auto const& first = std::get<0>(std::tie(predictions...));
    alphabar::shape const s{batch, batch == 0 ? 0 : first.size() / batch};
    std::vector<double> out(s.size());
    alphabar::guide(rule, at, alphabar::view(out, s), alphabar::view(predictions, s)...);
    return out;
}
template <class Rule, class... P>
std::vector<double> guided(Rule const& rule, std::size_t batch, P const&... predictions)
{
    return guided(rule, alphabar::guidance_point{}, batch, predictions...);
}

inline double dot(std::vector<double> const& a, std::vector<double> const& b)
{
    double sum = 0;
    for (std::size_t i = 0; i < a.size(); ++i)
        sum += a[i] * b[i];
    return sum;
}
/// a x + b y
inline std::vector<double> mixed(double a, std::vector<double> x, double b, std::vector<double> const& y)
{
    for (std::size_t i = 0; i < x.size(); ++i)
        x[i] = a * x[i] + b * y[i];
    return x;
}
/// max|x - y| / max|y|
inline double error(std::vector<double> const& x, std::vector<double> const& y)
{
    double worst = 0, size = 0;
    for (std::size_t i = 0; i < y.size(); ++i) {
        worst = std::max(worst, std::abs(x[i] - y[i]));
        size = std::max(size, std::abs(y[i]));
    }
    return x.size() != y.size() ? 1e300 : size == 0 ? worst : worst / size;
}
/// The standard deviation, with n - 1.
inline double deviation(std::vector<double> const& x)
{
    double mean = 0, square = 0;
    for (double v : x)
        mean += v / static_cast<double>(x.size());
    for (double v : x)
        square += (v - mean) * (v - mean);
    return std::sqrt(square / static_cast<double>(x.size() - 1));
}

} // namespace support
