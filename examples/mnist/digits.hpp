// SPDX-License-Identifier: MIT
// The digits: images of 28 x 28 elements in [-1, 1], their labels, and which of them are held out.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <vector>

namespace mnist {

inline constexpr std::size_t side = 28, pixels = side * side, classes = 10;

/// Images and labels, in the order of the files.
struct labelled_images {
    std::span<float const> images; ///< [count, 28, 28]
    std::span<std::uint8_t const> labels;

    std::size_t count() const { return labels.size(); }
    labelled_images first(std::size_t n) const { return {images.first(n * pixels), labels.first(n)}; }
};

/// The digits of two files. The last 2,000, or the last fifth where there are fewer than 10,000, are held out.
class digits {
public:
    /// Reads train-images-idx3-ubyte and train-labels-idx1-ubyte (plain or .gz) from a folder.
    /// Throws alphabar::file_error with one clear line.
    explicit digits(std::filesystem::path const& folder);

    labelled_images training() const { return all().first(training_); }
    labelled_images held_out() const
    {
        return {all().images.subspan(training_ * pixels), all().labels.subspan(training_)};
    }
    labelled_images all() const { return {images_, labels_}; }
    /// The held-out digits of one class.
    static digits of_class(labelled_images const& from, std::uint8_t label);
    /// A number that tells one set of digits from another.
    std::uint32_t checksum() const { return checksum_; }

private:
    digits() = default;

    std::vector<float> images_;
    std::vector<std::uint8_t> labels_;
    std::size_t training_ = 0;
    std::uint32_t checksum_ = 0;
};

} // namespace mnist
