// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors

// The C interface: errors become codes and texts here.

#include "kernels/cuda/bitloom_cuda.h"
#include "kernels/cuda/layer_launch.h"
#include "kernels/cuda/matrix.h"

#include <cstdio>
#include <cstring>
#include <memory>
#include <string>

using namespace bitloom::cuda;

struct BitloomCudaGraph {
    BitloomCudaContext* context = nullptr;
    cudaGraph_t recorded = nullptr;
    cudaGraphExec_t runnable = nullptr;

    ~BitloomCudaGraph() {
        if (runnable) cudaGraphExecDestroy(runnable);
        if (recorded) cudaGraphDestroy(recorded);
    }
};

namespace {

using Context = BitloomCudaContext;
using Matrix = BitloomCudaMatrix;
using Graph = BitloomCudaGraph;

void describe(const Context& c, BitloomCudaDevice& out) {
    cudaDeviceProp properties{};
    check(cudaGetDeviceProperties(&properties, c.device), "asking the device");
    out = {};
    std::snprintf(out.name, sizeof out.name, "%s", properties.name);
    out.major = properties.major;
    out.minor = properties.minor;
    out.multiprocessors = properties.multiProcessorCount;
    out.memoryBytes = properties.totalGlobalMem;
    size_t unused = 0, total = 0;
    c.use();
    check(cudaMemGetInfo(&unused, &total), "asking the device");
    out.freeBytes = unused;
    out.l2Bytes = uint64_t(properties.l2CacheSize);
    check(cudaDriverGetVersion(&out.driver), "asking the driver");
    check(cudaRuntimeGetVersion(&out.runtime), "asking the driver");
    // Left at 0 where the driver does not say.
    cudaDeviceGetAttribute(&out.clockKHz, cudaDevAttrClockRate, c.device);
    cudaDeviceGetAttribute(&out.memoryClockKHz, cudaDevAttrMemoryClockRate, c.device);
}

double timeGraph(Context& c, cudaGraphExec_t runnable, int32_t repeats) {
    struct Events {
        cudaEvent_t begin = nullptr, end = nullptr;
        ~Events() {
            if (begin) cudaEventDestroy(begin);
            if (end) cudaEventDestroy(end);
        }
    } events;
    float milliseconds = 0;
    check(cudaEventCreate(&events.begin), "making an event");
    check(cudaEventCreate(&events.end), "making an event");
    check(cudaGraphLaunch(runnable, c.stream), "running a graph"); // warm
    check(cudaEventRecord(events.begin, c.stream), "timing");
    for (int32_t i = 0; i < repeats; ++i)
        check(cudaGraphLaunch(runnable, c.stream), "running a graph");
    check(cudaEventRecord(events.end, c.stream), "timing");
    check(cudaEventSynchronize(events.end), "timing");
    check(cudaEventElapsedTime(&milliseconds, events.begin, events.end), "timing");
    return double(milliseconds) * 1e-3;
}

/// Thread blocks of attention that keep every multiprocessor busy.
int attentionBlocks(const Context& c) {
    return 2 * c.multiprocessors;
}

void checkAttention(const Context& c, const Attention& a) {
    require(a.tokens >= 1 && a.kvHeads >= 1 && a.heads >= a.kvHeads && a.heads % a.kvHeads == 0 &&
                a.headDim >= 2 && a.headDim <= 256 && a.headDim % 2 == 0 && a.window >= 0 &&
                (a.cacheType == BITLOOM_CUDA_F16 || a.cacheType == BITLOOM_CUDA_I8),
            "attention takes heads of an even number of columns up to 256");
    require(a.position && a.qkv && a.cosine && a.sine && a.keys && a.values && a.out &&
                (a.cacheType != BITLOOM_CUDA_I8 || (a.keyScale && a.valueScale)),
            "attention needs its operands");
    requireGrid(a.tokens);
    const AttendGrid grid = attendGrid(a, attentionBlocks(c));
    require(grid.splits == 1 || a.scratch, "attention needs its scratch memory");
    require(AttendShared::bytes(grid.rows, a.headDim) <= c.sharedBytes,
            "the device has too little shared memory for heads of this width");
}

/// A function of the interface that gives the context's device work.
template<class F>
int within(Context* context, const char* what, F&& run) {
    return guarded([&] {
        context->use();
        run();
        context->settle(what);
    });
}

// The functions of the interface.

const char* apiBuild() {
    return BITLOOM_CUDA_BUILD;
}
const char* apiMessage() {
    return lastMessage.c_str();
}
int apiDeviceCount(int32_t* count) {
    return guarded([&] {
        int driver = 0, found = 0;
        check(cudaDriverGetVersion(&driver), "asking for the driver");
        if (driver == 0) throw Failure{BITLOOM_CUDA_NO_DRIVER, "there is no NVIDIA driver"};
        if (driver / 1000 < CUDART_VERSION / 1000)
            throw Failure{BITLOOM_CUDA_NO_DRIVER,
                          "the NVIDIA driver is for CUDA " + std::to_string(driver / 1000) + "." +
                              std::to_string(driver % 1000 / 10) + ", " +
                              std::to_string(CUDART_VERSION / 1000) + ".0 is needed"};
        const cudaError_t error = cudaGetDeviceCount(&found);
        if (error == cudaErrorNoDevice) found = 0;
        check(error == cudaErrorNoDevice ? cudaSuccess : error, "looking for devices");
        *count = found;
    });
}
int apiOpen(int32_t device, Context** context) {
    return guarded([&] {
        auto made = std::make_unique<Context>();
        made->open(device);
        *context = made.release();
    });
}
void apiClose(Context* context) {
    delete context;
}
int apiDescribe(Context* context, BitloomCudaDevice* device) {
    return guarded([&] { describe(*context, *device); });
}
int apiSynchronize(Context* context) {
    return guarded([&] {
        context->use();
        check(cudaStreamSynchronize(context->stream), "waiting for the device");
    });
}
int apiAllocate(Context* context, uint64_t bytes, void** memory) {
    return guarded([&] {
        context->use();
        check(cudaMalloc(memory, bytes), "allocating device memory");
    });
}
void apiRelease(Context* context, void* memory) {
    cudaStreamSynchronize(context->stream); // what waits may still name it
    cudaFree(memory);
}
int copyBytes(Context* context, void* to, const void* from, uint64_t bytes, cudaMemcpyKind kind) {
    return within(context, "copying", [&] {
        check(cudaMemcpyAsync(to, from, bytes, kind, context->stream), "copying");
        if (kind != cudaMemcpyDeviceToDevice)
            check(cudaStreamSynchronize(context->stream), "copying");
    });
}
int apiUpload(Context* context, void* to, const void* from, uint64_t bytes) {
    return copyBytes(context, to, from, bytes, cudaMemcpyHostToDevice);
}
int apiDownload(Context* context, void* to, const void* from, uint64_t bytes) {
    return copyBytes(context, to, from, bytes, cudaMemcpyDeviceToHost);
}
int apiCopy(Context* context, void* to, const void* from, uint64_t bytes) {
    return copyBytes(context, to, from, bytes, cudaMemcpyDeviceToDevice);
}
int apiCreateMatrix(Context* context, const BitloomCudaMatrixSpec* specs, int32_t count,
                    Matrix** matrix) {
    return within(context, "making a matrix", [&] {
        auto made = std::make_unique<Matrix>();
        makeMatrix(*context, specs, count, *made);
        *matrix = made.release();
    });
}
int apiCreateRows(Context* context, const BitloomCudaRowsSpec* spec, Matrix** matrix) {
    return within(context, "making a matrix", [&] {
        auto made = std::make_unique<Matrix>();
        makeRows(*context, *spec, *made);
        *matrix = made.release();
    });
}
void apiDestroyMatrix(Matrix* matrix) {
    if (!matrix) return;
    cudaStreamSynchronize(matrix->context->stream);
    if (matrix->context->prepared == matrix) matrix->context->prepared = nullptr;
    delete matrix;
}
uint64_t apiMatrixBytes(const Matrix* matrix) {
    return matrix->bytes;
}
uint64_t apiMatrixMemory(const Matrix* matrix) {
    return matrix->memoryBytes();
}
uint64_t apiContextMemory(const Context* context) {
    return context->memoryBytes();
}
int apiMatrixRows(const Matrix* matrix, const void** rows, int64_t* stride) {
    return guarded([&] {
        require(matrix->plain != nullptr, "a matrix of columns has no rows");
        *rows = matrix->plain->numbers.as<void>();
        *stride = matrix->plain->stride;
    });
}
int apiDownloadCodes(Matrix* matrix, uint32_t* codes) {
    if (matrix->parts.empty()) return guarded([] { require(false, "plain rows have no codes"); });
    const Memory& from = matrix->parts.front()->codes;
    return apiDownload(matrix->context, codes, from.as<void>(), from.bytes());
}
int apiMultiply(Matrix* matrix, const float* x, int64_t xStride, int32_t tokens, float* y,
                int64_t yStride) {
    return within(matrix->context, "multiplying", [&] {
        Input input{};
        input.cols = matrix->cols;
        input.stride = xStride;
        input.x = x;
        prepare(*matrix, input, tokens);
        product(*matrix, y, yStride);
    });
}
int apiPrepare(Matrix* matrix, const BitloomCudaInput* input, int32_t tokens) {
    return within(matrix->context, "rounding activations",
                  [&] { prepare(*matrix, *input, tokens); });
}
int apiProduct(Matrix* matrix, float* y, int64_t yStride) {
    return within(matrix->context, "multiplying", [&] { product(*matrix, y, yStride); });
}
int apiStage(Context* context, const BitloomCudaInput* input, int32_t tokens, float* out,
             int64_t outStride) {
    return within(context, "making activations ready", [&] {
        checkInput(*input);
        require(out && tokens >= 1 && outStride >= input->cols,
                "an input needs room for every column");
        requireGrid(tokens);
        check(launchStage(*input, tokens, out, outStride, context->stream),
              "making activations ready");
    });
}
int apiMultiplyMany(Matrix* matrix, const float* x, int64_t xStride, int32_t tokens, float* y,
                    int64_t yStride) {
    return within(matrix->context, "multiplying many tokens",
                  [&] { multiplyMany(*matrix, x, xStride, tokens, y, yStride); });
}
int apiMultiplyHalf(Context* context, const uint16_t* weights, int64_t rows, int64_t cols,
                    const uint16_t* x, int32_t tokens, float* y) {
    return within(context, "multiplying halves", [&] {
        require(weights && x && y && rows >= 1 && tokens >= 1 && cols >= 8 && cols % 8 == 0,
                "a product of halves needs its operands and a multiple of 8 columns");
        const std::string wrong = context->needGemm().multiply(
            weights, cols, rows, x, cols, tokens, cols, y, rows, context->workspace.as<void>(),
            context->workspace.bytes(), context->stream);
        if (!wrong.empty()) throw Failure{BITLOOM_CUDA_FAILED, wrong};
    });
}
int apiBegin(Context* context, const BitloomCudaBegin* args) {
    return within(context, "beginning a run", [&] {
        require(args->tokens >= 1 && args->embedding && args->type >= BITLOOM_CUDA_F32 &&
                    args->type <= BITLOOM_CUDA_I8,
                "a run begins with tokens and an embedding");
        check(launchBegin(*args, context->stream), "beginning a run");
    });
}
uint64_t apiAttentionScratch(Context* context, const BitloomCudaAttention* args) {
    const AttendGrid grid = attendGrid(*args, attentionBlocks(*context));
    return uint64_t(attendScratchBytes(grid, *args));
}
int apiAttention(Context* context, const BitloomCudaAttention* args) {
    return within(context, "attention", [&] {
        checkAttention(*context, *args);
        check(launchAttention(*args, attentionBlocks(*context), context->stream), "attention");
    });
}
uint64_t apiChoiceScratch(int64_t vocab) {
    return uint64_t(ChoiceScratch::bytes(vocab));
}
int apiChoose(Context* context, const BitloomCudaChoice* args) {
    return within(context, "choosing a token", [&] {
        require(args->vocab >= 1 && args->logits && args->scratch, "there is nothing to choose");
        check(launchChoose(*args, context->stream), "choosing a token");
    });
}
int apiReadLater(Context* context, int32_t slot, const void* from, int32_t bytes) {
    return guarded([&] {
        context->use();
        require(slot >= 0 && slot < Context::slots && bytes >= 1 && bytes <= Context::slotBytes,
                "there are 8 slots of 64 bytes");
        check(cudaMemcpyAsync(context->read + slot * Context::slotBytes, from, size_t(bytes),
                              cudaMemcpyDeviceToHost, context->stream),
              "copying");
        check(cudaEventRecord(context->arrived[size_t(slot)], context->stream), "copying");
    });
}
int apiReadNow(Context* context, int32_t slot, void* to, int32_t bytes) {
    return guarded([&] {
        context->use();
        require(slot >= 0 && slot < Context::slots && bytes >= 1 && bytes <= Context::slotBytes,
                "there are 8 slots of 64 bytes");
        check(cudaEventSynchronize(context->arrived[size_t(slot)]), "waiting for the device");
        std::memcpy(to, context->read + slot * Context::slotBytes, size_t(bytes));
    });
}
int apiBeginGraph(Context* context) {
    return guarded([&] {
        context->use();
        check(cudaStreamBeginCapture(context->stream, cudaStreamCaptureModeThreadLocal),
              "recording a graph");
    });
}
int apiEndGraph(Context* context, Graph** graph) {
    return guarded([&] {
        context->use();
        auto made = std::make_unique<Graph>();
        made->context = context;
        check(cudaStreamEndCapture(context->stream, &made->recorded), "recording a graph");
        check(cudaGraphInstantiate(&made->runnable, made->recorded, 0), "making a graph");
        *graph = made.release();
    });
}
int apiLaunchGraph(Context* context, Graph* graph) {
    return within(context, "running a graph", [&] {
        check(cudaGraphLaunch(graph->runnable, context->stream), "running a graph");
    });
}
void apiDestroyGraph(Graph* graph) {
    if (graph) cudaStreamSynchronize(graph->context->stream);
    delete graph;
}
int apiTimeGraph(Context* context, Graph* graph, int32_t repeats, double* seconds) {
    return guarded([&] {
        context->use();
        *seconds = timeGraph(*context, graph->runnable, repeats);
    });
}

} // namespace

