// SPDX-License-Identifier: MIT
// A diffusers scheduler_config.json as a sampler of this library. Needs nlohmann-json.
#pragma once

#include <alphabar/io/diffusers_config.hpp>
#include <alphabar/io/diffusers_forward.hpp>
#include <alphabar/io/diffusers_grid.hpp>
#include <alphabar/io/diffusers_plan.hpp>
#include <alphabar/io/file.hpp>
#include <alphabar/sampler/plan.hpp>
#include <alphabar/sampler/serialise.hpp>

#include <cstddef>
#include <filesystem>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

namespace alphabar {

/// A configured scheduler:
///
///     auto const scheduler = read_diffusers_config("scheduler_config.json");
///     sample(scheduler.plan(20), x, noise, network);
///
/// Its plans reproduce what the class computes, its known flaws included; plan(20, {.correct = true}) and those of
/// corrected() are right where the class is not (diffusers_config::corrected lists where). Fields that the class does
/// not know are ignored; config().unknown_fields() names them.
///
/// Every field is checked when the configuration is read. Every member throws config_error, with the field, where the
/// class or an option is outside this library and where a field does not go with the arguments; std::invalid_argument
/// where an argument is not allowed or is none of the class's.
class diffusers_scheduler {
public:
    explicit diffusers_scheduler(diffusers_config config) : config_(std::move(config)) {}

    diffusers_config const& config() const { return config_; }
    diffusers_scheduler corrected() const { return diffusers_scheduler(config_.corrected()); }
    /// What set_timesteps leaves.
    diffusers_grid grid(diffusers_request const& request) const { return set_timesteps(config_, request); }
    diffusers_grid grid(int num_inference_steps) const { return grid({.num_inference_steps = num_inference_steps}); }
    /// The sampler; its initial_scale is the class's init_noise_sigma.
    alphabar::plan plan(diffusers_request const& request, diffusers_step const& step = {}) const
    {
        return make_plan(config_, request, step);
    }
    alphabar::plan plan(int num_inference_steps, diffusers_step const& step = {}) const
    {
        return plan(diffusers_request{.num_inference_steps = num_inference_steps}, step);
    }
    /// The noise levels of the class's add_noise: x_t = noisy.alpha x_0 + noisy.sigma eps at each time of the training
    /// table, or of a request. Those of corrected() are of the times; some classes count from the wrong end before
    /// set_timesteps (forward_levels).
    std::vector<diffusers_levels> levels(std::vector<double> const& times, diffusers_request const& request = {},
                                         std::optional<std::size_t> begin_index = {}) const
    {
        return forward_levels(config_, request, times, begin_index);
    }

private:
    diffusers_config config_;
};

/// From the text of a scheduler_config.json. Throws config_error, which names the field and the byte.
inline diffusers_scheduler parse_diffusers_config(std::string_view text)
{
    return diffusers_scheduler(diffusers_config(text));
}

/// From the file. Throws config_error for what is in it, file_error where it cannot be read.
inline diffusers_scheduler read_diffusers_config(std::filesystem::path const& path)
{
    std::vector<std::uint8_t> const bytes = read_bytes(path, diffusers_config::max_bytes + 1);
    return parse_diffusers_config({reinterpret_cast<char const*>(bytes.data()), bytes.size()});
}

} // namespace alphabar
