// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors

// The C interface: memory, schedules and launches. Errors become codes and texts here.

#include "kernels/cuda/bitloom_cuda.h"
#include "kernels/cuda/crew.h"
#include "kernels/cuda/decode.h"
#include "kernels/cuda/gemm.h"
#include "kernels/cuda/product.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstring>
#include <exception>
#include <memory>
#include <new>
#include <string>
#include <vector>

namespace bitloom::cuda {

namespace {

thread_local std::string lastMessage;

/// What goes wrong inside; caught at the interface.
struct Failure {
    int code;
    std::string message;
};

void check(cudaError_t error, const char* what) {
    if (error == cudaSuccess) return;
    cudaGetLastError(); // or the next launch would report it again
    int code = BITLOOM_CUDA_FAILED;
    switch (error) {
    case cudaErrorMemoryAllocation:
        code = BITLOOM_CUDA_OUT_OF_MEMORY;
        break;
    case cudaErrorInsufficientDriver:
    case cudaErrorInitializationError:
    case cudaErrorStubLibrary:
    case cudaErrorSystemDriverMismatch:
    case cudaErrorSystemNotReady:
        code = BITLOOM_CUDA_NO_DRIVER;
        break;
    case cudaErrorNoDevice:
    case cudaErrorNoKernelImageForDevice:
    case cudaErrorDevicesUnavailable:
    case cudaErrorUnsupportedPtxVersion:
    case cudaErrorInvalidDeviceFunction:
        code = BITLOOM_CUDA_NO_DEVICE;
        break;
    default:
        break;
    }
    throw Failure{code, std::string(what) + ": " + cudaGetErrorString(error)};
}

void require(bool holds, const char* what) {
    if (!holds) throw Failure{BITLOOM_CUDA_BAD_ARGUMENT, what};
}

template<class F>
int guarded(F&& run) noexcept {
    try {
        run();
        return BITLOOM_CUDA_OK;
    } catch (const Failure& failure) {
        lastMessage = failure.message;
        return failure.code;
    } catch (const std::bad_alloc&) {
        lastMessage = "out of memory";
        return BITLOOM_CUDA_OUT_OF_MEMORY;
    } catch (const std::exception& error) {
        lastMessage = error.what();
        return BITLOOM_CUDA_FAILED;
    }
}

/// Device memory.
class Memory {
public:
    Memory() = default;
    explicit Memory(size_t bytes) : m_bytes(bytes) {
        if (bytes > 0) check(cudaMalloc(&m_data, bytes), "allocating device memory");
    }
    Memory(Memory&& other) noexcept { swap(other); }
    Memory& operator=(Memory&& other) noexcept {
        swap(other);
        return *this;
    }
    ~Memory() {
        if (m_data) cudaFree(m_data);
    }
    template<class T>
    static Memory of(const T* values, size_t count) {
        Memory memory(count * sizeof(T));
        if (count > 0)
            check(cudaMemcpy(memory.m_data, values, count * sizeof(T), cudaMemcpyHostToDevice),
                  "copying to the device");
        settle();
        return memory;
    }
    template<class T>
    static Memory of(const std::vector<T>& values) {
        return of(values.data(), values.size());
    }
    void clear() {
        if (m_data) check(cudaMemset(m_data, 0, m_bytes), "clearing device memory");
        settle();
    }
    template<class T>
    T* as() const {
        return static_cast<T*>(m_data);
    }
    size_t bytes() const { return m_bytes; }

private:
    /// Both may end before the device is done, and the contexts' streams do not wait for it.
    static void settle() { check(cudaStreamSynchronize(nullptr), "copying to the device"); }
    void swap(Memory& other) noexcept {
        std::swap(m_data, other.m_data);
        std::swap(m_bytes, other.m_bytes);
    }
    void* m_data = nullptr;
    size_t m_bytes = 0;
};

/// How the work of one form is cut for one matrix.
struct Schedule {
    int threadBlocks = 0, crews = 0, sharedBytes = 0;
    Memory cuts, share;
};

} // namespace

} // namespace bitloom::cuda

using namespace bitloom;
using cuda::check;
using cuda::guarded;
using cuda::Memory;
using cuda::require;

struct BitloomCudaContext {
    int device = 0;
    int multiprocessors = 0, sharedBytes = 0;
    cudaStream_t stream = nullptr;
    cudaGraph_t graph = nullptr;
    std::unique_ptr<cuda::Gemm> gemm;
    Memory weights, halves, factors, workspace; ///< of prompts; they grow

