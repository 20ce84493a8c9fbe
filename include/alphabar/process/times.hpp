// SPDX-License-Identifier: MIT
// The times of a batch: one number for all samples, or one for each.
#pragma once

#include <alphabar/core/error.hpp>
#include <alphabar/schedule/noise_level.hpp>

#include <cmath>
#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

namespace alphabar {

/// The times of `batch` samples as doubles: `times` is a number, or a contiguous range (std::vector, std::span, ...) of
/// as many numbers. Throws std::invalid_argument where their number is not the batch.
template <class Times>
std::vector<double> times_of(Times const& times, std::size_t batch, std::string_view function)
{
    if constexpr (std::is_arithmetic_v<Times>) {
        return std::vector<double>(batch, static_cast<double>(times));
    } else {
        std::span const all(times);
        require(all.size() == batch, function, "the number of times", all.size(),
                "there must be one for each sample of the batch of " + std::to_string(batch));
        require(all.data() != nullptr || batch == 0, function, "times", "null", "it must point to the times");
        std::vector<double> out;
        out.reserve(batch);
        for (auto t : all)
            out.push_back(static_cast<double>(t));
        return out;
    }
}

/// The times of a discrete process. Throws std::invalid_argument unless each is an integer in [0, T - 1].
template <class Times>
std::vector<std::size_t> indices_of(Times const& times, std::size_t batch, std::size_t T, std::string_view function)
{
    std::vector<std::size_t> out;
    out.reserve(batch);
    for (double t : times_of(times, batch, function)) {
        require(t >= 0.0 && t < static_cast<double>(T) && t == std::floor(t), function, "t", t,
                "it must be an integer in [0, " + std::to_string(T - 1) + "]");
        out.push_back(static_cast<std::size_t>(t));
    }
    return out;
}

/// The levels of a path at the times of a batch. Throws std::invalid_argument outside the path.
template <noise_path Path, class Times>
std::vector<noise_level> levels_at(Path const& path, Times const& times, std::size_t batch, std::string_view function)
{
    std::vector<noise_level> out;
    out.reserve(batch);
    for (double t : times_of(times, batch, function))
        out.push_back(path.level(t));
    return out;
}

} // namespace alphabar
