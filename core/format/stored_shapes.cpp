// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#include "core/format/stored_shapes.h"

#include "core/base/error.h"
#include "kernels/pack.h"

#include <algorithm>
#include <cstring>
#include <tuple>

namespace bitloom {

namespace {

int64_t& partOf(SizeParts& parts, StoredPart part) {
    switch (part) {
    case StoredPart::Codes:
        return parts.codes;
    case StoredPart::Tables:
        return parts.tables;
    case StoredPart::Scales:
        return parts.scales;
    case StoredPart::Classes:
        return parts.classes;
    case StoredPart::Outliers:
        return parts.outliers;
    case StoredPart::Raw:
        break;
    }
    return parts.raw;
}

} // namespace

const StoredShape* StoredShapes::find(std::string_view suffix) const {
    const auto* found =
        std::find_if(begin(), end(), [&](auto& item) { return item.suffix == suffix; });
    return found == end() ? nullptr : found;
}

void StoredShapes::add(std::string_view suffix, DType dtype, StoredPart part, int64_t length) {
    if (length > 0) m_items[m_count++] = {suffix, dtype, part, 1, {length, 0}};
}

void StoredShapes::add(std::string_view suffix, DType dtype, StoredPart part, int64_t rows,
                       int64_t cols) {
    if (rows > 0 && cols > 0) m_items[m_count++] = {suffix, dtype, part, 2, {rows, cols}};
}

StoredShapes columnShapes(int64_t rows, int64_t cols, std::span<const ColumnClass> classes,
                          std::span<const int64_t> counts, DType rawDtype) {
    StoredShapes shapes;
    int64_t words = 0, entries = 0, scales = 0, zeros = 0, rawColumns = 0, outliers = 0;
    for (size_t s = 0; s < classes.size(); ++s) {
        const ColumnClass& of = classes[s];
        const int64_t count = counts[s];
        if (of.kind == PointKind::Raw) {
            rawColumns += count;
            continue;
        }
        const int64_t columnWords = kernels::packedWords(rows, of.bits);
        words += count * columnWords;
        shapes.paddingBits += count * (columnWords * 32 - rows * of.bits);
        scales += count;
        if (of.kind == PointKind::Table) entries += count << of.bits;
        if (of.kind == PointKind::Grid) zeros += count;
        outliers += count * int64_t(of.outliers);
    }
    const auto length = int64_t(classes.size());
    shapes.add("classes", DType::U8, StoredPart::Classes, cols);
    shapes.add("class_bits", DType::U8, StoredPart::Classes, length);
    shapes.add("class_kinds", DType::U8, StoredPart::Classes, length);
    shapes.add("class_outliers", DType::U32, StoredPart::Classes, length);
    shapes.add("codes", DType::U32, StoredPart::Codes, words);
    shapes.add("tables", DType::I8, StoredPart::Tables, entries);
    shapes.add("scale", DType::F16, StoredPart::Scales, scales);
    shapes.add("zero", DType::F16, StoredPart::Scales, zeros);
    shapes.add("raw", rawDtype, StoredPart::Raw, rawColumns, rows);
    shapes.add("out_row", rows > 65535 ? DType::U32 : DType::U16, StoredPart::Outliers, outliers);
    shapes.add("out_val", DType::F16, StoredPart::Outliers, outliers);
    return shapes;
}

StoredShapes groupShapes(int64_t rows, int64_t cols, const GroupFormat& format) {
    StoredShapes shapes;
    const int64_t words = kernels::packedWords(cols, format.bits);
    const int64_t groups = groupCount(cols, format.groupSize);
    shapes.paddingBits = rows * (words * 32 - cols * format.bits);
    shapes.add("codes", DType::U32, StoredPart::Codes, rows, words);
    shapes.add("group_scale", DType::F16, StoredPart::Scales, rows, groups);
    if (!format.symmetric) shapes.add("group_zero", DType::U8, StoredPart::Scales, rows, groups);
    if (format.actOrder) shapes.add("group_index", DType::U16, StoredPart::Classes, cols);
    return shapes;
}

void addStored(SizeParts& parts, const StoredShapes& shapes, int64_t& paddingBits) {
    for (const StoredShape& shape : shapes) {
        partOf(parts, shape.part) += shape.bytes();
        parts.linearBytes += shape.bytes();
    }
    paddingBits += shapes.paddingBits;
}

void splitPadding(SizeParts& parts, int64_t paddingBits) {
    parts.padding = paddingBits / 8;
    parts.codes -= parts.padding;
}

std::vector<int64_t> countClasses(std::span<const uint8_t> classOf, size_t classes) {
    // Four histograms: neighbours are often of one class, and one counter would be a chain of
    // dependent stores.
    std::array<std::array<uint32_t, 256>, 4> partial{};
    size_t k = 0;
    for (; k + 4 <= classOf.size(); k += 4)
        for (size_t i = 0; i < 4; ++i)
            ++partial[i][classOf[k + i]];
    for (; k < classOf.size(); ++k)
        ++partial[0][classOf[k]];
    std::vector<int64_t> counts(classes);
    for (size_t s = 0; s < classes; ++s)
        for (const auto& part : partial)
            counts[s] += part[s];
    return counts;
}

void checkClasses(std::span<const ColumnClass> classes, int64_t rows, const std::string& where) {
    const auto fail = [&](size_t s, const std::string& what) {
        throw Error(where + ": class " + std::to_string(s) + " " + what);
    };
    if (classes.empty() || classes.size() > 256)
        throw Error(where + ": " + std::to_string(classes.size()) + " classes; 1 to 256 can be");
    for (size_t s = 0; s < classes.size(); ++s) {
        const ColumnClass& of = classes[s];
        const bool known =
            (of.kind == PointKind::Table && of.bits >= 1 && of.bits <= 5) ||
            (of.kind == PointKind::Grid && of.bits >= 2 && of.bits <= 8 && of.bits != 7) ||
            (of.kind == PointKind::Raw && of.bits == 16);
        if (!known)
            fail(s, "has " + std::to_string(of.bits) + " bits of kind " +
                        std::to_string(int(of.kind)) + ", which this version does not know");
        if (of.kind == PointKind::Raw ? of.outliers != 0 : int64_t(of.outliers) > rows)
            fail(s, "has " + std::to_string(of.outliers) + " outliers in a column of " +
                        std::to_string(rows));
        const auto key = [](const ColumnClass& c) {
            return std::tuple(-c.bits, c.kind, c.outliers);
        };
        if (s > 0 && !(key(classes[s - 1]) < key(of)))
            fail(s, "is out of order: the widest come first, none twice");
    }
}

void checkGroupFormat(const GroupFormat& format, int64_t cols, const std::string& where) {
    if (format.bits < 2 || format.bits > 8)
        throw Error(where + ": groups of " + std::to_string(format.bits) +
                    " bits; 2 to 8 can be stored");
    if (format.groupSize < 1)
        throw Error(where + ": group size " + std::to_string(format.groupSize));
    if (groupCount(cols, format.groupSize) > 65536 && format.actOrder)
        throw Error(where + ": more than 65536 groups cannot be reordered");
}

std::span<const std::byte> requireStored(const std::string& layer, const StoredShape& shape,
                                         const TensorsBySuffix& tensors) {
    const auto found = tensors.find(std::string(shape.suffix));
    const std::string name = layer + "." + std::string(shape.suffix);
    if (found == tensors.end()) throw Error("tensor '" + name + "' is missing");
    const auto& [info, bytes] = found->second;
    if (info.dtype != shape.dtype || info.shape != shape.shape())
        throw Error("tensor '" + name + "' is " + std::string(dtypeName(info.dtype)) + " " +
                    shapeText(info.shape) + "; it should be " +
                    std::string(dtypeName(shape.dtype)) + " " + shapeText(shape.shape()));
    if (int64_t(bytes.size()) != shape.bytes())
        throw Error("tensor '" + name + "' has " + std::to_string(bytes.size()) + " bytes");
    return bytes;
}

void refuseOthers(const std::string& layer, const StoredShapes& shapes,
                  const TensorsBySuffix& tensors) {
    for (const auto& [suffix, ignored] : tensors)
        if (!shapes.find(suffix))
            throw Error("tensor '" + layer + "." + suffix + "' does not belong there");
}

StoredClasses readClasses(const std::string& layer, int64_t rows, int64_t cols,
                          const TensorsBySuffix& tensors) {
    const auto found = tensors.find("class_bits");
    const int64_t length = found == tensors.end() || found->second.first.shape.size() != 1
                               ? 1 // the next lines name what is wrong
                               : found->second.first.shape[0];
    if (length < 1 || length > 256)
        throw Error("tensor '" + layer + ".class_bits' lists " + std::to_string(length) +
                    " classes; 1 to 256 can be");
    const auto part = StoredPart::Classes;
    const auto require = [&](std::string_view suffix, DType dtype, int64_t size) {
        return requireStored(layer, {suffix, dtype, part, 1, {size, 0}}, tensors);
    };
    const auto bits = require("class_bits", DType::U8, length);
    const auto kinds = require("class_kinds", DType::U8, length);
    const auto outliers = require("class_outliers", DType::U32, length);
    StoredClasses result;
    for (int64_t s = 0; s < length; ++s) {
        ColumnClass of{.bits = int(bits[size_t(s)]), .kind = PointKind(kinds[size_t(s)])};
        std::memcpy(&of.outliers, outliers.data() + s * 4, 4);
        result.classes.push_back(of);
    }
    checkClasses(result.classes, rows, "layer '" + layer + "'");
    const auto ids = require("classes", DType::U8, cols);
    result.classOf.resize(size_t(cols));
    std::memcpy(result.classOf.data(), ids.data(), ids.size());
    const auto largest = *std::ranges::max_element(result.classOf);
    if (largest >= length)
        throw Error("tensor '" + layer + ".classes' names class " + std::to_string(largest) +
                    ", but there are " + std::to_string(length));
    return result;
}

} // namespace bitloom
