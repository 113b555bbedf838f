// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors

// Products: schedules, rounding, launches.

#include "kernels/cuda/matrix.h"
#include "kernels/cuda/crew.h"
#include "kernels/cuda/decode.h"
#include "kernels/cuda/layer_launch.h"
#include "kernels/cuda/panels.h"

#include <algorithm>
#include <cstddef>

namespace bitloom::cuda {

namespace {

/// Ranges of thread blocks and crews: equal bytes, and no thread block without work. Parts share
/// the thread blocks by their bytes.
Schedule makeSchedule(const BitloomCudaContext& context, const BitloomCudaMatrix& m, int form) {
    const Form f = formAt(form);
    Schedule s;
    s.crews = 8 / f.warpsOfCrew();
    for (const auto& part : m.parts)
        s.slotBytes = std::max(s.slotBytes, slotBytes(f, part->view.layout));
    const int slots = s.slotBytes * kernels::crew::stages;
    const auto needed = [&] {
        return std::max(slots * s.crews, s.crews * f.padded * kernels::gpuTileRows * 8);
    };
    while (s.crews > 1 && needed() > context.sharedBytes)
        s.crews /= 2;
    s.sharedBytes = needed();
    require(s.sharedBytes <= context.sharedBytes,
            "the device has too little shared memory for this matrix");
    double all = 0;
    for (const auto& part : m.parts)
        all += double(part->codes.bytes());
    const auto others = int(m.parts.size()) - 1;
    for (const auto& part : m.parts) {
        const double share = double(part->codes.bytes()) / all;
        const int wanted = std::max(1, int(share * double(context.multiprocessors - others)));
        const kernels::GpuSchedule cut = kernels::gpuSchedule(
            part->view.layout, part->tiles, others ? wanted : context.multiprocessors, s.crews);
        s.parts.push_back({uint32_t(s.threadBlocks), Memory::of(cut.cuts), Memory::of(cut.share)});
        s.threadBlocks += cut.threadBlocks;
    }
    return s;
}

/// Parts that read the input as floats.
bool needsFloats(const BitloomCudaMatrix& m) {
    return std::any_of(m.parts.begin(), m.parts.end(), [](const auto& part) {
        return part->view.outlierBegin || part->view.rawColumns > 0;
    });
}

void roundInput(BitloomCudaMatrix& m, const Input& input, int32_t tokens) {
    RoundView view{};
    view.input = input;
    view.tokens = tokens;
    view.padded = formAt(formFor(tokens)).padded;
    m.x = input.x;
    m.xStride = input.stride;
    if (input.kind != BITLOOM_CUDA_PLAIN && needsFloats(m)) {
        m.x = view.staged = m.staged;
        m.xStride = m.cols;
    }
    for (const auto& part : m.parts) {
        const PartScratch& s = part->scratch;
        view.part[view.parts++] = {part->view,   s.chunks,       s.tokens,  s.blockScale,
                                   s.blockStart, s.largestInput, s.rounded, view.threadBlocks};
        view.threadBlocks += roundThreadBlocks(part->view);
    }
    check(launchRound(view, m.context->stream), "rounding activations");
}

void columnProduct(BitloomCudaMatrix& m, float* y, int64_t yStride) {
    const int form = formFor(m.prepared);
    const Schedule& s = m.schedule[size_t(form)];
    ProductGroup group{};
    for (const auto& part : m.parts) {
        const Schedule::Cut& cut = s.parts[size_t(group.count)];
        group.first[group.count] = cut.first;
        group.view[group.count++] = {part->view,
                                     part->scratch.chunks,
                                     part->scratch.tokens,
                                     cut.cuts.as<uint32_t>(),
                                     cut.share.as<TileShare>(),
                                     part->scratch.sums,
                                     part->scratch.arrived,
                                     m.x,
                                     m.xStride,
                                     y + part->firstRow,
                                     yStride,
                                     m.prepared,
                                     s.slotBytes};
    }
    check(launchProduct(form, group, s.threadBlocks, s.crews, s.sharedBytes, m.context->stream),
          "multiplying");
}

struct Many {
    BitloomCudaContext& c;
    const float* x;
    int64_t xStride;
    int32_t tokens;
    float* y;
    int64_t yStride;

