// SPDX-License-Identifier: MIT
// The folder for the results, found to be writable before the work begins.
#pragma once

#include <filesystem>

namespace mnist {

struct output_folder {
    std::filesystem::path folder;

    std::filesystem::path samples() const { return folder / "samples.png"; }
    std::filesystem::path loss() const { return folder / "loss.png"; }
    std::filesystem::path samplers() const { return folder / "samplers.png"; }
    std::filesystem::path sample_images() const { return folder / "samples-idx3-ubyte"; }
    std::filesystem::path sample_labels() const { return folder / "samples-labels-idx1-ubyte"; }
    std::filesystem::path checkpoint() const { return folder / "checkpoint.safetensors"; }

    /// Makes the folder where there is none, and sees that every result can be written and that
    /// there is room for all of them
    /// (`bytes` in all). Throws alphabar::file_error.
    void prepare(std::uintmax_t bytes) const;
};

} // namespace mnist
