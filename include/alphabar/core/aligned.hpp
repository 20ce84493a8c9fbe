// SPDX-License-Identifier: MIT
// Memory for own buffers, 64-byte aligned: a full cache line and the widest vector.
#pragma once

#include <cstddef>
#include <new>
#include <type_traits>
#include <vector>

namespace alphabar {

inline constexpr std::size_t buffer_alignment = 64;

/// A standard allocator whose memory begins at a multiple of 64 bytes.
template <class T>
struct aligned_allocator {
    using value_type = T;
    static_assert(alignof(T) <= buffer_alignment);

    constexpr aligned_allocator() = default;
    template <class U>
    constexpr aligned_allocator(aligned_allocator<U> const&) noexcept
    {
    }

    T* allocate(std::size_t n)
    {
        if (n > static_cast<std::size_t>(-1) / sizeof(T))
            throw std::bad_array_new_length();
        return static_cast<T*>(::operator new(n * sizeof(T), std::align_val_t(buffer_alignment)));
    }
    void deallocate(T* p, std::size_t) noexcept { ::operator delete(p, std::align_val_t(buffer_alignment)); }

    template <class U>
    friend constexpr bool operator==(aligned_allocator const&, aligned_allocator<U> const&) noexcept
    {
        return true;
    }
};

/// A std::vector whose elements begin at a multiple of 64 bytes. It is a tensor (backends/span.hpp).
template <class T>
using aligned_vector = std::vector<T, aligned_allocator<T>>;

} // namespace alphabar
