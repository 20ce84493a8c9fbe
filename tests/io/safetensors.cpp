// SPDX-License-Identifier: MIT
#include <alphabar/io/safetensors.hpp>

#include <doctest/doctest.h>
#include <support/files.hpp>

#include <sys/stat.h>

#include <bit>
#include <cmath>
#include <limits>
#include <optional>
#include <random>
#include <string>
#include <vector>

namespace ab = alphabar;
using ab::file_fault;
using bytes = std::vector<std::uint8_t>;
using namespace std::string_literals;

namespace {

bytes little_endian(std::uint64_t n)
{
    bytes eight(8);
    for (std::size_t i = 0; i < 8; ++i)
        eight[i] = static_cast<std::uint8_t>(n >> (8 * i));
    return eight;
}

/// A file of that header and so many bytes of data; its length field says `announced` where that is
/// given.
bytes file_of(std::string const& header, std::size_t data = 0, std::optional<std::uint64_t> announced = {})
{
    bytes file = little_endian(announced.value_or(header.size()));
    file.insert(file.end(), header.begin(), header.end());
    file.resize(file.size() + data, 1);
    return file;
}

/// A header with one tensor "a".
std::string one(std::string const& shape, std::string const& offsets, std::string const& type = "F32")
{
    return R"({"a":{"dtype":")" + type + R"(","shape":)" + shape + R"(,"data_offsets":)" + offsets + "}}";
}

std::string u8(std::string const& name, std::size_t begin, std::size_t end)
{
    return "\"" + name + R"(":{"dtype":"U8","shape":[)" + std::to_string(end - begin) + R"(],"data_offsets":[)" +
           std::to_string(begin) + "," + std::to_string(end) + "]}";
}

std::string repeated(std::string const& text, std::size_t times)
{
    std::string all;
    for (std::size_t i = 0; i < times; ++i)
        all += text;
    return all;
}

} // namespace

TEST_CASE("the bytes of a file mean what the format says")
{
    std::string const header =
        R"({"__metadata__":{"a":"b\u00e9"},"w":{"shape":[2,1],"data_offsets":[0,8],"dtype":"F32"},)"
        R"("s":{"dtype":"U8","shape":[],"data_offsets":[8,9]},"e":{"dtype":"F64","shape":[0,3],"data_offsets":[8,8]}})";
    bytes file = file_of(header);
    bytes const data{0x00, 0x00, 0x80, 0x3f, 0x00, 0x00, 0x00, 0xc0, 0x07}; // 1.0f, -2.0f, 7
    file.insert(file.end(), data.begin(), data.end());
    auto const read = ab::parse_safetensors(file);
    CHECK(read.metadata() == std::map<std::string, std::string>{{"a", "b\xc3\xa9"}});
    REQUIRE(read.tensors().size() == 3);
    CHECK(read.tensors()[0].name == "w");
    CHECK(read.find("w")->shape == std::vector<std::uint64_t>{2, 1});
    CHECK(read.read<float>("w") == std::vector<float>{1.0f, -2.0f});
    CHECK(read.read<std::uint8_t>("s") == bytes{7});
    CHECK(read.find("s")->size() == 1);
    CHECK(read.read<double>("e").empty());
    CHECK(read.find("no") == nullptr);
    CHECK(support::fault_of([&] { read.read<float>("no"); }) == file_fault::unknown_name);
    CHECK(support::fault_of([&] { read.read<double>("w"); }) == file_fault::bad_type);
}

TEST_CASE("what is written is read back, and written again it has the same bytes")
{
    support::scratch_folder const folder;
    float const nan = std::numeric_limits<float>::quiet_NaN();
    ab::safetensors_writer writer;
    writer.add("weights/\"0\"", {2, 2}, std::vector<float>{1.5f, -0.0f, nan, std::numeric_limits<float>::infinity()});
    writer.add("odd", {3}, bytes{1, 2, 3});
    writer.add("moments", {1, 2}, std::vector<double>{5e-324, -1e308}); // begins at byte 19: aligned to nothing
    writer.add("scalar", {}, std::vector<std::int64_t>{-5});
    writer.add("none", {0}, std::vector<std::uint16_t>{});
    writer.metadata["config"] = "line\nline \xe2\x82\xac \"quoted\"";
    writer.write(folder / "a");

    auto const read = ab::read_safetensors(folder / "a");
    auto const w = read.read<float>("weights/\"0\"");
    CHECK(w[0] == 1.5f);
    CHECK(std::signbit(w[1]));
    CHECK(std::bit_cast<std::uint32_t>(w[2]) == std::bit_cast<std::uint32_t>(nan));
    CHECK(read.read<double>("moments") == std::vector<double>{5e-324, -1e308});
    CHECK(read.read<std::int64_t>("scalar") == std::vector<std::int64_t>{-5});
    CHECK(read.metadata() == writer.metadata);

    ab::safetensors_writer again;
    again.add("weights/\"0\"", {2, 2}, w);
    again.add("odd", {3}, read.read<std::uint8_t>("odd"));
    again.add("moments", {1, 2}, read.read<double>("moments"));
    again.add("scalar", {}, read.read<std::int64_t>("scalar"));
    again.add("none", {0}, read.read<std::uint16_t>("none"));
    again.metadata = read.metadata();
    CHECK(again.bytes() == ab::read_bytes(folder / "a"));
}

TEST_CASE("the writer refuses what no file can hold")
{
    ab::safetensors_writer writer;
    writer.add("a", {1}, bytes{1});
    CHECK_THROWS_AS(writer.add("a", {1}, bytes{1}), std::invalid_argument);
    CHECK_THROWS_AS(writer.add("__metadata__", {1}, bytes{1}), std::invalid_argument);
    CHECK_THROWS_AS(writer.add("b", {2}, bytes{1}), std::invalid_argument);
    CHECK_THROWS_AS(writer.add("c\0"s, {1}, bytes{1}), std::invalid_argument);
    writer.metadata["x"] = "\xff";
    CHECK_THROWS_AS(writer.bytes(), std::invalid_argument);
    writer.metadata.clear();
    CHECK(support::fault_of([&] { writer.write("/dev/full"); }) == file_fault::unwritable);
}

TEST_CASE("unusual files that are right")
{
    std::string const two = "{" + u8("a", 0, 2) + "," + u8("b", 2, 4) + "}";
    struct right {
        char const* what;
        bytes file;
        std::size_t tensors;
    };
    for (right const& r : std::vector<right>{
             {"no tensors", file_of("{}"), 0},
             {"white space before", file_of(" \n\t" + two, 4), 2},
             {"white space after", file_of(two + "   ", 4), 2},
             {"tensors in another order", file_of("{" + u8("b", 2, 4) + "," + u8("a", 0, 2) + "}", 4), 2},
             {"an empty tensor between two others",
              file_of("{" + u8("a", 0, 2) + "," + u8("e", 2, 2) + "," + u8("b", 2, 4) + "}", 4), 3},
             {"empty metadata", file_of(R"({"__metadata__":{}})"), 0},
             {"a metadata value of 1 MiB", file_of(R"({"__metadata__":{"a":")" + std::string(1 << 20, 'x') + "\"}}"),
              0},
             {"four bits, an even count", file_of(one("[2]", "[0,1]", "F4"), 1), 1},
             {"six bits, whole bytes", file_of(one("[4]", "[0,3]", "F6_E2M3"), 3), 1},
             {"F32 that begins at an odd byte",
              file_of("{" + u8("a", 0, 1) + R"(,"b":{"dtype":"F32","shape":[1],"data_offsets":[1,5]}})", 5), 2},
         }) {
        CAPTURE(std::string(r.what));
        CHECK(ab::parse_safetensors(r.file).tensors().size() == r.tensors);
    }
}

