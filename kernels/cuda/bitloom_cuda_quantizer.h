/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Bitloom authors */
#pragma once

#include <stdint.h>

/* What libbitloom_cuda.so offers a quantizer whose tensors are on a GPU already, beside the
 * products of bitloom_cuda.h, with whose error codes the functions answer. Pointers are memory of
 * the current device of the calling thread, but for names that begin with host; work is done on its
 * legacy default stream, in the order of calls, and is finished when a function returns.
 * Thread-safe. */
#ifdef __cplusplus
extern "C" {
#endif

#define BITLOOM_CUDA_QUANTIZER_VERSION 1u

/* One operating point of an error curve: kernels::CurvePoint. */
typedef struct BitloomCudaCurvePoint {
    int32_t kind; /* kernels::PointKind */
    int32_t bits, outliers;
} BitloomCudaCurvePoint;

typedef struct BitloomCudaQuantizerApi {
    uint32_t version, bytes;      /* BITLOOM_CUDA_QUANTIZER_VERSION, sizeof of this table */
    const char* (*message)(void); /* of the last error of this thread */

    /* Bytes of scratch memory that errorCurves works best with for so many columns, and the least
     * that it works with. */
    int (*curveScratch)(int64_t rows, int64_t cols, uint64_t* hostBest, uint64_t* hostLeast);
    /* columnErrorCurve of every column of `weights` [cols, rows]: sse [cols, points], and rms
     * [cols], the root mean square of its weights. The same bits as on the processor. At most 64
     * points. */
    int (*errorCurves)(const float* weights, int64_t rows, int64_t cols,
                       const BitloomCudaCurvePoint* hostPoints, int32_t points, int32_t rawIsExact,
                       void* scratch, uint64_t scratchBytes, float* sse, float* rms);
} BitloomCudaQuantizerApi;

__attribute__((visibility("default"))) const BitloomCudaQuantizerApi*
bitloomCudaQuantizerApi(uint32_t version);

#ifdef __cplusplus
}
#endif
