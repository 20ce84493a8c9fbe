// SPDX-License-Identifier: MIT
#include "output.hpp"

#include <alphabar/io/file.hpp>

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <string>
#include <system_error>

namespace mnist {

namespace {

[[noreturn]] void fail(std::filesystem::path const& path, std::string const& text)
{
    throw alphabar::file_error(alphabar::file_fault::unwritable, path.string(), 0, text);
}

struct descriptor {
    int number;
    ~descriptor() { close(); }
    int close()
    {
        int const result = number >= 0 ? ::close(number) : 0;
        number = -1;
        return result;
    }
};

} // namespace

void output_folder::prepare(std::uintmax_t bytes) const
{
    std::error_code error;
    std::filesystem::create_directories(folder, error);
    if (!std::filesystem::is_directory(folder))
        fail(folder, "cannot be made a folder" + (error ? ": " + error.message() : std::string()));

    // Room, and the right to make files: a file of that size is made and taken away again.
    std::filesystem::path const trial = folder / ".alphabar-trial";
    {
        descriptor file{::open(trial.c_str(), O_CREAT | O_WRONLY | O_TRUNC | O_CLOEXEC, 0600)};
        if (file.number < 0)
            fail(folder, std::string("cannot be written to: ") + std::strerror(errno));
        int const room = posix_fallocate(file.number, 0, static_cast<off_t>(bytes));
        int const closed = file.close() == 0 ? 0 : errno;
        std::filesystem::remove(trial, error);
        if (int const why = room ? room : closed; why == ENOSPC || why == EDQUOT || why == EFBIG || why == EIO)
            fail(folder,
                 "cannot take " + std::to_string(bytes / 1000000 + 1) + " MB of results: " + std::strerror(why));
    }
    // What stands there already must let itself be written; a device (/dev/full) is asked with a
    // byte.
    for (std::filesystem::path const& path :
         {samples(), loss(), samplers(), sample_images(), sample_labels(), checkpoint()}) {
        std::filesystem::file_status const status = std::filesystem::status(path, error);
        if (!std::filesystem::exists(status))
            continue;
        if (std::filesystem::is_directory(status))
            fail(path, "cannot be written: is a folder");
        descriptor file{::open(path.c_str(), O_WRONLY | O_APPEND | O_CLOEXEC | O_NONBLOCK)};
        bool const device = !std::filesystem::is_regular_file(status);
        if (file.number < 0 || (device && ::write(file.number, "\0", 1) != 1))
            fail(path, std::string("cannot be written: ") + std::strerror(errno));
    }
}

} // namespace mnist
