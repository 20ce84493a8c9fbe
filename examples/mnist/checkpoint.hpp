// SPDX-License-Identifier: MIT
// All of a training run in one file, from which a later one goes on with the same bits.
#pragma once

#include "config.hpp"
#include "model.hpp"

#include <cstdint>
#include <filesystem>
#include <span>
#include <vector>

namespace mnist {

void write_checkpoint(std::filesystem::path const& path, training_config const& config, std::uint32_t data_checksum,
                      model& trained, std::span<double const> loss);

/// A checkpoint that has been read: first its config, with which the model is made, then the model's state.
class checkpoint {
public:
    /// Throws alphabar::file_error.
    explicit checkpoint(std::filesystem::path const& path);
    ~checkpoint();

    training_config const& config() const { return config_; }
    std::uint32_t data_checksum() const { return data_checksum_; }
    /// The loss of every step so far.
    std::vector<double> const& loss() const { return loss_; }
    /// Throws alphabar::file_error where a tensor is missing or of another shape.
    void restore(model& into) const;

private:
    struct contents;
    std::unique_ptr<contents> contents_;
    training_config config_;
    std::uint32_t data_checksum_ = 0, step_ = 0;
    std::vector<double> loss_;
};

} // namespace mnist
