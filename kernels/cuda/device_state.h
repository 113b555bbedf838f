// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include "kernels/cuda/bitloom_cuda.h"
#include "kernels/cuda/gemm.h"

#include <cuda_runtime_api.h>

#include <array>
#include <cstddef>
#include <exception>
#include <memory>
#include <new>
#include <string>
#include <utility>
#include <vector>

/// What all of the library's functions share: failures, memory, and an open device.
namespace bitloom::cuda {

/// Of the thread's last call that failed.
extern thread_local std::string lastMessage;

/// What goes wrong inside; caught at the interface.
struct Failure {
    int code;
    std::string message;
};
/// Throw Failure.
void check(cudaError_t error, const char* what);
void require(bool holds, const char* what);
/// Tokens that one launch takes: they are the grid's second dimension.
inline void requireGrid(int64_t tokens) {
    require(tokens <= 65535, "a call takes at most 65,535 tokens");
}

/// A function of the interface: what `run` throws becomes a code and a text.
template<class F>
int guarded(F&& run) noexcept {
    try {
        run();
        return BITLOOM_CUDA_OK;
    } catch (const Failure& failure) {
        lastMessage = failure.message;
        return failure.code;
    } catch (const std::bad_alloc&) {
        lastMessage = "out of memory";
        return BITLOOM_CUDA_OUT_OF_MEMORY;
    } catch (const std::exception& error) {
        lastMessage = error.what();
        return BITLOOM_CUDA_FAILED;
    }
}

/// Memory of the current device.
class Memory {
public:
    Memory() = default;
    explicit Memory(size_t bytes) : m_bytes(bytes) {
        if (bytes > 0) check(cudaMalloc(&m_data, bytes), "allocating device memory");
    }
    Memory(Memory&& other) noexcept { swap(other); }
    Memory& operator=(Memory&& other) noexcept {
        swap(other);
        return *this;
    }
    ~Memory() {
        if (m_data) cudaFree(m_data);
    }
    template<class T>
    static Memory of(const T* values, size_t count) {
        Memory memory(count * sizeof(T));
        if (count > 0)
            check(cudaMemcpy(memory.m_data, values, count * sizeof(T), cudaMemcpyHostToDevice),
                  "copying to the device");
        settle();
        return memory;
    }
    template<class T>
    static Memory of(const std::vector<T>& values) {
        return of(values.data(), values.size());
    }
    void clear() {
        if (m_data) check(cudaMemset(m_data, 0, m_bytes), "clearing device memory");
        settle();
    }
    template<class T>
    T* as() const {
        return static_cast<T*>(m_data);
    }
    size_t bytes() const { return m_bytes; }

private:
    /// Both may end before the device is done, and the contexts' streams do not wait for it.
    static void settle() { check(cudaStreamSynchronize(nullptr), "copying to the device"); }
    void swap(Memory& other) noexcept {
        std::swap(m_data, other.m_data);
        std::swap(m_bytes, other.m_bytes);
    }
    void* m_data = nullptr;
    size_t m_bytes = 0;
};

/// Memory that many hold: it grows for who comes later, and who came before keeps what it was
/// given, whose address graphs know.
class SharedMemory {
public:
    using Piece = std::shared_ptr<const Memory>;
    /// Zeros at first; at least so many bytes.
    Piece atLeast(size_t bytes);
    size_t bytes() const; ///< of all pieces that someone still holds, and the present one

private:
    Piece m_present;
    std::vector<std::weak_ptr<const Memory>> m_before;
};

} // namespace bitloom::cuda

struct BitloomCudaContext {
    int device = 0;
    int multiprocessors = 0, sharedBytes = 0;
    cudaStream_t stream = nullptr;
    bool synchronizes = false; ///< every call waits for its work, and says itself what went wrong
    std::unique_ptr<bitloom::cuda::Gemm> gemm;
    std::string whyNoGemm;                                     ///< once it was tried
    bitloom::cuda::Memory weights, halves, factors, workspace; ///< of prompts; they grow
    /// Of products, which run one after the other: all matrices share the largest that one needed.
    /// Numbers that are 0 between products, and activations from `prepare` to `product`.
    bitloom::cuda::SharedMemory zeros, activations;
    const BitloomCudaMatrix* prepared = nullptr; ///< whose activations those are
    static constexpr int slots = 8, slotBytes = 64;
    char* read = nullptr; ///< [slots, slotBytes] in memory that the device writes to
    std::array<cudaEvent_t, size_t(slots)> arrived{};

    BitloomCudaContext() = default;
    BitloomCudaContext(const BitloomCudaContext&) = delete;
    BitloomCudaContext& operator=(const BitloomCudaContext&) = delete;
    ~BitloomCudaContext();
    void open(int number);
    void use() const;
    void settle(const char* what) const; ///< waits where every call does
    bitloom::cuda::Gemm& needGemm();
    uint64_t memoryBytes() const; ///< held, but for matrices
    /// At least so many bytes; what was in them is lost.
    void grow(bitloom::cuda::Memory& memory, size_t bytes) const;
};
