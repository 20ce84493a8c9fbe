// SPDX-License-Identifier: MIT
// What the device tests share: an array in device memory, a comparison of bits, and the word SKIPPED.
#pragma once

#include <cuda_runtime.h>

#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <span>
#include <vector>

inline int failures = 0;
inline int comparisons = 0;

inline void check(cudaError_t status)
{
    if (status != cudaSuccess) {
        std::printf("CUDA: %s\n", cudaGetErrorString(status));
        std::exit(1);
    }
}

/// Ends the test with the exit code that CTest counts as skipped, unless there is a device.
inline void skip_without_device()
{
    int count = 0;
    if (cudaGetDeviceCount(&count) != cudaSuccess || count == 0) {
        std::printf("SKIPPED: no CUDA device on this machine\n");
        std::exit(77);
    }
}

inline int finish()
{
    std::printf("%d passed, %d failed\n", comparisons - failures, failures);
    return failures == 0 && comparisons > 0 ? 0 : 1;
}

template <class T>
class device_array {
public:
    explicit device_array(std::size_t n) : size_(n) { check(cudaMalloc(&data_, (n ? n : 1) * sizeof(T))); }
    explicit device_array(std::vector<T> const& host) : device_array(host.size())
    {
        check(cudaMemcpy(data_, host.data(), size_ * sizeof(T), cudaMemcpyHostToDevice));
    }
    device_array(device_array const&) = delete;
    device_array& operator=(device_array const&) = delete;
    ~device_array() { cudaFree(data_); }

    T* data() const { return data_; }
    std::vector<T> host() const
    {
        std::vector<T> all(size_);
        check(cudaDeviceSynchronize());
        check(cudaMemcpy(all.data(), data_, size_ * sizeof(T), cudaMemcpyDeviceToHost));
        return all;
    }

private:
    T* data_ = nullptr;
    std::size_t size_;
};

template <class T>
void expect_same(char const* what, std::vector<T> const& want, std::vector<T> const& got)
{
    ++comparisons;
    if (want.size() == got.size() && std::memcmp(want.data(), got.data(), want.size() * sizeof(T)) == 0)
        return;
    ++failures;
    for (std::size_t i = 0; i < want.size(); ++i)
        if (std::memcmp(&want[i], &got[i], sizeof(T)) != 0) {
            std::printf("FAILED: %s: element %zu of %zu is %.9g, not %.9g\n", what, i, want.size(),
                        static_cast<double>(got[i]), static_cast<double>(want[i]));
            return;
        }
}
