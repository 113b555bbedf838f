// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include "core/base/huge_buffer.h"
#include "core/format/column_weights.h"
#include "kernels/column_panels.h"

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

namespace bitloom {

/// A column layer repacked for multiplying with vectors at the speed of memory (KERNELS §2, §4):
/// segments of one width, panels of 256 rows. Immutable: const members may run on several threads.
///
/// Every kind of column ends up in one of the kernels' six: tables of 1 and 5 bits as wider ones,
/// grids as tables of their codes; what a fractional zero adds is the same for all rows and becomes
/// one number for each input. Column scales go into the activations, which are then rounded to
/// 15 bits in blocks of 128 columns; raw columns and outliers are multiplied in float32 with the
/// activations as they are.
class PanelWeights {
public:
    /// Throws Error for weights that break FORMAT's limits on tables.
    PanelWeights(const ColumnWeights& weights, int threads);

    int64_t rows() const { return m_rows; }
    int64_t cols() const { return m_cols; }
    int64_t panels() const { return (m_rows + kernels::panelRows - 1) / kernels::panelRows; }
    /// Memory that a product reads: codes, tables, raw columns, outliers.
    int64_t bytes() const;
    const std::vector<kernels::PanelSegment>& segments() const { return m_segments; }

    /// One input, prepared; reused from product to product without allocating.
    struct Input {
        std::vector<float> x;      ///< [K], source order
        std::vector<float> stored; ///< [Σ segment columns], times the columns' scales
        std::vector<int8_t> high, low;
        std::vector<float> scale;
        std::vector<int32_t> start, sum;
        std::vector<double> bias; ///< [blocks], of all rows
        std::vector<float> raw;   ///< [raw columns]
    };
    /// `x` [K] in source order.
    void prepare(std::span<const float> x, Input& input) const;
    /// The same in parts, which may run side by side after one call of `begin`: activation blocks
    /// [first, last) of blocks().
    void begin(std::span<const float> x, Input& input) const;
    void prepareBlocks(int64_t first, int64_t last, Input& input) const;
    int64_t blocks() const { return int64_t(m_blockBegin.size()) - 1; }

    /// y [rows] for the rows of panels [first, last); the rest of `y` stays. `kernels`: which
    /// version, by default the fastest.
    void multiply(const Input& input, int64_t first, int64_t last, std::span<float> y,
                  const kernels::PanelKernels& kernels = kernels::panelKernels()) const;

private:
    struct Place {
        int64_t column;      ///< source column, −1 = padding
        float scale = 0;     ///< of the column
        float remainder = 0; ///< scale·(−offset − zero) of a grid: what codes do not hold
    };
    void place(const ColumnWeights& weights);
    void packPanels(const ColumnWeights& weights, int threads);
    void collectOutliers(const ColumnWeights& weights);
    int64_t paddedRows(int64_t panel) const;
    void addOutliers(const Input& input, int64_t firstRow, int64_t rows, float* y) const;

    int64_t m_rows = 0, m_cols = 0;
    std::vector<kernels::PanelSegment> m_segments;
    std::vector<Place> m_places;                 ///< stored order, padding included
    std::vector<int16_t> m_offsets;              ///< the same
    std::vector<int64_t> m_blockBegin;           ///< [blocks + 1], places
    std::vector<kernels::PanelKind> m_blockKind; ///< [blocks]
    std::vector<uint8_t> m_tables;
    HugeBuffer m_codes;            ///< panel after panel
    std::vector<size_t> m_panelAt; ///< [panels + 1], bytes
    DType m_rawDtype = DType::F16;
    std::vector<int64_t> m_rawColumns;
    std::vector<uint16_t> m_raw;          ///< [raw columns, N]
    std::vector<uint32_t> m_outlierBegin; ///< [N + 1], or empty
    // Two bytes each: 0.5 % of outliers add 0.16 bits per weight to what is read.
    std::vector<uint16_t> m_outlierColumn, m_outlierValue; ///< fp16
    std::vector<uint32_t> m_wideColumn; ///< instead, for more columns than 16 bits can name
};

} // namespace bitloom
