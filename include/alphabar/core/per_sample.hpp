// SPDX-License-Identifier: MIT
// A number for all samples of a batch, or one for each.
#pragma once

#include <alphabar/core/error.hpp>

#include <algorithm>
#include <cmath>
#include <concepts>
#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace alphabar {

/// A number for all samples, or one for each, copied from a range of doubles.
class per_sample {
public:
    per_sample(double all) : all_(all) {}
    template <std::convertible_to<std::span<double const>> Range>
    per_sample(Range const& each) : is_range_(true)
    {
        std::span<double const> const values = each;
        each_.assign(values.begin(), values.end());
    }
    /// The number of sample p.row of p.batch. Throws std::invalid_argument, in the name of a function's argument, where
    /// there is not one for each, or it is not finite.
    template <class Point>
        requires requires(Point const& p) { p.row < p.batch; }
    double operator()(Point const& p, std::string_view function, std::string_view argument = "scale") const
    {
        if (is_range_ && each_.size() != p.batch)
            reject(function, argument, std::to_string(each_.size()) + " numbers",
                   "it must be one, or one for each of the " + std::to_string(p.batch) + " samples");
        double const value = (*this)[p.row];
        require(std::isfinite(value), function, argument, value, "it must be finite");
        return value;
    }
    /// Sample by sample. Throws std::invalid_argument where both have one for each sample, and not as many.
    friend per_sample operator-(per_sample const& a, per_sample const& b)
    {
        require(!a.is_range_ || !b.is_range_ || a.each_.size() == b.each_.size(), "per_sample", "the number of values",
                b.each_.size(), "two that are subtracted must have as many");
        per_sample difference = a.all_ - b.all_;
        difference.is_range_ = a.is_range_ || b.is_range_;
        for (std::size_t k = 0; k < std::max(a.each_.size(), b.each_.size()); ++k)
            difference.each_.push_back(a[k] - b[k]);
        return difference;
    }

private:
    double operator[](std::size_t k) const { return is_range_ ? each_[k] : all_; }

    double all_ = 0.0;
    std::vector<double> each_;
    bool is_range_ = false;
};

} // namespace alphabar
