// SPDX-License-Identifier: MIT
#include "checkpoint.hpp"

#include <alphabar/io/safetensors.hpp>

#include <charconv>
#include <concepts>
#include <system_error>

namespace mnist {

using alphabar::file_error;
using alphabar::file_fault;

namespace {

constexpr char const* format = "alphabar mnist 1";

/// Calls visit(name, member) for each setting.
template <class Config, class Visit>
void each_setting(Config& config, Visit const& visit)
{
    visit("network", config.network);
    visit("budget", config.budget);
    visit("seed", config.seed);
    visit("batch", config.batch);
    visit("rate", config.rate);
    visit("drop_label", config.drop_label);
    visit("ema", config.ema);
}

std::string text_of(std::string const& value) { return value; }
template <class T>
std::string text_of(T value)
{
    char text[32];
    return {text,
            std::to_chars(text, text + sizeof text, value).ptr}; // the shortest text that reads back as this value
}

bool read(std::string const& text, std::string& value)
{
    value = text;
    return value == "unet" || value == "classic";
}
template <class T>
bool read(std::string const& text, T& value)
{
    auto const [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    return error == std::errc() && end == text.data() + text.size();
}

} // namespace

void write_checkpoint(std::filesystem::path const& path, training_config const& config, std::uint32_t data_checksum,
                      model& trained, std::span<double const> loss)
{
    alphabar::safetensors_writer file;
    for (auto const& [state, values] : trained.states())
        for (auto const& [name, shape, offset, size] : trained.arrays())
            file.add<float>(std::string(state) + "." + name, shape, values.subspan(offset, size));
    file.add<double>("loss", {loss.size()}, loss);
    file.metadata["format"] = format;
    file.metadata["step"] = std::to_string(trained.steps_done());
    file.metadata["data_checksum"] = std::to_string(data_checksum);
    each_setting(config, [&](char const* name, auto const& value) { file.metadata[name] = text_of(value); });
    file.write(path);
}

struct checkpoint::contents {
    std::string name;
    alphabar::safetensors file;
};

checkpoint::~checkpoint() = default;

checkpoint::checkpoint(std::filesystem::path const& path)
    : contents_(new contents{path.string(), alphabar::read_safetensors(path)})
{
    auto const& metadata = contents_->file.metadata();
    if (auto const at = metadata.find("format"); at == metadata.end() || at->second != format)
        throw file_error(file_fault::bad_structure, contents_->name, 0, "is no checkpoint of this program");
    auto const setting = [&](char const* name, auto& value) {
        auto const at = metadata.find(name);
        if (at == metadata.end())
            throw file_error(file_fault::missing_field, contents_->name, 0,
                             "has no " + std::string(name) + " in its metadata");
        if (!read(at->second, value))
            throw file_error(file_fault::bad_structure, contents_->name, 0,
                             "has a bad " + std::string(name) + " in its metadata");
    };
    each_setting(config_, setting);
    setting("step", step_);
    setting("data_checksum", data_checksum_);
    auto const within = [](double value, double low, double high) {
        return value >= low && value <= high;
    }; // false for NaN
    if (!within(config_.budget, 1e-4, 1e4) || config_.batch < 1 || config_.batch > 4096 ||
        !within(config_.rate, 1e-6, 1) || !within(config_.drop_label, 0, 1) || !within(config_.ema, 0, 0.999999) ||
        step_ >= (1u << 24))
        throw file_error(file_fault::bad_structure, contents_->name, 0, "has settings out of range in its metadata");
    loss_ = contents_->file.read<double>("loss");
    if (loss_.size() != step_)
        throw file_error(file_fault::bad_size, contents_->name, 0, "has not one loss for each of its steps");
}

void checkpoint::restore(model& into) const
{
    for (auto const& [state, values] : into.states())
        for (auto const& [array, shape, offset, size] : into.arrays()) {
            std::string const name = std::string(state) + "." + array;
            std::vector<float> const saved = contents_->file.read<float>(name);
            if (contents_->file.find(name)->shape != shape)
                throw file_error(file_fault::bad_size, contents_->name, 0, "has " + name + " in another shape");
            std::copy(saved.begin(), saved.end(), values.begin() + static_cast<std::ptrdiff_t>(offset));
        }
    into.resume(step_);
}

} // namespace mnist
