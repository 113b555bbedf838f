// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include "kernels/cuda/device_state.h"
#include "kernels/cuda/product.h"
#include "kernels/cuda/round_body.h"

#include <array>
#include <cstdint>
#include <memory>
#include <vector>

namespace bitloom::cuda {

/// A matrix's pieces of what its context's products share.
struct PartScratch {
    // What rounding leaves of activations.
    uint32_t *chunks, *largestInput;
    TokenScale* tokens;
    float* blockScale;
    int32_t* blockStart;
    // 0 between products: sums in the making, and who has arrived.
    unsigned long long* sums;
    uint32_t *arrived, *rounded;
};

/// One matrix of columns.
struct ColumnPart {
    MatrixView view{};
    int64_t tiles = 0, firstRow = 0; ///< firstRow: in the results of all parts
    uint64_t bytes = 0;              ///< that a product reads
    Memory codes, place;
    PartScratch scratch{};
    std::vector<Memory> kept; ///< what the view points to

    uint64_t memoryBytes() const;

    template<class T>
    const T* keep(const T* values, size_t count) {
        if (count == 0) return nullptr;
        kept.push_back(Memory::of(values, count));
        return kept.back().as<T>();
    }
};
std::unique_ptr<ColumnPart> makeColumns(BitloomCudaContext& context,
                                        const BitloomCudaMatrixSpec& spec);

/// How the work of one form is cut for the parts of a matrix.
struct Schedule {
    int threadBlocks = 0, crews = 0, sharedBytes = 0, slotBytes = 0;
    struct Cut {
        uint32_t first; ///< thread block
        Memory cuts, share;
    };
    std::vector<Cut> parts;
};

/// Plain rows.
struct Rows {
    int32_t type = BITLOOM_CUDA_F16;
    int64_t stride = 0;
    Memory numbers, bias;
    float toHalf = 1; ///< power of two that brings weights into the range of fp16
};
void makeRows(BitloomCudaContext& context, const BitloomCudaRowsSpec& spec,
              BitloomCudaMatrix& matrix);

} // namespace bitloom::cuda

/// Columns (1 to 3 parts) or plain rows.
struct BitloomCudaMatrix {
    BitloomCudaContext* context = nullptr;
    int64_t rows = 0, cols = 0;
    uint64_t bytes = 0;
    std::vector<std::unique_ptr<bitloom::cuda::ColumnPart>> parts;
    std::array<bitloom::cuda::Schedule, bitloom::cuda::forms> schedule;
    std::unique_ptr<bitloom::cuda::Rows> plain;
    bitloom::cuda::SharedMemory::Piece zeros, activations; ///< what scratch points to
    float* staged = nullptr; ///< the input as floats: of plain rows, and where parts need it
    // What the last prepare left.
    int prepared = 0;
    const float* x = nullptr;
    int64_t xStride = 0;

    uint64_t memoryBytes() const; ///< held, but for what all matrices share
};

namespace bitloom::cuda {

void makeMatrix(BitloomCudaContext& context, const BitloomCudaMatrixSpec* specs, int32_t count,
                BitloomCudaMatrix& matrix);
/// Gives a matrix its pieces of what its context's products share.
void takeScratch(BitloomCudaMatrix& matrix);
void checkInput(const Input& input);
void prepare(BitloomCudaMatrix& matrix, const Input& input, int32_t tokens);
void product(BitloomCudaMatrix& matrix, float* y, int64_t yStride);
void multiplyMany(BitloomCudaMatrix& matrix, const float* x, int64_t xStride, int32_t tokens,
                  float* y, int64_t yStride);

} // namespace bitloom::cuda
