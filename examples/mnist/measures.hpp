// SPDX-License-Identifier: MIT
// How like real digits samples are: three measures on the 64 leading principal components of the pixels.
#pragma once

#include "digits.hpp"

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace mnist {

/// Images as 64 numbers each.
using features = std::vector<float>; // [count, 64]

/// The mean and the 64 leading eigenvectors of the covariance of images; features are projections, not whitened.
class principal_components {
public:
    static constexpr std::size_t count = 64;

    explicit principal_components(std::span<float const> images);
    /// The features of images, whose elements are clamped to [-1, 1].
    features project(std::span<float const> images) const;

private:
    std::vector<float> mean_;    // [784]
    std::vector<float> vectors_; // [64, 784]
};

/// The accuracy of a nearest-neighbour test that tells `samples` from as many `real` digits: 0.5 where it cannot, 1
/// where it always can. For each member of both sets, its nearest other member is a sample or a digit; the mean of the
/// share of samples whose nearest is a sample and the share of digits whose nearest is a digit.
double nearest_neighbour_accuracy(std::span<float const> samples, std::span<float const> real);

/// The share of samples whose 5 nearest training digits vote for the class that was asked for (the
/// smaller label on a tie).
double vote_share(std::span<float const> samples, std::span<std::uint8_t const> asked, std::span<float const> training,
                  std::span<std::uint8_t const> labels);

/// Sliced Wasserstein distance: along 256 random directions, the root mean square difference of the
/// sorted projections of both sets (of one size), averaged over the directions.
double sliced_wasserstein(std::span<float const> samples, std::span<float const> real);

} // namespace mnist
