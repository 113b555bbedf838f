// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include <cstdint>

/// A thread of a block on the GPU; what each function means is written in block_host.h.
namespace bitloom::cuda {

template<int count>
struct DeviceBlock {
    static constexpr int threads = count;

    template<class T>
    struct Register {
        T value{};
        __device__ __forceinline__ T& operator[](int) { return value; }
    };

    template<class F>
    __device__ __forceinline__ void each(F&& run) {
        run(int(threadIdx.x));
        __syncthreads();
    }
    template<class F>
    __device__ __forceinline__ void own(F&& run) {
        run(int(threadIdx.x));
    }
    template<int width = 32, class T>
    __device__ __forceinline__ void sum(Register<T>& of) {
#pragma unroll
        for (int away = width / 2; away > 0; away /= 2)
            of.value = of.value + __shfl_xor_sync(0xffffffffu, of.value, away);
    }
    template<int width = 32, class T>
    __device__ __forceinline__ void largest(Register<T>& of) {
#pragma unroll
        for (int away = width / 2; away > 0; away /= 2) {
            const T other = __shfl_xor_sync(0xffffffffu, of.value, away);
            of.value = of.value > other ? of.value : other;
        }
    }
    template<class T, class F>
    __device__ __forceinline__ void combine32(Register<T>& of, F&& choose) {
#pragma unroll
        for (int away = 16; away > 0; away /= 2)
            of.value = choose(of.value, shuffled(of.value, away));
    }
    __device__ __forceinline__ bool last(uint32_t* counter, uint32_t all) {
        __shared__ bool isLast;
        __threadfence();
        __syncthreads();
        if (threadIdx.x == 0) {
            isLast = atomicAdd(counter, 1u) + 1 == all;
            if (isLast) *counter = 0;
        }
        __syncthreads();
        const bool found = isLast;
        if (found) __threadfence();
        __syncthreads(); // isLast may be asked for again
        return found;
    }

private:
    /// Of structures: words of 32 bits.
    template<class T>
    static __device__ __forceinline__ T shuffled(const T& value, int away) {
        constexpr int words = int(sizeof(T) / 4);
        static_assert(sizeof(T) % 4 == 0);
        uint32_t word[words];
        __builtin_memcpy(word, &value, sizeof(T));
#pragma unroll
        for (int i = 0; i < words; ++i)
            word[i] = __shfl_xor_sync(0xffffffffu, word[i], away);
        T out;
        __builtin_memcpy(&out, word, sizeof(T));
        return out;
    }
};

} // namespace bitloom::cuda
