// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#include "tests/support/host_cuda.h"

#include "kernels/cuda/attend_body.h"
#include "kernels/cuda/block_host.h"
#include "kernels/cuda/decode.h"
#include "kernels/cuda/pack_lane.h"
#include "kernels/cuda/round_body.h"
#include "kernels/cuda/rows_body.h"
#include "kernels/cuda/token_body.h"
#include "kernels/gpu_columns.h"
#include "kernels/half.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <memory>
#include <random>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

using namespace bitloom;
using namespace bitloom::cuda;
namespace decode = bitloom::kernels::decode;
using kernels::GpuMatrix;
using kernels::GpuToken;

namespace {

hostCuda::Behaviour behaviour;
hostCuda::Counts counted;
std::string lastMessage;
using Work = std::vector<std::function<void()>>;

int fail(int code, const char* message) {
    lastMessage = message;
    return code;
}

/// Numbers that are none in every type.
template<class T>
std::vector<T> poisoned(size_t count) {
    std::vector<T> out(count);
    if (count > 0) std::memset(static_cast<void*>(out.data()), 0xFF, count * sizeof(T));
    return out;
}

/// [0, count) in an order of its own.
template<class F>
void inAnyOrder(uint32_t count, F&& run) {
    static std::mt19937_64 random(7);
    std::vector<uint32_t> order(count);
    for (uint32_t i = 0; i < count; ++i)
        order[i] = i;
    std::shuffle(order.begin(), order.end(), random);
    for (const uint32_t i : order)
        run(i);
}

} // namespace

struct BitloomCudaGraph {
    Work work;
};

struct BitloomCudaContext {
    Work queue;
    BitloomCudaGraph* recording = nullptr;
    std::array<std::array<char, 64>, 8> slots{};
    std::unordered_map<void*, uint64_t> memory;

    int add(std::function<void()> work) {
        if (recording) {
            recording->work.push_back(std::move(work));
        } else {
            ++counted.direct;
            queue.push_back(std::move(work));
        }
        return BITLOOM_CUDA_OK;
    }
    void drain() {
        if (recording) {
            std::fprintf(stderr, "a graph is being recorded: nothing may wait\n");
            std::abort();
        }
        for (const auto& work : std::exchange(queue, {}))
            work();
    }
};

namespace {

/// One matrix of columns, and what rounding left for it.
struct HostColumns {
    GpuMatrix matrix;
    std::vector<int16_t> values;
    std::vector<uint32_t> blockFirstStep;
    std::vector<uint32_t> outliers;
    MatrixView view{};
    std::vector<uint32_t> chunks, largestInput, arrived;
    std::vector<TokenScale> tokens;
    std::vector<float> blockScale;
    std::vector<int32_t> blockStart;
    int64_t firstRow = 0;
};

} // namespace

struct BitloomCudaMatrix {
    BitloomCudaContext* context;
    int64_t rows = 0, cols = 0;
    std::vector<std::unique_ptr<HostColumns>> parts;
    // Plain rows.
    int32_t type = 0;
    int64_t stride = 0;
    std::vector<char> plain;
    std::vector<float> bias, staged;
    const float* x = nullptr;
    int64_t xStride = 0;
    int prepared = 0, padded = 0;
};

