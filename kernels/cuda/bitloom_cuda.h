/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Bitloom authors */
#pragma once

#include <stdint.h>

/* What libbitloom_cuda.so offers: products with column tables (kernels/gpu_columns.h) on a GPU.
 *
 * One function is exported, bitloomCudaApi; it gives a table of functions or, for a version that it
 * does not know, NULL. Every function returns 0 or an error code, whose text `message` gives until
 * the next call of the same thread. No exception leaves the library. A context belongs to one
 * device and one stream; calls on one context must not overlap in time. Pointers named host… are
 * memory of the processor, all others are memory of the device. Products are asynchronous on the
 * context's stream; `synchronize` waits and reports what went wrong. */
#ifdef __cplusplus
extern "C" {
#endif

#define BITLOOM_CUDA_VERSION 1u

enum {
    BITLOOM_CUDA_OK = 0,
    BITLOOM_CUDA_NO_DRIVER = 1, /* none, or older than the library needs */
    BITLOOM_CUDA_NO_DEVICE = 2, /* or one that the library has no code for */
    BITLOOM_CUDA_OUT_OF_MEMORY = 3,
    BITLOOM_CUDA_BAD_ARGUMENT = 4,
    BITLOOM_CUDA_FAILED = 5, /* anything else that CUDA reports */
    BITLOOM_CUDA_NO_GEMM = 6 /* libcublasLt cannot be loaded */
};

typedef struct BitloomCudaContext BitloomCudaContext;
typedef struct BitloomCudaMatrix BitloomCudaMatrix;

typedef struct BitloomCudaDevice {
    char name[256];
    int32_t major, minor; /* compute capability */
    int32_t multiprocessors;
    int32_t driver, runtime; /* 1000·major + 10·minor */
    int32_t clockKHz, memoryClockKHz;
    uint64_t memoryBytes, l2Bytes;
} BitloomCudaDevice;

/* One kind of columns, in the order and of the kinds of kernels/column_panels.h. */
typedef struct BitloomCudaSegment {
    int32_t kind;
    int32_t columns; /* a multiple of 64 */
} BitloomCudaSegment;

/* Where a stored column's codes are in the checkpoint's form: a little-endian stream of `bits` bits
 * a code that begins at a 32-bit word. */
typedef struct BitloomCudaColumn {
    uint64_t word;    /* of `words`; UINT64_MAX: padding, all codes 0 */
    int32_t bits;     /* 1 to 8 */
    int32_t replaced; /* 1: codes are replaced by `entries` */
    uint8_t entries[32];
} BitloomCudaColumn;

/* A matrix in memory of the processor; see GpuMatrix of kernels/gpu_columns.h. Either `codes`
 * (packed) or `words` and `columns` (packed on the device). */
typedef struct BitloomCudaMatrixSpec {
    int64_t rows, cols;
    int32_t segments;
    const BitloomCudaSegment* segment;
    const uint32_t* hostCodes;
    const uint32_t* hostWords;
    uint64_t wordCount;
    const BitloomCudaColumn* hostColumns; /* [stored columns] */
    const uint8_t* hostTables;
    const int32_t* hostColumn;        /* [stored columns] source column or -1 */
    const float* hostScale;           /* [stored columns] */
    const float* hostRemainder;       /* [stored columns] */
    const int16_t* hostOffset;        /* [stored columns] */
    const uint32_t* hostOutlierBegin; /* [tiles + 1], or NULL */
    const uint32_t *hostOutlierRow, *hostOutlierColumn;
    const uint16_t* hostOutlierValue;
    int32_t rawColumns, rawBfloat16;
    const int32_t* hostRawColumn;
    const uint16_t* hostRaw;   /* [rawColumns, rows] */
    const float* hostRowScale; /* [rows], or NULL */
    float extraLimit;
} BitloomCudaMatrixSpec;

typedef struct BitloomCudaApi {
    uint32_t version, bytes;    /* BITLOOM_CUDA_VERSION, sizeof of this table */
    const char* (*build)(void); /* "nvcc 13.0.88; sm_90a" */
    const char* (*message)(void);

    int (*deviceCount)(int32_t* count);
    int (*open)(int32_t device, BitloomCudaContext** context);
    void (*close)(BitloomCudaContext* context);
    int (*describe)(BitloomCudaContext* context, BitloomCudaDevice* device);
    int (*synchronize)(BitloomCudaContext* context);

    int (*allocate)(BitloomCudaContext* context, uint64_t bytes, void** memory);
    void (*release)(BitloomCudaContext* context, void* memory);
    int (*upload)(BitloomCudaContext* context, void* to, const void* hostFrom, uint64_t bytes);
    int (*download)(BitloomCudaContext* context, void* hostTo, const void* from, uint64_t bytes);
    int (*copy)(BitloomCudaContext* context, void* to, const void* from, uint64_t bytes);

    int (*createMatrix)(BitloomCudaContext* context, const BitloomCudaMatrixSpec* spec,
                        BitloomCudaMatrix** matrix);
    void (*destroyMatrix)(BitloomCudaMatrix* matrix);
    uint64_t (*matrixBytes)(const BitloomCudaMatrix* matrix); /* that a product reads */
    /* The packed codes, [tiles · tileBytes]: for tests of packing. */
    int (*downloadCodes)(BitloomCudaMatrix* matrix, uint32_t* hostCodes);

    /* y[t·yStride + n] for `tokens` rows of x[t·xStride + k], float32; 1 to 16 tokens. */
    int (*multiply)(BitloomCudaMatrix* matrix, const float* x, int64_t xStride, int32_t tokens,
                    float* y, int64_t yStride);
    /* Its two halves: rounding, and the product with what the last rounding left. */
    int (*prepare)(BitloomCudaMatrix* matrix, const float* x, int64_t xStride, int32_t tokens);
    int (*product)(BitloomCudaMatrix* matrix, float* y, int64_t yStride);
    /* Any number of tokens: the weights as fp16, and cuBLASLt. Not the same bits as multiply. */
    int (*multiplyMany)(BitloomCudaMatrix* matrix, const float* x, int64_t xStride, int32_t tokens,
                        float* y, int64_t yStride);
    /* fp16 weights [rows, cols] of a source matrix times one fp16 vector with cuBLASLt: what
     * benchmarks compare with. */
    int (*multiplyHalf)(BitloomCudaContext* context, const uint16_t* weights, int64_t rows,
                        int64_t cols, const uint16_t* x, int32_t tokens, float* y);

    /* Seconds that `repeats` runs of what was recorded between beginTiming and endTiming take. The
     * calls between them are captured in a graph and not run. */
    int (*beginTiming)(BitloomCudaContext* context);
    int (*endTiming)(BitloomCudaContext* context, int32_t repeats, double* hostSeconds);
} BitloomCudaApi;

__attribute__((visibility("default"))) const BitloomCudaApi* bitloomCudaApi(uint32_t version);

#ifdef __cplusplus
}
#endif
