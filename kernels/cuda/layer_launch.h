// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include "kernels/cuda/attend_body.h"
#include "kernels/cuda/round_body.h"
#include "kernels/cuda/rows_body.h"
#include "kernels/cuda/token_body.h"

#include <cuda_runtime_api.h>

#include <cstdint>

/// Launches of the kernels between products, and of products with plain rows.
namespace bitloom::cuda {

/// Shared memory that attention asks for is allowed once per device.
cudaError_t prepareAttention(int sharedBytes);

cudaError_t launchRound(const RoundView& view, cudaStream_t stream);
cudaError_t launchStage(const Input& input, int32_t tokens, float* out, int64_t outStride,
                        cudaStream_t stream);
cudaError_t launchRows(int32_t type, const RowsView& view, cudaStream_t stream);
/// Rows [0, rows) times `factor` as fp16 [rows, outStride], zeros behind the columns.
cudaError_t launchRowsToHalf(int32_t type, const void* from, int64_t stride, int64_t rows,
                             float factor, uint16_t* out, cudaStream_t stream);
/// Numbers for measurements: `words` random words; or numbers of a type between -0.03 and 0.03.
cudaError_t launchRandomWords(uint32_t* out, int64_t words, uint64_t seed, cudaStream_t stream);
cudaError_t launchRandomRows(int32_t type, void* out, int64_t count, uint64_t seed,
                             cudaStream_t stream);
cudaError_t launchAttention(const Attention& attention, int wanted, cudaStream_t stream);
cudaError_t launchBegin(const Begin& begin, cudaStream_t stream);
cudaError_t launchChoose(const Choice& choice, cudaStream_t stream);

} // namespace bitloom::cuda
