// SPDX-License-Identifier: MIT
// A picture to draw on: rectangles, lines, text, digits.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string_view>
#include <vector>

namespace mnist {

struct color {
    std::uint8_t red, green, blue;
};

inline constexpr color white{255, 255, 255}, ink{34, 40, 49}, grey{128, 134, 142}, pale{226, 229, 233},
    blue{31, 98, 186}, light_blue{186, 209, 238}, night{12, 14, 18}, gap{40, 44, 52};

class canvas {
public:
    canvas(std::size_t width, std::size_t height, color background);

    std::size_t width() const { return width_; }
    std::size_t height() const { return height_; }

    void fill(double x, double y, double width, double height, color c);
    /// A smooth line of that thickness from one point to the other.
    void line(double x0, double y0, double x1, double y1, double thickness, color c);
    /// Text of 7 x `scale` pixels; (x, y) is its upper left corner. Returns where it ends.
    double text(double x, double y, std::string_view said, int scale, color c);
    /// Text that ends at x.
    void text_to(double x, double y, std::string_view said, int scale, color c);
    /// Grey elements in [-1, 1], each drawn as scale x scale pixels.
    void image(double x, double y, std::span<float const> elements, std::size_t side, std::size_t scale);

    void write(std::filesystem::path const& path) const;

private:
    void blend(long x, long y, double share, color c);

    std::size_t width_, height_;
    std::vector<std::uint8_t> pixels_;
};

/// The width of a text.
double text_width(std::string_view said, int scale);

} // namespace mnist