    void halves(const HalvesView& view, int64_t stride) const {
        c.grow(c.halves, size_t(tokens) * size_t(stride) * 2);
        c.grow(c.factors, size_t(tokens) * 4);
        check(launchHalves(view, x, xStride, tokens, c.halves.as<uint16_t>(), stride,
                           c.factors.as<float>(), c.stream),
              "rounding activations");
    }
    void multiply(const uint16_t* weights, int64_t stride, int64_t rows, int64_t firstRow) const {
        const std::string wrong = c.needGemm().multiply(
            weights, stride, rows, c.halves.as<uint16_t>(), stride, tokens, stride, y + firstRow,
            yStride, c.workspace.as<void>(), c.workspace.bytes(), c.stream);
        if (!wrong.empty()) throw Failure{BITLOOM_CUDA_FAILED, wrong};
    }
    void columns(const ColumnPart& part) const {
        const MatrixView& view = part.view;
        const int64_t stored = view.layout.columns();
        const int64_t stride = (stored + view.rawColumns + 7) / 8 * 8;
        const int64_t rows =
            panelRows(part.tiles * kernels::gpuTileRows, stride, kernels::gpuTileRows);
        c.grow(c.weights, size_t(rows * stride) * 2);
        halves({view.column, stored, view.rawColumn, view.rawColumns, view.cols}, stride);
        for (int64_t first = 0; first < view.rows; first += rows) {
            const int64_t n = std::min(rows, view.rows - first);
            check(launchDequantize(view, first, n, part.place.as<int32_t>(),
                                   c.weights.as<uint16_t>(), stride, c.stream),
                  "unpacking weights");
            multiply(c.weights.as<uint16_t>(), stride, n, part.firstRow + first);
        }
        check(launchRescale(y + part.firstRow, yStride, view.rows, tokens, c.factors.as<float>(), 1,
                            view.rowScale, view.bias, c.stream),
              "scaling results");
    }
    void plainRows(const Rows& plain, int64_t rows, int64_t cols) const {
        halves({nullptr, cols, nullptr, 0, cols}, plain.stride);
        if (plain.type == BITLOOM_CUDA_F16) {
            multiply(plain.numbers.as<uint16_t>(), plain.stride, rows, 0);
        } else {
            const int64_t panel = panelRows(rows, plain.stride, 64);
            c.grow(c.weights, size_t(panel * plain.stride) * 2);
            const int64_t rowBytes = plain.stride * (plain.type == BITLOOM_CUDA_F32 ? 4 : 2);
            for (int64_t first = 0; first < rows; first += panel) {
                const int64_t n = std::min(panel, rows - first);
                check(launchRowsToHalf(plain.type, plain.numbers.as<char>() + first * rowBytes,
                                       plain.stride, n, plain.toHalf, c.weights.as<uint16_t>(),
                                       c.stream),
                      "rounding weights");
                multiply(c.weights.as<uint16_t>(), plain.stride, n, first);
            }
        }
        check(launchRescale(y, yStride, rows, tokens, c.factors.as<float>(), 1 / plain.toHalf,
                            nullptr, plain.bias.as<float>(), c.stream),
              "scaling results");
    }
};

/// Places one behind the other; addresses where there is memory.
struct ScratchPlaces {
    char* base = nullptr;
    size_t used = 0;