namespace {

using Context = BitloomCudaContext;
using Matrix = BitloomCudaMatrix;
using Graph = BitloomCudaGraph;

const char* build() {
    return "the processor";
}
const char* message() {
    return lastMessage.c_str();
}
int deviceCount(int32_t* count) {
    *count = 1;
    return BITLOOM_CUDA_OK;
}
int open(int32_t, Context** context) {
    counted = {};
    ++counted.contexts;
    *context = new Context;
    return BITLOOM_CUDA_OK;
}
void close(Context* context) {
    --counted.contexts;
    delete context;
}
int describe(Context*, BitloomCudaDevice* device) {
    *device = {};
    std::snprintf(device->name, sizeof device->name, "Emulated");
    device->major = 9;
    device->multiprocessors = behaviour.multiprocessors;
    device->memoryBytes = device->freeBytes = behaviour.memoryBytes;
    return BITLOOM_CUDA_OK;
}
int synchronize(Context* context) {
    context->drain();
    return BITLOOM_CUDA_OK;
}
int allocate(Context* context, uint64_t bytes, void** memory) {
    if (uint64_t(counted.allocated) + bytes > behaviour.memoryBytes)
        return fail(BITLOOM_CUDA_OUT_OF_MEMORY, "allocating device memory: out of memory");
    *memory = ::operator new(bytes, std::align_val_t(256));
    std::memset(*memory, 0xFF, bytes);
    context->memory[*memory] = bytes;
    counted.allocated += int64_t(bytes);
    return BITLOOM_CUDA_OK;
}
void release(Context* context, void* memory) {
    context->drain();
    counted.allocated -= int64_t(context->memory[memory]);
    context->memory.erase(memory);
    ::operator delete(memory, std::align_val_t(256));
}
int upload(Context* context, void* to, const void* from, uint64_t bytes) {
    context->drain();
    std::memcpy(to, from, bytes);
    return BITLOOM_CUDA_OK;
}
int download(Context* context, void* to, const void* from, uint64_t bytes) {
    return upload(context, to, from, bytes);
}
int copy(Context* context, void* to, const void* from, uint64_t bytes) {
    return context->add([=] { std::memmove(to, from, bytes); });
}

void packCodes(GpuMatrix& m, const BitloomCudaMatrixSpec& spec) {
    std::vector<PackColumn> columns;
    for (int64_t k = 0; k < m.layout.columns(); ++k) {
        const BitloomCudaColumn& c = spec.hostColumns[k];
        columns.push_back({c.word, c.bits, c.replaced, {}});
        std::copy(std::begin(c.entries), std::end(c.entries), columns.back().entries);
    }
    const int64_t threads = packThreads(m.layout, m.rows);
    for (int64_t i = 0; i < threads; ++i)
        packLane(m.layout, m.rows, spec.hostWords, columns.data(), i, m.codes.data());
}

std::unique_ptr<HostColumns> makeColumns(const BitloomCudaMatrixSpec& spec) {
    auto made = std::make_unique<HostColumns>();
    GpuMatrix& m = made->matrix;
    std::vector<kernels::PanelSegment> segments;
    for (int32_t i = 0; i < spec.segments; ++i)
        segments.push_back({kernels::PanelKind(spec.segment[i].kind), spec.segment[i].columns});
    m.rows = spec.rows;
    m.cols = spec.cols;
    m.layout = kernels::GpuLayout(segments);
    const auto columns = size_t(m.layout.columns());
    const int64_t tiles = kernels::GpuLayout::tiles(spec.rows);
    m.codes.resize(size_t(tiles * m.layout.tileBytes / 4));
    if (spec.hostCodes) {
        std::copy_n(spec.hostCodes, m.codes.size(), m.codes.begin());
    } else if (spec.hostWords) {
        packCodes(m, spec);
    } else { // made up
        std::mt19937 random(uint32_t(m.codes.size()));
        for (uint32_t& word : m.codes)
            word = random();
    }
    const auto take = [](auto& to, const auto* from, size_t count) {
        if (from) to.assign(from, from + count);
    };
    take(m.tables, spec.hostTables, size_t(m.layout.tableBytes));
    take(m.column, spec.hostColumn, columns);
    take(m.scale, spec.hostScale, columns);
    take(m.remainder, spec.hostRemainder, columns);
    take(m.offset, spec.hostOffset, columns);
    take(m.outlierBegin, spec.hostOutlierBegin, size_t(tiles) + 1);
    if (spec.hostOutlierBegin) {
        take(m.outlierRow, spec.hostOutlierRow, m.outlierBegin.back());
        take(m.outlierColumn, spec.hostOutlierColumn, m.outlierBegin.back());
        take(m.outlierValue, spec.hostOutlierValue, m.outlierBegin.back());
    }
    take(m.rawColumn, spec.hostRawColumn, size_t(spec.rawColumns));
    take(m.raw, spec.hostRaw, size_t(spec.rawColumns * spec.rows));
    m.rawBfloat16 = spec.rawBfloat16 != 0;
    take(m.rowScale, spec.hostRowScale, size_t(spec.rows));
    take(m.bias, spec.hostBias, size_t(spec.rows));
    m.extraLimit = spec.extraLimit;
    made->values = kernels::gpuValues(m);

    for (int32_t i = 0; i < m.layout.segments; ++i)
        for (int32_t s = 0; s < m.layout.segment[size_t(i)].steps; s += 2)
            made->blockFirstStep.push_back(uint32_t(m.layout.segment[size_t(i)].firstStep + s));
    made->blockFirstStep.push_back(uint32_t(m.layout.steps));
    MatrixView& v = made->view;
    v.layout = m.layout;
    v.rows = m.rows;
    v.cols = m.cols;
    v.column = m.column.data();
    v.scale = m.scale.data();
    v.remainder = m.remainder.data();
    v.offset = m.offset.data();
    v.blockFirstStep = made->blockFirstStep.data();
    v.blocks = int32_t(made->blockFirstStep.size()) - 1;
    v.extraLimit = m.extraLimit;
    v.rawColumns = spec.rawColumns;
    v.remainders = std::ranges::any_of(m.remainder, [](float r) { return r != 0; });
    made->chunks = poisoned<uint32_t>(size_t(m.layout.steps) * size_t(decode::chunkWords(16)));
    made->tokens = poisoned<TokenScale>(16);
    made->blockScale = poisoned<float>(16 * size_t(v.blocks));
    made->blockStart = poisoned<int32_t>(16 * size_t(v.blocks));
    made->largestInput = poisoned<uint32_t>(16 * size_t(roundThreadBlocks(v)));
    made->arrived.assign(16, 0);
    return made;
}

int createMatrix(Context* context, const BitloomCudaMatrixSpec* specs, int32_t count,
                 Matrix** matrix) {
    if (specs->segments < 1) return fail(BITLOOM_CUDA_BAD_ARGUMENT, "a matrix needs columns");
    auto made = std::make_unique<Matrix>();
    made->context = context;
    made->cols = specs[0].cols;
    for (int32_t i = 0; i < count; ++i) {
        made->parts.push_back(makeColumns(specs[i]));
        made->parts.back()->firstRow = made->rows;
        made->rows += specs[i].rows;
    }
    made->staged = poisoned<float>(size_t(16 * made->cols));
    ++counted.matrices;
    *matrix = made.release();
    return BITLOOM_CUDA_OK;
}

int createRows(Context* context, const BitloomCudaRowsSpec* spec, Matrix** matrix) {
    auto made = std::make_unique<Matrix>();
    made->context = context;
    made->type = spec->type;
    made->cols = spec->cols;
    made->stride = (spec->cols + rowsUnit - 1) / rowsUnit * rowsUnit;
    const int64_t size = spec->type == BITLOOM_CUDA_F32 ? 4 : 2;
    for (int32_t i = 0; i < spec->parts; ++i) {
        made->plain.resize(size_t((made->rows + spec->rows[i]) * made->stride * size), 0);
        // Made up: all of one small number.
        for (int64_t at = 0; !spec->hostRows[i] && at < spec->rows[i] * made->stride; ++at)
            reinterpret_cast<uint16_t*>(made->plain.data())[made->rows * made->stride + at] =
                kernels::floatToHalf(0.01F);
        for (int64_t row = 0; spec->hostRows[i] && row < spec->rows[i]; ++row)
            std::memcpy(made->plain.data() + (made->rows + row) * made->stride * size,
                        static_cast<const char*>(spec->hostRows[i]) + row * spec->cols * size,
                        size_t(spec->cols * size));
        made->rows += spec->rows[i];
        made->bias.resize(size_t(made->rows), 0);
        if (spec->hostBias[i])
            std::copy_n(spec->hostBias[i], spec->rows[i],
                        made->bias.end() - std::ptrdiff_t(spec->rows[i]));
    }
    made->staged = poisoned<float>(size_t(16 * made->stride));
    ++counted.matrices;
    *matrix = made.release();
    return BITLOOM_CUDA_OK;
}

void destroyMatrix(Matrix* matrix) {
    matrix->context->drain();
    --counted.matrices;
    delete matrix;
}
uint64_t matrixBytes(const Matrix* matrix) {
    uint64_t bytes = matrix->plain.size();
    for (const auto& part : matrix->parts)
        bytes += part->matrix.codes.size() * 4;
    return bytes;
}
int matrixRows(const Matrix* matrix, const void** rows, int64_t* stride) {
    if (matrix->plain.empty())
        return fail(BITLOOM_CUDA_BAD_ARGUMENT, "a matrix of columns has no rows");
    *rows = matrix->plain.data();
    *stride = matrix->stride;
    return BITLOOM_CUDA_OK;
}
int downloadCodes(Matrix* matrix, uint32_t* codes) {
    std::ranges::copy(matrix->parts.at(0)->matrix.codes, codes);
    return BITLOOM_CUDA_OK;
}

/// As the library pads them: 1, 2, then to fours.
int paddedTokens(int tokens) {
    return tokens <= 2 ? tokens : (tokens + 3) / 4 * 4;
}

void runStage(const Input& input, int32_t tokens, float* out, int64_t outStride) {
    const auto parts = uint32_t((outStride + 2047) / 2048) + 1;
    inAnyOrder(uint32_t(tokens) * parts, [&](uint32_t i) {
        HostBlock<roundThreads> block;
        auto squares = poisoned<float>(roundWarps);
        stageBody(block, input, int64_t(i / parts), int64_t(i % parts), int64_t(parts), out,
                  outStride, squares.data());
    });
}

void runRound(const RoundView& view) {
    inAnyOrder(view.threadBlocks * uint32_t(view.padded), [&](uint32_t i) {
        HostBlock<roundThreads> block;
        auto shared = poisoned<RoundShared>(1);
        roundBody(block, view, i % view.threadBlocks, int(i / view.threadBlocks), shared[0]);
    });
}

int prepare(Matrix* m, const BitloomCudaInput* input, int32_t tokens) {
    if (tokens < 1 || tokens > 16 || input->cols != m->cols)
        return fail(BITLOOM_CUDA_BAD_ARGUMENT, "a product takes 1 to 16 tokens");
    m->prepared = tokens;
    m->padded = paddedTokens(tokens);
    if (m->parts.empty()) {
        return m->context->add(
            [m, tokens, in = *input] { runStage(in, tokens, m->staged.data(), m->stride); });
    }
    RoundView view{};
    view.input = *input;
    view.tokens = tokens;
    view.padded = m->padded;
    m->x = input->x;
    m->xStride = input->stride;
    const bool floats = std::ranges::any_of(m->parts, [](const auto& part) {
        return !part->matrix.outlierBegin.empty() || !part->matrix.rawColumn.empty();
    });
    if (input->kind != BITLOOM_CUDA_PLAIN && floats) {
        m->x = view.staged = m->staged.data();
        m->xStride = m->cols;
    }
    for (const auto& part : m->parts) {
        view.part[view.parts++] = {part->view,
                                   part->chunks.data(),
                                   part->tokens.data(),
                                   part->blockScale.data(),
                                   part->blockStart.data(),
                                   part->largestInput.data(),
                                   part->arrived.data(),
                                   view.threadBlocks};
        view.threadBlocks += roundThreadBlocks(part->view);
    }
    return m->context->add([view] { runRound(view); });
}

/// Activations as rounding has left them in device memory.
GpuToken tokenOf(const HostColumns& part, int padded, int t) {
    const GpuMatrix& m = part.matrix;
    GpuToken token;
    const auto words = size_t(decode::chunkWords(padded));
    for (size_t k = 0; k < m.column.size(); ++k) {
        const auto* bytes =
            reinterpret_cast<const int8_t*>(part.chunks.data() + k / kernels::gpuStep * words) +
            t * 128 + k % kernels::gpuStep;
        token.high.push_back(bytes[0]);
        token.low.push_back(bytes[64]);
    }
    for (size_t step = 0; step < size_t(m.layout.steps); ++step)
        token.multiplier.push_back(
            int32_t(part.chunks[step * words + size_t(decode::multiplierWord(padded) + t)]));
    const TokenScale& scale = part.tokens[size_t(t)];
    token.start = scale.start;
    token.unit = scale.unit;
    token.inverse[0] = scale.inverse[0];
    token.inverse[1] = scale.inverse[1];
    return token;
}

template<int type, int tokens>
void runRows(const RowsView& view) {
    constexpr int64_t rows = rowsThreads / 32 * rowsOfWarp(tokens);
    inAnyOrder(uint32_t((view.rowCount + rows - 1) / rows), [&](uint32_t i) {
        HostBlock<rowsThreads> block;
        rowsBody<HostBlock<rowsThreads>, type, tokens>(block, view, i);
    });
}
template<int type>
void runRows(const RowsView& view) {
    view.tokens == 1   ? runRows<type, 1>(view)
    : view.tokens == 2 ? runRows<type, 2>(view)
    : view.tokens <= 4 ? runRows<type, 4>(view)
    : view.tokens <= 8 ? runRows<type, 8>(view)
                       : runRows<type, 16>(view);
}

int product(Matrix* m, float* y, int64_t yStride) {
    if (m->prepared == 0 || yStride < m->rows)
        return fail(BITLOOM_CUDA_BAD_ARGUMENT, "activations have not been rounded");
    const int tokens = m->prepared, padded = m->padded;
    if (m->parts.empty()) {
        const RowsView view{m->plain.data(), m->rows, m->stride, m->staged.data(),
                            m->bias.data(),  y,       yStride,   tokens};
        return m->context->add([view, type = m->type] {
            type == BITLOOM_CUDA_F32   ? runRows<BITLOOM_CUDA_F32>(view)
            : type == BITLOOM_CUDA_F16 ? runRows<BITLOOM_CUDA_F16>(view)
                                       : runRows<BITLOOM_CUDA_BF16>(view);
        });
    }
    return m->context->add([=, x = m->x, xStride = m->xStride] {
        for (const auto& part : m->parts)
            for (int t = 0; t < tokens; ++t)
                kernels::gpuProduct(
                    part->matrix, tokenOf(*part, padded, t), {x + t * xStride, size_t(m->cols)},
                    {y + t * yStride + part->firstRow, size_t(part->matrix.rows)}, part->values);
    });
}
int multiply(Matrix* m, const float* x, int64_t xStride, int32_t tokens, float* y,
             int64_t yStride) {
    BitloomCudaInput input{};
    input.cols = m->cols;
    input.stride = xStride;
    input.x = x;
    const int code = prepare(m, &input, tokens);
    return code ? code : product(m, y, yStride);
}
int stage(Context* context, const BitloomCudaInput* input, int32_t tokens, float* out,
          int64_t outStride) {
    return context->add([=, in = *input] { runStage(in, tokens, out, outStride); });
}

/// In place of cuBLASLt: the definition again, or sums in double.
void manyTokens(Matrix* m, const float* x, int64_t xStride, int32_t tokens, float* y,
                int64_t yStride) {
    for (int32_t t = 0; t < tokens; ++t) {
        const std::span<const float> own(x + t * xStride, size_t(m->cols));
        for (const auto& part : m->parts) {
            GpuToken token;
            kernels::roundGpuInput(part->matrix, own, token);
            kernels::gpuProduct(part->matrix, token, own,
                                {y + t * yStride + part->firstRow, size_t(part->matrix.rows)},
                                part->values);
        }
        for (int64_t n = 0; m->parts.empty() && n < m->rows; ++n) {
            double sum = m->bias[size_t(n)];
            for (int64_t k = 0; k < m->cols; ++k) {
                const int64_t at = n * m->stride + k;
                const auto* halves = reinterpret_cast<const uint16_t*>(m->plain.data());
                const float w = m->type == BITLOOM_CUDA_F32
                                    ? reinterpret_cast<const float*>(m->plain.data())[at]
                                : m->type == BITLOOM_CUDA_F16
                                    ? kernels::halfToFloat(halves[at])
                                    : kernels::bfloat16ToFloat(halves[at]);
                sum += double(w) * double(own[size_t(k)]);
            }
            y[t * yStride + n] = float(sum);
        }
    }
}
int multiplyMany(Matrix* m, const float* x, int64_t xStride, int32_t tokens, float* y,
                 int64_t yStride) {
    if (!behaviour.gemm) return fail(BITLOOM_CUDA_NO_GEMM, "there is no cuBLASLt");
    if (m->context->recording) return fail(BITLOOM_CUDA_BAD_ARGUMENT, "prompts are not for graphs");
    ++counted.many;
    return m->context->add([=] { manyTokens(m, x, xStride, tokens, y, yStride); });
}
int multiplyHalf(Context*, const uint16_t*, int64_t, int64_t, const uint16_t*, int32_t, float*) {
    return fail(BITLOOM_CUDA_NO_GEMM, "there is no cuBLASLt");
}

int begin(Context* context, const BitloomCudaBegin* args) {
    return context->add([args = *args] {
        inAnyOrder(uint32_t(args.tokens), [&](uint32_t token) {
            HostBlock<tokenThreads> block;
            beginBody(block, args, token);
        });
    });
}

template<int rows>
void runAttend(const Attention& a, const AttendGrid& grid) {
    const auto count = uint32_t(grid.splits * grid.tiles * a.kvHeads);
    inAnyOrder(count, [&](uint32_t i) {
        HostBlock<attendThreads> block;
        auto shared = poisoned<FourWords>(size_t(AttendShared::bytes(rows, a.headDim) + 15) / 16);
        const AttendPlace place{int(i) / (grid.splits * grid.tiles),
                                int(i) / grid.splits % grid.tiles, int(i) % grid.splits};
        Attend<HostBlock<attendThreads>, rows> attend(block, a, grid, place, shared.data());
        attend.run();
    });
}
void runAttention(const Attention& a, int wanted) {
    const AttendGrid grid = attendGrid(a, wanted);
    if (grid.appends) {
        const int parts = (a.tokens + attendWarps - 1) / attendWarps;
        inAnyOrder(uint32_t(parts * a.kvHeads), [&](uint32_t i) {
            HostBlock<attendThreads> block;
            const int first = int(i) % parts * attendWarps;
            appendTokens(block, a, int(i) / parts, first, std::min(first + attendWarps, a.tokens),
                         *a.position);
        });
    }
    switch (grid.rows) {
    case 1:
        return runAttend<1>(a, grid);
    case 2:
        return runAttend<2>(a, grid);
    case 4:
        return runAttend<4>(a, grid);
    case 8:
        return runAttend<8>(a, grid);
    default:
        return runAttend<16>(a, grid);
    }
}
uint64_t attentionScratch(Context*, const BitloomCudaAttention* a) {
    return uint64_t(
        attendScratchBytes(attendGrid(*a, 2 * behaviour.multiprocessors), a->kvHeads, a->headDim));
}
int attention(Context* context, const BitloomCudaAttention* a) {
    return context->add(
        [a = *a, wanted = 2 * behaviour.multiprocessors] { runAttention(a, wanted); });
}
uint64_t choiceScratch(int64_t vocab) {
    return uint64_t(ChoiceScratch::bytes(vocab));
}
int choose(Context* context, const BitloomCudaChoice* args) {
    return context->add([c = *args] {
        const auto slices = uint32_t(ChoiceScratch::slices(c.vocab));
        for (const bool second : {false, true})
            inAnyOrder(slices, [&](uint32_t slice) {
                HostBlock<tokenThreads> block;
                auto shared = poisoned<ChoiceShared>(1);
                second ? chooseBody(block, c, slice, shared[0])
                       : compareBody(block, c, slice, shared[0]);
            });
    });
}

int readLater(Context* context, int32_t slot, const void* from, int32_t bytes) {
    return context->add(
        [=] { std::memcpy(context->slots[size_t(slot)].data(), from, size_t(bytes)); });
}
int readNow(Context* context, int32_t slot, void* to, int32_t bytes) {
    context->drain();
    std::memcpy(to, context->slots[size_t(slot)].data(), size_t(bytes));
    return BITLOOM_CUDA_OK;
}
int beginGraph(Context* context) {
    context->recording = new Graph;
    return BITLOOM_CUDA_OK;
}
int endGraph(Context* context, Graph** graph) {
    *graph = std::exchange(context->recording, nullptr);
    ++counted.graphs;
    return BITLOOM_CUDA_OK;
}
int launchGraph(Context* context, Graph* graph) {
    ++counted.launches;
    context->queue.insert(context->queue.end(), graph->work.begin(), graph->work.end());
    return BITLOOM_CUDA_OK;
}
void destroyGraph(Graph* graph) {
    --counted.graphs;
    delete graph;
}
int timeGraph(Context* context, Graph* graph, int32_t repeats, double* seconds) {
    for (int32_t i = 0; i <= repeats; ++i)
        launchGraph(context, graph);
    context->drain();
    *seconds = 0;
    return BITLOOM_CUDA_OK;
}

} // namespace

namespace bitloom::hostCuda {

const BitloomCudaApi& api(const Behaviour& wanted) {
    behaviour = wanted;
    static const BitloomCudaApi table = {BITLOOM_CUDA_VERSION,
                                         sizeof(BitloomCudaApi),
                                         build,
                                         message,
                                         deviceCount,
                                         open,
                                         close,
                                         describe,
                                         synchronize,
                                         allocate,
                                         release,
                                         upload,
                                         download,
                                         copy,
                                         createMatrix,
                                         createRows,
                                         destroyMatrix,
                                         matrixBytes,
                                         matrixRows,
                                         downloadCodes,
                                         multiply,
                                         prepare,
                                         product,
                                         stage,
                                         multiplyMany,
                                         multiplyHalf,
                                         begin,
                                         attentionScratch,
                                         attention,
                                         choiceScratch,
                                         choose,
                                         readLater,
                                         readNow,
                                         beginGraph,
                                         endGraph,
                                         launchGraph,
                                         destroyGraph,
                                         timeGraph};
    return table;
}

const Counts& counts() {
    return counted;
}

} // namespace bitloom::hostCuda
