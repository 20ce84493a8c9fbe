// SPDX-License-Identifier: MIT
// How far the work is: a bar that redraws itself on a terminal, a line now and then elsewhere.
#pragma once

#include <chrono>
#include <cstddef>
#include <string>

namespace mnist {

class progress {
public:
    /// `total` steps, of which `done` are done already.
    progress(std::string title, std::size_t total, std::size_t done = 0);
    ~progress();
    progress(progress const&) = delete;
    progress& operator=(progress const&) = delete;

    /// `said` is what the line shows beside the bar; `per_step` things of `unit` are done in a step.
    void at(std::size_t done, std::string const& said, double per_step, char const* unit);

    double seconds() const;

private:
    using clock = std::chrono::steady_clock;

    std::string title_;
    std::size_t total_, first_;
    bool terminal_, drawn_ = false;
    clock::time_point start_ = clock::now(), next_ = start_;
};

/// "12 s", "3 min 5 s", "2 h 4 min".
std::string shown_seconds(double seconds);
/// 1234567 as "1,234,567".
std::string shown_count(std::size_t n);
/// printf into a string.
[[gnu::format(printf, 1, 2)]] std::string formatted(char const* format, ...);

} // namespace mnist
