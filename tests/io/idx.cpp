// SPDX-License-Identifier: MIT
#include <alphabar/io/idx.hpp>

#include <doctest/doctest.h>
#include <support/files.hpp>

#include <zlib.h>

#include <cmath>
#include <limits>
#include <numeric>
#include <random>
#include <string>
#include <vector>

namespace ab = alphabar;
using ab::file_fault;
using support::fault_of;
using bytes = std::vector<std::uint8_t>;

namespace {

bytes joined(std::initializer_list<bytes> parts)
{
    bytes all;
    for (bytes const& part : parts)
        all.insert(all.end(), part.begin(), part.end());
    return all;
}

bytes gzip(bytes const& plain)
{
    z_stream stream{};
    REQUIRE(deflateInit2(&stream, 9, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) == Z_OK);
    bytes packed(plain.size() + 1000);
    stream.next_in = const_cast<Bytef*>(plain.data());
    stream.avail_in = static_cast<uInt>(plain.size());
    stream.next_out = packed.data();
    stream.avail_out = static_cast<uInt>(packed.size());
    REQUIRE(deflate(&stream, Z_FINISH) == Z_STREAM_END);
    packed.resize(stream.total_out);
    deflateEnd(&stream);
    return packed;
}

bytes const good{0, 0, 8, 2, 0, 0, 0, 2, 0, 0, 0, 3, 1, 2, 3, 4, 5, 6};

} // namespace

TEST_CASE("the bytes of a file mean what the format says")
{
    auto const array = ab::parse_idx<std::uint8_t>(good);
    CHECK(array.extents == ab::shape{2, 3});
    CHECK(array.elements == bytes{1, 2, 3, 4, 5, 6});
    // int32, big-endian: 258 and -2
    auto const wide = ab::parse_idx<std::int32_t>(bytes{0, 0, 0x0c, 1, 0, 0, 0, 2, 0, 0, 1, 2, 255, 255, 255, 254});
    CHECK(wide.elements == std::vector<std::int32_t>{258, -2});
    // float 1.0 is 3f800000
    CHECK(ab::parse_idx<float>(bytes{0, 0, 0x0d, 1, 0, 0, 0, 1, 0x3f, 0x80, 0, 0}).elements[0] == 1.0f);
}

TEST_CASE_TEMPLATE("what is written is read back", T, std::uint8_t, std::int8_t, std::int16_t, std::int32_t, float,
                   double)
{
    support::scratch_folder const folder;
    std::vector<T> elements(2 * 3 * 4 * 5);
    std::iota(elements.begin(), elements.end(), T(-100));
    ab::write_idx<T>(folder / "a", {2, 3, 4, 5}, elements);
    auto const plain = ab::read_idx<T>(folder / "a");
    CHECK(plain.extents == ab::shape{2, 3, 4, 5});
    CHECK(plain.elements == elements);
    ab::write_bytes(folder / "b.gz", gzip(ab::read_bytes(folder / "a")));
    CHECK(ab::read_idx<T>(folder / "b.gz").elements == elements);
    // Told by its content, whatever its name.
    ab::write_bytes(folder / "c", gzip(ab::read_bytes(folder / "a")));
    CHECK(ab::read_idx<T>(folder / "c").elements == elements);
    ab::write_idx<T>(folder / "d", plain.extents, plain.elements);
    CHECK(ab::read_bytes(folder / "a") == ab::read_bytes(folder / "d"));
}

TEST_CASE("a gzip file of two members is one file")
{
    support::scratch_folder const folder;
    bytes const first(good.begin(), good.begin() + 14), second(good.begin() + 14, good.end());
    ab::write_bytes(folder / "a.gz", joined({gzip(first), gzip(second)}));
    CHECK(ab::read_idx<std::uint8_t>(folder / "a.gz").elements == bytes{1, 2, 3, 4, 5, 6});
}

