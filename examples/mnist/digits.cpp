// SPDX-License-Identifier: MIT
#include "digits.hpp"

#include <alphabar/io/idx.hpp>

#include <algorithm>
#include <string>

namespace mnist {

namespace {

using alphabar::file_error;
using alphabar::file_fault;

/// FOLDER/NAME or FOLDER/NAME.gz, under either of the names that are in use.
std::filesystem::path find(std::filesystem::path const& folder, std::string const& name)
{
    std::string dotted = name; // train-images.idx3-ubyte
    dotted.replace(name.find("-idx"), 1, ".");
    for (std::string const& tried : {name, name + ".gz", dotted, dotted + ".gz"})
        if (std::error_code error; std::filesystem::exists(folder / tried, error))
            return folder / tried;
    throw file_error(file_fault::missing, folder.string(), 0, "holds neither " + name + " nor " + name + ".gz");
}

} // namespace

digits::digits(std::filesystem::path const& folder)
{
    std::error_code error;
    if (!std::filesystem::exists(folder, error))
        throw file_error(file_fault::missing, folder.string(), 0, "there is no such folder");
    if (!std::filesystem::is_directory(folder, error))
        throw file_error(file_fault::missing, folder.string(), 0, "is not a folder");

    std::filesystem::path const images_path = find(folder, "train-images-idx3-ubyte");
    std::filesystem::path const labels_path = find(folder, "train-labels-idx1-ubyte");
    auto const images = alphabar::read_idx<std::uint8_t>(images_path);
    auto labels = alphabar::read_idx<std::uint8_t>(labels_path);

    std::size_t const count = images.extents[0];
    if (images.extents != alphabar::shape{count, side, side})
        throw file_error(file_fault::bad_extent, images_path.string(), 4,
                         "holds " + to_string(images.extents) + " elements; [count, 28, 28] is expected");
    if (labels.extents.rank() != 1)
        throw file_error(file_fault::bad_extent, labels_path.string(), 4,
                         "holds " + to_string(labels.extents) + " elements; [count] is expected");
    if (labels.extents[0] != count)
        throw file_error(file_fault::bad_extent, labels_path.string(), 4,
                         "holds " + std::to_string(labels.extents[0]) + " labels for the " + std::to_string(count) +
                             " images of " + images_path.string());
    if (auto const bad = std::ranges::find_if(labels.elements, [](std::uint8_t l) { return l >= classes; });
        bad != labels.elements.end())
        throw file_error(file_fault::bad_extent, labels_path.string(),
                         8 + static_cast<std::uint64_t>(bad - labels.elements.begin()),
                         "a label is " + std::to_string(*bad) + "; labels are 0 to 9");
    if (count < 500)
        throw file_error(file_fault::bad_extent, images_path.string(), 4,
                         "holds " + std::to_string(count) + " digits; at least 500 are needed");

    images_.resize(images.elements.size());
    std::ranges::transform(images.elements, images_.begin(),
                           [](std::uint8_t level) { return static_cast<float>(level) / 127.5f - 1.0f; });
    labels_ = std::move(labels.elements);
    training_ = count - std::min<std::size_t>(2000, count / 5);
    auto const crc = [](uLong start, std::span<std::uint8_t const> bytes) {
        return crc32_z(start, bytes.data(), bytes.size());
    };
    checksum_ = static_cast<std::uint32_t>(crc(crc(0, images.elements), labels_));
}

digits digits::of_class(labelled_images const& from, std::uint8_t label)
{
    digits chosen;
    for (std::size_t i = 0; i < from.count(); ++i)
        if (from.labels[i] == label) {
            auto const image = from.images.subspan(i * pixels, pixels);
            chosen.images_.insert(chosen.images_.end(), image.begin(), image.end());
            chosen.labels_.push_back(label);
        }
    return chosen;
}

} // namespace mnist
