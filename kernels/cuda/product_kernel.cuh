// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include "kernels/cuda/crew.h"
#include "kernels/cuda/decode.h"
#include "kernels/cuda/fixed_point.h"
#include "kernels/cuda/product.h"
#include "kernels/cuda/warp_device.cuh"

#include <cuda_bf16.h>
#include <cuda_fp16.h>

/// The product's kernel: what stands around the decode bodies.
///
/// Every crew (a warp, or four that share their activations) takes a byte-equal range of the list
/// of steps and copies ahead into slots of shared memory; the sums of a crew's last tile are added
/// up in shared memory, then, like all others, in device memory, as 64-bit integers: in any order
/// the same. Who adds the last part of a tile turns its sums into y and leaves zeros behind.
namespace bitloom::cuda {

using kernels::PanelKind;
namespace crew = kernels::crew;
namespace decode = kernels::decode;
namespace fixed = kernels::fixed;

/// 16 bytes to an address of shared memory.
__device__ __forceinline__ void copyAhead(uint32_t to, const uint32_t* from, uint64_t policy) {
    asm volatile("cp.async.cg.shared.global.L2::cache_hint [%0], [%1], 16, %2;" ::"r"(to),
                 "l"(from), "l"(policy)
                 : "memory");
}
__device__ __forceinline__ void copyAhead(uint32_t to, const uint32_t* from) {
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16;" ::"r"(to), "l"(from) : "memory");
}
__device__ __forceinline__ void commitCopies() {
    asm volatile("cp.async.commit_group;" ::: "memory");
}
template<int pending>
__device__ __forceinline__ void waitForCopies() {
    asm volatile("cp.async.wait_group %0;" ::"n"(pending) : "memory");
}
/// Weights are read once per product: they should not push out what is used again.
__device__ __forceinline__ uint64_t streamingPolicy() {
    uint64_t policy;
    asm("createpolicy.fractional.L2::evict_first.b64 %0, 1.0;" : "=l"(policy));
    return policy;
}
__device__ __forceinline__ void addToSum(unsigned long long* to, int64_t value) {
    atomicAdd(to, static_cast<unsigned long long>(value));
}

template<int count>
struct DiagonalForm {
    static constexpr int warps = 1, padded = count;
    using Sums = decode::DiagonalSums<kernels::DeviceWarp, count>;
    static BITLOOM_HD constexpr int pieces(PanelKind kind) {
        return decode::bitsOf(kind) > 4 ? 2 : 1;
    }
    static BITLOOM_HD constexpr int blocks(PanelKind kind) { return 4 / pieces(kind); }

    template<PanelKind kind, int piece, bool fresh>
    static __device__ __forceinline__ void step(Sums& sums, uint32_t codes, uint32_t tables,
                                                uint32_t activations) {
        decode::diagonalStep<kernels::DeviceWarp, kind, count, blocks(kind), fresh>(
            codes, tables, activations, sums.part + piece * blocks(kind));
    }
    static __device__ __forceinline__ uint32_t activationsLane(uint32_t lane) {
        return decode::diagonalLane(lane);
    }
    static __device__ __forceinline__ uint32_t multiplierLane(uint32_t) { return 0; }
    template<PanelKind>
    static __device__ __forceinline__ uint32_t codesLane(uint32_t thread) {
        return decode::codesLane(thread);
    }
    /// Hands every sum over: use(token, row of the tile, value).
    template<class F>
    static __device__ __forceinline__ void forEach(const Sums& sums, F&& use) {
        const uint32_t lane = threadIdx.x % 32;
#pragma unroll
        for (int i = 0; i < Sums::blocks; ++i)
#pragma unroll
            for (int n = 0; n < count; ++n)
#pragma unroll
                for (int c = 0; c < 4; ++c) {
                    // Upper and lower bytes.
                    const int64_t value =
                        sums.sum[i][n][c] + __shfl_xor_sync(0xffffffffu, sums.sum[i][n][c], 2);
                    if (lane % 4 < 2) use(uint32_t(n), Sums::row(lane, i, c), value);
                }
    }
};

template<int tiles>
struct TransposedForm {
    static constexpr int warps = 4, padded = decode::transposedTokens(tiles);
    using Sums = decode::TransposedSums<kernels::DeviceWarp, tiles>;
    static BITLOOM_HD constexpr int pieces(PanelKind) { return 1; }
    static BITLOOM_HD constexpr int blocks(PanelKind) { return 4; }

