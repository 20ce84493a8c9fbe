// SPDX-License-Identifier: MIT
#include <alphabar/io/png.hpp>

#include <doctest/doctest.h>
#include <support/files.hpp>

#include <cmath>
#include <limits>
#include <random>
#include <vector>

namespace ab = alphabar;
using bytes = std::vector<std::uint8_t>;

namespace {

/// The pixels as libpng reads them.
bytes read_png(std::filesystem::path const& path, ab::picture_size expected)
{
    png_image png{};
    png.version = PNG_IMAGE_VERSION;
    REQUIRE(png_image_begin_read_from_file(&png, path.c_str()) != 0);
    CHECK(png.format == (expected.channels == 1 ? PNG_FORMAT_GRAY : PNG_FORMAT_RGB));
    CHECK(ab::picture_size{png.width, png.height, expected.channels} == expected);
    bytes pixels(PNG_IMAGE_SIZE(png));
    REQUIRE(png_image_finish_read(&png, nullptr, pixels.data(), 0, nullptr) != 0);
    return pixels;
}

} // namespace

TEST_CASE("what is written is what libpng reads")
{
    support::scratch_folder const folder;
    std::mt19937 random(1);
    for (ab::picture_size const size :
         {ab::picture_size{1, 1, 1}, {1, 1, 3}, {3, 2, 1}, {5, 7, 3}, {1, 3000, 1}, {700, 301, 3}}) {
        bytes pixels(size.width * size.height * size.channels);
        for (auto& p : pixels)
            p = static_cast<std::uint8_t>(random());
        ab::write_png(folder / "a.png", size, std::span<std::uint8_t const>(pixels));
        CHECK(read_png(folder / "a.png", size) == pixels);
    }
}

TEST_CASE("elements are rounded and clamped; those that are not finite are counted")
{
    float const inf = std::numeric_limits<float>::infinity(), nan = std::nanf("");
    std::vector<float> const elements{-1, 1, 0, -2, 2, nan, inf, -inf, -1 + 2.0f * 10 / 255, 3e38f};
    bytes const expected{0, 255, 128, 0, 255, 0, 255, 0, 10, 255};
    support::scratch_folder const folder;
    CHECK(ab::write_png(folder / "a.png", {5, 2, 1}, std::span<float const>(elements)) == 3);
    CHECK(read_png(folder / "a.png", {5, 2, 1}) == expected);

    bytes out(2);
    CHECK(ab::to_bytes(std::vector<float>{0.0f, 0.25f}, out, 0.0f, 0.5f) == 0);
    CHECK(out == bytes{0, 128});
}

TEST_CASE("attacks: sizes that no picture has, places that take none")
{
    support::scratch_folder const folder;
    bytes const pixels(12);
    std::span<std::uint8_t const> const span(pixels);
    std::size_t const big = std::size_t{1} << 31, huge = std::numeric_limits<std::size_t>::max();
    for (ab::picture_size const size : {ab::picture_size{0, 12, 1},
                                        {12, 0, 1},
                                        {0, 0, 1},
                                        {big, 1, 1},
                                        {1, big, 1},
                                        {huge, huge, 3},
                                        {huge, 1, 1},
                                        {1, huge, 3},
                                        {big - 1, big - 1, 3},
                                        {12, 1, 0},
                                        {6, 1, 2},
                                        {3, 1, 4},
                                        {2, 1, 6},
                                        {4, 4, 1},
                                        {2, 3, 1},
                                        {2, 2, 1}})
        CHECK_THROWS_AS(ab::write_png(folder / "a.png", size, span), std::invalid_argument);
    CHECK_THROWS_WITH_AS(ab::write_png(folder / "a.png", {0, 12, 1}, span), doctest::Contains("width is 0"),
                         std::invalid_argument);
    CHECK_THROWS_AS(ab::to_bytes(std::vector<float>(2), std::span<std::uint8_t>()), std::invalid_argument);
    bytes one(1);
    CHECK_THROWS_AS(ab::to_bytes(std::vector<float>(1), one, 1.0f, 1.0f), std::invalid_argument);
    CHECK_THROWS_AS(ab::to_bytes(std::vector<float>(1), one, 0.0f, std::nanf("")), std::invalid_argument);
    CHECK(std::filesystem::is_empty(folder.path()));

    CHECK(support::fault_of([&] { ab::write_png("/dev/full", {12, 1, 1}, span); }) == ab::file_fault::unwritable);
    CHECK(support::fault_of([&] { ab::write_png(folder / "no/a.png", {12, 1, 1}, span); }) ==
          ab::file_fault::unwritable);
    CHECK(support::fault_of([&] { ab::write_png(folder.path(), {12, 1, 1}, span); }) == ab::file_fault::unwritable);
}
