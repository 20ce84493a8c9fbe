// SPDX-License-Identifier: MIT
// IDX, the format of the MNIST digits: two zero bytes, a type, the number of extents, the extents,
// the elements (big-endian).
#pragma once

#include <alphabar/core/tensor.hpp>
#include <alphabar/io/file.hpp>

#include <zlib.h>

#include <algorithm>
#include <array>
#include <bit>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace alphabar {

/// The element types of IDX: 0x08 uint8, 0x09 int8, 0x0B int16, 0x0C int32, 0x0D float, 0x0E double.
template <class T>
concept idx_element = std::same_as<T, std::uint8_t> || std::same_as<T, std::int8_t> || std::same_as<T, std::int16_t> ||
                      std::same_as<T, std::int32_t> || std::same_as<T, float> || std::same_as<T, double>;

/// An array and its extents: [10000, 28, 28] images, [10000] labels.
template <idx_element T>
struct idx_array {
    shape extents;
    std::vector<T> elements;
};

namespace detail {

template <idx_element T>
constexpr std::uint8_t idx_type()
{
    if constexpr (std::same_as<T, std::uint8_t>)
        return 0x08;
    else if constexpr (std::same_as<T, std::int8_t>)
        return 0x09;
    else if constexpr (std::same_as<T, std::int16_t>)
        return 0x0b;
    else if constexpr (std::same_as<T, std::int32_t>)
        return 0x0c;
    else if constexpr (std::same_as<T, float>)
        return 0x0d;
    else
        return 0x0e;
}

inline bool starts_as_gzip(std::span<std::uint8_t const> bytes)
{
    return bytes.size() >= 2 && bytes[0] == 0x1f && bytes[1] == 0x8b;
}

/// The first `most` bytes (or all, where there are fewer) of gzip data, which may have several members.
inline std::vector<std::uint8_t> gunzip(std::span<std::uint8_t const> packed, std::size_t most, std::string_view name)
{
    struct inflater : z_stream {
        inflater() : z_stream{} { ok = inflateInit2(this, 15 + 16) == Z_OK; }
        ~inflater() { inflateEnd(this); }
        inflater(inflater const&) = delete;
        inflater& operator=(inflater const&) = delete;
        bool ok;
    } stream;
    if (!stream.ok)
        throw file_error(file_fault::bad_gzip, name, 0, "zlib cannot be started");

    std::vector<std::uint8_t> out;
    std::size_t used = 0; // input bytes handed over
    for (;;) {
        if (stream.avail_in == 0) {
            std::size_t const some = std::min<std::size_t>(packed.size() - used, std::size_t{1} << 30);
            stream.next_in = const_cast<Bytef*>(packed.data() + used); // zlib does not write to it
            stream.avail_in = static_cast<uInt>(some);
            used += some;
        }
        std::size_t const done = out.size();
        out.resize(done + std::min<std::size_t>(most - done, std::size_t{1} << 18));
        stream.next_out = out.data() + done;
        stream.avail_out = static_cast<uInt>(out.size() - done);
        int const state = inflate(&stream, Z_NO_FLUSH);
        out.resize(out.size() - stream.avail_out);

        std::size_t const left = packed.size() - used + stream.avail_in;
        if (state == Z_STREAM_END && left > 0 && out.size() < most) {
            if (!starts_as_gzip(packed.last(left)) || inflateReset(&stream) != Z_OK)
                throw file_error(file_fault::bad_gzip, name, packed.size() - left,
                                 "something that is not gzip follows the gzip data");
        } else if (state == Z_STREAM_END || (state == Z_OK && out.size() == most)) {
            return out;
        } else if (state == Z_BUF_ERROR || (state == Z_OK && left == 0 && stream.avail_out > 0)) {
            throw file_error(file_fault::truncated, name, out.size(), "the gzip data ends here, before its end");
        } else if (state != Z_OK) {
            throw file_error(file_fault::bad_gzip, name, out.size(), "the gzip data is damaged");
        }
    }
}

struct idx_header {
    shape extents;
    std::size_t header_size;
    std::size_t data_size;
};

template <idx_element T>
idx_header read_idx_header(std::span<std::uint8_t const> bytes, std::string_view name)
{
    auto const fail = [&](file_fault fault, std::size_t offset, std::string const& text) {
        throw file_error(fault, name, offset, text);
    };
    if (bytes.empty())
        fail(file_fault::empty, 0, "is empty");
    if (starts_as_gzip(bytes))
        fail(file_fault::is_gzip, 0, "is gzip inside: IDX data is expected here");
    if (bytes.size() < 4)
        fail(file_fault::truncated, bytes.size(), "the file ends here, inside the 4 magic bytes of IDX");
    if (bytes[0] != 0 || bytes[1] != 0)
        fail(file_fault::bad_magic, 0, "is not an IDX file: its first two bytes are not 0");
    if (bytes[2] != idx_type<T>())
        fail(file_fault::bad_type, 2,
             "the element type is " + std::to_string(bytes[2]) + "; " + std::to_string(idx_type<T>()) + " is expected");
    std::size_t const rank = bytes[3];
    if (rank < 1 || rank > shape::max_rank)
        fail(file_fault::bad_rank, 3, std::to_string(rank) + " extents are announced; 1 to 8 are allowed");
    if (bytes.size() < 4 + 4 * rank)
        fail(file_fault::truncated, bytes.size(), "the file ends here, inside the extents");

    std::array<std::size_t, shape::max_rank> extents{};
    std::size_t size = sizeof(T);
    for (std::size_t axis = 0; axis < rank; ++axis) {
        std::size_t const at = 4 + 4 * axis;
        std::uint32_t extent = 0;
        for (std::size_t i = 0; i < 4; ++i)
            extent = extent << 8 | bytes[at + i];
        if (extent == 0)
            fail(file_fault::bad_extent, at, "an extent is 0");
        if (extent > static_cast<std::size_t>(std::numeric_limits<std::ptrdiff_t>::max()) / size)
            fail(file_fault::overflow, at, "the product of the extents does not fit this machine");
        size *= extent;
        extents[axis] = extent;
    }
    return {shape(std::span<std::size_t const>(extents).first(rank)), 4 + 4 * rank, size};
}

} // namespace detail

