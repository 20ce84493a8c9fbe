// SPDX-License-Identifier: MIT
// CUDA: the primitives, noise and plans on a stream. Compile with nvcc -std=c++20 --expt-relaxed-constexpr; with
// --fmad=false results have the bits of a host build without FMA, otherwise they may differ by a rounding.
#pragma once

#include <alphabar/backends/device.hpp>
#include <alphabar/backends/device_stage.hpp>

#include <cuda_runtime.h>

#include <cstddef>
#include <memory>
#include <stdexcept>
#include <string>

namespace alphabar {

/// Elements live in device memory; loops are kernels on `stream`, in order with what else runs there.
///
/// Nothing synchronises, and transform, transform_rows, fill and a sampler's step allocate nothing, so a whole loop can
/// be captured in a CUDA graph. Sums and dynamic thresholds take scratch memory from the stream (cudaMallocAsync); sums
/// write their results to device memory.
struct cuda_space {
    using is_device_space = void;
    cudaStream_t stream = nullptr;
    friend constexpr bool operator==(cuda_space, cuda_space) = default;
};

/// A view of device memory on a stream.
template <class T, storage_order Order = storage_order::row_major>
using device_view = device_tensor_view<T, cuda_space, Order>;

namespace detail {

/// Throws std::runtime_error with CUDA's own words.
inline void require_cuda(cudaError_t status, char const* what)
{
    if (status != cudaSuccess)
        throw std::runtime_error(std::string("alphabar: ") + what + ": " + cudaGetErrorString(status));
}

template <class Body>
__global__ void __launch_bounds__(256) run_threads(Body const body, std::size_t threads)
{
    std::size_t const thread = blockIdx.x * std::size_t{256} + threadIdx.x;
    if (thread < threads)
        body(thread);
}

template <class Body>
__global__ void __launch_bounds__(Body::threads) run_blocks(Body const body)
{
    __shared__ typename Body::memory memory;
    for (int phase = 0; phase < Body::phases; ++phase) {
        if (phase > 0)
            __syncthreads();
        body(phase, blockIdx.x, threadIdx.x, memory);
    }
}

} // namespace detail

template <class Body>
void launch(cuda_space space, std::size_t threads, Body const& body)
{
    static_assert(std::is_trivially_copyable_v<Body>);
    static_assert(sizeof(Body) <= 4000, "a kernel's arguments have at most 4 KiB");
    if (threads == 0)
        return;
    detail::run_threads<<<static_cast<unsigned>((threads + 255) / 256), 256, 0, space.stream>>>(body, threads);
    detail::require_cuda(cudaGetLastError(), "launch");
}

template <class Body>
void launch_blocks(cuda_space space, std::size_t blocks, Body const& body)
{
    static_assert(std::is_trivially_copyable_v<Body>);
    if (blocks == 0)
        return;
    detail::run_blocks<<<static_cast<unsigned>(blocks), Body::threads, 0, space.stream>>>(body);
    detail::require_cuda(cudaGetLastError(), "launch_blocks");
}

namespace detail {

struct free_on_stream {
    cudaStream_t stream = nullptr;
    void operator()(void* p) const { cudaFreeAsync(p, stream); }
};

} // namespace detail

template <class T>
std::unique_ptr<T[], detail::free_on_stream> allocate(cuda_space space, std::size_t n)
{
    void* p = nullptr;
    detail::require_cuda(cudaMallocAsync(&p, n * sizeof(T), space.stream), "cudaMallocAsync");
    return {static_cast<T*>(p), detail::free_on_stream{space.stream}};
}

} // namespace alphabar
