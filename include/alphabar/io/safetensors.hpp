// SPDX-License-Identifier: MIT
// safetensors, the file format of model weights: 8 bytes N (little-endian), N bytes of JSON that say name, element
// type, shape and place of each tensor, then the bytes of the tensors, without a gap.
#pragma once

#include <alphabar/core/error.hpp>
#include <alphabar/io/file.hpp>

#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <bit>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <limits>
#include <map>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace alphabar {

/// The element types of the format: its name for each and its bits.
struct safetensors_type {
    std::string_view name;
    std::uint32_t bits;
    friend bool operator==(safetensors_type, safetensors_type) = default;
};

inline constexpr std::array<safetensors_type, 22> safetensors_types{{
    {"BOOL", 8},    {"F4", 4},      {"F6_E2M3", 6}, {"F6_E3M2", 6},     {"U8", 8},          {"I8", 8},
    {"F8_E5M2", 8}, {"F8_E4M3", 8}, {"F8_E8M0", 8}, {"F8_E4M3FNUZ", 8}, {"F8_E5M2FNUZ", 8}, {"I16", 16},
    {"U16", 16},    {"F16", 16},    {"BF16", 16},   {"I32", 32},        {"U32", 32},        {"F32", 32},
    {"C64", 64},    {"F64", 64},    {"I64", 64},    {"U64", 64},
}};

namespace detail {

template <class T>
constexpr std::string_view safetensors_name()
{
    if constexpr (std::same_as<T, float>)
        return "F32";
    else if constexpr (std::same_as<T, double>)
        return "F64";
    else if constexpr (std::same_as<T, std::uint8_t>)
        return "U8";
    else if constexpr (std::same_as<T, std::int8_t>)
        return "I8";
    else if constexpr (std::same_as<T, std::uint16_t>)
        return "U16";
    else if constexpr (std::same_as<T, std::int16_t>)
        return "I16";
    else if constexpr (std::same_as<T, std::uint32_t>)
        return "U32";
    else if constexpr (std::same_as<T, std::int32_t>)
        return "I32";
    else if constexpr (std::same_as<T, std::uint64_t>)
        return "U64";
    else if constexpr (std::same_as<T, std::int64_t>)
        return "I64";
    else
        return "";
}

} // namespace detail

/// A C++ type that is an element type of the format.
template <class T>
concept safetensors_element = !detail::safetensors_name<T>().empty();

/// One tensor of a file: its place is [begin, end) in the file's data.
struct safetensors_entry {
    std::string name;
    safetensors_type type;
    std::vector<std::uint64_t> shape; ///< empty: a scalar
    std::uint64_t begin = 0;
    std::uint64_t end = 0;

    std::uint64_t size() const ///< elements
    {
        std::uint64_t n = 1;
        for (std::uint64_t const extent : shape)
            n *= extent;
        return n;
    }
};

/// A safetensors file in memory.
class safetensors {
public:
    /// In the order of their bytes.
    std::vector<safetensors_entry> const& tensors() const { return tensors_; }
    /// The strings under `__metadata__`.
    std::map<std::string, std::string> const& metadata() const { return metadata_; }

    /// The tensor of that name, or null.
    safetensors_entry const* find(std::string_view name) const
    {
        auto const at = std::ranges::find(tensors_, name, &safetensors_entry::name);
        return at == tensors_.end() ? nullptr : &*at;
    }
    /// Its bytes, little-endian, aligned to nothing.
    std::span<std::uint8_t const> bytes(safetensors_entry const& tensor) const
    {
        return std::span(file_).subspan(data_ + static_cast<std::size_t>(tensor.begin),
                                        static_cast<std::size_t>(tensor.end - tensor.begin));
    }
    /// The elements of the tensor of that name. Throws file_error: unknown_name, bad_type (not T's).
    template <safetensors_element T>
    std::vector<T> read(std::string_view name) const
    {
        safetensors_entry const* const tensor = find(name);
        if (!tensor)
            throw file_error(file_fault::unknown_name, name_, 0, "has no tensor " + detail::shown_name(name));
        if (tensor->type.name != detail::safetensors_name<T>())
            throw file_error(file_fault::bad_type, name_, 0,
                             detail::shown_name(name) + " holds " + std::string(tensor->type.name) + ", not " +
                                 std::string(detail::safetensors_name<T>()));
        std::span<std::uint8_t const> const from = bytes(*tensor);
        std::vector<T> elements(from.size() / sizeof(T));
        detail::copy_elements(reinterpret_cast<std::uint8_t*>(elements.data()), from, sizeof(T), std::endian::little);
        return elements;
    }

private:
    friend safetensors parse_safetensors(std::vector<std::uint8_t> file, std::string_view name);

