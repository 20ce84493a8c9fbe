// SPDX-License-Identifier: MIT
// Pictures: PNG files, grey or RGB, 8 bits a channel.
#pragma once

#include <alphabar/core/error.hpp>
#include <alphabar/io/file.hpp>

#include <png.h>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <limits>
#include <span>
#include <string>
#include <vector>

namespace alphabar {

/// The extents of a picture: rows from the top, pixels from the left, channels 1 (grey) or 3 (red, green, blue).
struct picture_size {
    std::size_t width;
    std::size_t height;
    std::size_t channels = 1;
    friend bool operator==(picture_size, picture_size) = default;
};

/// Maps [low, high] to 0 .. 255, rounded to nearest; what lies outside is clamped, NaN becomes 0.
/// Returns how many elements were not finite.
///
/// Throws std::invalid_argument unless both spans have one size and low < high.
inline std::size_t to_bytes(std::span<float const> elements, std::span<std::uint8_t> bytes, float low = -1.0f,
                            float high = 1.0f)
{
    require(elements.size() == bytes.size(), "to_bytes", "bytes.size()", bytes.size(), "it must be elements.size()");
    require(low < high, "to_bytes", "low", low, "it must be less than high");
    std::size_t not_finite = 0;
    for (std::size_t i = 0; i < elements.size(); ++i) {
        float const level = (elements[i] - low) / (high - low) * 255.0f + 0.5f;
        bytes[i] = !(level > 0.0f)   ? std::uint8_t{0}
                   : level >= 255.0f ? std::uint8_t{255}
                                     : static_cast<std::uint8_t>(level);
        not_finite += std::isfinite(elements[i]) ? 0 : 1;
    }
    return not_finite;
}

/// Writes a PNG file from the bytes of its pixels, rows from the top.
///
/// Throws std::invalid_argument unless width and height lie in [1, 2^31 - 1], channels is 1 or 3
/// and their product is pixels.size(); file_error: unwritable.
inline void write_png(std::filesystem::path const& path, picture_size size, std::span<std::uint8_t const> pixels)
{
    constexpr std::size_t most = 0x7fffffff;
    require(size.width >= 1 && size.width <= most, "write_png", "width", size.width, "it must lie in [1, 2^31 - 1]");
    require(size.height >= 1 && size.height <= most, "write_png", "height", size.height,
            "it must lie in [1, 2^31 - 1]");
    require(size.channels == 1 || size.channels == 3, "write_png", "channels", size.channels, "it must be 1 or 3");
    require(size.width <= most / size.channels &&
                size.width * size.channels <= std::numeric_limits<std::size_t>::max() / size.height &&
                pixels.size() == size.width * size.channels * size.height,
            "write_png", "pixels.size()", pixels.size(), "it must be width * height * channels");

    struct image : png_image {
        image() : png_image{} { version = PNG_IMAGE_VERSION; }
        ~image() { png_image_free(this); }
        image(image const&) = delete;
        image& operator=(image const&) = delete;
    } png;
    png.width = static_cast<png_uint_32>(size.width);
    png.height = static_cast<png_uint_32>(size.height);
    png.format = size.channels == 1 ? PNG_FORMAT_GRAY : PNG_FORMAT_RGB;
    auto const fail = [&] {
        throw file_error(file_fault::unwritable, path.string(), 0, std::string("cannot be made a PNG: ") + png.message);
    };
    // A first guess that is nearly always enough; where it is not, libpng says how much it needs.
    std::vector<std::uint8_t> file(pixels.size() + pixels.size() / 64 + size.height + 1024);
    png_alloc_size_t bytes = file.size();
    if (!png_image_write_to_memory(&png, file.data(), &bytes, 0, pixels.data(), 0, nullptr)) {
        if (bytes <= file.size())
            fail();
        file.resize(bytes);
        if (!png_image_write_to_memory(&png, file.data(), &bytes, 0, pixels.data(), 0, nullptr))
            fail();
    }
    write_bytes(path, std::span(file).first(bytes));
}

/// The same from elements in [low, high], as `to_bytes` maps them; returns how many were not finite.
inline std::size_t write_png(std::filesystem::path const& path, picture_size size, std::span<float const> elements,
                             float low = -1.0f, float high = 1.0f)
{
    std::vector<std::uint8_t> bytes(elements.size());
    std::size_t const not_finite = to_bytes(elements, bytes, low, high);
    write_png(path, size, std::span<std::uint8_t const>(bytes));
    return not_finite;
}

} // namespace alphabar
