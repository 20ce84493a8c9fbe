// SPDX-License-Identifier: MIT
// The three pictures.
#pragma once

#include "digits.hpp"

#include <cstddef>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace mnist {

/// A grid of digits, `columns` in a row.
void plot_samples(std::filesystem::path const& path, std::span<float const> images, std::size_t columns);

/// The loss of each step and its running mean over the images seen; the loss axis is logarithmic.
void plot_loss(std::filesystem::path const& path, std::span<double const> loss, std::size_t batch,
               std::string const& title);

/// One row of the comparison.
struct sampler_row {
    std::string title;
    std::string calls;
    double seconds;
    std::optional<double> distance; ///< to the fine solution; none on the fine solution's own row
    std::vector<float> images;
};
void plot_samplers(std::filesystem::path const& path, std::vector<sampler_row> const& rows, std::string const& title);

} // namespace mnist
