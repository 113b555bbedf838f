// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#include "core/engine/runtime/linear.h"

#include "core/base/error.h"
#include "core/base/huge_buffer.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstring>

namespace bitloom::runtime {

namespace {

/// Rows' bytes in a part: a 32nd of the matrix, so that threads end together, within these limits:
/// long parts are what memory likes, short ones let the threads share a small matrix.
constexpr int64_t partsWanted = 32, leastPartBytes = 32 << 10, mostPartBytes = 1 << 20;
/// Blocks of 128 activations made ready in one step.
constexpr int64_t stepBlocks = 8;

int64_t tilesOf(int64_t tokens) {
    return (tokens + PanelWeights::tokenTile - 1) / PanelWeights::tokenTile;
}

template<class Bits>
bool anyHasAllOf(const std::byte* data, int64_t elements, Bits mask) {
    bool found = false;
    for (int64_t i = 0; i < elements; ++i) {
        Bits bits;
        std::memcpy(&bits, data + i * int64_t(sizeof bits), sizeof bits);
        found |= (bits & mask) == mask;
    }
    return found;
}

/// Exponents of all ones: infinite or not a number.
bool allFinite(const kernels::RowMatrix& m, int64_t begin, int64_t end) {
    const std::byte* data =
        static_cast<const std::byte*>(m.data) + begin * m.stride * kernels::rowTypeBytes(m.type);
    const int64_t elements = (end - begin) * m.stride;
    switch (m.type) {
    case kernels::RowType::F32:
        return !anyHasAllOf<uint32_t>(data, elements, 0x7f800000u);
    case kernels::RowType::F16:
        return !anyHasAllOf<uint16_t>(data, elements, uint16_t(0x7c00));
    case kernels::RowType::BF16:
        return !anyHasAllOf<uint16_t>(data, elements, uint16_t(0x7f80));
    case kernels::RowType::I8:
        return true;
    }
    return true;
}

StoredRows floatRows(int64_t rows, int64_t cols) {
    auto owner = std::make_shared<std::vector<float>>(size_t(rows * cols));
    return {{owner->data(), kernels::RowType::F32, rows, cols, cols}, {}, owner};
}

std::span<float> valuesOf(const StoredRows& stored) {
    return *std::const_pointer_cast<std::vector<float>>(
        std::static_pointer_cast<const std::vector<float>>(stored.owner));
}

} // namespace

/// Every value is looked at: that reads the file as well, so that the first token need not.
void Linear::takeStored(StoredRows stored, const std::string& tensor, Team& team) {
    if (!stored.matrix.data)
        throw Error("tensor '" + tensor + "' can only be made up on a GPU",
                    "Measure with --device cpu.");
    m_stored = std::move(stored);
    m_rows = m_stored.matrix.rows;
    m_cols = m_stored.matrix.cols;
    std::atomic<bool> finite{true};
    const int64_t rows = rowsOfPart();
    team.forEach(rowParts(), [&](int64_t part) {
        const int64_t begin = part * rows, end = std::min(begin + rows, m_rows);
        if (!allFinite(m_stored.matrix, begin, end)) finite = false;
    });
    if (!finite)
        throw Error("tensor '" + tensor + "' holds a value that is infinite or not a number",
                    "The file is damaged: copy or make the checkpoint again.");
}

Linear Linear::layer(const ModelWeights& weights, const LinearInfo& info, Team& team) {
    Linear out;
    const std::string tensor = info.name + ".weight";
    if (std::optional<ColumnWeights> columns = weights.columns(info.name)) {
        if (columns->codes.empty())
            throw Error("tensor '" + tensor + "' can only be made up on a GPU",
                        "Measure with --device cpu.");
        out.m_panels = std::make_shared<PanelWeights>(*columns, team.threads());
        out.m_rows = info.rows;
        out.m_cols = info.cols;
    } else if (std::optional<StoredRows> stored = weights.storedRows(tensor)) {
        out.takeStored(std::move(*stored), tensor, team);
    } else {
        StoredRows made = floatRows(info.rows, info.cols);
        weights.readLinear(info.name, valuesOf(made), team.threads());
        out.takeStored(std::move(made), tensor, team);
    }
    if (info.bias) {
        out.m_bias.resize(size_t(info.rows));
        weights.readTensor(info.name + ".bias", out.m_bias);
    }
    return out;
}

Linear Linear::rows(const ModelWeights& weights, const std::string& tensor, int64_t rows,
                    int64_t cols, Team& team) {
    Linear out;
    std::optional<StoredRows> stored = weights.storedRows(tensor);
    if (stored && stored->matrix.type == kernels::RowType::I8) {
        const auto* codes = static_cast<const int8_t*>(stored->matrix.data);
        out.m_panels = std::make_shared<PanelWeights>(std::span(codes, size_t(rows * cols)),
                                                      stored->rowScale, cols, team.threads());
        out.m_rows = rows;
        out.m_cols = cols;
    } else if (stored) {
        out.takeStored(std::move(*stored), tensor, team);
    } else {
        StoredRows made = floatRows(rows, cols);
        weights.readTensor(tensor, valuesOf(made));
        out.takeStored(std::move(made), tensor, team);
    }
    return out;
}

Linear Linear::copy() const {
    Linear out = *this;
    if (m_panels) {
        out.m_panels = std::make_shared<PanelWeights>(*m_panels);
    } else {
        const auto bytes = size_t(Linear::bytes());
        auto buffer = std::make_shared<HugeBuffer>(bytes);
        std::memcpy(buffer->data(), m_stored.matrix.data, bytes);
        out.m_stored.matrix.data = buffer->data();
        out.m_stored.owner = buffer;
    }
    return out;
}

int64_t Linear::bytes() const {
    if (m_panels) return m_panels->bytes();
    return m_rows * m_cols * kernels::rowTypeBytes(m_stored.matrix.type);
}

int64_t Linear::rowsOfPart() const {
    const int64_t rowBytes = m_cols * kernels::rowTypeBytes(m_stored.matrix.type);
    const int64_t wanted =
        std::clamp(m_rows * rowBytes / partsWanted, leastPartBytes, mostPartBytes);
    // Rows go four at a time.
    return std::clamp<int64_t>(wanted / std::max<int64_t>(rowBytes, 1) / 4 * 4, 1, m_rows);
}

int64_t Linear::rowParts() const {
    const int64_t rows = rowsOfPart();
    return (m_rows + rows - 1) / rows;
}

int64_t Linear::parts(const Input& input) const {
    if (m_panels) return m_panels->panels() * tilesOf(input.x.count);
    return input.x.count < kernels::manyVectors
               ? rowParts()
               : (m_rows + kernels::manyRows - 1) / kernels::manyRows;
}

void Linear::begin(const kernels::RowVectors& x, Input& input) const {
    input.x = x;
    if (m_panels) m_panels->begin(x.data, x.count, x.stride, input.prepared);
}

int64_t Linear::prepareSteps(const Input& input) const {
    if (!m_panels) return 0;
    return (input.x.count * m_panels->blocks() + stepBlocks - 1) / stepBlocks;
}

void Linear::prepare(Input& input, int64_t step) const {
    const int64_t first = step * stepBlocks;
    m_panels->prepareBlocks(first, std::min(first + stepBlocks, input.x.count * m_panels->blocks()),
                            input.prepared);
}

void Linear::multiply(const Input& input, int64_t part, float* y, int64_t yStride) const {
    if (m_panels) {
        // Tiles of tokens one after the other: a panel stays in the cache for the next.
        const int64_t tiles = tilesOf(input.x.count), panel = part / tiles;
        const int64_t token = part % tiles * PanelWeights::tokenTile;
        m_panels->multiply(input.prepared, panel, panel + 1, token,
                           std::min(token + PanelWeights::tokenTile, input.x.count), y, yStride);
        return;
    }
    const bool many = input.x.count >= kernels::manyVectors;
    const int64_t rows = many ? kernels::manyRows : rowsOfPart(), first = part * rows;
    kernels::RowMatrix own = m_stored.matrix;
    own.data = static_cast<const std::byte*>(own.data) +
               first * own.stride * kernels::rowTypeBytes(own.type);
    own.rows = std::min(rows, m_rows - first);
    const kernels::DenseRowKernels& kernels = kernels::denseRowKernels();
    (many ? kernels.multiplyMany : kernels.multiply)(own, input.x, y + first, yStride);
}

void multiplyAll(Team& team, std::span<const Product> products) {
    // Which matrix an item belongs to is found by counting: there are three at most.
    int64_t steps = 0, parts = 0;
    for (const Product& p : products) {
        steps += p.linear->prepareSteps(*p.input);
        parts += p.linear->parts(*p.input);
    }
    team.forEach(steps, [&](int64_t i) {
        for (const Product& p : products) {
            const int64_t own = p.linear->prepareSteps(*p.input);
            if (i < own) return p.linear->prepare(*p.input, i);
            i -= own;
        }
    });
    team.forEach(parts, [&](int64_t i) {
        for (const Product& p : products) {
            const int64_t own = p.linear->parts(*p.input);
            if (i < own) return p.linear->multiply(*p.input, i, p.y, p.yStride);
            i -= own;
        }
    });
}

} // namespace bitloom::runtime