    ~BitloomCudaContext() {
        if (graph) cudaGraphDestroy(graph);
        if (stream) cudaStreamDestroy(stream);
    }
    void use() const { check(cudaSetDevice(device), "choosing the device"); }
    cuda::Gemm& needGemm() {
        std::string why;
        if (!gemm) gemm = cuda::Gemm::load(why);
        if (!gemm) throw cuda::Failure{BITLOOM_CUDA_NO_GEMM, why};
        if (workspace.bytes() == 0) workspace = Memory(size_t(32) << 20);
        return *gemm;
    }
    void grow(Memory& memory, size_t bytes) const {
        if (memory.bytes() >= bytes) return;
        check(cudaStreamSynchronize(stream), "waiting for the device");
        memory = Memory();
        memory = Memory(bytes);
    }
};

struct BitloomCudaMatrix {
    BitloomCudaContext* context;
    cuda::MatrixView view{};
    std::vector<Memory> parts;
    Memory codes, place;
    Memory chunks, tokens, sums, arrived;
    std::array<cuda::Schedule, cuda::forms> schedule;
    uint64_t bytes = 0;
    int64_t tiles = 0;
    // What the last prepare left.
    int prepared = 0;
    const float* x = nullptr;
    int64_t xStride = 0;

    template<class T>
    const T* keep(const T* values, size_t count) {
        if (count == 0) return nullptr;
        parts.push_back(Memory::of(values, count));
        return parts.back().as<T>();
    }
};