    std::string name_;
    std::vector<std::uint8_t> file_;
    std::size_t data_ = 0;
    std::vector<safetensors_entry> tensors_;
    std::map<std::string, std::string> metadata_;
};

namespace detail {

/// Hands the header's characters to the JSON reader and keeps count of them.
struct counted_chars {
    using iterator_category = std::input_iterator_tag;
    using value_type = char;
    using difference_type = std::ptrdiff_t;
    using pointer = char const*;
    using reference = char const&;

    char const* at;
    char const** last_read;

    reference operator*() const { return *at; }
    counted_chars& operator++()
    {
        *last_read = ++at;
        return *this;
    }
    counted_chars operator++(int)
    {
        counted_chars const before = *this;
        ++*this;
        return before;
    }
    friend bool operator==(counted_chars a, counted_chars b) { return a.at == b.at; }
    friend bool operator!=(counted_chars a, counted_chars b) { return a.at != b.at; }
};

/// Builds the entries from the events of the JSON reader; anything that is not the format's stops it at once.
class safetensors_header {
public:
    using number_integer_t = nlohmann::json::number_integer_t;
    using number_unsigned_t = nlohmann::json::number_unsigned_t;
    using number_float_t = nlohmann::json::number_float_t;
    using string_t = std::string;
    using binary_t = nlohmann::json::binary_t;

    struct placed {
        safetensors_entry tensor;
        std::uint64_t offset; // of its name's end in the file
    };

    std::vector<placed> tensors;
    std::map<std::string, std::string> metadata;
    char const* last_read;

    safetensors_header(char const* start, std::string_view name) : last_read(start), start_(start), name_(name) {}

    bool start_object(std::size_t)
    {
        switch (where_) {
        case place::start: where_ = place::names; return true;
        case place::after_metadata_key: where_ = place::metadata; return true;
        case place::after_name:
            where_ = place::fields;
            has_type_ = has_shape_ = has_offsets_ = false;
            return true;
        default: return unexpected();
        }
    }
    bool key(std::string& text)
    {
        switch (where_) {
        case place::names:
            if (text.find('\0') != std::string::npos)
                fail(file_fault::bad_structure, "a name holds a zero byte");
            if (text == "__metadata__") {
                if (std::exchange(has_metadata_, true))
                    fail(file_fault::duplicate, "\"__metadata__\" stands twice");
                where_ = place::after_metadata_key;
            } else {
                tensors.push_back({{text, {}, {}, 0, 0}, offset()});
                where_ = place::after_name;
            }
            return true;
        case place::metadata:
            if (metadata.contains(text))
                fail(file_fault::duplicate, shown_name(text) + " stands twice in the metadata");
            key_ = text;
            return true;
        case place::fields:
            if (text == "dtype") {
                once(has_type_, "dtype");
                where_ = place::type;
            } else if (text == "shape") {
                once(has_shape_, "shape");
                where_ = place::before_shape;
            } else if (text == "data_offsets") {
                once(has_offsets_, "data_offsets");
                where_ = place::before_offsets;
            } else {
                fail(file_fault::unknown_field, current() + " has a field " + shown_name(text));
            }
            return true;
        default: return unexpected();
        }
    }
    bool end_object()
    {
        if (where_ == place::fields) {
            if (!has_type_ || !has_shape_ || !has_offsets_)
                fail(file_fault::missing_field, current() + " has no " +
                                                    (!has_type_    ? "dtype"
                                                     : !has_shape_ ? "shape"
                                                                   : "data_offsets"));
            check_size();
        }
        where_ = where_ == place::names ? place::end : place::names;
        return true;
    }
    bool start_array(std::size_t)
    {
        if (where_ == place::before_shape)
            where_ = place::shape;
        else if (where_ == place::before_offsets)
            where_ = place::offsets, offsets_ = 0;
        else
            return unexpected();
        return true;
    }
    bool end_array()
    {
        if (where_ == place::offsets && offsets_ != 2)
            fail(file_fault::bad_offsets,
                 current() + " has " + std::to_string(offsets_) + " data_offsets; 2 are needed");
        where_ = place::fields;
        return true;
    }
    bool string(std::string& text)
    {
        if (where_ == place::metadata) {
            metadata.emplace(std::move(key_), std::move(text));
        } else if (where_ == place::type) {
            auto const type = std::ranges::find(safetensors_types, text, &safetensors_type::name);
            if (type == safetensors_types.end())
                fail(file_fault::bad_type, current() + " has the unknown dtype " + shown_name(text));
            tensors.back().tensor.type = *type;
            where_ = place::fields;
        } else {
            return unexpected();
        }
        return true;
    }
    bool number_unsigned(std::uint64_t value)
    {
        safetensors_entry* const tensor = tensors.empty() ? nullptr : &tensors.back().tensor;
        if (where_ == place::shape) {
            if (tensor->shape.size() == most_extents)
                fail(file_fault::bad_rank, current() + " has more than " + std::to_string(most_extents) + " extents");
            tensor->shape.push_back(value);
        } else if (where_ == place::offsets) {
            if (offsets_ < 2)
                (offsets_ == 0 ? tensor->begin : tensor->end) = value;
            ++offsets_;
        } else {
            return unexpected();
        }
        return true;
    }
    bool number_integer(std::int64_t) { return no_whole_number(); }
    bool number_float(double, std::string const&) { return no_whole_number(); }
    bool null() { return no_whole_number(); }
    bool boolean(bool) { return no_whole_number(); }
    bool binary(nlohmann::json::binary_t&) { return unexpected(); }
    bool parse_error(std::size_t, std::string const&, nlohmann::json::exception const& error)
    {
        if (error.id == 406) // a number beyond double
            return no_whole_number();
        std::string text = error.what();
        if (std::size_t const at = text.find(": "); text.starts_with("[json") && at != std::string::npos)
            text.erase(0, at + 2);
        for (char& c : text)
            c = static_cast<unsigned char>(c) < 0x20 ? ' ' : c;
        fail(file_fault::bad_json, "the header is not JSON: " + text.substr(0, 200));
    }

private:
    enum class place : std::uint8_t {
        start,
        names,
        after_metadata_key,
        metadata,
        after_name,
        fields,
        type,
        before_shape,
        shape,
        before_offsets,
        offsets,
        end
    };
    static constexpr std::size_t most_extents = 32;

