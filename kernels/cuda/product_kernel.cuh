// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

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

/// One crew's way through its range.
template<class Form>
struct Crew {
    static constexpr int threads = 32 * Form::warps;
    static constexpr int chunkVectors = decode::chunkWords(Form::padded) / 4;
    static constexpr int tableWords = kernels::gpuStep * 4; ///< of a slot: the widest
    static constexpr int blocksOfTile = kernels::gpuTileRows / kernels::gpuBlockRows;

    const ProductView& view;
    uint32_t lane, number; ///< thread of the crew; crew of the thread block
    uint64_t policy;
    decode::Cursor ahead, at;
    uint32_t begin, end; ///< the crew's slots: addresses in shared memory, plus 16·lane
    uint32_t free, use;  ///< the same of slots: the one read before, the one to read next
    int aheadPiece;
    typename Form::Sums sums;

    // A slot: activations, tables, codes, each at the same place for every kind. In words.
    static constexpr int tablesAt = 4 * chunkVectors, codesAt = tablesAt + tableWords;

    __device__ __forceinline__ void sync() const {
        if constexpr (Form::warps == 1)
            __syncwarp();
        else
            asm volatile("bar.sync %0, %1;" ::"r"(number + 1), "n"(32 * Form::warps) : "memory");
    }

    /// Sources of one step's copies, for this thread.
    struct Sources {
        const uint32_t *codes, *tables, *chunk;
    };
    __device__ __forceinline__ Sources sourcesAhead() const {
        const GpuLayout& layout = view.matrix.layout;
        const kernels::GpuSegment& segment = layout.segment[ahead.segment];
        const int64_t in = ahead.step - uint32_t(segment.firstStep);
        const int words = blocksOfTile * decode::blockWordsOf(segment.kind);
        return {view.matrix.codes + (int64_t(ahead.tile) * layout.tileBytes + segment.codes) / 4 +
                    in * words + aheadPiece * (words / 2) + lane * 4,
                view.matrix.tables + segment.tables / 4 +
                    in * (kernels::gpuStep * decode::tableWordsOf(segment.kind)) + lane * 4,
                view.chunks + int64_t(ahead.step) * (4 * chunkVectors) + lane * 4};
    }

    template<int vectors>
    __device__ __forceinline__ void copyVectors(uint32_t to, const uint32_t* from) const {
#pragma unroll
        for (int v = 0; v < vectors; v += threads)
            if (v + threads <= vectors || lane < vectors - v)
                copyAhead(to + 16u * uint32_t(v), from + v * 4);
    }
    /// One piece of a step of this kind.
    template<PanelKind kind>
    __device__ __forceinline__ void copyPiece(const Sources& from, int piece) const {
        constexpr int words = decode::blockWordsOf(kind) * Form::blocks(kind);
#pragma unroll
        for (int v = 0; v < words / 4; v += threads)
            copyAhead(free + 4u * codesAt + 16u * uint32_t(v), from.codes + piece * words + v * 4,
                      policy);
        constexpr int tableVectors = kernels::gpuStep / 4 * decode::tableWordsOf(kind);
        if constexpr (tableVectors > 0)
            copyVectors<tableVectors>(free + 4u * tablesAt, from.tables);
        copyVectors<chunkVectors>(free, from.chunk);
    }
    /// Whatever comes next, of any kind.
    __device__ __forceinline__ void copyNext() {
        if (!ahead.done()) {
            const PanelKind kind = view.matrix.layout.segment[ahead.segment].kind;
            const Sources from = sourcesAhead();
            const int pieces = Form::pieces(kind);
            const int vectors = decode::blockWordsOf(kind) * blocksOfTile / (4 * pieces);
#pragma unroll 1
            for (int v = 0; v < vectors; v += threads)
                copyAhead(free + 4u * codesAt + 16u * uint32_t(v), from.codes + v * 4, policy);
            const int tableVectors = kernels::gpuStep / 4 * decode::tableWordsOf(kind);
#pragma unroll 1
            for (int v = 0; v + int(lane) < tableVectors; v += threads)
                copyAhead(free + 4u * tablesAt + 16u * uint32_t(v), from.tables + v * 4);
            copyVectors<chunkVectors>(free, from.chunk);
            if (++aheadPiece == pieces) {
                aheadPiece = 0;
                ahead.advance(view.matrix.layout);
            }
        }
        commitCopies();
    }
    __device__ __forceinline__ void rotate() {
        free = use;
        use += uint32_t(view.slotBytes);
        if (use == end) use = begin;
    }
    __device__ __forceinline__ void fillSlots() {
        free = begin, use = begin;
#pragma unroll 1
        for (int i = 0; i < productStages - 1; ++i) {
            copyNext();
            free += uint32_t(view.slotBytes);
        }
    }
    /// The next slot is filled by all of the crew, and the one before is no longer read.
    __device__ __forceinline__ void await() const {
        waitForCopies<productStages - 2>();
        sync();
    }
    /// Of a thread's own place in a slot to where it reads, in bytes.
    __device__ __forceinline__ uint32_t away(uint32_t word) const {
        return 4 * word - 16 * lane;
    }
    template<PanelKind kind, int piece, bool fresh>
    __device__ __forceinline__ void consume() {
        Form::template step<kind, piece, fresh>(
            sums, use + away(Form::template codesLane<kind>(lane)) + 4u * codesAt,
            use + away(decode::tablesLane(lane)) + 4u * tablesAt,
            use + away(Form::activationsLane(lane % 32)));
    }
    __device__ __forceinline__ void flush() {
        sums.flush(use + away(Form::multiplierLane(lane)) +
                   4u * decode::multiplierWord(Form::padded));
    }

