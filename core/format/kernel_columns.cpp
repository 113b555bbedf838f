// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#include "core/format/kernel_columns.h"

#include "core/base/error.h"
#include "kernels/half.h"

#include <algorithm>
#include <span>
#include <string>

namespace bitloom {

using kernels::PanelKind;

namespace {

std::span<const int8_t> tableOf(const ColumnWeights& weights, int64_t k) {
    return {weights.tables.data() + k * 32, size_t(1) << weights.classAt(k).bits};
}

} // namespace

PanelKind kernelKind(const ColumnClass& c) {
    switch (c.bits) {
    case 1:
    case 2:
        return PanelKind::Table2;
    case 3:
        return PanelKind::Table3;
    case 4:
        return PanelKind::Table4;
    case 5:
        return c.kind == PointKind::Table ? PanelKind::Plain8 : PanelKind::Plain5;
    case 6:
        return PanelKind::Plain6;
    default:
        return PanelKind::Plain8;
    }
}

int16_t gridOffset(int bits) {
    return int16_t(-(1 << (bits - 1)));
}

KernelColumn kernelColumn(const ColumnWeights& weights, int64_t k) {
    const ColumnClass& c = weights.classAt(k);
    KernelColumn column;
    column.kind = kernelKind(c);
    column.scale = kernels::halfToFloat(weights.scale[size_t(k)]);
    if (c.kind == PointKind::Grid) {
        column.offset = gridOffset(c.bits);
        const float zero = kernels::halfToFloat(weights.zero[size_t(k)]);
        column.remainder = column.scale * (float(-column.offset) - zero);
        for (size_t e = 0; e < column.entries.size(); ++e)
            column.entries[e] = uint8_t(e);
        return column;
    }
    const std::span values = tableOf(weights, k);
    column.offset = *std::ranges::min_element(values);
    const int span = *std::ranges::max_element(values) - column.offset;
    if (c.bits <= 4 && span > (c.bits <= 3 ? 127 : 254))
        throw Error("the table of column " + std::to_string(k) +
                    " is wider than the format allows");
    for (size_t e = 0; e < std::min(values.size(), column.entries.size()); ++e)
        column.entries[e] = uint8_t(values[e] - column.offset);
    return column;
}

std::vector<uint8_t> replacedCodes(const ColumnWeights& weights, int64_t k) {
    const ColumnClass& c = weights.classAt(k);
    std::vector<uint8_t> out;
    if (c.kind != PointKind::Table || c.bits != 5) return out;
    const std::span values = tableOf(weights, k);
    const int8_t least = *std::ranges::min_element(values);
    out.reserve(size_t(weights.rows));
    for (const uint8_t code : weights.columnCodes(k))
        out.push_back(uint8_t(values[code] - least));
    return out;
}

} // namespace bitloom
