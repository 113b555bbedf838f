// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include <cstdint>

/// A lane of a warp on the GPU; what each function means is written in warp_host.h.
namespace bitloom::kernels {

struct DeviceWarp {
    using U32 = uint32_t;
    using I32 = int32_t;
    using I64 = int64_t;
    struct Quad {
        uint32_t word[4];
    };

    template<class F>
    static __device__ __forceinline__ uint32_t fromLane(F&& of) {
        return of(threadIdx.x & 31u);
    }
    /// Inline, since __byte_perm clears the nibbles' highest bits first.
    static __device__ __forceinline__ uint32_t prmt(uint32_t a, uint32_t b, uint32_t select) {
        uint32_t out;
        asm("prmt.b32 %0, %1, %2, %3;" : "=r"(out) : "r"(a), "r"(b), "r"(select));
        return out;
    }
    template<bool SignedA>
    static __device__ __forceinline__ void mma(int32_t (&c)[4], const uint32_t (&a)[4], uint32_t b0,
                                               uint32_t b1) {
        if constexpr (SignedA)
            asm volatile("mma.sync.aligned.m16n8k32.row.col.s32.s8.s8.s32 "
                         "{%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
                         : "+r"(c[0]), "+r"(c[1]), "+r"(c[2]), "+r"(c[3])
                         : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
        else
            asm volatile("mma.sync.aligned.m16n8k32.row.col.s32.u8.s8.s32 "
                         "{%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
                         : "+r"(c[0]), "+r"(c[1]), "+r"(c[2]), "+r"(c[3])
                         : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
    }
    template<bool SignedA>
    static __device__ __forceinline__ void mmaFresh(int32_t (&c)[4], const uint32_t (&a)[4],
                                                    uint32_t b0, uint32_t b1) {
        if constexpr (SignedA)
            asm volatile("mma.sync.aligned.m16n8k32.row.col.s32.s8.s8.s32 "
                         "{%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%10, %10, %10, %10};"
                         : "=r"(c[0]), "=r"(c[1]), "=r"(c[2]), "=r"(c[3])
                         : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1), "r"(0));
        else
            asm volatile("mma.sync.aligned.m16n8k32.row.col.s32.u8.s8.s32 "
                         "{%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%10, %10, %10, %10};"
                         : "=r"(c[0]), "=r"(c[1]), "=r"(c[2]), "=r"(c[3])
                         : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1), "r"(0));
    }
    static __device__ __forceinline__ void addProduct(int64_t& sum, int32_t a, int32_t b) {
        sum += int64_t(a) * b;
    }
    using Address = uint32_t; ///< of this lane, in bytes of shared memory
    // Volatile: not moved across the waits for what they read.
    static __device__ __forceinline__ Quad load(uint32_t from, int words) {
        Quad out;
        asm volatile("ld.shared.v4.u32 {%0, %1, %2, %3}, [%4];"
                     : "=r"(out.word[0]), "=r"(out.word[1]), "=r"(out.word[2]), "=r"(out.word[3])
                     : "r"(from + 4u * uint32_t(words)));
        return out;
    }
    static __device__ __forceinline__ int32_t loadOne(uint32_t from, int words) {
        int32_t out;
        asm volatile("ld.shared.s32 %0, [%1];" : "=r"(out) : "r"(from + 4u * uint32_t(words)));
        return out;
    }
    static __device__ __forceinline__ int32_t timesWorth(int32_t a, uint32_t b) {
        return a * int32_t(b);
    }
    static __device__ __forceinline__ int32_t twoBytes(int32_t high, int32_t low) {
        return 256 * high + low;
    }
};

} // namespace bitloom::kernels