    /// A step whose copies ahead are of the same kind.
    template<PanelKind kind, bool fresh>
    __device__ __forceinline__ void runPlainly(const Sources& from, int step) {
        const Sources source{from.codes + step * blocksOfTile * decode::blockWordsOf(kind),
                             from.tables + step * kernels::gpuStep * decode::tableWordsOf(kind),
                             from.chunk + step * 4 * chunkVectors};
        await();
        copyPiece<kind>(source, 0);
        commitCopies();
        consume<kind, 0, fresh>();
        if constexpr (Form::pieces(kind) == 2) {
            rotate();
            await();
            copyPiece<kind>(source, 1);
            commitCopies();
            consume<kind, 1, fresh>();
        }
    }
    /// A step of which nothing is known.
    template<PanelKind kind>
    __device__ __forceinline__ void runAny() {
        await();
        copyNext();
        consume<kind, 0, true>();
        if constexpr (Form::pieces(kind) == 2) {
            rotate();
            await();
            copyNext();
            consume<kind, 1, true>();
        }
        flush();
        rotate();
        at.advance(view.matrix.layout);
    }

    /// Steps of one segment of one tile.
    template<PanelKind kind>
    __device__ __forceinline__ void runSegment() {
        const GpuLayout& layout = view.matrix.layout;
        const uint32_t tile = at.tile;
        const int32_t segment = at.segment;
        const auto same = [&](const decode::Cursor& c) {
            return !c.done() && c.segment == segment && c.tile == tile;
        };
        do {
            const uint32_t in = at.step - uint32_t(layout.segment[segment].firstStep);
            if (in % 2 == 0 && same(ahead)) {
                // Whole blocks of activations, two steps each, while what is copied ahead is of
                // this segment too: only addresses count up.
                const auto segmentEnd =
                    uint32_t(layout.segment[segment].firstStep + layout.segment[segment].steps);
                const uint32_t pairs = min(segmentEnd - ahead.step, ahead.end - ahead.at) / 2;
                if (pairs > 0) {
                    Sources from = sourcesAhead();
#pragma unroll 1
                    for (uint32_t i = 0; i < pairs; ++i) {
                        runPlainly<kind, true>(from, 0);
                        rotate();
                        runPlainly<kind, false>(from, 1);
                        flush();
                        rotate();
                        from.codes += 2 * blocksOfTile * decode::blockWordsOf(kind);
                        from.tables += 2 * kernels::gpuStep * decode::tableWordsOf(kind);
                        from.chunk += 8 * chunkVectors;
                    }
                    at.skip(layout, 2 * pairs);
                    ahead.skip(layout, 2 * pairs);
                    continue;
                }
            }
            runAny<kind>();
        } while (same(at));
    }
    __device__ __forceinline__ void run() {
        switch (view.matrix.layout.segment[at.segment].kind) {
        case PanelKind::Table2:
            return runSegment<PanelKind::Table2>();
        case PanelKind::Table3:
            return runSegment<PanelKind::Table3>();
        case PanelKind::Table4:
            return runSegment<PanelKind::Table4>();
        case PanelKind::Plain5:
            return runSegment<PanelKind::Plain5>();
        case PanelKind::Plain6:
            return runSegment<PanelKind::Plain6>();
        case PanelKind::Plain8:
            return runSegment<PanelKind::Plain8>();
        }
    }
};