    template<PanelKind kind, int, bool fresh>
    static __device__ __forceinline__ void step(Sums& sums, uint32_t codes, uint32_t tables,
                                                uint32_t activations) {
        decode::transposedStep<kernels::DeviceWarp, kind, tiles, fresh>(codes, tables, activations,
                                                                        sums.part);
    }
    static __device__ __forceinline__ uint32_t activationsLane(uint32_t lane) {
        return decode::transposedLane(lane);
    }
    static __device__ __forceinline__ uint32_t multiplierLane(uint32_t lane) { return lane % 4; }
    /// The block of rows that is the warp's.
    template<PanelKind kind>
    static __device__ __forceinline__ uint32_t codesLane(uint32_t thread) {
        return decode::codesLane(thread % 32) + thread / 32 * decode::blockWordsOf(kind);
    }
    template<class F>
    static __device__ __forceinline__ void forEach(const Sums& sums, F&& use) {
        const uint32_t lane = threadIdx.x % 32, block = threadIdx.x / 32 % 4;
#pragma unroll
        for (int i = 0; i < 4; ++i)
#pragma unroll
            for (int n = 0; n < tiles; ++n)
#pragma unroll
                for (int j = 0; j < 2; ++j)
                    use(Sums::token(lane, n), block * kernels::gpuBlockRows + Sums::row(lane, i, j),
                        sums.sum[i][n][j]);
    }
};

/// What a crew does on the GPU (crew.h): one thread's part of it. Addresses of slots are those of
/// shared memory plus 16·lane.
template<class Form>
struct DeviceOps {
    using Sums = typename Form::Sums;
    static constexpr int threads = 32 * Form::warps, padded = Form::padded;
    static BITLOOM_HD constexpr int pieces(PanelKind kind) { return Form::pieces(kind); }

    uint32_t lane, number; ///< thread of the crew; crew of the thread block
    uint64_t policy;
    Sums sums;

