// SPDX-License-Identifier: MIT
// The schedules of dpm-solver and UniPC and their time grids.
#pragma once

#include "support.hpp"

#include <alphabar/schedule/noise_level.hpp>

#include <algorithm>
#include <cmath>
#include <numbers>

namespace conformance {

/// Piecewise linear, continued beyond the ends; xs ascending.
inline double piecewise(double x, array const& xs, array const& ys)
{
    auto const above = static_cast<std::size_t>(std::ranges::lower_bound(xs, x) - xs.begin());
    std::size_t const i = std::clamp<std::size_t>(above, 1, xs.size() - 1);
    return ys[i - 1] + (x - xs[i - 1]) * (ys[i] - ys[i - 1]) / (xs[i] - xs[i - 1]);
}

inline double log_add(double a, double b) { return std::max(a, b) + std::log1p(std::exp(-std::abs(a - b))); }

/// log alpha(t), its inverse in lambda, and the time handed to the model.
class solver_schedule {
public:
    explicit solver_schedule(json const& given) : kind_(at(given, "schedule").get<std::string>())
    {
        if (kind_ == "linear") {
            beta_0_ = number(at(given, "beta_0"));
            beta_1_ = number(at(given, "beta_1"));
        } else if (kind_ == "cosine") {
            end_ = 0.9946;
        } else if (kind_ == "discrete") {
            tabulate(given);
        } else {
            throw unsupported("the schedule " + kind_);
        }
    }
    double end() const { return end_; }
    double start() const { return 1.0 / static_cast<double>(length_); }
    double log_alpha(double t) const
    {
        if (kind_ == "linear")
            return -0.25 * t * t * (beta_1_ - beta_0_) - 0.5 * t * beta_0_;
        if (kind_ == "cosine")
            return std::log(std::cos((t + 0.008) / 1.008 * half_pi) / cosine_0());
        return piecewise(t, times_, log_alphas_);
    }
    alphabar::noise_level level(double t) const
    {
        double const a = log_alpha(t);
        return {std::exp(a), std::sqrt(-std::expm1(2 * a))};
    }
    double lambda(double t) const
    {
        double const a = log_alpha(t);
        return a - 0.5 * std::log(-std::expm1(2 * a));
    }
    double time(double lambda) const
    {
        if (kind_ == "linear") {
            double const d = beta_1_ - beta_0_, u = 2 * d * log_add(-2 * lambda, 0);
            return u / (std::sqrt(beta_0_ * beta_0_ + u) + beta_0_) / d;
        }
        double const a = -0.5 * log_add(-2 * lambda, 0);
        if (kind_ == "cosine")
            return std::acos(std::exp(a) * cosine_0()) / half_pi * 1.008 - 0.008;
        return piecewise(-a, minus_log_alphas_, times_);
    }
    double model_time(double t) const
    {
        return kind_ == "discrete" ? 1000 * (t - 1.0 / static_cast<double>(length_)) : t;
    }
    double time_of_model(double t) const
    {
        return kind_ == "discrete" ? t / 1000 + 1.0 / static_cast<double>(length_) : t;
    }
    array grid_times(std::string const& skip, double from, double to, std::size_t n) const
    {
        array times;
        for (std::size_t i = 0; i <= n; ++i) {
            double const u = static_cast<double>(i) / static_cast<double>(n);
            auto const mixed = [&](double a, double b) { return a + (b - a) * u; };
            if (skip == "logSNR")
                times.push_back(i == 0 ? from : i == n ? to : time(mixed(lambda(from), lambda(to))));
            else if (skip == "time_quadratic")
                times.push_back(std::pow(mixed(std::sqrt(from), std::sqrt(to)), 2));
            else
                times.push_back(mixed(from, to));
        }
        return times;
    }

private:
    static constexpr double half_pi = std::numbers::pi / 2;
    static double cosine_0() { return std::cos(0.008 / 1.008 * half_pi); }

    void tabulate(json const& given)
    {
        auto const n = at(given, "n").get<std::size_t>();
        std::string const betas = at(given, "betas").get<std::string>();
        double const low = value(given, "beta_start", 0.0), high = value(given, "beta_end", 0.0);
        auto const curve = [](double t) { return std::pow(std::cos((t + 0.008) / 1.008 * half_pi), 2); };
        double sum = 0;
        for (std::size_t i = 0; i < n; ++i) {
            double const u = static_cast<double>(i) / static_cast<double>(n - 1);
            double const t = static_cast<double>(i) / static_cast<double>(n);
            double beta = low + (high - low) * u;
            if (betas == "scaled_linear")
                beta = std::pow(std::sqrt(low) + (std::sqrt(high) - std::sqrt(low)) * u, 2);
            else if (betas == "cosine")
                beta = std::min(1 - curve(t + 1.0 / static_cast<double>(n)) / curve(t), 0.999);
            else if (betas != "linear")
                throw unsupported("the betas " + betas);
            sum += 0.5 * std::log1p(-beta);
            if (sum - 0.5 * std::log(-std::expm1(2 * sum)) >=
                -5.1) // the rest is cut off, what is left spread over (0, 1]
                log_alphas_.push_back(sum);
        }
        length_ = log_alphas_.size();
        for (std::size_t i = 0; i < length_; ++i) {
            times_.push_back(static_cast<double>(i + 1) / static_cast<double>(length_));
            minus_log_alphas_.push_back(-log_alphas_[i]);
        }
    }

    std::string kind_;
    double beta_0_ = 0, beta_1_ = 0, end_ = 1.0;
    std::size_t length_ = 1000;
    array times_, log_alphas_, minus_log_alphas_;
};

/// dpm-solver's orders of singlestep steps that make `steps` calls.
inline std::vector<std::size_t> outer_orders(std::size_t steps, std::size_t order)
{
    std::vector<std::size_t> orders(steps / order, order);
    if (order == 3 && steps % 3 == 0) // the last three calls as 2 + 1
        orders.back() = 2, orders.push_back(1);
    else if (steps % order != 0)
        orders.push_back(steps % order);
    return orders;
}

/// The ends of these steps: equal in lambda, or every so many of the times of single calls.
inline array outer_times(solver_schedule const& schedule, std::vector<std::size_t> const& orders,
                         std::string const& skip, double from, double to)
{
    std::size_t calls = 0;
    for (std::size_t order : orders)
        calls += order;
    if (skip == "logSNR")
        return schedule.grid_times(skip, from, to, orders.size());
    array const all = schedule.grid_times(skip, from, to, calls);
    array outer{all.front()};
    std::size_t at = 0;
    for (std::size_t order : orders)
        outer.push_back(all[at += order]);
    return outer;
}

} // namespace conformance
