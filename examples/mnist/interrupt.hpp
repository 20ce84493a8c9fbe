// SPDX-License-Identifier: MIT
// Ctrl-C: noted when it comes, acted upon where the work can be left.
#pragma once

#include <csignal>

namespace mnist {

/// Thrown where the work is left.
struct interrupted {
    int signal;
};

namespace detail {
inline std::sig_atomic_t volatile caught = 0;
}

/// From now on the first SIGINT or SIGTERM is only noted; a second one ends the program at once.
inline void catch_interrupts()
{
    struct sigaction action{};
    action.sa_handler = [](int signal) { detail::caught = signal; };
    action.sa_flags = static_cast<int>(SA_RESETHAND);
    sigaction(SIGINT, &action, nullptr);
    sigaction(SIGTERM, &action, nullptr);
}

/// The signal that was noted, or 0.
inline int interrupt() { return detail::caught; }

inline void throw_if_interrupted()
{
    if (interrupt())
        throw interrupted{interrupt()};
}

} // namespace mnist