    std::uint64_t offset() const { return 8 + static_cast<std::uint64_t>(last_read - start_); }
    std::string current() const { return tensors.empty() ? "the header" : shown_name(tensors.back().tensor.name); }
    [[noreturn]] void fail(file_fault fault, std::string const& text) const
    {
        throw file_error(fault, name_, offset(), text);
    }

    bool unexpected() const
    {
        switch (where_) {
        case place::start: fail(file_fault::bad_structure, "the header is not an object");
        case place::after_metadata_key:
        case place::metadata: fail(file_fault::bad_structure, "__metadata__ is not an object of strings");
        case place::after_name: fail(file_fault::bad_structure, current() + " is not an object");
        case place::type: fail(file_fault::bad_structure, "the dtype of " + current() + " is not a string");
        case place::before_shape:
        case place::shape:
            fail(file_fault::bad_extent, "the shape of " + current() + " is not an array of whole numbers");
        case place::before_offsets:
        case place::offsets:
            fail(file_fault::bad_offsets, "the data_offsets of " + current() + " are not two whole numbers");
        default: fail(file_fault::bad_structure, "the header has a value where none is allowed");
        }
    }
    bool no_whole_number() const { return unexpected(); }
    void once(bool& seen, std::string_view field)
    {
        if (std::exchange(seen, true))
            fail(file_fault::duplicate, current() + " has two fields " + shown_name(field));
    }
    void check_size() const
    {
        safetensors_entry const& tensor = tensors.back().tensor;
        std::uint64_t bits = tensor.type.bits, product = 1;
        bool none = false;
        for (std::uint64_t const extent : tensor.shape) {
            none = none || extent == 0;
            std::uint64_t const factor = extent == 0 ? 1 : extent; // a 0 does not hide an overflow of the others
            if (factor > std::numeric_limits<std::uint64_t>::max() / bits / product)
                fail(file_fault::overflow, "the product of the extents of " + current() + " overflows");
            product *= factor;
        }
        bits = none ? 0 : bits * product;
        if (tensor.begin > tensor.end)
            fail(file_fault::bad_offsets, "the data_offsets of " + current() + " end before they begin");
        if (bits % 8 != 0)
            fail(file_fault::bad_size, current() + " does not fill whole bytes");
        if (tensor.end - tensor.begin != bits / 8)
            fail(file_fault::bad_size, current() + " has " + std::to_string(tensor.end - tensor.begin) +
                                           " bytes; its shape and dtype need " + std::to_string(bits / 8));
    }