extern "C" const BitloomCudaApi* bitloomCudaApi(uint32_t version) {
    static const BitloomCudaApi api = {BITLOOM_CUDA_VERSION,
                                       sizeof(BitloomCudaApi),
                                       apiBuild,
                                       apiMessage,
                                       apiDeviceCount,
                                       apiOpen,
                                       apiClose,
                                       apiDescribe,
                                       apiSynchronize,
                                       apiAllocate,
                                       apiRelease,
                                       apiUpload,
                                       apiDownload,
                                       apiCopy,
                                       apiCreateMatrix,
                                       apiCreateRows,
                                       apiDestroyMatrix,
                                       apiMatrixBytes,
                                       apiMatrixMemory,
                                       apiContextMemory,
                                       apiMatrixRows,
                                       apiDownloadCodes,
                                       apiMultiply,
                                       apiPrepare,
                                       apiProduct,
                                       apiStage,
                                       apiMultiplyMany,
                                       apiMultiplyHalf,
                                       apiBegin,
                                       apiAttentionScratch,
                                       apiAttention,
                                       apiChoiceScratch,
                                       apiChoose,
                                       apiReadLater,
                                       apiReadNow,
                                       apiBeginGraph,
                                       apiEndGraph,
                                       apiLaunchGraph,
                                       apiDestroyGraph,
                                       apiTimeGraph};
    return version == BITLOOM_CUDA_VERSION ? &api : nullptr;
}
