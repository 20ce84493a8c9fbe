// SPDX-License-Identifier: MIT
// Whole files in and out, and what is said of a bad one: a fault, the byte where it was found, one clear line.
#pragma once

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <memory>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

namespace alphabar {

/// What is wrong with a file.
enum class file_fault : std::uint8_t {
    missing,       ///< there is no such file, or it may not be opened
    not_a_file,    ///< a folder, a pipe, a device
    unreadable,    ///< the system failed while reading
    unwritable,    ///< it cannot be created or written: no right, no such folder, a full disk
    empty,         ///< 0 bytes
    too_large,     ///< more than the reader's limit
    truncated,     ///< fewer bytes than it announces
    too_long,      ///< more bytes than it announces
    not_gzip,      ///< named .gz, but its first bytes are not gzip's
    bad_gzip,      ///< damaged compressed data, or something after it
    is_gzip,       ///< compressed where plain bytes are expected
    bad_magic,     ///< the first bytes are not those of the format
    bad_type,      ///< an element type that is unknown, or not the one asked for
    bad_rank,      ///< no extents, or too many
    bad_extent,    ///< an extent that is 0, negative, a fraction, or no number
    overflow,      ///< the product of the extents does not fit
    bad_header,    ///< the header is missing or larger than the format allows
    bad_json,      ///< not JSON, or not UTF-8
    bad_structure, ///< JSON of another shape than the format's
    duplicate,     ///< a name that stands twice
    missing_field, ///< a field that must be there is not
    unknown_field, ///< a field that the format does not have
    bad_offsets,   ///< begin and end are no pair of whole numbers with begin <= end
    bad_size,      ///< end - begin is not what element type and shape need
    overlap,       ///< two tensors share bytes
    hole,          ///< bytes that belong to no tensor
    unknown_name,  ///< no tensor of that name
};

/// A file that cannot be read or written. `what()` is one line: "NAME: byte OFFSET: what is wrong".
class file_error : public std::runtime_error {
public:
    file_error(file_fault fault, std::string_view name, std::uint64_t offset, std::string_view text)
        : std::runtime_error(line(name, offset, text)), fault_(fault), offset_(offset)
    {
    }

    file_fault fault() const noexcept { return fault_; }
    /// Where reading stopped, in bytes from the start (of the decompressed data, where a file is compressed).
    std::uint64_t offset() const noexcept { return offset_; }

private:
    static std::string line(std::string_view name, std::uint64_t offset, std::string_view text)
    {
        std::string said(name);
        if (offset > 0)
            said.append(": byte ").append(std::to_string(offset));
        return said.append(": ").append(text);
    }

    file_fault fault_;
    std::uint64_t offset_;
};

namespace detail {

/// A name from a file as a message may show it: quoted, at most 60 characters, no control characters.
inline std::string shown_name(std::string_view name)
{
    std::string text = "\"";
    for (char const c : name.substr(0, 60))
        text += static_cast<unsigned char>(c) < 0x20 || c == 0x7f ? '?' : c;
    return text + (name.size() > 60 ? "...\"" : "\"");
}

/// Copies elements between a file of byte order `order` and memory of this machine's; its own inverse.
inline void copy_elements(std::uint8_t* to, std::span<std::uint8_t const> from, std::size_t element_size,
                          std::endian order)
{
    std::ranges::copy(from, to);
    if (element_size > 1 && order != std::endian::native)
        for (std::size_t i = 0; i < from.size(); i += element_size)
            std::reverse(to + i, to + i + element_size);
}

struct file_closer {
    void operator()(std::FILE* file) const { std::fclose(file); }
};
using file_handle = std::unique_ptr<std::FILE, file_closer>;

inline void put_bytes(std::filesystem::path const& path, std::span<std::uint8_t const> bytes)
{
    auto const fail = [&] {
        throw file_error(file_fault::unwritable, path.string(), 0,
                         std::string("cannot be written: ") + std::strerror(errno));
    };
    file_handle file(std::fopen(path.c_str(), "wb"));
    if (!file)
        fail();
    if ((!bytes.empty() && std::fwrite(bytes.data(), 1, bytes.size(), file.get()) != bytes.size()) ||
        std::fflush(file.get()) != 0)
        fail();
    if (std::fclose(file.release()) != 0)
        fail();
}

} // namespace detail

/// The bytes of a regular file. Nothing is read from a folder, a pipe or a device, nor from a file
/// of more than `limit` bytes.
///
/// Throws file_error: missing, not_a_file, too_large, empty, unreadable, truncated (it shrank while it was read).
inline std::vector<std::uint8_t> read_bytes(std::filesystem::path const& path,
                                            std::uint64_t limit = std::uint64_t{1} << 33)
{
    auto const fail = [&](file_fault fault, std::string const& text) {
        throw file_error(fault, path.string(), 0, text);
    };
    std::error_code error;
    std::filesystem::file_status const status = std::filesystem::status(path, error);
    if (!std::filesystem::exists(status))
        fail(file_fault::missing,
             error && error != std::errc::no_such_file_or_directory ? error.message() : "there is no such file");
    if (std::filesystem::is_directory(status))
        fail(file_fault::not_a_file, "is a folder, not a file");
    if (!std::filesystem::is_regular_file(status))
        fail(file_fault::not_a_file, "is not a regular file");
    std::uint64_t const size = std::filesystem::file_size(path, error);
    if (error)
        fail(file_fault::unreadable, error.message());
    if (size > limit)
        fail(file_fault::too_large,
             "has " + std::to_string(size) + " bytes; at most " + std::to_string(limit) + " are read");
    if (size == 0)
        fail(file_fault::empty, "is empty");

    detail::file_handle const file(std::fopen(path.c_str(), "rb"));
    if (!file)
        fail(file_fault::missing, std::string("cannot be opened: ") + std::strerror(errno));
    std::vector<std::uint8_t> bytes(static_cast<std::size_t>(size));
    std::size_t const got = std::fread(bytes.data(), 1, bytes.size(), file.get());
    if (got != bytes.size()) {
        if (std::ferror(file.get()))
            fail(file_fault::unreadable, std::string("cannot be read: ") + std::strerror(errno));
        throw file_error(file_fault::truncated, path.string(), got,
                         "the file ends here; it became shorter while it was read");
    }
    return bytes;
}

/// Writes a file whole or not at all: first beside its place as PATH.part, then renamed. What
/// exists and is not a regular file (a device) is written directly.
///
/// Throws file_error: unwritable.
inline void write_bytes(std::filesystem::path const& path, std::span<std::uint8_t const> bytes)
{
    std::error_code error;
    std::filesystem::file_status const status = std::filesystem::status(path, error);
    if (std::filesystem::is_directory(status))
        throw file_error(file_fault::unwritable, path.string(), 0, "cannot be written: is a folder");
    if (std::filesystem::exists(status) && !std::filesystem::is_regular_file(status))
        return detail::put_bytes(path, bytes);

    std::filesystem::path const target = std::filesystem::exists(status) ? std::filesystem::canonical(path) : path;
    std::filesystem::path part = target;
    part += ".part";
    try {
        detail::put_bytes(part, bytes);
        std::filesystem::rename(part, target, error);
        if (error)
            throw file_error(file_fault::unwritable, path.string(), 0, "cannot be written: " + error.message());
    } catch (file_error const&) {
        std::filesystem::remove(part, error);
        throw;
    }
}

} // namespace alphabar