    char const* start_;
    std::string_view name_;
    place where_ = place::start;
    std::string key_;
    std::size_t offsets_ = 0;
    bool has_metadata_ = false, has_type_ = false, has_shape_ = false, has_offsets_ = false;
};

} // namespace detail

/// Checks a whole file, which must be: N <= 100,000,000 and a JSON object of N bytes, white space around it allowed;
/// every name and field once; tensors that share no byte and leave none over; begin and end as shape and dtype need
/// them. The tensors' values are not looked at. `name` is what messages call the file.
///
/// Throws file_error: empty, truncated, bad_header, bad_json, bad_structure, duplicate, missing_field, unknown_field,
/// bad_type, bad_rank (more than 32 extents), bad_extent, overflow, bad_offsets, bad_size, overlap, hole, too_long.
/// Memory: the file and its entries; no number of the file is believed before it is checked.
inline safetensors parse_safetensors(std::vector<std::uint8_t> file, std::string_view name = "safetensors data")
{
    auto const fail = [&](file_fault fault, std::uint64_t offset, std::string const& text) {
        throw file_error(fault, name, offset, text);
    };
    if (file.empty())
        fail(file_fault::empty, 0, "is empty");
    if (file.size() < 8)
        fail(file_fault::truncated, file.size(), "the file ends here, inside the header's length");
    std::uint64_t header_size = 0;
    for (std::size_t i = 8; i-- > 0;)
        header_size = header_size << 8 | file[i];
    if (header_size < 2 || header_size > 100'000'000)
        fail(file_fault::bad_header, 0,
             "the header's length is " + std::to_string(header_size) + "; it must lie in [2, 100000000]");
    if (header_size > file.size() - 8)
        fail(file_fault::truncated, file.size(),
             "the file ends here, inside its header of " + std::to_string(header_size) + " bytes");

    char const* const start = reinterpret_cast<char const*>(file.data()) + 8;
    if (static_cast<unsigned char>(*start) == 0xef) // the JSON reader would skip a byte order mark
        fail(file_fault::bad_json, 8, "the header is not JSON: it starts with a byte order mark");
    if (auto const zero = std::string_view(start, header_size).find('\0');
        zero != std::string_view::npos) // its end of input
        fail(file_fault::bad_json, 8 + zero, "the header is not JSON: it holds a zero byte");
    detail::safetensors_header header(start, name);
    nlohmann::json::sax_parse(detail::counted_chars{start, &header.last_read},
                              detail::counted_chars{start + header_size, &header.last_read}, &header);

    std::ranges::sort(header.tensors, {}, [](auto const& p) -> std::string const& { return p.tensor.name; });
    for (std::size_t i = 1; i < header.tensors.size(); ++i)
        if (header.tensors[i].tensor.name == header.tensors[i - 1].tensor.name)
            fail(file_fault::duplicate, std::max(header.tensors[i].offset, header.tensors[i - 1].offset),
                 detail::shown_name(header.tensors[i].tensor.name) + " stands twice");
    std::ranges::sort(header.tensors, {}, [](auto const& p) { return std::pair(p.tensor.begin, p.tensor.end); });
    std::uint64_t const data = 8 + header_size, data_size = file.size() - data;
    std::uint64_t end = 0;
    for (auto const& [tensor, offset] : header.tensors) {
        if (tensor.begin < end)
            fail(file_fault::overlap, offset, detail::shown_name(tensor.name) + " shares bytes with another tensor");
        if (tensor.begin > end)
            fail(file_fault::hole, offset,
                 "the bytes before " + detail::shown_name(tensor.name) + " belong to no tensor");
        if (tensor.end > data_size)
            fail(file_fault::truncated, file.size(),
                 "the file ends here; " + detail::shown_name(tensor.name) + " needs " +
                     std::to_string(tensor.end - data_size) + " more bytes");
        end = tensor.end;
    }
    if (end < data_size)
        fail(file_fault::too_long, data + end, "the last tensor ends here, but more bytes follow");

    safetensors result;
    result.name_ = name;
    result.file_ = std::move(file);
    result.data_ = static_cast<std::size_t>(data);
    result.tensors_.reserve(header.tensors.size());
    for (auto& placed : header.tensors)
        result.tensors_.push_back(std::move(placed.tensor));
    result.metadata_ = std::move(header.metadata);
    return result;
}