/// The array that plain IDX bytes hold; `name` is what messages call them.
///
/// Throws file_error: empty, is_gzip, bad_magic, bad_type (not T's), bad_rank (not 1 to 8), bad_extent (0), overflow,
/// truncated, too_long. Nothing is allocated before the announced size is found to be the size that is there.
template <idx_element T>
idx_array<T> parse_idx(std::span<std::uint8_t const> bytes, std::string_view name = "IDX data")
{
    auto const [extents, header_size, data_size] = detail::read_idx_header<T>(bytes, name);
    std::size_t const there = bytes.size() - header_size;
    if (there < data_size)
        throw file_error(file_fault::truncated, name, bytes.size(),
                         "the file ends here; " + to_string(extents) + " needs " + std::to_string(data_size - there) +
                             " more bytes");
    if (there > data_size)
        throw file_error(file_fault::too_long, name, header_size + data_size,
                         to_string(extents) + " ends here, but more bytes follow");
    idx_array<T> array{extents, std::vector<T>(data_size / sizeof(T))};
    detail::copy_elements(reinterpret_cast<std::uint8_t*>(array.elements.data()), bytes.subspan(header_size), sizeof(T),
                          std::endian::big);
    return array;
}

/// The array in an IDX file, plain or gzip (told by the first bytes).
///
/// Throws file_error as `read_bytes` and `parse_idx` do, and not_gzip (named .gz but is not),
/// bad_gzip, too_large (more than `limit` bytes, packed or unpacked).
template <idx_element T>
idx_array<T> read_idx(std::filesystem::path const& path, std::uint64_t limit = std::uint64_t{1} << 32)
{
    std::string const name = path.string();
    std::vector<std::uint8_t> const bytes = read_bytes(path, limit);
    if (!detail::starts_as_gzip(bytes)) {
        if (path.extension() == ".gz")
            throw file_error(file_fault::not_gzip, name, 0, "is named .gz, but its first bytes are not those of gzip");
        return parse_idx<T>(bytes, name);
    }
    // The header says how much may come out; one byte more is asked for, so that a longer file is noticed.
    std::vector<std::uint8_t> const start = detail::gunzip(bytes, 4 + 4 * shape::max_rank, name);
    auto const header = detail::read_idx_header<T>(start, name);
    if (header.data_size > limit)
        throw file_error(file_fault::too_large, name, header.header_size,
                         "announces " + std::to_string(header.data_size) + " bytes; at most " + std::to_string(limit) +
                             " are read");
    return parse_idx<T>(detail::gunzip(bytes, header.header_size + header.data_size + 1, name), name);
}

/// Writes an IDX file (plain). Throws std::invalid_argument unless `extents` are 1 to 8 extents
/// from 1 to 2^32 - 1 whose product is the number of elements; file_error: unwritable.
template <idx_element T>
void write_idx(std::filesystem::path const& path, shape const& extents, std::span<T const> elements)
{
    require(extents.rank() >= 1, "write_idx", "extents", to_string(extents), "there must be 1 to 8");
    for (std::size_t const extent : extents.extents())
        require(extent >= 1 && extent <= 0xffffffffu, "write_idx", "extents", to_string(extents),
                "each must lie in [1, 2^32 - 1]");
    require(extents.size() == elements.size(), "write_idx", "elements.size()", elements.size(),
            "it must be the product of the extents " + to_string(extents));

    std::vector<std::uint8_t> bytes{0, 0, detail::idx_type<T>(), static_cast<std::uint8_t>(extents.rank())};
    for (std::size_t const extent : extents.extents())
        for (int shift = 24; shift >= 0; shift -= 8)
            bytes.push_back(static_cast<std::uint8_t>(extent >> shift));
    std::size_t const header = bytes.size();
    bytes.resize(header + elements.size_bytes());
    detail::copy_elements(bytes.data() + header,
                          {reinterpret_cast<std::uint8_t const*>(elements.data()), elements.size_bytes()}, sizeof(T),
                          std::endian::big);
    write_bytes(path, bytes);
}

} // namespace alphabar