TEST_CASE("attacks: each bad file has its fault")
{
    auto with = [](std::size_t at, std::uint8_t value) {
        bytes changed = good;
        changed[at] = value;
        return changed;
    };
    bytes const longer = joined({good, {0}});
    bytes const shorter(good.begin(), good.end() - 1);
    bytes const packed = gzip(good);
    bytes damaged = packed;
    damaged[packed.size() - 6] ^= 1; // the checksum
    bytes wrong_block = packed;
    wrong_block[10] |= 6; // a deflate block of the reserved type
    bytes const bomb = [] {
        bytes header{0, 0, 8, 2, 0, 0, 0, 1, 0, 0, 0, 1};
        header.resize(64u << 20);
        return gzip(header);
    }();

    struct attack {
        char const* what;
        bytes file;
        file_fault fault;
        std::uint64_t offset;
        char const* name = "file";
    };
    std::vector<attack> const attacks{
        {"nothing", {}, file_fault::empty, 0},
        {"one byte", {0}, file_fault::truncated, 1},
        {"three bytes", {0, 0, 8}, file_fault::truncated, 3},
        {"wrong first byte", with(0, 1), file_fault::bad_magic, 0},
        {"wrong second byte", with(1, 8), file_fault::bad_magic, 0},
        {"text", support::bytes_of("<html>not found</html>"), file_fault::bad_magic, 0},
        {"type 0x07", with(2, 7), file_fault::bad_type, 2},
        {"type int32 where bytes are asked for", with(2, 0x0c), file_fault::bad_type, 2},
        {"no extents", with(3, 0), file_fault::bad_rank, 3},
        {"9 extents", with(3, 9), file_fault::bad_rank, 3},
        {"255 extents", with(3, 255), file_fault::bad_rank, 3},
        {"the extents end early", {0, 0, 8, 2, 0, 0, 0, 2, 0, 0, 0}, file_fault::truncated, 11},
        {"the first extent is 0", with(7, 0), file_fault::bad_extent, 4},
        {"the last extent is 0", with(11, 0), file_fault::bad_extent, 8},
        {"2^32 - 1 twice", {0, 0, 8, 2, 255, 255, 255, 255, 255, 255, 255, 255}, file_fault::overflow, 8},
        {"2^32 - 1 three times",
         {0, 0, 8, 3, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255},
         file_fault::overflow,
         8},
        {"4 GiB announced, none there", {0, 0, 8, 1, 255, 255, 255, 255}, file_fault::truncated, 8},
        {"a byte short", shorter, file_fault::truncated, good.size() - 1},
        {"no data", bytes(good.begin(), good.begin() + 12), file_fault::truncated, 12},
        {"a byte long", longer, file_fault::too_long, good.size()},
        {"gzip, a byte long inside", gzip(longer), file_fault::too_long, good.size()},
        {"gzip, a byte short inside", gzip(shorter), file_fault::truncated, good.size() - 1},
        {"gzip of nothing", gzip({}), file_fault::empty, 0},
        {"gzip of gzip", gzip(packed), file_fault::is_gzip, 0},
        {"gzip of a wrong type", gzip(with(2, 7)), file_fault::bad_type, 2},
        {"gzip of a wrong magic", gzip(with(0, 1)), file_fault::bad_magic, 0},
        {"only gzip's magic", {0x1f, 0x8b}, file_fault::truncated, 0},
        {"gzip cut in its header", bytes(packed.begin(), packed.begin() + 9), file_fault::truncated, 0},
        {"gzip cut in its checksum", bytes(packed.begin(), packed.end() - 1), file_fault::truncated, good.size()},
        {"gzip with a wrong checksum", damaged, file_fault::bad_gzip, good.size()},
        {"gzip with a reserved block", wrong_block, file_fault::bad_gzip, 0},
        {"gzip and something after it", joined({packed, {1, 2, 3}}), file_fault::bad_gzip, packed.size()},
        {"a gzip bomb", bomb, file_fault::too_long, 13},
        {"named .gz, plain inside", good, file_fault::not_gzip, 0, "file.gz"},
        {"named .gz, text inside", support::bytes_of("hello"), file_fault::not_gzip, 0, "file.gz"},
    };
    support::scratch_folder const folder;
    for (attack const& a : attacks) {
        CAPTURE(std::string(a.what));
        ab::write_bytes(folder / a.name, a.file);
        try {
            ab::read_idx<std::uint8_t>(folder / a.name);
            FAIL("accepted");
        } catch (ab::file_error const& error) {
            CAPTURE(error.what());
            CHECK(error.fault() == a.fault);
            CHECK(error.offset() == a.offset);
        }
    }
    CHECK(fault_of([&] { ab::parse_idx<std::uint8_t>(packed); }) == file_fault::is_gzip);
    CHECK(fault_of([&] { ab::read_idx<std::uint8_t>(folder.path()); }) == file_fault::not_a_file);
    ab::write_bytes(folder / "file", gzip(good));
    CHECK(fault_of([&] { ab::read_idx<std::uint8_t>(folder / "file", 5); }) == file_fault::too_large);
}

TEST_CASE("every prefix and every changed byte is read or refused, never more")
{
    bytes const packed = gzip(good);
    support::scratch_folder const folder;
    for (bytes const& file : {good, packed})
        for (std::size_t n = 1; n < file.size(); ++n) {
            ab::write_bytes(folder / "a", std::span(file).first(n));
            CHECK(fault_of([&] { ab::read_idx<std::uint8_t>(folder / "a"); }).has_value());
        }
    std::mt19937 random(1);
    for (int i = 0; i < 3000; ++i) {
        bytes file = i % 2 ? good : packed;
        for (int changes = 0; changes < 1 + i % 3; ++changes)
            file[random() % file.size()] = static_cast<std::uint8_t>(random());
        ab::write_bytes(folder / "a", file);
        fault_of([&] { ab::read_idx<std::uint8_t>(folder / "a"); });
    }
}

TEST_CASE("the writer refuses what no file can hold")
{
    support::scratch_folder const folder;
    bytes const two{1, 2};
    CHECK_THROWS_WITH_AS(ab::write_idx<std::uint8_t>(folder / "a", {3}, two), doctest::Contains("elements.size() is 2"),
                         std::invalid_argument);
    CHECK_THROWS_AS(ab::write_idx<std::uint8_t>(folder / "a", {}, two), std::invalid_argument);
    CHECK_THROWS_AS(ab::write_idx<std::uint8_t>(folder / "a", {0, 2}, bytes{}), std::invalid_argument);
    CHECK(std::filesystem::is_empty(folder.path()));
    CHECK(fault_of([&] { ab::write_idx<std::uint8_t>("/dev/full", {2}, two); }) == file_fault::unwritable);
}