/// Reads and checks a file. Throws file_error as `read_bytes` and `parse_safetensors` do.
inline safetensors read_safetensors(std::filesystem::path const& path, std::uint64_t limit = std::uint64_t{1} << 33)
{
    return parse_safetensors(read_bytes(path, limit), path.string());
}

/// Collects tensors and strings, then writes them: the same content gives the same bytes.
///
///     safetensors_writer file;
///     file.add("conv.weight", {16, 8, 3, 3}, weights);
///     file.metadata["step"] = "1000";
///     file.write("model.safetensors");
class safetensors_writer {
public:
    std::map<std::string, std::string> metadata;

    /// Adds a tensor; its elements are copied. Throws std::invalid_argument unless the name is new,
    /// is not "__metadata__", and `elements` has as many elements as the extents multiply to.
    template <safetensors_element T>
    void add(std::string const& name, std::vector<std::uint64_t> const& extents, std::span<T const> elements)
    {
        require(name != "__metadata__" && name.find('\0') == std::string::npos && !names_.contains(name),
                "safetensors_writer::add", "name", detail::shown_name(name),
                "it must be new, without zero bytes, and not \"__metadata__\"");
        std::uint64_t product = 1;
        for (std::uint64_t extent : extents) {
            std::uint64_t const factor = std::max<std::uint64_t>(extent, 1);
            require(factor <= std::numeric_limits<std::int64_t>::max() / sizeof(T) / product, "safetensors_writer::add",
                    "an extent", extent, "the product of the extents must fit 63 bits of bytes");
            product *= factor;
        }
        safetensors_entry tensor{
            name, *std::ranges::find(safetensors_types, detail::safetensors_name<T>(), &safetensors_type::name),
            extents, data_.size(), data_.size() + elements.size_bytes()};
        require(extents.size() <= 32 && tensor.size() == elements.size(), "safetensors_writer::add", "elements.size()",
                elements.size(), "it must be the product of the extents, of which there are at most 32");
        data_.resize(data_.size() + elements.size_bytes());
        detail::copy_elements(data_.data() + tensor.begin,
                              {reinterpret_cast<std::uint8_t const*>(elements.data()), elements.size_bytes()},
                              sizeof(T), std::endian::little);
        names_.insert(name);
        tensors_.push_back(std::move(tensor));
    }
    template <safetensors_element T>
    void add(std::string const& name, std::vector<std::uint64_t> const& extents, std::vector<T> const& elements)
    {
        add(name, extents, std::span<T const>(elements));
    }

    /// The file's bytes: tensors in the order they were added; the header padded with spaces to a
    /// multiple of 8 bytes. Throws std::invalid_argument if a string is not UTF-8.
    std::vector<std::uint8_t> bytes() const
    {
        auto const text = [](std::string const& s) {
            try {
                return nlohmann::json(s).dump();
            } catch (nlohmann::json::exception const&) {
                reject("safetensors_writer::bytes", "a string", detail::shown_name(s), "it must be UTF-8");
            }
        };
        std::string header = "{";
        if (!metadata.empty()) {
            header += "\"__metadata__\":{";
            for (char const* comma = ""; auto const& [key, value] : metadata) {
                header.append(comma).append(text(key)).append(":").append(text(value));
                comma = ",";
            }
            header += "}";
        }
        for (safetensors_entry const& tensor : tensors_) {
            header.append(header.size() > 1 ? "," : "")
                .append(text(tensor.name))
                .append(":{\"dtype\":\"")
                .append(tensor.type.name);
            header += "\",\"shape\":[";
            for (char const* comma = ""; std::uint64_t const extent : tensor.shape) {
                header.append(comma).append(std::to_string(extent));
                comma = ",";
            }
            header += "],\"data_offsets\":[" + std::to_string(tensor.begin) + "," + std::to_string(tensor.end) + "]}";
        }
        header += "}";
        header.append((8 - header.size() % 8) % 8, ' ');

        std::vector<std::uint8_t> file;
        file.reserve(8 + header.size() + data_.size());
        for (unsigned shift = 0; shift < 64; shift += 8)
            file.push_back(static_cast<std::uint8_t>(std::uint64_t{header.size()} >> shift));
        file.insert(file.end(), header.begin(), header.end());
        file.insert(file.end(), data_.begin(), data_.end());
        return file;
    }

    /// Writes the file, whole or not at all. Throws file_error: unwritable.
    void write(std::filesystem::path const& path) const { write_bytes(path, bytes()); }

private:
    std::vector<std::uint8_t> data_;
    std::vector<safetensors_entry> tensors_;
    std::set<std::string> names_;
};

} // namespace alphabar
