// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include "core/io/safetensors.h"
#include "core/plan/plan.h"
#include "core/stats/operating_point.h"

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace bitloom {

/// One stored tensor of a quantized layer: the part behind the layer's name (".codes") and its
/// bytes.
struct PackedTensor {
    std::string suffix; ///< "codes", "tables", …
    DType dtype = DType::U8;
    std::vector<int64_t> shape;
    std::vector<std::byte> bytes;
};

/// A class of columns that are stored alike (layout `column`, FORMAT §1).
struct ColumnClass {
    int bits = 4; ///< 16 for Raw
    PointKind kind = PointKind::Table;
    uint32_t outliers = 0; ///< per column
    bool operator==(const ColumnClass&) const = default;
};

/// The classes that `points` need, widest first, and the class of each column. Points that come to
/// the same for columns of `rows` weights (0.25 % of 64 is no outlier) share a class.
std::pair<std::vector<ColumnClass>, std::vector<uint8_t>> classesOf(std::span<const uint8_t> points,
                                                                    const Menu& menu, int64_t rows);

/// Layout `column` unpacked: what quantizers produce and what readers give back. Columns are in
/// source order here; sorting by class happens in packing.
struct ColumnWeights {
    int64_t rows = 0, cols = 0;
    std::vector<ColumnClass> classes;  ///< widest first: bits descending, then kind, then outliers
    std::vector<uint8_t> classOf;      ///< [K]
    std::vector<uint8_t> codes;        ///< [K, N]; unused for raw columns
    std::vector<int8_t> tables;        ///< [K, 32]; the first 2^bits count
    std::vector<uint16_t> scale, zero; ///< [K] fp16 bits; zero of grids only
    DType rawDtype = DType::F16;       ///< F16 or BF16
    std::vector<std::vector<uint16_t>> raw;        ///< [K]; N values for raw columns, else empty
    std::vector<std::vector<uint32_t>> outlierRow; ///< [K]; ascending
    std::vector<std::vector<uint16_t>>
        outlierVal; ///< [K]; fp16 bits, added to the dequantized value

    /// A layer with the classes that `points` need; all arrays have their full size (raw columns N
    /// values, outliers as many as the class says) and hold zeros, for the quantizer to fill.
    static ColumnWeights make(int64_t rows, int64_t cols, std::span<const uint8_t> points,
                              const Menu& menu);
    const ColumnClass& classAt(int64_t column) const { return classes[classOf[size_t(column)]]; }
    kernels::ColumnCode code(int64_t column) const;
    void setCode(int64_t column, const kernels::ColumnCode& code);
    std::span<uint8_t> columnCodes(int64_t column) {
        return {codes.data() + column * rows, size_t(rows)};
    }
    std::span<const uint8_t> columnCodes(int64_t column) const {
        return {codes.data() + column * rows, size_t(rows)};
    }
    /// Writes column k dequantized, outliers added, to out [N].
    void dequantizeColumn(int64_t column, std::span<float> out) const;
    /// The whole layer, row-major [N, K], as nn.Linear.weight; on up to `threads` threads.
    void dequantize(std::span<float> out, int threads) const;
};

/// Layout `group` unpacked (RTN, GPTQ): value = scale·(code − zero), groups of g columns per row.
struct GroupWeights {
    int64_t rows = 0, cols = 0;
    int bits = 4;
    int64_t groupSize = 128;
    bool symmetric = false;
    std::vector<uint8_t> codes;  ///< [N, K]
    std::vector<uint16_t> scale; ///< [N, ⌈K/g⌉] fp16 bits
    std::vector<uint8_t> zero;   ///< [N, ⌈K/g⌉]; 2^(bits−1) everywhere where symmetric
    std::vector<uint16_t>
        groupIndex; ///< [K] group of each column where act-order keeps groups; else empty

    void dequantize(std::span<float> out, int threads) const;
};

/// Shapes and dtypes of what pack() will give, from the classes alone.
std::vector<TensorSpec> columnSpecs(const std::string& layer, int64_t rows,
                                    std::span<const ColumnClass> classes,
                                    std::span<const uint8_t> classOf, DType rawDtype);
struct GroupFormat {
    int bits = 4;
    int64_t groupSize = 128;
    bool symmetric = false, actOrder = false;
};
std::vector<TensorSpec> groupSpecs(const std::string& layer, int64_t rows, int64_t cols,
                                   const GroupFormat& format);

/// Bytes that pack() will give, from the shape and the classes alone.
int64_t packedBytes(const ColumnWeights& weights);
int64_t packedBytes(const GroupWeights& weights);

/// Throw Error for weights that FORMAT §1 does not allow; on as many threads as there are cores.
std::vector<PackedTensor> pack(const ColumnWeights& weights);
std::vector<PackedTensor> pack(const GroupWeights& weights);
/// `tensors` by suffix. Every size, range and order that FORMAT §1 states is checked; throws Error
/// naming layer and tensor.
using TensorsBySuffix = std::map<std::string, std::pair<TensorInfo, std::span<const std::byte>>>;
ColumnWeights unpackColumn(const std::string& layer, int64_t rows, int64_t cols,
                           const TensorsBySuffix& tensors);
GroupWeights unpackGroup(const std::string& layer, int64_t rows, int64_t cols,
                         const GroupFormat& format, const TensorsBySuffix& tensors);

} // namespace bitloom