namespace {

using Context = BitloomCudaContext;
using Matrix = BitloomCudaMatrix;

/// Ranges of thread blocks and crews: equal bytes, and no thread block without work.
cuda::Schedule makeSchedule(const Context& context, const Matrix& m, int form) {
    const cuda::Form f = cuda::formAt(form);
    const kernels::GpuLayout& layout = m.view.layout;
    cuda::Schedule s;
    s.crews = 8 / f.warpsOfCrew();
    const int slot = cuda::slotBytes(f, layout) * kernels::crew::stages;
    const auto sumBytes = [&] { return s.crews * f.padded * kernels::gpuTileRows * 8; };
    while (s.crews > 1 && std::max(slot * s.crews, sumBytes()) > context.sharedBytes)
        s.crews /= 2;
    s.sharedBytes = std::max(slot * s.crews, sumBytes());
    require(s.sharedBytes <= context.sharedBytes,
            "the device has too little shared memory for this matrix");
    const kernels::GpuSchedule cut =
        kernels::gpuSchedule(layout, m.tiles, context.multiprocessors, s.crews);
    s.threadBlocks = cut.threadBlocks;
    s.cuts = Memory::of(cut.cuts);
    s.share = Memory::of(cut.share);
    return s;
}

void checkSpec(const BitloomCudaMatrixSpec& spec) {
    require(spec.rows > 0 && spec.rows < (int64_t(1) << 31) - 256 && spec.cols > 0 &&
                spec.cols <= 65536,
            "a matrix on a GPU has 1 to 65,536 columns");
    require(spec.segments > 0 && spec.segments <= kernels::gpuMaxSegments && spec.segment,
            "a matrix on a GPU needs 1 to 6 segments");
    uint32_t seen = 0;
    for (int32_t i = 0; i < spec.segments; ++i) {
        const BitloomCudaSegment& s = spec.segment[i];
        require(s.kind >= 0 && s.kind < kernels::panelKinds && !(seen >> s.kind & 1) &&
                    s.columns > 0 && s.columns % kernels::gpuStep == 0 && s.columns < (1 << 20),
                "segments are of different kinds, their columns multiples of 64");
        seen |= 1u << s.kind;
    }
    require(spec.hostCodes || (spec.hostWords && spec.hostColumns), "codes are missing");
    require(spec.hostColumn && spec.hostScale && spec.hostRemainder && spec.hostOffset,
            "what describes the columns is missing");
    require(spec.rawColumns == 0 || (spec.hostRaw && spec.hostRawColumn),
            "raw columns are missing");
    require(!spec.hostOutlierBegin ||
                (spec.hostOutlierRow && spec.hostOutlierColumn && spec.hostOutlierValue),
            "outliers are missing");
}

void packOnDevice(Matrix& m, const BitloomCudaMatrixSpec& spec) {
    const int64_t columns = m.view.layout.columns();
    std::vector<cuda::PackColumn> pack(static_cast<size_t>(columns));
    for (int64_t k = 0; k < columns; ++k) {
        const BitloomCudaColumn& c = spec.hostColumns[k];
        if (c.word != UINT64_MAX)
            require(c.bits >= 1 && c.bits <= 8 && c.word < spec.wordCount &&
                        (uint64_t(spec.rows) * uint64_t(c.bits) + 31) / 32 <=
                            spec.wordCount - c.word &&
                        (!c.replaced || c.bits <= 5),
                    "a column's codes lie outside of what was given");
        auto& to = pack[size_t(k)];
        to = {c.word, c.bits, c.replaced, {}};
        std::memcpy(to.entries, c.entries, sizeof to.entries);
    }
    const Memory words = Memory::of(spec.hostWords, spec.wordCount);
    const Memory described = Memory::of(pack);
    check(cuda::launchPack(m.view.layout, spec.rows, words.as<uint32_t>(),
                           described.as<cuda::PackColumn>(), m.codes.as<uint32_t>(),
                           m.context->stream),
          "packing codes");
    check(cudaStreamSynchronize(m.context->stream), "packing codes");
}

void takeOutliers(Matrix& m, const BitloomCudaMatrixSpec& spec) {
    if (!spec.hostOutlierBegin || spec.hostOutlierBegin[m.tiles] == 0) return;
    const size_t count = spec.hostOutlierBegin[m.tiles];
    std::vector<uint32_t> entry(count);
    std::vector<uint8_t> row(count);
    for (int64_t t = 0; t < m.tiles; ++t)
        require(spec.hostOutlierBegin[t] <= spec.hostOutlierBegin[t + 1],
                "outliers are out of order");
    for (size_t i = 0; i < count; ++i) {
        require(spec.hostOutlierRow[i] < kernels::gpuTileRows &&
                    int64_t(spec.hostOutlierColumn[i]) < spec.cols,
                "an outlier lies outside of the matrix");
        entry[i] = spec.hostOutlierColumn[i] | uint32_t(spec.hostOutlierValue[i]) << 16;
        row[i] = uint8_t(spec.hostOutlierRow[i]);
    }
    m.view.outlierBegin = m.keep(spec.hostOutlierBegin, size_t(m.tiles) + 1);
    m.view.outlier = m.keep(entry.data(), count);
    m.view.outlierRow = m.keep(row.data(), count);
}

void describeColumns(Matrix& m, const BitloomCudaMatrixSpec& spec) {
    const kernels::GpuLayout& layout = m.view.layout;
    const auto columns = size_t(layout.columns());
    std::vector<int32_t> place(size_t(spec.cols), -1);
    for (size_t k = 0; k < columns; ++k) {
        const int32_t column = spec.hostColumn[k];
        require(column >= -1 && column < spec.cols, "a column lies outside of the matrix");
        if (column >= 0) place[size_t(column)] = int32_t(k);
    }
    for (int32_t j = 0; j < spec.rawColumns; ++j) {
        require(spec.hostRawColumn[j] >= 0 && spec.hostRawColumn[j] < spec.cols,
                "a column lies outside of the matrix");
        place[size_t(spec.hostRawColumn[j])] = int32_t(columns) + j;
    }
    m.place = Memory::of(place);
    std::vector<uint32_t> blocks;
    for (int32_t i = 0; i < layout.segments; ++i)
        for (int32_t s = 0; s < layout.segment[size_t(i)].steps; s += 2)
            blocks.push_back(uint32_t(layout.segment[size_t(i)].firstStep + s));
    m.view.blocks = int32_t(blocks.size());
    blocks.push_back(uint32_t(layout.steps));
    m.view.blockFirstStep = m.keep(blocks.data(), blocks.size());
    m.view.column = m.keep(spec.hostColumn, columns);
    m.view.scale = m.keep(spec.hostScale, columns);
    m.view.remainder = m.keep(spec.hostRemainder, columns);
    m.view.offset = m.keep(spec.hostOffset, columns);
    m.view.tables = reinterpret_cast<const uint32_t*>(
        m.keep(spec.hostTables, size_t(spec.hostTables ? layout.tableBytes : 0)));
    m.view.rawColumns = spec.rawColumns;
    m.view.rawBfloat16 = spec.rawBfloat16;
    m.view.rawColumn = m.keep(spec.hostRawColumn, size_t(spec.rawColumns));
    m.view.raw = m.keep(spec.hostRaw, size_t(spec.rawColumns) * size_t(spec.rows));
    m.view.rowScale = m.keep(spec.hostRowScale, size_t(spec.hostRowScale ? spec.rows : 0));
    m.view.extraLimit = spec.extraLimit;
}

void makeMatrix(Context& context, const BitloomCudaMatrixSpec& spec, Matrix& m) {
    checkSpec(spec);
    context.use();
    std::vector<kernels::PanelSegment> segments;
    for (int32_t i = 0; i < spec.segments; ++i)
        segments.push_back({kernels::PanelKind(spec.segment[i].kind), spec.segment[i].columns});
    m.context = &context;
    m.view.layout = kernels::GpuLayout(segments);
    m.view.rows = spec.rows;
    m.view.cols = spec.cols;
    m.tiles = kernels::GpuLayout::tiles(spec.rows);
    require(m.view.layout.tableBytes == 0 || spec.hostTables, "tables are missing");
    describeColumns(m, spec);
    takeOutliers(m, spec);
    const auto codeBytes = size_t(m.tiles * m.view.layout.tileBytes);
    if (spec.hostCodes) {
        m.codes = Memory::of(spec.hostCodes, codeBytes / 4);
    } else {
        m.codes = Memory(codeBytes);
        packOnDevice(m, spec);
    }
    m.bytes = codeBytes + uint64_t(m.view.layout.tableBytes) +
              uint64_t(spec.rawColumns) * uint64_t(spec.rows) * 2 +
              (m.view.rowScale ? uint64_t(spec.rows) * 4 : 0) +
              (m.view.outlierBegin ? uint64_t(spec.hostOutlierBegin[m.tiles]) * 5 : 0);
    m.view.codes = m.codes.as<uint32_t>();
    for (int form = 0; form < cuda::forms; ++form)
        m.schedule[size_t(form)] = makeSchedule(context, m, form);
    m.chunks = Memory(size_t(m.view.layout.steps) * size_t(kernels::decode::chunkWords(16)) * 4);
    m.chunks.clear(); // the words behind a step's multipliers are copied too
    m.tokens = Memory(16 * sizeof(cuda::TokenScale));
    m.sums = Memory(size_t(16 * m.tiles * kernels::gpuTileRows) * 8);
    m.sums.clear();
    m.arrived = Memory(size_t(m.tiles) * 4);
    m.arrived.clear();
}

void prepare(Matrix& m, const float* x, int64_t xStride, int32_t tokens) {
    require(x && tokens >= 1 && tokens <= 16 && xStride >= m.view.cols,
            "a product takes 1 to 16 tokens");
    m.context->use();
    const int padded = cuda::formAt(cuda::formFor(tokens)).padded;
    check(cuda::launchPrepare(m.view, x, xStride, tokens, padded, m.chunks.as<uint32_t>(),
                              m.tokens.as<cuda::TokenScale>(), m.context->stream),
          "rounding activations");
    m.prepared = tokens;
    m.x = x;
    m.xStride = xStride;
}

void product(Matrix& m, float* y, int64_t yStride) {
    require(m.prepared > 0, "activations have not been rounded");
    require(y && yStride >= m.view.rows, "results need room for every row");
    m.context->use();
    const int form = cuda::formFor(m.prepared);
    const cuda::Schedule& s = m.schedule[size_t(form)];
    const cuda::ProductView view{m.view,
                                 m.chunks.as<uint32_t>(),
                                 m.tokens.as<cuda::TokenScale>(),
                                 s.cuts.as<uint32_t>(),
                                 s.share.as<cuda::TileShare>(),
                                 m.sums.as<unsigned long long>(),
                                 m.arrived.as<uint32_t>(),
                                 m.x,
                                 m.xStride,
                                 y,
                                 yStride,
                                 m.prepared,
                                 cuda::slotBytes(cuda::formAt(form), m.view.layout)};
    check(
        cuda::launchProduct(form, view, s.threadBlocks, s.crews, s.sharedBytes, m.context->stream),
        "multiplying");
}

/// Rows whose fp16 weights stay in the L2 cache until they are multiplied.
constexpr int64_t panelBytes = int64_t(24) << 20;

void multiplyMany(Matrix& m, const float* x, int64_t xStride, int32_t tokens, float* y,
                  int64_t yStride) {
    require(x && y && tokens >= 1 && xStride >= m.view.cols && yStride >= m.view.rows,
            "results need room for every row");
    Context& c = *m.context;
    c.use();
    cuda::Gemm& gemm = c.needGemm();
    const int64_t stride = (m.view.layout.columns() + m.view.rawColumns + 7) / 8 * 8;
    const int64_t rows =
        std::clamp<int64_t>(panelBytes / (2 * stride) / kernels::gpuTileRows, 1, m.tiles) *
        kernels::gpuTileRows;
    c.grow(c.weights, size_t(rows * stride) * 2);
    c.grow(c.halves, size_t(tokens) * size_t(stride) * 2);
    c.grow(c.factors, size_t(tokens) * 4);
    check(cuda::launchHalves(m.view, x, xStride, tokens, c.halves.as<uint16_t>(), stride,
                             c.factors.as<float>(), c.stream),
          "rounding activations");
    for (int64_t first = 0; first < m.view.rows; first += rows) {
        const int64_t n = std::min(rows, m.view.rows - first);
        check(cuda::launchDequantize(m.view, first, n, m.place.as<int32_t>(),
                                     c.weights.as<uint16_t>(), stride, c.stream),
              "unpacking weights");
        const std::string wrong = gemm.multiply(
            c.weights.as<uint16_t>(), stride, n, c.halves.as<uint16_t>(), stride, tokens, stride,
            y + first, yStride, c.workspace.as<void>(), c.workspace.bytes(), c.stream);
        if (!wrong.empty()) throw cuda::Failure{BITLOOM_CUDA_FAILED, wrong};
    }
    check(cuda::launchRescale(y, yStride, m.view.rows, tokens, c.factors.as<float>(),
                              m.view.rowScale, c.stream),
          "scaling results");
}

void openContext(int32_t device, Context& c) {
    int count = 0;
    check(cudaGetDeviceCount(&count), "looking for devices");
    require(device >= 0 && device < count, "there is no device of that number");
    c.device = device;
    c.use();
    int major = 0;
    check(cudaDeviceGetAttribute(&major, cudaDevAttrComputeCapabilityMajor, device),
          "asking the device");
    if (major < 8)
        throw cuda::Failure{BITLOOM_CUDA_NO_DEVICE, "the device has compute capability " +
                                                        std::to_string(major) +
                                                        ".x; 8.0 is needed"};
    check(cudaDeviceGetAttribute(&c.multiprocessors, cudaDevAttrMultiProcessorCount, device),
          "asking the device");
    check(cudaDeviceGetAttribute(&c.sharedBytes, cudaDevAttrMaxSharedMemoryPerBlockOptin, device),
          "asking the device");
    c.sharedBytes -= 1024; // what kernels have without asking, and the system's share
    // The first call that needs the device's code: fails where there is none for it.
    check(cuda::prepareProducts(c.sharedBytes), "loading the kernels");
    check(cudaStreamCreateWithFlags(&c.stream, cudaStreamNonBlocking), "opening a stream");
}

void describe(const Context& c, BitloomCudaDevice& out) {
    cudaDeviceProp properties{};
    check(cudaGetDeviceProperties(&properties, c.device), "asking the device");
    out = {};
    std::snprintf(out.name, sizeof out.name, "%s", properties.name);
    out.major = properties.major;
    out.minor = properties.minor;
    out.multiprocessors = properties.multiProcessorCount;
    out.memoryBytes = properties.totalGlobalMem;
    out.l2Bytes = uint64_t(properties.l2CacheSize);
    check(cudaDriverGetVersion(&out.driver), "asking the driver");
    check(cudaRuntimeGetVersion(&out.runtime), "asking the driver");
    // Left at 0 where the driver does not say.
    cudaDeviceGetAttribute(&out.clockKHz, cudaDevAttrClockRate, c.device);
    cudaDeviceGetAttribute(&out.memoryClockKHz, cudaDevAttrMemoryClockRate, c.device);
}

double timeGraph(Context& c, int32_t repeats) {
    cudaGraphExec_t runnable = nullptr;
    cudaEvent_t begin = nullptr, end = nullptr;
    const auto tidy = [&] {
        if (begin) cudaEventDestroy(begin);
        if (end) cudaEventDestroy(end);
        if (runnable) cudaGraphExecDestroy(runnable);
    };
    float milliseconds = 0;
    try {
        check(cudaGraphInstantiate(&runnable, c.graph, 0), "making a graph");
        check(cudaEventCreate(&begin), "making an event");
        check(cudaEventCreate(&end), "making an event");
        check(cudaGraphLaunch(runnable, c.stream), "running a graph"); // warm
        check(cudaEventRecord(begin, c.stream), "timing");
        for (int32_t i = 0; i < repeats; ++i)
            check(cudaGraphLaunch(runnable, c.stream), "running a graph");
        check(cudaEventRecord(end, c.stream), "timing");
        check(cudaEventSynchronize(end), "timing");
        check(cudaEventElapsedTime(&milliseconds, begin, end), "timing");
    } catch (...) {
        tidy();
        throw;
    }
    tidy();
    return double(milliseconds) * 1e-3;
}

// The functions of the interface.

const char* apiBuild() {
    return BITLOOM_CUDA_BUILD;
}
const char* apiMessage() {
    return cuda::lastMessage.c_str();
}
int apiDeviceCount(int32_t* count) {
    return guarded([&] {
        int driver = 0, found = 0;
        check(cudaDriverGetVersion(&driver), "asking for the driver");
        if (driver == 0) throw cuda::Failure{BITLOOM_CUDA_NO_DRIVER, "there is no NVIDIA driver"};
        if (driver / 1000 < CUDART_VERSION / 1000)
            throw cuda::Failure{BITLOOM_CUDA_NO_DRIVER,
                                "the NVIDIA driver is for CUDA " + std::to_string(driver / 1000) +
                                    "." + std::to_string(driver % 1000 / 10) + ", " +
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
        openContext(device, *made);
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
void apiRelease(Context*, void* memory) {
    cudaFree(memory);
}
int copyBytes(Context* context, void* to, const void* from, uint64_t bytes, cudaMemcpyKind kind) {
    return guarded([&] {
        context->use();
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
int apiCreateMatrix(Context* context, const BitloomCudaMatrixSpec* spec, Matrix** matrix) {
    return guarded([&] {
        auto made = std::make_unique<Matrix>();
        makeMatrix(*context, *spec, *made);
        *matrix = made.release();
    });
}
void apiDestroyMatrix(Matrix* matrix) {
    if (matrix) cudaStreamSynchronize(matrix->context->stream);
    delete matrix;
}
uint64_t apiMatrixBytes(const Matrix* matrix) {
    return matrix->bytes;
}
int apiDownloadCodes(Matrix* matrix, uint32_t* codes) {
    return apiDownload(matrix->context, codes, matrix->codes.as<void>(), matrix->codes.bytes());
}
int apiMultiply(Matrix* matrix, const float* x, int64_t xStride, int32_t tokens, float* y,
                int64_t yStride) {
    return guarded([&] {
        prepare(*matrix, x, xStride, tokens);
        product(*matrix, y, yStride);
    });
}
int apiPrepare(Matrix* matrix, const float* x, int64_t xStride, int32_t tokens) {
    return guarded([&] { prepare(*matrix, x, xStride, tokens); });
}
int apiProduct(Matrix* matrix, float* y, int64_t yStride) {
    return guarded([&] { product(*matrix, y, yStride); });
}
int apiMultiplyMany(Matrix* matrix, const float* x, int64_t xStride, int32_t tokens, float* y,
                    int64_t yStride) {
    return guarded([&] { multiplyMany(*matrix, x, xStride, tokens, y, yStride); });
}
int apiMultiplyHalf(Context* context, const uint16_t* weights, int64_t rows, int64_t cols,
                    const uint16_t* x, int32_t tokens, float* y) {
    return guarded([&] {
        context->use();
        const std::string wrong = context->needGemm().multiply(
            weights, cols, rows, x, cols, tokens, cols, y, rows, context->workspace.as<void>(),
            context->workspace.bytes(), context->stream);
        if (!wrong.empty()) throw cuda::Failure{BITLOOM_CUDA_FAILED, wrong};
    });
}
int apiBeginTiming(Context* context) {
    return guarded([&] {
        context->use();
        if (context->graph) cudaGraphDestroy(context->graph);
        context->graph = nullptr;
        check(cudaStreamBeginCapture(context->stream, cudaStreamCaptureModeThreadLocal),
              "recording a graph");
    });
}
int apiEndTiming(Context* context, int32_t repeats, double* seconds) {
    return guarded([&] {
        context->use();
        check(cudaStreamEndCapture(context->stream, &context->graph), "recording a graph");
        *seconds = timeGraph(*context, repeats);
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
                                       apiDestroyMatrix,
                                       apiMatrixBytes,
                                       apiDownloadCodes,
                                       apiMultiply,
                                       apiPrepare,
                                       apiProduct,
                                       apiMultiplyMany,
                                       apiMultiplyHalf,
                                       apiBeginTiming,
                                       apiEndTiming};
    return version == BITLOOM_CUDA_VERSION ? &api : nullptr;
}
