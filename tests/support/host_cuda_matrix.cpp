// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#include "kernels/cuda/block_host.h"
#include "kernels/cuda/decode.h"
#include "kernels/cuda/pack_lane.h"
#include "kernels/cuda/round_body.h"
#include "kernels/cuda/rows_body.h"
#include "kernels/gpu_columns.h"
#include "kernels/half.h"
#include "tests/support/host_cuda_parts.h"

#include <memory>
#include <span>

namespace bitloom::hostCuda {

using namespace bitloom::cuda;
namespace decode = bitloom::kernels::decode;
using kernels::GpuMatrix;
using kernels::GpuToken;

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

} // namespace bitloom::hostCuda

struct BitloomCudaMatrix {
    BitloomCudaContext* context;
    int64_t rows = 0, cols = 0;
    std::vector<std::unique_ptr<bitloom::hostCuda::HostColumns>> parts;
    // Plain rows.
    int32_t type = 0;
    int64_t stride = 0;
    std::vector<char> plain;
    std::vector<float> bias, staged;
    const float* x = nullptr;
    int64_t xStride = 0;
    int prepared = 0, padded = 0;
};

namespace bitloom::hostCuda {

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

/// Hands a matrix over, if the device has memory for it.
int keep(std::unique_ptr<Matrix> made, Matrix** matrix) {
    if (!take(matrixMemory(made.get())))
        return fail(BITLOOM_CUDA_OUT_OF_MEMORY, "allocating device memory: out of memory");
    ++counted().matrices;
    *matrix = made.release();
    Context& context = *(*matrix)->context;
    context.give(*matrix, sizeof(Matrix), false);
    if (!(*matrix)->plain.empty())
        context.give((*matrix)->plain.data(), (*matrix)->plain.size(), false);
    return BITLOOM_CUDA_OK;
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
    return keep(std::move(made), matrix);
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
    return keep(std::move(made), matrix);
}

void destroyMatrix(Matrix* matrix) {
    matrix->context->drain();
    --counted().matrices;
    giveBack(matrixMemory(matrix));
    Context& context = *matrix->context;
    if (context.prepared == matrix) context.prepared = nullptr;
    context.take(matrix);
    if (!matrix->plain.empty()) context.take(matrix->plain.data());
    context.gone.push_back(std::shared_ptr<Matrix>(matrix));
}
uint64_t matrixBytes(const Matrix* matrix) {
    uint64_t bytes = matrix->plain.size();
    for (const auto& part : matrix->parts)
        bytes += part->matrix.codes.size() * 4;
    return bytes;
}
uint64_t matrixMemory(const Matrix* matrix) {
    return matrixBytes(matrix) + matrix->bias.size() * 4;
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
    m->context->prepared = m;
    m->prepared = tokens;
    m->padded = paddedTokens(tokens);
    if (m->parts.empty()) {
        return m->context->add(
            {m, input->x, input->add, input->sum, input->weight},
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
    return m->context->add({m, input->x, input->add, input->sum, input->weight},
                           [view] { runRound(view); });
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
    if (m->context->prepared != m || yStride < m->rows)
        return fail(BITLOOM_CUDA_BAD_ARGUMENT, "activations have not been rounded");
    const int tokens = m->prepared, padded = m->padded;
    if (m->parts.empty()) {
        const RowsView view{m->plain.data(), m->rows, m->stride, m->staged.data(),
                            m->bias.data(),  y,       yStride,   tokens};
        return m->context->add({m, y}, [view, type = m->type] {
            type == BITLOOM_CUDA_F32   ? runRows<BITLOOM_CUDA_F32>(view)
            : type == BITLOOM_CUDA_F16 ? runRows<BITLOOM_CUDA_F16>(view)
                                       : runRows<BITLOOM_CUDA_BF16>(view);
        });
    }
    return m->context->add({m, y}, [=, x = m->x, xStride = m->xStride] {
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
    return context->add({input->x, input->add, input->sum, input->weight, out},
                        [=, in = *input] { runStage(in, tokens, out, outStride); });
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
    if (!behaviour().gemm) return fail(BITLOOM_CUDA_NO_GEMM, "there is no cuBLASLt");
    if (m->context->recording) return fail(BITLOOM_CUDA_BAD_ARGUMENT, "prompts are not for graphs");
    ++counted().many;
    return m->context->add({m, x, y}, [=] { manyTokens(m, x, xStride, tokens, y, yStride); });
}
int multiplyHalf(Context*, const uint16_t*, int64_t, int64_t, const uint16_t*, int32_t, float*) {
    return fail(BITLOOM_CUDA_NO_GEMM, "there is no cuBLASLt");
}

} // namespace bitloom::hostCuda