TEST_CASE("attacks: each bad file has its fault")
{
    std::string const a = R"("a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]})";
    struct attack {
        char const* what;
        bytes file;
        file_fault fault;
    };
    std::vector<attack> const attacks{
        // its length
        {"nothing", {}, file_fault::empty},
        {"7 bytes", bytes(7), file_fault::truncated},
        {"N = 0", bytes(8), file_fault::bad_header},
        {"N = 0 and a header", file_of("{}", 0, 0), file_fault::bad_header},
        {"N = 1", file_of("{", 0), file_fault::bad_header},
        {"N = 2^64 - 1", file_of("{}", 0, ~std::uint64_t{0}), file_fault::bad_header},
        {"N + 8 wraps", file_of("{}", 0, ~std::uint64_t{0} - 5), file_fault::bad_header},
        {"N = 2^63", file_of("{}", 0, std::uint64_t{1} << 63), file_fault::bad_header},
        {"N = 100,000,001", file_of("{}", 0, 100'000'001), file_fault::bad_header},
        {"N = 100,000,000 in a small file", file_of("{}", 0, 100'000'000), file_fault::truncated},
        {"N one more than there is", file_of("{}", 0, 3), file_fault::truncated},
        {"N one less than the header", file_of("{" + a + "}", 1, a.size() + 1), file_fault::bad_json},
        // JSON
        {"no UTF-8", file_of("{\"\xff\":1}"), file_fault::bad_json},
        {"overlong UTF-8", file_of("{\"\xc0\xaf\":1}"), file_fault::bad_json},
        {"a UTF-8 surrogate", file_of("{\"\xed\xa0\x80\":1}"), file_fault::bad_json},
        {"a lone high surrogate", file_of(R"({"\ud800":1})"), file_fault::bad_json},
        {"a lone low surrogate", file_of(R"({"\udc00":1})"), file_fault::bad_json},
        {"a zero byte in a name", file_of("{\"a\0b\":1}"s), file_fault::bad_json},
        {"an escaped zero byte in a name", file_of(R"({"a\u0000":{}})"), file_fault::bad_structure},
        {"a byte order mark", file_of("\xef\xbb\xbf{}"), file_fault::bad_json},
        {"UTF-16", file_of("{\0}\0"s), file_fault::bad_json},
        {"something after the object", file_of("{}x"), file_fault::bad_json},
        {"two objects", file_of("{}{}"), file_fault::bad_json},
        {"a zero byte after the object", file_of("{}\0"s), file_fault::bad_json},
        {"a comment", file_of("{}//a"), file_fault::bad_json},
        {"a comma too many", file_of("{" + a + ",}", 1), file_fault::bad_json},
        {"only white space", file_of("    "), file_fault::bad_json},
        {"NaN", file_of(one("[NaN]", "[0,4]"), 4), file_fault::bad_json},
        {"a leading zero", file_of(one("[01]", "[0,4]"), 4), file_fault::bad_json},
        // structure
        {"an array", file_of("[]"), file_fault::bad_structure},
        {"a string", file_of("\"a\""), file_fault::bad_structure},
        {"null", file_of("null"), file_fault::bad_structure},
        {"depth 100,000", file_of(std::string(100'000, '[')), file_fault::bad_structure},
        {"depth 100,000 in a name", file_of("{\"a\":" + repeated("{\"a\":", 100'000)), file_fault::unknown_field},
        {"depth 100,000 in a shape", file_of(R"({"a":{"shape":)" + std::string(100'000, '[')), file_fault::bad_extent},
        {"a tensor that is a number", file_of(R"({"a":1})"), file_fault::bad_structure},
        {"a tensor that is an array", file_of(R"({"a":[]})"), file_fault::bad_structure},
        {"a duplicate tensor", file_of("{" + u8("a", 0, 1) + "," + u8("b", 1, 2) + "," + u8("a", 2, 3) + "}", 3),
         file_fault::duplicate},
        {"a duplicate tensor, escaped", file_of("{" + u8("a", 0, 1) + "," + u8("\\u0061", 1, 2) + "}", 2),
         file_fault::duplicate},
        {"a duplicate dtype", file_of(R"({"a":{"dtype":"U8","dtype":"U8","shape":[1],"data_offsets":[0,1]}})", 1),
         file_fault::duplicate},
        {"a duplicate shape", file_of(R"({"a":{"dtype":"U8","shape":[1],"shape":[1],"data_offsets":[0,1]}})", 1),
         file_fault::duplicate},
        {"duplicate data_offsets", file_of(R"({"a":{"data_offsets":[0,1],"shape":[1],"data_offsets":[0,1]}})", 1),
         file_fault::duplicate},
        {"duplicate __metadata__", file_of(R"({"__metadata__":{},"__metadata__":{}})"), file_fault::duplicate},
        {"a duplicate key in it", file_of(R"({"__metadata__":{"a":"1","a":"2"}})"), file_fault::duplicate},
        {"metadata that is a string", file_of(R"({"__metadata__":"a"})"), file_fault::bad_structure},
        {"metadata that is a number", file_of(R"({"__metadata__":{"a":1}})"), file_fault::bad_structure},
        {"metadata that is an object", file_of(R"({"__metadata__":{"a":{}}})"), file_fault::bad_structure},
        {"metadata that is null", file_of(R"({"__metadata__":{"a":null}})"), file_fault::bad_structure},
        // fields
        {"no dtype", file_of(R"({"a":{"shape":[1],"data_offsets":[0,1]}})", 1), file_fault::missing_field},
        {"no shape", file_of(R"({"a":{"dtype":"U8","data_offsets":[0,1]}})", 1), file_fault::missing_field},
        {"no data_offsets", file_of(R"({"a":{"dtype":"U8","shape":[1]}})", 1), file_fault::missing_field},
        {"no fields", file_of(R"({"a":{}})"), file_fault::missing_field},
        {"a field too many", file_of(R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1],"x":1}})", 1),
         file_fault::unknown_field},
        {"an unknown dtype", file_of(one("[1]", "[0,4]", "F33"), 4), file_fault::bad_type},
        {"a lower-case dtype", file_of(one("[1]", "[0,4]", "f32"), 4), file_fault::bad_type},
        {"a dtype that is a number", file_of(R"({"a":{"dtype":32,"shape":[1],"data_offsets":[0,1]}})", 1),
         file_fault::bad_structure},
        {"a dtype that is null", file_of(R"({"a":{"dtype":null}})"), file_fault::bad_structure},
        {"four bits, an odd count", file_of(one("[3]", "[0,2]", "F4"), 2), file_fault::bad_size},
        {"six bits, no whole bytes", file_of(one("[3]", "[0,3]", "F6_E3M2"), 3), file_fault::bad_size},
        // shape
        {"a negative extent", file_of(one("[-1]", "[0,4]"), 4), file_fault::bad_extent},
        {"a fraction", file_of(one("[1.5]", "[0,4]"), 4), file_fault::bad_extent},
        {"1e3", file_of(one("[1e3]", "[0,4000]"), 4000), file_fault::bad_extent},
        {"1e400", file_of(one("[1e400]", "[0,4]"), 4), file_fault::bad_extent},
        {"a string as extent", file_of(one("[\"1\"]", "[0,4]"), 4), file_fault::bad_extent},
        {"null as extent", file_of(one("[null]", "[0,4]"), 4), file_fault::bad_extent},
        {"true as extent", file_of(one("[true]", "[0,4]"), 4), file_fault::bad_extent},
        {"an array as extent", file_of(one("[[1]]", "[0,4]"), 4), file_fault::bad_extent},
        {"a shape that is a number", file_of(one("1", "[0,4]"), 4), file_fault::bad_extent},
        {"a shape that is null", file_of(one("null", "[0,4]"), 4), file_fault::bad_extent},
        {"an extent of 2^63", file_of(one("[9223372036854775808]", "[0,4]"), 4), file_fault::overflow},
        {"an extent of 2^64", file_of(one("[18446744073709551616]", "[0,4]"), 4), file_fault::bad_extent},
        {"[2, 2^64 - 2]", file_of(one("[2,18446744073709551614]", "[0,4]"), 4), file_fault::overflow},
        {"[2^32, 2^32]", file_of(one("[4294967296,4294967296]", "[0,0]"), 0), file_fault::overflow},
        {"[2^63, 2, 0]: the zero hides an overflow", file_of(one("[9223372036854775808,2,0]", "[0,0]"), 0),
         file_fault::overflow},
        {"[0, 2^63, 2]", file_of(one("[0,9223372036854775808,2]", "[0,0]", "F4"), 0), file_fault::overflow},
        {"10,000 extents", file_of(one("[" + repeated("1,", 9999) + "1]", "[0,4]"), 4), file_fault::bad_rank},
        // offsets
        {"an end before its begin", file_of(one("[1]", "[4,0]"), 4), file_fault::bad_offsets},
        {"a negative offset", file_of(one("[1]", "[-4,0]"), 4), file_fault::bad_offsets},
        {"one offset", file_of(one("[1]", "[0]"), 4), file_fault::bad_offsets},
        {"no offset", file_of(one("[1]", "[]"), 4), file_fault::bad_offsets},
        {"three offsets", file_of(one("[1]", "[0,4,8]"), 4), file_fault::bad_offsets},
        {"offsets that are fractions", file_of(one("[1]", "[0.0,4.0]"), 4), file_fault::bad_offsets},
        {"offsets that are null", file_of(one("[1]", "null"), 4), file_fault::bad_offsets},
        {"offsets that are strings", file_of(one("[1]", "[\"0\",\"4\"]"), 4), file_fault::bad_offsets},
        {"offsets past the end", file_of(one("[2]", "[0,8]"), 4), file_fault::truncated},
        {"offsets near 2^64", file_of(one("[1]", "[18446744073709551611,18446744073709551615]"), 4), file_fault::hole},
        {"too few bytes for the shape", file_of(one("[2]", "[0,4]"), 4), file_fault::bad_size},
        {"too many bytes for the shape", file_of(one("[1]", "[0,8]"), 8), file_fault::bad_size},
        {"bytes for a shape with a 0", file_of(one("[0]", "[0,4]"), 4), file_fault::bad_size},
        {"no bytes for a scalar", file_of(one("[]", "[0,0]")), file_fault::bad_size},
        {"one byte shared", file_of("{" + u8("a", 0, 3) + "," + u8("b", 2, 4) + "}", 4), file_fault::overlap},
        {"all bytes shared", file_of("{" + u8("a", 0, 4) + "," + u8("b", 0, 4) + "}", 4), file_fault::overlap},
        {"a hole of one byte", file_of("{" + u8("a", 0, 2) + "," + u8("b", 3, 4) + "}", 4), file_fault::hole},
        {"a hole at the start", file_of("{" + u8("a", 1, 4) + "}", 4), file_fault::hole},
        {"a byte after the last tensor", file_of("{" + u8("a", 0, 4) + "}", 5), file_fault::too_long},
        {"bytes and no tensor", file_of("{}", 5), file_fault::too_long},
        {"a byte short", file_of("{" + u8("a", 0, 4) + "}", 3), file_fault::truncated},
    };
    CHECK(attacks.size() >= 60);
    for (attack const& tried : attacks) {
        CAPTURE(std::string(tried.what));
        std::string said;
        std::optional<file_fault> const fault = support::fault_of([&] { ab::parse_safetensors(tried.file); }, &said);
        CAPTURE(said);
        CHECK(fault.has_value());
        if (fault)
            CHECK(static_cast<int>(*fault) == static_cast<int>(tried.fault));
    }
}

TEST_CASE("attacks by number stay within time and memory")
{
    auto many = [](std::size_t n, auto const& tensor) {
        std::string header = "{";
        for (std::size_t i = 0; i < n; ++i)
            header += (i ? "," : "") + tensor(std::to_string(i));
        return header + "}";
    };
    // 100,000 tensors of the same 1,000 bytes
    CHECK(support::fault_of([&] {
              ab::parse_safetensors(file_of(many(100'000, [](auto const& name) { return u8(name, 0, 1000); }), 1000));
          }) == file_fault::overlap);
    // 200,000 empty tensors are a file like another
    CHECK(ab::parse_safetensors(file_of(many(200'000, [](auto const& name) { return u8(name, 0, 0); })))
              .tensors()
              .size() == 200'000);
    // the same name 100,000 times
    CHECK(support::fault_of([&] {
              ab::parse_safetensors(file_of(many(100'000, [](auto const&) { return u8("a", 0, 0); })));
          }) == file_fault::duplicate);
}

TEST_CASE("faults say where")
{
    std::string const header = R"({"tensor":{"dtype":"F32","shape":[1],"data_offsets":[0,4],"x":1}})";
    try {
        ab::parse_safetensors(file_of(header, 4), "model");
        FAIL("accepted");
    } catch (ab::file_error const& error) {
        CHECK(std::string(error.what()) == "model: byte 69: \"tensor\" has a field \"x\"");
        CHECK(error.offset() >= 8 + header.find("\"x\""));
        CHECK(error.offset() <= 8 + header.find("\"x\"") + 5);
    }
}

TEST_CASE("every prefix and random changes are read or refused, never more")
{
    ab::safetensors_writer writer;
    writer.add("weight", {2, 3}, std::vector<float>(6));
    writer.add("bias", {3}, bytes{1, 2, 3});
    writer.metadata["step"] = "1";
    bytes const file = writer.bytes();
    for (std::size_t n = 0; n < file.size(); ++n)
        CHECK(support::fault_of(
            [&] { ab::parse_safetensors(bytes(file.begin(), file.begin() + static_cast<std::ptrdiff_t>(n))); }));
    std::mt19937 random(1);
    std::string const likely = "{}[]\":,0123456789-.eE\\u ";
    for (int i = 0; i < 20'000; ++i) {
        bytes changed = file;
        for (int changes = 0; changes < 1 + i % 3; ++changes)
            changed[random() % changed.size()] = static_cast<std::uint8_t>(
                random() % 2 ? static_cast<unsigned>(likely[random() % likely.size()]) : random());
        support::fault_of([&] {
            auto const read = ab::parse_safetensors(changed);
            for (auto const& tensor : read.tensors())
                CHECK(read.bytes(tensor).size() == tensor.end - tensor.begin);
        });
    }
}

TEST_CASE("what is no file is said to be none")
{
    support::scratch_folder const folder;
    REQUIRE(mkfifo((folder / "pipe").c_str(), 0600) == 0);
    CHECK(support::fault_of([&] { ab::read_safetensors(folder.path()); }) == file_fault::not_a_file);
    CHECK(support::fault_of([&] { ab::read_safetensors(folder / "pipe"); }) == file_fault::not_a_file);
    CHECK(support::fault_of([&] { ab::read_safetensors("/dev/zero"); }) == file_fault::not_a_file);
    CHECK(support::fault_of([&] { ab::read_safetensors(folder / "no"); }) == file_fault::missing);
}

TEST_CASE("the writer refuses extents whose product overflows")
{
    ab::safetensors_writer file;
    std::vector<float> const none;
    CHECK_THROWS_AS(file.add("a", {std::uint64_t{1} << 32, std::uint64_t{1} << 32}, none), std::invalid_argument);
    CHECK_THROWS_AS(file.add("a", {std::uint64_t{1} << 63, 2, 0}, none), std::invalid_argument);
    CHECK_NOTHROW(file.add("a", {0, 7}, none));
}
