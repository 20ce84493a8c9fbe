// SPDX-License-Identifier: MIT
#include "progress.hpp"

#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <string_view>

namespace mnist {

std::string formatted(char const* format, ...)
{
    char text[512];
    va_list arguments;
    va_start(arguments, format);
    std::vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    return text;
}

std::string shown_seconds(double seconds)
{
    long const s = std::lround(seconds);
    if (s < 100)
        return formatted("%ld s", s);
    if (s < 6000)
        return formatted("%ld min %ld s", s / 60, s % 60);
    return formatted("%ld h %ld min", s / 3600, s % 3600 / 60);
}

std::string shown_count(std::size_t n)
{
    std::string text = std::to_string(n);
    for (std::size_t at = text.size(); at > 3;)
        text.insert(at -= 3, ",");
    return text;
}

progress::progress(std::string title, std::size_t total, std::size_t done)
    : title_(std::move(title)), total_(total), first_(done)
{
    char const* const kind = std::getenv("TERM");
    terminal_ = isatty(STDERR_FILENO) && kind && std::string_view(kind) != "dumb";
    next_ = start_ + std::chrono::milliseconds(terminal_ ? 0 : 1000);
}

progress::~progress()
{
    if (drawn_ && terminal_)
        std::fputc('\n', stderr);
}

double progress::seconds() const { return std::chrono::duration<double>(clock::now() - start_).count(); }

void progress::at(std::size_t done, std::string const& said, double per_step, char const* unit)
{
    clock::time_point const now = clock::now();
    if (done < total_ && now < next_)
        return;
    double const spent = std::max(seconds(), 1e-9), new_steps = static_cast<double>(done - first_);
    double const left = new_steps > 0 ? spent / new_steps * static_cast<double>(total_ - done) : 0;
    std::string const pace = done < total_ ? shown_seconds(std::ceil(left)) + " left"
                                           : "in " + (spent < 9.95 ? formatted("%.1f s", spent) : shown_seconds(spent));
    std::string const rate = shown_count(static_cast<std::size_t>(new_steps * per_step / spent)) + " " + unit + "/s";
    double const share = total_ > 0 ? static_cast<double>(done) / static_cast<double>(total_) : 1;
    std::string const gap = said.empty() ? "" : "  ";
    if (terminal_) {
        constexpr std::size_t width = 30;
        auto const full = static_cast<std::size_t>(share * width);
        std::string const bar = std::string(full, '#') + std::string(width - full, '.');
        std::fprintf(stderr, "\r\033[K%-9s %s %3.0f %%%s%s  %s  %s", title_.c_str(), bar.c_str(), 100 * share,
                     gap.c_str(), said.c_str(), rate.c_str(), pace.c_str());
        next_ = now + std::chrono::milliseconds(100);
    } else {
        std::fprintf(stderr, "%-9s %3.0f %%%s%s  %s  %s\n", title_.c_str(), 100 * share, gap.c_str(), said.c_str(),
                     rate.c_str(), pace.c_str());
        next_ = now + std::chrono::seconds(5);
    }
    std::fflush(stderr);
    drawn_ = true;
}

} // namespace mnist
