// SPDX-License-Identifier: MIT
#include <alphabar/io/file.hpp>

#include <doctest/doctest.h>
#include <support/files.hpp>

#include <sys/stat.h>

#include <filesystem>
#include <vector>

using alphabar::file_fault;
using support::fault_of;

TEST_CASE("bytes written are read back")
{
    support::scratch_folder const folder;
    std::vector<std::uint8_t> const bytes{0, 255, 10, 13};
    alphabar::write_bytes(folder / "a", bytes);
    CHECK(alphabar::read_bytes(folder / "a") == bytes);
    alphabar::write_bytes(folder / "a", std::vector<std::uint8_t>{1});
    CHECK(alphabar::read_bytes(folder / "a") == std::vector<std::uint8_t>{1});
    CHECK_FALSE(std::filesystem::exists(folder / "a.part"));
}

TEST_CASE("a link is written through")
{
    support::scratch_folder const folder;
    alphabar::write_bytes(folder / "a", std::vector<std::uint8_t>{1});
    std::filesystem::create_symlink(folder / "a", folder / "link");
    alphabar::write_bytes(folder / "link", std::vector<std::uint8_t>{2});
    CHECK(std::filesystem::is_symlink(folder / "link"));
    CHECK(alphabar::read_bytes(folder / "a") == std::vector<std::uint8_t>{2});
}

TEST_CASE("what is no readable file is said to be none")
{
    support::scratch_folder const folder;
    std::filesystem::create_directory(folder / "folder");
    REQUIRE(mkfifo((folder / "pipe").c_str(), 0600) == 0);
    alphabar::write_bytes(folder / "nothing", {});
    alphabar::write_bytes(folder / "three", std::vector<std::uint8_t>{1, 2, 3});
    std::filesystem::create_symlink(folder / "gone", folder / "dangling");

    CHECK(fault_of([&] { alphabar::read_bytes(folder / "no"); }) == file_fault::missing);
    CHECK(fault_of([&] { alphabar::read_bytes(folder / "no/where"); }) == file_fault::missing);
    CHECK(fault_of([&] { alphabar::read_bytes(folder / "three/x"); }) == file_fault::missing);
    CHECK(fault_of([&] { alphabar::read_bytes(folder / "dangling"); }) == file_fault::missing);
    CHECK(fault_of([&] { alphabar::read_bytes(folder / "folder"); }) == file_fault::not_a_file);
    CHECK(fault_of([&] { alphabar::read_bytes(folder / "pipe"); }) == file_fault::not_a_file);
    CHECK(fault_of([&] { alphabar::read_bytes("/dev/zero"); }) == file_fault::not_a_file);
    CHECK(fault_of([&] { alphabar::read_bytes(folder / "nothing"); }) == file_fault::empty);
    CHECK(fault_of([&] { alphabar::read_bytes(folder / "three", 2); }) == file_fault::too_large);
    CHECK_FALSE(fault_of([&] { alphabar::read_bytes(folder / "three", 3); }));
}

TEST_CASE("what cannot be written is said, and leaves nothing behind")
{
    support::scratch_folder const folder;
    std::vector<std::uint8_t> const bytes(100'000, 7);
    CHECK(fault_of([&] { alphabar::write_bytes("/dev/full", bytes); }) == file_fault::unwritable);
    CHECK(std::filesystem::is_character_file("/dev/full"));
    CHECK(fault_of([&] { alphabar::write_bytes(folder / "no/where", bytes); }) == file_fault::unwritable);
    CHECK(fault_of([&] { alphabar::write_bytes(folder.path(), bytes); }) == file_fault::unwritable);
    CHECK(std::filesystem::is_empty(folder.path()));
}

TEST_CASE("the message names the file, the byte and the fault; a name from a file is made harmless")
{
    alphabar::file_error const error(file_fault::truncated, "a.bin", 7, "the file ends here");
    CHECK(std::string(error.what()) == "a.bin: byte 7: the file ends here");
    CHECK(error.offset() == 7);
    CHECK(alphabar::detail::shown_name("a\nb\x1b[31m") == "\"a?b?[31m\"");
    CHECK(alphabar::detail::shown_name(std::string(100, 'x')) == "\"" + std::string(60, 'x') + "...\"");
}
