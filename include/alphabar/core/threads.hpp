// SPDX-License-Identifier: MIT
// A team of threads that the caller owns and lends to loops.
#pragma once

#include <alphabar/core/error.hpp>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <mutex>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

namespace alphabar {

/// `size` threads, the calling one among them; the others sleep between loops, 50 us after the last (at once where
/// there are more than processors). A loop allocates nothing.
///
/// One loop runs at a time: a second caller waits. A loop inside a loop of the same team runs on the thread that asks.
class thread_team {
public:
    /// Throws std::invalid_argument unless size lies in [1, 4096].
    explicit thread_team(std::size_t size = std::max(1u, std::thread::hardware_concurrency()))
        : patience_(size > std::thread::hardware_concurrency() ? 0 : 50), thrown_(checked(size))
    {
        try {
            for (std::size_t member = 1; member < size; ++member)
                members_.emplace_back([this, member] { serve(member); });
        } catch (...) {
            dismiss();
            throw;
        }
    }
    ~thread_team() { dismiss(); }
    thread_team(thread_team const&) = delete;
    thread_team& operator=(thread_team const&) = delete;

    std::size_t size() const { return members_.size() + 1; }

    /// f(begin, end) for ranges that cover [0, count) once: one contiguous range for each thread, as equal as can be,
    /// none empty. Returns when all are done. The first exception that f throws (by the order of the ranges) is thrown
    /// on.
    template <class F>
    void for_ranges(std::size_t count, F const& f)
    {
        std::size_t const parts = std::min(count, size());
        if (parts == 0)
            return;
        if (parts == 1 || inside() == this)
            return f(std::size_t{0}, count);
        auto const part = [&](std::size_t i) {
            // the first count % parts ranges are one longer
            std::size_t const begin = count / parts * i + std::min(i, count % parts);
            f(begin, begin + count / parts + (i < count % parts ? 1 : 0));
        };
        auto const guarded = [&](std::size_t i) noexcept {
            thread_team const* const outer = inside();
            inside() = this;
            try {
                part(i);
            } catch (...) {
                thrown_[i] = std::current_exception();
            }
            inside() = outer;
        };
        std::lock_guard const one_loop(loop_);
        {
            std::lock_guard const lock(mutex_);
            task_ = &guarded;
            call_ = [](void const* task, std::size_t i) { (*static_cast<decltype(guarded) const*>(task))(i); };
            parts_ = parts;
            left_ = parts - 1;
            ++round_;
        }
        wake_.notify_all();
        guarded(0);
        await([this] { return left_ == 0; });
        {
            std::unique_lock lock(mutex_);
            done_.wait(lock, [this] { return left_ == 0; });
        }
        std::exception_ptr first;
        for (std::exception_ptr& e : thrown_)
            if (std::exception_ptr const here = std::exchange(e, nullptr); !first)
                first = here;
        if (first)
            std::rethrow_exception(first);
    }

    /// f(i) for each i in [0, count), in ranges as `for_ranges`.
    template <class F>
    void for_each(std::size_t count, F const& f)
    {
        for_ranges(count, [&](std::size_t begin, std::size_t end) {
            for (; begin < end; ++begin)
                f(begin);
        });
    }

private:
    static std::size_t checked(std::size_t size)
    {
        require(size >= 1 && size <= 4096, "thread_team", "size", size, "it must lie in [1, 4096]");
        return size;
    }
    /// The team whose loop the current thread works in.
    static thread_team const*& inside()
    {
        static thread_local thread_team const* team = nullptr;
        return team;
    }

    /// Looks out for 50 us, so that one short loop after another finds its threads awake: to wake one takes as long.
    template <class Ready>
    void await(Ready const& ready) const
    {
        using clock = std::chrono::steady_clock;
        for (auto const end = clock::now() + patience_; !ready() && clock::now() < end;) {
#if defined(__x86_64__)
            __builtin_ia32_pause();
#endif
        }
    }

    void serve(std::size_t member)
    {
        for (std::uint64_t seen = 0;;) {
            await([&] { return leaving_ || round_ != seen; });
            std::unique_lock lock(mutex_);
            wake_.wait(lock, [&] { return leaving_ || round_ != seen; });
            if (leaving_)
                return;
            seen = round_;
            if (member >= parts_)
                continue;
            auto* const call = call_;
            void const* const task = task_;
            lock.unlock();
            call(task, member);
            lock.lock();
            if (--left_ == 0)
                done_.notify_one();
        }
    }

    void dismiss()
    {
        {
            std::lock_guard const lock(mutex_);
            leaving_ = true;
        }
        wake_.notify_all();
        for (std::thread& member : members_)
            member.join();
    }

    std::chrono::microseconds patience_;
    std::vector<std::exception_ptr> thrown_; ///< what each range of the loop has thrown
    std::vector<std::thread> members_;
    std::mutex loop_;
    std::mutex mutex_;
    std::condition_variable wake_;
    std::condition_variable done_;
    void (*call_)(void const*, std::size_t) = nullptr;
    void const* task_ = nullptr;
    std::size_t parts_ = 0;
    std::atomic<std::size_t> left_ = 0; // the mutex guards what is written below, too; it is read without for a while
    std::atomic<std::uint64_t> round_ = 0;
    std::atomic<bool> leaving_ = false;
};

} // namespace alphabar
