// SPDX-License-Identifier: MIT
// What the user asks for.
#pragma once

#include "config.hpp"

#include <cstdint>
#include <filesystem>
#include <optional>
#include <set>
#include <string>

namespace mnist {

struct options {
    std::filesystem::path data, output = "mnist-output";
    std::optional<std::filesystem::path> resume;
    training_config training;
    std::set<std::string> chosen; ///< the training options that the user has set himself
    std::optional<std::uint32_t> stop_after;

    std::string sampler;     ///< the network's usual one unless set
    std::uint32_t calls = 0; ///< the sampler's usual number unless set
    double guidance = 1.5;
    std::optional<std::uint32_t> only_class;
    std::uint32_t samples = 2000;
    bool comparison = true;
    unsigned threads = 1;
};

/// The command line, or the exit code where there is nothing to do (--help) or it is wrong.
struct command {
    options asked;
    std::optional<int> exit_code;
};
command read_command_line(int argc, char const* const* argv);

} // namespace mnist
