// SPDX-License-Identifier: MIT
// For tests of readers and writers: a folder that goes away, and the fault that a call throws.
#pragma once

#include <alphabar/io/file.hpp>

#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

namespace support {

/// A folder of its own for one test, removed at its end.
class scratch_folder {
public:
    scratch_folder()
    {
        std::string name = (std::filesystem::temp_directory_path() / "alphabar-XXXXXX").string();
        if (!mkdtemp(name.data()))
            throw std::filesystem::filesystem_error("mkdtemp", std::error_code(errno, std::generic_category()));
        path_ = name;
    }
    ~scratch_folder()
    {
        std::error_code ignored;
        std::filesystem::remove_all(path_, ignored);
    }
    scratch_folder(scratch_folder const&) = delete;
    scratch_folder& operator=(scratch_folder const&) = delete;

    std::filesystem::path operator/(std::string_view name) const { return path_ / name; }
    std::filesystem::path const& path() const { return path_; }

private:
    std::filesystem::path path_;
};

/// The bytes of a text, zeros included.
inline std::vector<std::uint8_t> bytes_of(std::string_view text) { return {text.begin(), text.end()}; }

/// The fault that `call` throws, or none; what it says must be one short line.
template <class Call>
std::optional<alphabar::file_fault> fault_of(Call const& call, std::string* said = nullptr)
{
    try {
        call();
    } catch (alphabar::file_error const& error) {
        std::string const text = error.what();
        if (said)
            *said = text;
        if (text.empty() || text.size() > 500 || text.find('\n') != std::string::npos)
            throw std::runtime_error("not one short line: " + text.substr(0, 1000));
        return error.fault();
    }
    return {};
}

} // namespace support
