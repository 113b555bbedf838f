// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
//
// Packing and unpacking of layout `column` (FORMAT §1). Columns are stored in the stable order of
// their classes; all columns of a class take the same room, so the place of each follows from its
// rank alone and columns can be handled in parallel.
#include "core/base/error.h"
#include "core/base/threads.h"
#include "core/format/stored_shapes.h"
#include "kernels/pack.h"

#include <algorithm>
#include <bit>
#include <cstring>

namespace bitloom {

static_assert(std::endian::native == std::endian::little, "files are little-endian");

namespace {

constexpr int64_t grain = 32; ///< columns handed out at once

/// First element of a column in each tensor.
struct Place {
    int64_t word = 0, entry = 0, scale = 0, zero = 0, raw = 0, outlier = 0;
};

/// By source column.
std::vector<Place> placesOf(int64_t rows, std::span<const ColumnClass> classes,
                            std::span<const uint8_t> classOf) {
    const auto counts = countClasses(classOf, classes.size());
    std::vector<Place> next(classes.size());
    Place at;
    for (size_t s = 0; s < classes.size(); ++s) {
        next[s] = at;
        const ColumnClass& of = classes[s];
        if (of.kind == PointKind::Raw) {
            at.raw += counts[s] * rows;
            continue;
        }
        at.word += counts[s] * kernels::packedWords(rows, of.bits);
        at.scale += counts[s];
        if (of.kind == PointKind::Table) at.entry += counts[s] << of.bits;
        if (of.kind == PointKind::Grid) at.zero += counts[s];
        at.outlier += counts[s] * int64_t(of.outliers);
    }
    std::vector<Place> places(classOf.size());
    for (size_t k = 0; k < classOf.size(); ++k) {
        const ColumnClass& of = classes[classOf[k]];
        Place& here = next[classOf[k]];
        places[k] = here;
        if (of.kind == PointKind::Raw) {
            here.raw += rows;
            continue;
        }
        here.word += kernels::packedWords(rows, of.bits);
        here.scale += 1;
        if (of.kind == PointKind::Table) here.entry += int64_t(1) << of.bits;
        if (of.kind == PointKind::Grid) here.zero += 1;
        here.outlier += int64_t(of.outliers);
    }
    return places;
}

/// What is wrong with a table that kernels are to work with (FORMAT §1); empty if nothing.
std::string tableFault(std::span<const int8_t> table, int bits) {
    if (!std::ranges::is_sorted(table)) return "the table is not in ascending order";
    const int low = table.front(), high = table.back();
    if (bits <= 3 && high - low > 127)
        return "the table spans " + std::to_string(high - low) + "; at most 127 can be with " +
               std::to_string(bits) + " bits";
    if (bits == 4) {
        const int middle = (int(table[7]) + int(table[8])) >> 1; // rounds down, also below zero
        if (low - middle < -128 || high - middle > 126)
            return "the table lies too unevenly around its middle";
    }
    return {};
}

/// What is wrong with a column, codes aside; empty if nothing.
std::string columnFault(const ColumnWeights& weights, int64_t column) {
    const auto k = size_t(column);
    const ColumnClass& of = weights.classAt(column);
    const auto& raw = weights.raw[k];
    const auto& rows = weights.outlierRow[k];
    const auto& values = weights.outlierVal[k];
    if (of.kind == PointKind::Raw) {
        if (int64_t(raw.size()) != weights.rows)
            return "it has " + std::to_string(raw.size()) + " raw values";
        const bool brain = weights.rawDtype == DType::BF16;
        for (const uint16_t value : raw)
            if (!(brain ? isFiniteBfloat16(value) : isFiniteHalf(value)))
                return "a raw value is infinite or not a number";
    } else if (!isFiniteHalf(weights.scale[k])) {
        return "the scale is infinite or not a number";
    } else if (of.kind == PointKind::Grid && !isFiniteHalf(weights.zero[k])) {
        return "the zero is infinite or not a number";
    } else if (of.kind == PointKind::Table) {
        const std::span table(weights.tables.data() + column * 32, size_t(1) << of.bits);
        if (std::string fault = tableFault(table, of.bits); !fault.empty()) return fault;
    }
    if (rows.size() != of.outliers || values.size() != of.outliers)
        return "it has " + std::to_string(rows.size()) + " outliers; its class has " +
               std::to_string(of.outliers);
    for (size_t i = 0; i < rows.size(); ++i) {
        if (int64_t(rows[i]) >= weights.rows)
            return "an outlier lies in row " + std::to_string(rows[i]) + " of " +
                   std::to_string(weights.rows);
        if (i > 0 && rows[i] <= rows[i - 1]) return "its outliers are not in ascending order";
        if (!isFiniteHalf(values[i])) return "an outlier is infinite or not a number";
    }
    return {};
}

void checkColumn(const ColumnWeights& weights, int64_t column, const std::string& where) {
    if (const std::string fault = columnFault(weights, column); !fault.empty())
        throw Error(where + ", column " + std::to_string(column) + ": " + fault);
}

void checkSizes(const ColumnWeights& weights, const std::string& where) {
    const auto cols = size_t(weights.cols);
    const bool fits = weights.rows >= 1 && weights.cols >= 1 && weights.classOf.size() == cols &&
                      weights.codes.size() == cols * size_t(weights.rows) &&
                      weights.tables.size() == cols * 32 && weights.scale.size() == cols &&
                      weights.zero.size() == cols && weights.raw.size() == cols &&
                      weights.outlierRow.size() == cols && weights.outlierVal.size() == cols &&
                      (weights.rawDtype == DType::F16 || weights.rawDtype == DType::BF16);
    if (!fits) throw Error(where + ": its arrays do not fit its shape");
    checkClasses(weights.classes, weights.rows, where);
    for (const uint8_t id : weights.classOf)
        if (id >= weights.classes.size())
            throw Error(where + ": class " + std::to_string(id) + " of " +
                        std::to_string(weights.classes.size()));
}

/// Bytes of the tensors of a layer by suffix; null where the layer has none.
class Tensors {
public:
    explicit Tensors(const StoredShapes& shapes) {
        for (const StoredShape& shape : shapes)
            m_tensors.push_back({std::string(shape.suffix), shape.dtype, shape.shape(),
                                 std::vector<std::byte>(size_t(shape.bytes()))});
    }
    /// Room for `count` elements from element `first` on, of `size` bytes each.
    template<typename T>
    T* at(std::string_view suffix, int64_t first) {
        for (PackedTensor& tensor : m_tensors)
            if (tensor.suffix == suffix) return reinterpret_cast<T*>(tensor.bytes.data()) + first;
        return nullptr;
    }
    std::vector<PackedTensor> take() { return std::move(m_tensors); }

private:
    std::vector<PackedTensor> m_tensors;
};

void packColumn(const ColumnWeights& weights, int64_t column, const Place& place, Tensors& out) {
    const auto k = size_t(column);
    const ColumnClass& of = weights.classAt(column);
    if (of.kind == PointKind::Raw) {
        std::ranges::copy(weights.raw[k], out.at<uint16_t>("raw", place.raw));
        return;
    }
    const auto codes = weights.columnCodes(column);
    if (*std::ranges::max_element(codes) >> of.bits != 0)
        throw Error("column " + std::to_string(column) + ": a code does not fit " +
                    std::to_string(of.bits) + " bits");
    kernels::packCodes(codes, of.bits,
                       {out.at<uint32_t>("codes", place.word),
                        size_t(kernels::packedWords(weights.rows, of.bits))});
    *out.at<uint16_t>("scale", place.scale) = weights.scale[k];
    if (of.kind == PointKind::Grid) *out.at<uint16_t>("zero", place.zero) = weights.zero[k];
    if (of.kind == PointKind::Table)
        std::copy_n(weights.tables.data() + column * 32, size_t(1) << of.bits,
                    out.at<int8_t>("tables", place.entry));
    if (of.outliers == 0) return;
    if (weights.rows > 65535)
        std::ranges::copy(weights.outlierRow[k], out.at<uint32_t>("out_row", place.outlier));
    else
        std::ranges::transform(weights.outlierRow[k], out.at<uint16_t>("out_row", place.outlier),
                               [](uint32_t row) { return uint16_t(row); });
    std::ranges::copy(weights.outlierVal[k], out.at<uint16_t>("out_val", place.outlier));
}

/// Copies elements out of bytes that may lie at any address.
template<typename T>
void copyOut(std::span<const std::byte> bytes, int64_t first, std::span<T> out) {
    if (!out.empty()) // memcpy must not be given the null of an absent tensor
        std::memcpy(out.data(), bytes.data() + first * int64_t(sizeof(T)), out.size_bytes());
}

/// The stored tensors of a layer as bytes, empty where there is none.
struct Sources {
    std::span<const std::byte> codes, tables, scale, zero, raw, outRow, outVal;
};

void unpackOne(const Sources& in, int64_t column, const Place& place, const std::string& where,
               std::vector<uint32_t>& words, ColumnWeights& out) {
    const auto k = size_t(column);
    const ColumnClass& of = out.classAt(column);
    if (of.kind == PointKind::Raw) {
        out.raw[k].resize(size_t(out.rows));
        copyOut(in.raw, place.raw, std::span(out.raw[k]));
        return;
    }
    words.resize(size_t(kernels::packedWords(out.rows, of.bits)));
    copyOut(in.codes, place.word, std::span(words));
    const int64_t padding = int64_t(words.size()) * 32 - out.rows * of.bits;
    if (padding > 0 && words.back() >> (32 - padding) != 0)
        throw Error(where + ", column " + std::to_string(column) + ": the padding is not zero");
    kernels::unpackCodes(words, of.bits, out.columnCodes(column));
    copyOut(in.scale, place.scale, std::span(out.scale).subspan(k, 1));
    if (of.kind == PointKind::Grid) copyOut(in.zero, place.zero, std::span(out.zero).subspan(k, 1));
    if (of.kind == PointKind::Table)
        copyOut(in.tables, place.entry,
                std::span(out.tables).subspan(k * 32, size_t(1) << of.bits));
    out.outlierRow[k].resize(of.outliers);
    out.outlierVal[k].resize(of.outliers);
    copyOut(in.outVal, place.outlier, std::span(out.outlierVal[k]));
    if (out.rows > 65535) {
        copyOut(in.outRow, place.outlier, std::span(out.outlierRow[k]));
    } else {
        std::vector<uint16_t> rows(of.outliers);
        copyOut(in.outRow, place.outlier, std::span(rows));
        std::ranges::copy(rows, out.outlierRow[k].begin());
    }
}

} // namespace

std::vector<TensorSpec> columnSpecs(const std::string& layer, int64_t rows,
                                    std::span<const ColumnClass> classes,
                                    std::span<const uint8_t> classOf, DType rawDtype) {
    const auto counts = countClasses(classOf, classes.size());
    std::vector<TensorSpec> specs;
    for (const StoredShape& shape :
         columnShapes(rows, int64_t(classOf.size()), classes, counts, rawDtype))
        specs.push_back({layer + "." + std::string(shape.suffix), shape.dtype, shape.shape()});
    return specs;
}

int64_t packedBytes(const ColumnWeights& weights) {
    const auto counts = countClasses(weights.classOf, weights.classes.size());
    int64_t bytes = 0;
    for (const StoredShape& shape :
         columnShapes(weights.rows, weights.cols, weights.classes, counts, weights.rawDtype))
        bytes += shape.bytes();
    return bytes;
}

std::vector<PackedTensor> pack(const ColumnWeights& weights) {
    const std::string where = "column weights";
    checkSizes(weights, where);
    const auto counts = countClasses(weights.classOf, weights.classes.size());
    Tensors out(
        columnShapes(weights.rows, weights.cols, weights.classes, counts, weights.rawDtype));
    const auto places = placesOf(weights.rows, weights.classes, weights.classOf);
    parallelFor(weights.cols, grain, defaultThreads(), [&](int64_t begin, int64_t end) {
        for (int64_t k = begin; k < end; ++k) {
            checkColumn(weights, k, where);
            packColumn(weights, k, places[size_t(k)], out);
        }
    });
    std::ranges::copy(weights.classOf, out.at<uint8_t>("classes", 0));
    for (size_t s = 0; s < weights.classes.size(); ++s) {
        *out.at<uint8_t>("class_bits", int64_t(s)) = uint8_t(weights.classes[s].bits);
        *out.at<uint8_t>("class_kinds", int64_t(s)) = uint8_t(weights.classes[s].kind);
        *out.at<uint32_t>("class_outliers", int64_t(s)) = weights.classes[s].outliers;
    }
    return out.take();
}

ColumnWeights unpackColumn(const std::string& layer, int64_t rows, int64_t cols,
                           const TensorsBySuffix& tensors) {
    const std::string where = "layer '" + layer + "'";
    if (rows < 1 || cols < 1) throw Error(where + " has no weights");
    ColumnWeights out;
    out.rows = rows, out.cols = cols;
    StoredClasses stored = readClasses(layer, rows, cols, tensors);
    out.classes = std::move(stored.classes);
    out.classOf = std::move(stored.classOf);
    if (const auto raw = tensors.find("raw");
        raw != tensors.end() && raw->second.first.dtype == DType::BF16)
        out.rawDtype = DType::BF16;

    const auto counts = countClasses(out.classOf, out.classes.size());
    const StoredShapes shapes = columnShapes(rows, cols, out.classes, counts, out.rawDtype);
    refuseOthers(layer, shapes, tensors);
    std::map<std::string_view, std::span<const std::byte>> bytes;
    for (const StoredShape& shape : shapes)
        bytes[shape.suffix] = requireStored(layer, shape, tensors);
    const Sources in{bytes["codes"], bytes["tables"],  bytes["scale"],  bytes["zero"],
                     bytes["raw"],   bytes["out_row"], bytes["out_val"]};

    out.codes.resize(size_t(rows * cols));
    out.tables.resize(size_t(cols * 32));
    out.scale.resize(size_t(cols));
    out.zero.resize(size_t(cols));
    out.raw.resize(size_t(cols));
    out.outlierRow.resize(size_t(cols));
    out.outlierVal.resize(size_t(cols));
    const auto places = placesOf(rows, out.classes, out.classOf);
    parallelFor(cols, grain, defaultThreads(), [&](int64_t begin, int64_t end) {
        std::vector<uint32_t> words;
        for (int64_t k = begin; k < end; ++k) {
            unpackOne(in, k, places[size_t(k)], where, words, out);
            checkColumn(out, k, where);
        }
    });
    return out;
}

} // namespace bitloom
