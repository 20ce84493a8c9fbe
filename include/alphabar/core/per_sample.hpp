// SPDX-License-Identifier: MIT
// A number for all samples of a batch, or one for each.
#pragma once

#include <alphabar/core/error.hpp>

#include <cmath>
#include <concepts>
#include <cstddef>
#include <span>

namespace alphabar {

/// A number for all samples, or one for each: a contiguous range of doubles, which must outlive it.
class per_sample {
public:
    constexpr per_sample(double all) : all_(all) {}
    template <std::convertible_to<std::span<double const>> Range>
    constexpr per_sample(Range const& each) : each_(each), is_range_(true)
    {
    }
    /// The number of sample p.row of p.batch. Throws std::invalid_argument where there is not one for each, or it is
    /// not finite.
    template <class Point>
        requires requires(Point const& p) { p.row < p.batch; }
    double operator()(Point const& p) const
    {
        require(!is_range_ || each_.size() == p.batch, "per_sample", "the number of values", each_.size(),
                "there must be one, or one for each sample of the batch");
        double const value = is_range_ ? each_[p.row] : all_;
        require(std::isfinite(value), "per_sample", "a value", value, "it must be finite");
        return value;
    }

private:
    double all_ = 0.0;
    std::span<double const> each_{};
    bool is_range_ = false;
};

} // namespace alphabar