    __device__ __forceinline__ uint32_t laneWords() const { return 4 * lane; }
    static __device__ __forceinline__ void commit() { commitCopies(); }
    /// The oldest copies are there, for all of the crew, and the slot before is no longer read.
    __device__ __forceinline__ void await() const {
        waitForCopies<crew::stages - 2>();
        __syncwarp(); // the barrier and the tensor cores want whole warps
        if constexpr (Form::warps > 1)
            asm volatile("bar.sync %0, %1;" ::"r"(number + 1), "n"(threads) : "memory");
    }
    template<int vectors>
    __device__ __forceinline__ void copyVectors(uint32_t to, const uint32_t* from) const {
#pragma unroll
        for (int v = 0; v < vectors; v += threads)
            if (v + threads <= vectors || lane < vectors - v)
                copyAhead(to + 16u * uint32_t(v), from + v * 4);
    }
    template<int vectors>
    __device__ __forceinline__ void copyCodes(uint32_t to, const uint32_t* from) const {
#pragma unroll
        for (int v = 0; v < vectors; v += threads)
            copyAhead(to + 16u * uint32_t(v), from + v * 4, policy);
    }
    __device__ __forceinline__ void copyAny(uint32_t to, const uint32_t* from, int vectors) const {
#pragma unroll 1
        for (int v = 0; v + int(lane) < vectors; v += threads)
            copyAhead(to + 16u * uint32_t(v), from + v * 4, policy);
    }
    /// Of a thread's own place in a slot to where it reads, in bytes.
    __device__ __forceinline__ uint32_t away(uint32_t word) const {
        return 4 * word - 16 * lane;
    }
    template<PanelKind kind, int piece, bool fresh>
    __device__ __forceinline__ void consume(uint32_t slot) {
        Form::template step<kind, piece, fresh>(
            sums, slot + away(Form::template codesLane<kind>(lane)) + 4u * crew::codesAt(padded),
            slot + away(decode::tablesLane(lane)) + 4u * crew::tablesAt(padded),
            slot + away(Form::activationsLane(lane % 32)));
    }
    __device__ __forceinline__ void flush(uint32_t slot) {
        sums.flush(slot + away(Form::multiplierLane(lane)) + 4u * decode::multiplierWord(padded));
    }
};

/// This thread block's share of a tile's outliers.
__device__ inline void addOutliers(const ProductView& view, uint32_t threadBlock, uint32_t tile,
                                   int64_t paddedRows) {
    const MatrixView& m = view.matrix;
    const uint32_t begin = m.outlierBegin[tile], count = m.outlierBegin[tile + 1] - begin;
    const TileShare share = view.share[tile];
    const uint32_t mine = threadBlock - share.first;
    const auto cut = [&](uint32_t i) {
        return begin + uint32_t(uint64_t(count) * i / share.count);
    };
    const uint32_t end = cut(mine + 1);
    constexpr uint32_t together = 8; // of about one row
    for (uint32_t first = cut(mine) + threadIdx.x * together; first < end;
         first += blockDim.x * together) {
        const uint32_t last = min(first + together, end);
        for (int32_t t = 0; t < view.tokens; ++t) {
            const TokenScale token = view.token[t];
            if (token.inverse[0] == 0.f) continue;
            unsigned long long* sums = view.sums + t * paddedRows + tile * kernels::gpuTileRows;
            int64_t sum = 0;
            uint32_t row = m.outlierRow[first];
            for (uint32_t i = first; i < last; ++i) {
                const uint32_t entry = m.outlier[i], own = m.outlierRow[i];
                if (own != row) {
                    addToSum(sums + row, sum);
                    row = own, sum = 0;
                }
                const float value = __half2float(__ushort_as_half(uint16_t(entry >> 16)));
                sum += fixed::inUnits(
                    fixed::multiply(value, view.x[t * view.xStride + (entry & 0xffffu)]),
                    token.inverse[0], token.inverse[1]);
            }
            addToSum(sums + row, sum);
        }
    }
}

/// y of a tile whose sums are complete.
__device__ inline void finishTile(const ProductView& view, uint32_t tile, int64_t paddedRows) {
    const MatrixView& m = view.matrix;
    for (int32_t i = int32_t(threadIdx.x); i < view.tokens * kernels::gpuTileRows;
         i += int32_t(blockDim.x)) {
        const int32_t t = i / kernels::gpuTileRows;
        const int64_t n = int64_t(tile) * kernels::gpuTileRows + i % kernels::gpuTileRows;
        unsigned long long* at = view.sums + t * paddedRows + n;
        const auto sum = int64_t(__ldcg(at));
        __stcg(at, 0ull);
        if (n >= m.rows) continue;
        const TokenScale token = view.token[t];
        float value = fixed::finish(sum + token.start, token.unit, 0.f);
        for (int32_t j = 0; j < m.rawColumns; ++j) {
            const uint16_t bits = m.raw[int64_t(j) * m.rows + n];
            const float weight = m.rawBfloat16 ? __bfloat162float(__ushort_as_bfloat16(bits))
                                               : __half2float(__ushort_as_half(bits));
            value =
                fixed::fusedMultiplyAdd(weight, view.x[t * view.xStride + m.rawColumn[j]], value);
        }
        if (m.rowScale) value = fixed::multiply(m.rowScale[n], value);
        if (m.bias) value = fixed::add(value, m.bias[n]);
        view.y[t * view.yStride + n] = value;
    }
}

template<class Form>
__global__ void __launch_bounds__(256, 1)
    productKernel(const __grid_constant__ ProductGroup group) {
    __shared__ bool last, hasSums[8];
    int which = 0;
    while (which + 1 < group.count && group.first[which + 1] <= blockIdx.x)
        ++which;
    const ProductView& view = group.view[which];
    const uint32_t own = blockIdx.x - group.first[which]; // thread block of the matrix
    const GpuLayout& layout = view.matrix.layout;
    const uint32_t crews = blockDim.x / (32 * Form::warps);
    const uint32_t number = threadIdx.x / (32 * Form::warps);
    const int64_t paddedRows = GpuLayout::tiles(view.matrix.rows) * kernels::gpuTileRows;
    const uint32_t begin = view.cuts[own * crews];
    const uint32_t end = view.cuts[(own + 1) * crews];
    const uint32_t firstTile = begin / uint32_t(layout.steps);
    const uint32_t lastTile = (end - 1) / uint32_t(layout.steps);

    const uint32_t from = view.cuts[own * crews + number];
    const uint32_t to = view.cuts[own * crews + number + 1];
    extern __shared__ uint4 memory[];
    const uint32_t crewBytes = uint32_t(crew::stages * view.slotBytes);
    const uint32_t lane = threadIdx.x % (32 * Form::warps);
    DeviceOps<Form> ops{lane, number, streamingPolicy(), {}};
    ops.sums.clear();
    crew::Crew<DeviceOps<Form>> way(
        ops, {layout, view.matrix.codes, view.matrix.tables, view.chunks}, from, to,
        uint32_t(__cvta_generic_to_shared(memory)) + number * crewBytes + 16 * lane,
        uint32_t(view.slotBytes));
    way.fillSlots();
    if (view.matrix.outlierBegin)
        for (uint32_t tile = firstTile; tile <= lastTile; ++tile)
            addOutliers(view, own, tile, paddedRows);
    __syncwarp(); // lanes have had different numbers of outliers

    bool keeps = false; // sums of lastTile, in registers
    while (!way.at.done()) {
        const uint32_t tile = way.at.tile;
        way.run();
        if (!way.at.done() && way.at.tile == tile) continue;
        if (way.at.done() && tile == lastTile) {
            keeps = true;
        } else {
            Form::forEach(ops.sums, [&](uint32_t token, uint32_t row, int64_t value) {
                addToSum(view.sums + token * paddedRows + tile * kernels::gpuTileRows + row, value);
            });
            ops.sums.clear();
        }
    }

    waitForCopies<0>();
    __syncthreads(); // slots become sums
    auto* parts = reinterpret_cast<int64_t*>(memory);
    constexpr uint32_t size = Form::padded * kernels::gpuTileRows;
    if (keeps)
        Form::forEach(ops.sums, [&](uint32_t token, uint32_t row, int64_t value) {
            parts[number * size + token * kernels::gpuTileRows + row] = value;
        });
    if (lane == 0) hasSums[number] = keeps;
    __syncthreads();
    for (uint32_t i = threadIdx.x; i < size; i += blockDim.x) {
        int64_t sum = 0;
        for (uint32_t c = 0; c < crews; ++c)
            if (hasSums[c]) sum += parts[c * size + i];
        if (sum != 0)
            addToSum(view.sums + i / kernels::gpuTileRows * paddedRows +
                         lastTile * kernels::gpuTileRows + i % kernels::gpuTileRows,
                     sum);
    }

    __threadfence();
    __syncthreads();
    for (uint32_t tile = firstTile; tile <= lastTile; ++tile) {
        if (threadIdx.x == 0) {
            last = atomicAdd(view.arrived + tile, 1u) + 1 == view.share[tile].count;
            if (last) view.arrived[tile] = 0;
        }
        __syncthreads();
        if (last) {
            __threadfence();
            finishTile(view, tile, paddedRows);
        }
        __syncthreads();
    }
}

} // namespace bitloom::cuda
