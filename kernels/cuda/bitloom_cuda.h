/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Bitloom authors */
#pragma once

#include <stdint.h>

/* What libbitloom_cuda.so offers: what a decoder needs on a GPU. Products with column tables
 * (kernels/gpu_columns.h) and with plain rows, what stands between them (kernels/cuda/round_body.h,
 * attend_body.h), the first and the last of a token (token_body.h), and graphs of all of it.
 *
 * One function is exported, bitloomCudaApi; it gives a table of functions or, for a version that it
 * does not know, NULL. Every function returns 0 or an error code, whose text `message` gives until
 * the next call of the same thread. No exception leaves the library. A context belongs to one
 * device and one stream; calls on one context must not overlap in time. Pointers named host… are
 * memory of the processor, all others are memory of the device. All work is
 * asynchronous on the context's stream, in the order of the calls; `synchronize` waits and reports
 * what went wrong. Floats are float32; rows of a matrix lie one behind the other, `stride` numbers
 * from one to the next. */
#ifdef __cplusplus
extern "C" {
#endif

#define BITLOOM_CUDA_VERSION 3u

enum {
    BITLOOM_CUDA_OK = 0,
    BITLOOM_CUDA_NO_DRIVER = 1, /* none, or older than the library needs */
    BITLOOM_CUDA_NO_DEVICE = 2, /* or one that the library has no code for */
    BITLOOM_CUDA_OUT_OF_MEMORY = 3,
    BITLOOM_CUDA_BAD_ARGUMENT = 4,
    BITLOOM_CUDA_FAILED = 5,  /* anything else that CUDA reports */
    BITLOOM_CUDA_NO_GEMM = 6, /* libcublasLt cannot be loaded */
    BITLOOM_CUDA_LOST = 7 /* the device stopped in the middle: this process cannot use it again */
};

typedef struct BitloomCudaContext BitloomCudaContext;
typedef struct BitloomCudaMatrix BitloomCudaMatrix;
typedef struct BitloomCudaGraph BitloomCudaGraph;

typedef struct BitloomCudaDevice {
    char name[256];
    int32_t major, minor; /* compute capability */
    int32_t multiprocessors;
    int32_t driver, runtime; /* 1000·major + 10·minor */
    int32_t clockKHz, memoryClockKHz;
    uint64_t memoryBytes, freeBytes, l2Bytes;
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
 * (packed) or `words` and `columns` (packed on the device), or none of them: codes are made up on
 * the device, for measurements. */
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
    const float* hostBias;     /* [rows], or NULL: added to results */
    float extraLimit;
} BitloomCudaMatrixSpec;

/* Types of plain numbers: those of kernels/dense_rows.h. */
enum { BITLOOM_CUDA_F32 = 0, BITLOOM_CUDA_F16 = 1, BITLOOM_CUDA_BF16 = 2, BITLOOM_CUDA_I8 = 3 };

/* Plain rows, not I8: up to three matrices that read the same input, stored as one. */
typedef struct BitloomCudaRowsSpec {
    int32_t type, parts;
    int64_t cols;
    int64_t rows[3];
    const void* hostRows[3];  /* [rows, cols]; all NULL: made up on the device */
    const float* hostBias[3]; /* [rows], or NULL */
} BitloomCudaRowsSpec;

/* What a product multiplies with, made of what came before it: [tokens, cols], in float32. */
enum {
    BITLOOM_CUDA_PLAIN = 0, /* x */
    BITLOOM_CUDA_NORM = 1,  /* RMSNorm of x + add, times weight; x + add goes to `sum` */
    BITLOOM_CUDA_GATED = 2  /* activation(x[0 … cols)) · x[cols … 2·cols) */
};
/* Activations: those of bitloom::Activation. */
enum {
    BITLOOM_CUDA_SILU = 0,
    BITLOOM_CUDA_RELU = 1,
    BITLOOM_CUDA_GELU = 2,
    BITLOOM_CUDA_GELU_TANH = 3
};
typedef struct BitloomCudaInput {
    int32_t kind, activation;
    int64_t cols, stride; /* stride: of x, add and sum */
    const float* x;
    const float* add;    /* NORM: or NULL */
    float* sum;          /* NORM: other memory than x and add; or NULL */
    const float* weight; /* NORM: [cols] */
    float epsilon;
} BitloomCudaInput;

/* The first of a run: ids to hidden states, and cosines and sines of their positions. */
typedef struct BitloomCudaBegin {
    int32_t tokens, type; /* type of the embedding's rows */
    int64_t hidden, vocab, embeddingStride, stride;
    const int32_t* ids;      /* [tokens] */
    const int32_t* position; /* of the first token */
    const void* embedding;   /* [vocab, hidden] */
    const float* rowScale;   /* [vocab] of I8 */
    float* out;              /* [tokens, hidden] */
    int64_t half;            /* headDim / 2 */
    const float* frequency;  /* [half] */
    float *cosine, *sine;    /* [tokens, half] */
} BitloomCudaBegin;

/* Keys and values of some tokens into the cache, and attention over it. Query heads
 * [h·heads/kvHeads, (h + 1)·heads/kvHeads) share the keys of head h. headDim is even and at most
 * 256; heads are a multiple of kvHeads. */
typedef struct BitloomCudaAttention {
    int32_t tokens, heads, kvHeads, headDim;
    int32_t window;    /* positions that a token sees, itself included; 0: all */
    int32_t cacheType; /* F16 or I8 */
    int64_t capacity;  /* positions of the cache */
    float epsilon;
    const int32_t* position; /* of the first token */
    const float* qkv;        /* [tokens, stride]: queries, keys, values of all heads */
    int64_t stride;
    const float *cosine, *sine;       /* [tokens, headDim / 2] */
    const float *queryNorm, *keyNorm; /* [headDim] RMSNorm of every head; or NULL */
    void *keys, *values;              /* [kvHeads, capacity, headDim] */
    float *keyScale, *valueScale;     /* [kvHeads, capacity] of I8 */
    float* out;                       /* [tokens, outStride]: all heads */
    int64_t outStride;
    /* attentionScratch bytes; zeros before its first use, and left usable: for every call with the
     * same heads, kvHeads and headDim whose number of tokens it is large enough for. */
    void* scratch;
} BitloomCudaAttention;

/* How the next token is chosen; in memory of the device. The tokens of core/engine/sampler. */
typedef struct BitloomCudaSampling {
    double temperature, minP; /* 0: greedy; 0: off */
    int64_t drawn;            /* the next of `draws` */
} BitloomCudaSampling;
enum { BITLOOM_CUDA_CHOSEN = 0, BITLOOM_CUDA_NO_NUMBER = 1, BITLOOM_CUDA_NO_TOKEN = 2 };
typedef struct BitloomCudaChosen {
    int32_t id, state; /* state: NO_NUMBER: logit of `id` is infinite or none */
    float logit, top;  /* of this token, and the largest */
    double sum;        /* of exp(logit − top) over all tokens */
} BitloomCudaChosen;
typedef struct BitloomCudaChoice {
    int64_t vocab;
    const float* logits;           /* [vocab] */
    BitloomCudaSampling* sampling; /* `drawn` counts up */
    const double* draws;           /* from 0 to below 1 */
    int32_t* id;                   /* gets the token */
    int32_t* position;             /* counts up */
    BitloomCudaChosen* chosen;
    void* scratch; /* choiceScratch bytes; zeros before its first use, and left usable */
} BitloomCudaChoice;

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

    /* Up to three matrices that read the same input, multiplied as one: their rows follow each
     * other in results. */
    int (*createMatrix)(BitloomCudaContext* context, const BitloomCudaMatrixSpec* specs,
                        int32_t count, BitloomCudaMatrix** matrix);
    int (*createRows)(BitloomCudaContext* context, const BitloomCudaRowsSpec* spec,
                      BitloomCudaMatrix** matrix);
    void (*destroyMatrix)(BitloomCudaMatrix* matrix);
    uint64_t (*matrixBytes)(const BitloomCudaMatrix* matrix);  /* that a product reads */
    uint64_t (*matrixMemory)(const BitloomCudaMatrix* matrix); /* that it holds */
    /* Held for all of a context's matrices: scratch of products, and of prompts. */
    uint64_t (*contextMemory)(const BitloomCudaContext* context);
    /* Where plain rows lie: an embedding that is the head too need not be there twice. */
    int (*matrixRows)(const BitloomCudaMatrix* matrix, const void** rows, int64_t* stride);
    /* The packed codes of the first matrix, [tiles · tileBytes]: for tests of packing. */
    int (*downloadCodes)(BitloomCudaMatrix* matrix, uint32_t* hostCodes);

    /* y[t·yStride + n] for `tokens` rows of x[t·xStride + k], float32; 1 to 16 tokens. */
    int (*multiply)(BitloomCudaMatrix* matrix, const float* x, int64_t xStride, int32_t tokens,
                    float* y, int64_t yStride);
    /* Its two halves: rounding, and the product with what that left. Between them there is no other
     * matrix's: all share the memory of activations. What `input` points to must stay until the
     * product. */
    int (*prepare)(BitloomCudaMatrix* matrix, const BitloomCudaInput* input, int32_t tokens);
    int (*product)(BitloomCudaMatrix* matrix, float* y, int64_t yStride);
    /* An input alone, for multiplyMany: out [tokens, outStride]. */
    int (*stage)(BitloomCudaContext* context, const BitloomCudaInput* input, int32_t tokens,
                 float* out, int64_t outStride);
    /* Any number of tokens: the weights as fp16, and cuBLASLt. Not the same bits as multiply. */
    int (*multiplyMany)(BitloomCudaMatrix* matrix, const float* x, int64_t xStride, int32_t tokens,
                        float* y, int64_t yStride);
    /* fp16 weights [rows, cols] of a source matrix times one fp16 vector with cuBLASLt: what
     * benchmarks compare with. */
    int (*multiplyHalf)(BitloomCudaContext* context, const uint16_t* weights, int64_t rows,
                        int64_t cols, const uint16_t* x, int32_t tokens, float* y);

    int (*begin)(BitloomCudaContext* context, const BitloomCudaBegin* args);
    uint64_t (*attentionScratch)(BitloomCudaContext* context, const BitloomCudaAttention* args);
    int (*attention)(BitloomCudaContext* context, const BitloomCudaAttention* args);
    uint64_t (*choiceScratch)(int64_t vocab);
    int (*choose)(BitloomCudaContext* context, const BitloomCudaChoice* args);

    /* Results on their way to the processor while the device goes on: `bytes` (at most 64) into
     * one of 8 slots, and the wait for them. */
    int (*readLater)(BitloomCudaContext* context, int32_t slot, const void* from, int32_t bytes);
    int (*readNow)(BitloomCudaContext* context, int32_t slot, void* hostTo, int32_t bytes);

    /* Calls between beginGraph and endGraph are recorded and not run; of them, products, stage,
     * begin, attention, choose and copy are allowed, once they have run outside. A graph may run
     * as often as wished, while what its calls were given exists. */
    int (*beginGraph)(BitloomCudaContext* context);
    int (*endGraph)(BitloomCudaContext* context, BitloomCudaGraph** graph);
    int (*launchGraph)(BitloomCudaContext* context, BitloomCudaGraph* graph);
    void (*destroyGraph)(BitloomCudaGraph* graph);
    /* Seconds of `repeats` launches, one after the other, behind one that does not count. */
    int (*timeGraph)(BitloomCudaContext* context, BitloomCudaGraph* graph, int32_t repeats,
                     double* hostSeconds);
} BitloomCudaApi;

__attribute__((visibility("default"))) const BitloomCudaApi* bitloomCudaApi(uint32_t version);

#ifdef __cplusplus
}
#endif