    template<class T>
    void take(T*& place, size_t count) {
        used = (used + 255) / 256 * 256;
        place = base ? reinterpret_cast<T*>(base + used) : nullptr;
        used += count * sizeof(T);
    }
};

void layOutScratch(BitloomCudaMatrix& m, ScratchPlaces& zeros, ScratchPlaces& activations) {
    for (const auto& part : m.parts) {
        const MatrixView& view = part->view;
        PartScratch& s = part->scratch;
        activations.take(s.chunks,
                         size_t(view.layout.steps) * size_t(kernels::decode::chunkWords(16)));
        activations.take(s.tokens, 16);
        activations.take(s.blockScale, 16 * size_t(view.blocks));
        activations.take(s.blockStart, 16 * size_t(view.blocks));
        activations.take(s.largestInput, 16 * size_t(roundThreadBlocks(view)));
        zeros.take(s.sums, size_t(16 * part->tiles * kernels::gpuTileRows));
        zeros.take(s.arrived, size_t(part->tiles));
        zeros.take(s.rounded, 16);
    }
    if (m.plain || needsFloats(m))
        activations.take(m.staged, 16 * size_t(m.plain ? m.plain->stride : m.cols));
}

} // namespace

void makeMatrix(BitloomCudaContext& context, const BitloomCudaMatrixSpec* specs, int32_t count,
                BitloomCudaMatrix& matrix) {
    require(specs && count >= 1 && count <= mostParts, "1 to 3 matrices are multiplied as one");
    context.use();
    matrix.context = &context;
    matrix.cols = specs[0].cols;
    for (int32_t i = 0; i < count; ++i) {
        require(specs[i].cols == matrix.cols, "matrices of one input have as many columns");
        matrix.parts.push_back(makeColumns(context, specs[i]));
        matrix.parts.back()->firstRow = matrix.rows;
        matrix.rows += specs[i].rows;
        matrix.bytes += matrix.parts.back()->bytes;
    }
    for (int form = 0; form < forms; ++form)
        matrix.schedule[size_t(form)] = makeSchedule(context, matrix, form);
    takeScratch(matrix);
}

void takeScratch(BitloomCudaMatrix& m) {
    // Twice: how much it is, then where.
    ScratchPlaces zeros, activations;
    layOutScratch(m, zeros, activations);
    m.zeros = m.context->zeros.atLeast(zeros.used);
    m.activations = m.context->activations.atLeast(activations.used);
    zeros = {m.zeros->as<char>()};
    activations = {m.activations->as<char>()};
    layOutScratch(m, zeros, activations);
}

void checkInput(const Input& input) {
    require(input.x && input.kind >= BITLOOM_CUDA_PLAIN && input.kind <= BITLOOM_CUDA_GATED &&
                input.cols > 0 &&
                input.stride >= (input.kind == BITLOOM_CUDA_GATED ? 2 : 1) * input.cols &&
                (input.kind != BITLOOM_CUDA_NORM || input.weight),
            "an input needs numbers, and a norm its weight");
}

void prepare(BitloomCudaMatrix& m, const Input& input, int32_t tokens) {
    checkInput(input);
    require(tokens >= 1 && tokens <= 16 && input.cols == m.cols,
            "a product takes 1 to 16 tokens of as many columns as it has");
    m.context->use();
    m.context->prepared = &m;
    if (m.plain) {
        check(launchStage(input, tokens, m.staged, m.plain->stride, m.context->stream),
              "making activations ready");
        m.x = m.staged;
        m.xStride = m.plain->stride;
    } else {
        roundInput(m, input, tokens);
    }
    m.prepared = tokens;
}

void product(BitloomCudaMatrix& m, float* y, int64_t yStride) {
    require(m.prepared > 0 && m.context->prepared == &m,
            "a product needs the activations that the last preparation was for");
    require(y && yStride >= m.rows, "results need room for every row");
    m.context->use();
    if (!m.plain) return columnProduct(m, y, yStride);
    check(launchRows(m.plain->type,
                     {m.plain->numbers.as<void>(), m.rows, m.plain->stride, m.x,
                      m.plain->bias.as<float>(), y, yStride, m.prepared},
                     m.context->stream),
          "multiplying");
}

void multiplyMany(BitloomCudaMatrix& m, const float* x, int64_t xStride, int32_t tokens, float* y,
                  int64_t yStride) {
    require(x && y && tokens >= 1 && xStride >= m.cols && yStride >= m.rows,
            "results need room for every row");
    requireGrid(tokens);
    m.context->use();
    m.context->needGemm();
    const Many many{*m.context, x, xStride, tokens, y, yStride};
    if (m.plain) many.plainRows(*m.plain, m.rows, m.cols);
    for (const auto& part : m.parts)
        many.columns(*part);
}

} // namespace bitloom::cuda

uint64_t BitloomCudaMatrix::memoryBytes() const {
    uint64_t all = plain ? plain->numbers.bytes() + plain->bias.bytes() : 0;
    for (const auto& part : parts)
        all += part->memoryBytes();
    for (const bitloom::cuda::Schedule& form : schedule)
        for (const auto& cut : form.parts)
            all += cut.cuts.bytes() + cut.share.bytes();
    return all;
}
