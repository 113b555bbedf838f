// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#include "core/format/column_weights.h"

#include "core/base/error.h"
#include "core/base/threads.h"
#include "core/format/stored_shapes.h"
#include "kernels/half.h"

#include <algorithm>
#include <array>
#include <map>
#include <tuple>

namespace bitloom {

namespace {

/// What each code of a column stands for.
void fillValues(const kernels::ColumnCode& code, std::span<float, 256> values) {
    for (int c = 0; c < code.entries(); ++c)
        values[size_t(c)] = code.value(c);
}

void convertRaw(DType dtype, std::span<const uint16_t> in, std::span<float> out) {
    if (dtype == DType::BF16)
        kernels::bfloat16ToFloat(in, out);
    else
        kernels::halfToFloat(in, out);
}

} // namespace

ColumnWeights ColumnWeights::make(int64_t rows, int64_t cols, std::span<const uint8_t> points,
                                  const Menu& menu) {
    if (rows < 1 || cols < 1 || int64_t(points.size()) != cols)
        throw Error("a layer of " + std::to_string(rows) + " × " + std::to_string(cols) +
                    " was given points for " + std::to_string(points.size()) + " columns");
    ColumnWeights made;
    made.rows = rows, made.cols = cols;
    std::tie(made.classes, made.classOf) = classesOf(points, menu, rows);
    made.codes.resize(size_t(rows * cols));
    made.tables.resize(size_t(cols * 32));
    made.scale.resize(size_t(cols));
    made.zero.resize(size_t(cols));
    made.raw.resize(size_t(cols));
    made.outlierRow.resize(size_t(cols));
    made.outlierVal.resize(size_t(cols));
    for (int64_t k = 0; k < cols; ++k) {
        const ColumnClass& of = made.classAt(k);
        if (of.kind == PointKind::Raw) made.raw[size_t(k)].resize(size_t(rows));
        made.outlierRow[size_t(k)].resize(of.outliers);
        made.outlierVal[size_t(k)].resize(of.outliers);
    }
    return made;
}

std::pair<std::vector<ColumnClass>, std::vector<uint8_t>>
classesOf(std::span<const uint8_t> points, const Menu& menu, int64_t rows) {
    std::vector<bool> used(menu.size());
    for (const uint8_t point : points) {
        if (point >= menu.size())
            throw Error("operating point " + std::to_string(point) + " of a menu of " +
                        std::to_string(menu.size()));
        used[point] = true;
    }
    // Points that come to the same for columns this short (0.25 % of 64 is none) share a class.
    std::vector<ColumnClass> byPoint(menu.size()), classes;
    for (size_t p = 0; p < menu.size(); ++p) {
        if (!used[p]) continue;
        const bool isRaw = menu[p].kind == PointKind::Raw;
        byPoint[p] = {.bits = isRaw ? 16 : menu[p].bits,
                      .kind = menu[p].kind,
                      .outliers = isRaw ? 0 : uint32_t(outlierCount(menu[p], rows))};
        classes.push_back(byPoint[p]);
    }
    std::ranges::sort(classes, {}, [](const ColumnClass& of) {
        return std::tuple(-of.bits, of.kind, of.outliers);
    });
    const auto repeated = std::ranges::unique(classes);
    classes.erase(repeated.begin(), repeated.end());

    std::vector<uint8_t> classOfPoint(menu.size()), result(points.size());
    for (size_t p = 0; p < menu.size(); ++p)
        if (used[p])
            classOfPoint[p] = uint8_t(std::ranges::find(classes, byPoint[p]) - classes.begin());
    for (size_t k = 0; k < points.size(); ++k)
        result[k] = classOfPoint[points[k]];
    return {std::move(classes), std::move(result)};
}

kernels::ColumnCode ColumnWeights::code(int64_t column) const {
    const auto k = size_t(column);
    const ColumnClass& of = classAt(column);
    kernels::ColumnCode code;
    code.kind = of.kind;
    code.bits = of.bits;
    code.scale = scale[k];
    code.zero = zero[k];
    std::copy_n(tables.data() + column * 32, 32, code.table);
    return code;
}

void ColumnWeights::setCode(int64_t column, const kernels::ColumnCode& code) {
    const ColumnClass& of = classAt(column);
    if (code.kind != of.kind || code.bits != of.bits)
        throw Error("column " + std::to_string(column) + " is stored with " +
                    std::to_string(of.bits) + " bits of kind " + std::to_string(int(of.kind)) +
                    ", but was given " + std::to_string(code.bits) + " of kind " +
                    std::to_string(int(code.kind)));
    const auto k = size_t(column);
    scale[k] = code.scale;
    zero[k] = code.kind == PointKind::Grid ? code.zero : 0;
    int8_t* table = tables.data() + column * 32;
    std::fill_n(table, 32, int8_t(0));
    if (code.kind == PointKind::Table) std::copy_n(code.table, code.entries(), table);
}

void ColumnWeights::dequantizeColumn(int64_t column, std::span<float> out) const {
    const auto k = size_t(column);
    if (classAt(column).kind == PointKind::Raw) {
        convertRaw(rawDtype, raw[k], out);
        return;
    }
    std::array<float, 256> values;
    fillValues(code(column), values);
    const auto codesHere = columnCodes(column);
    for (size_t n = 0; n < out.size(); ++n)
        out[n] = values[codesHere[n]];
    for (size_t i = 0; i < outlierRow[k].size(); ++i)
        out[outlierRow[k][i]] += kernels::halfToFloat(outlierVal[k][i]);
}

void ColumnWeights::dequantize(std::span<float> out, int threads) const {
    if (int64_t(out.size()) != rows * cols)
        throw Error("a layer of " + std::to_string(rows) + " × " + std::to_string(cols) +
                    " does not fit " + std::to_string(out.size()) + " values");
    // Columns are read and rows written: a tile of 16 columns fills whole cache lines of the
    // output.
    constexpr int64_t tile = 16;
    parallelFor(cols, tile, threads, [&](int64_t begin, int64_t end) {
        const auto width = size_t(end - begin);
        std::vector<float> buffer(width * size_t(rows));
        for (int64_t k = begin; k < end; ++k)
            dequantizeColumn(k,
                             std::span(buffer).subspan(size_t((k - begin) * rows), size_t(rows)));
        for (int64_t n = 0; n < rows; ++n) {
            float* row = out.data() + n * cols + begin;
            for (size_t i = 0; i < width; ++i)
                row[i] = buffer[i * size_t(rows) + size_t(n)];
        }
    });
}

} // namespace bitloom