/// This thread block's share of a tile's outliers.
__device__ inline void addOutliers(const ProductView& view, uint32_t tile, int64_t paddedRows) {
    const MatrixView& m = view.matrix;
    const uint32_t begin = m.outlierBegin[tile], count = m.outlierBegin[tile + 1] - begin;
    const TileShare share = view.share[tile];
    const uint32_t mine = blockIdx.x - share.first;
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
        view.y[t * view.yStride + n] = value;
    }
}

template<class Form>
__global__ void __launch_bounds__(256, 1) productKernel(const __grid_constant__ ProductView view) {
    __shared__ bool last, hasSums[8];
    const GpuLayout& layout = view.matrix.layout;
    const uint32_t crews = blockDim.x / (32 * Form::warps);
    const uint32_t number = threadIdx.x / (32 * Form::warps);
    const int64_t paddedRows = GpuLayout::tiles(view.matrix.rows) * kernels::gpuTileRows;
    const uint32_t begin = view.cuts[blockIdx.x * crews];
    const uint32_t end = view.cuts[(blockIdx.x + 1) * crews];
    const uint32_t firstTile = begin / uint32_t(layout.steps);
    const uint32_t lastTile = (end - 1) / uint32_t(layout.steps);

    const uint32_t from = view.cuts[blockIdx.x * crews + number];
    const uint32_t to = view.cuts[blockIdx.x * crews + number + 1];
    const decode::Cursor start(layout, from, to);
    extern __shared__ uint4 memory[];
    const uint32_t crewBytes = uint32_t(productStages * view.slotBytes);
    const uint32_t lane = threadIdx.x % (32 * Form::warps);
    const uint32_t slots =
        uint32_t(__cvta_generic_to_shared(memory)) + number * crewBytes + 16 * lane;
    Crew<Form> crew{view,  lane,  number, streamingPolicy(),
                    start, start, slots,  slots + crewBytes,
                    slots, slots, 0,      {}};
    crew.sums.clear();
    crew.fillSlots();
    if (view.matrix.outlierBegin)
        for (uint32_t tile = firstTile; tile <= lastTile; ++tile)
            addOutliers(view, tile, paddedRows);

    bool keeps = false; // sums of lastTile, in registers
    while (!crew.at.done()) {
        const uint32_t tile = crew.at.tile;
        crew.run();
        if (!crew.at.done() && crew.at.tile == tile) continue;
        if (crew.at.done() && tile == lastTile) {
            keeps = true;
        } else {
            Form::forEach(crew.sums, [&](uint32_t token, uint32_t row, int64_t value) {
                addToSum(view.sums + token * paddedRows + tile * kernels::gpuTileRows + row, value);
            });
            crew.sums.clear();
        }
    }

    waitForCopies<0>();
    __syncthreads(); // slots become sums
    auto* parts = reinterpret_cast<int64_t*>(memory);
    constexpr uint32_t size = Form::padded * kernels::gpuTileRows;
    if (keeps)
        Form::forEach(crew.sums, [&](uint32_t token, uint32_t row, int64_t value) {
            parts[number * size + token * kernels::gpuTileRows + row] = value;
        });
    if (crew.lane == 0) hasSums[number] = keeps;
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
