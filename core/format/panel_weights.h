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

/// A column layer repacked for multiplying with one vector at the speed of memory and with many at
/// that of the byte multipliers (KERNELS §2, §4): segments of one width, panels of 256 rows.
/// Immutable: const members may run on several threads.
///
/// Every kind of column ends up in one of the kernels' six: tables of 1 and 5 bits as wider ones,
/// grids as tables of their codes; what a fractional zero adds is the same for all rows and becomes
/// one number for each token. Column scales go into the activations, which are then rounded to two
/// bytes (or one) in blocks of 128 columns; raw columns and outliers are multiplied in float32 with
/// the activations as they are. A token's result does not depend on which others go with it.
class PanelWeights {
public:
    /// Throws Error for weights that break FORMAT's limits on tables. Packed for `kernels`, which
    /// products then use.
    PanelWeights(const ColumnWeights& weights, int threads,
                 const kernels::PanelKernels& kernels = kernels::panelKernels());
    /// 8-bit rows with a scale each (`rows8` of FORMAT §1: a head): codes [N, cols] with
    /// N = rowScale.size().
    PanelWeights(std::span<const int8_t> codes, std::span<const float> rowScale, int64_t cols,
                 int threads, const kernels::PanelKernels& kernels = kernels::panelKernels());

    int64_t rows() const { return m_rows; }
    int64_t cols() const { return m_cols; }
    int64_t panels() const { return (m_rows + kernels::panelRows - 1) / kernels::panelRows; }
    /// Memory that a product reads: codes, tables, raw columns, outliers.
    int64_t bytes() const;
    const std::vector<kernels::PanelSegment>& segments() const { return m_segments; }

    /// The inputs of some tokens, prepared; reused from product to product without allocating.
    struct Input {
        int64_t tokens = 0;
        int bytes = 2;             ///< of an activation
        std::vector<float> x;      ///< [tokens, K], source order
        std::vector<float> turned; ///< [tiles of tokens, K, width], for outliers of several tokens
        std::vector<float> stored; ///< [tokens, Σ segment columns], times the columns' scales
        std::vector<int16_t> q;    ///< as stored, rounded
        std::vector<int8_t> high, low;
        std::vector<float> scale; ///< [tokens, blocks]
        std::vector<int32_t> start;
        std::vector<uint8_t> products; ///< one token: see kernels::PanelExpand
        std::vector<double> bias;      ///< [tokens, blocks], of all rows
        std::vector<float> raw;        ///< [tokens, raw columns]
    };
    /// One token: `x` [K] in source order.
    void prepare(std::span<const float> x, Input& input) const;
    /// The same for several, and in parts, which may run side by side after one call of `begin`:
    /// items [first, last) of tokens·blocks(), a token's activation blocks after another's. Token t
    /// begins at x + t·stride. `bytes`: of an activation, 2 or 1 (kernels::panelRadix).
    void begin(const float* x, int64_t tokens, int64_t stride, Input& input, int bytes = 2) const;
    void begin(std::span<const float> x, Input& input) const;
    void prepareBlocks(int64_t first, int64_t last, Input& input) const;
    int64_t blocks() const { return int64_t(m_blockBegin.size()) - 1; }

    /// y[t·stride + n] for all tokens and the rows of panels [first, last); the rest of `y` stays.
    /// Codes are read from memory once.
    void multiply(const Input& input, int64_t first, int64_t last, float* y, int64_t stride) const;
    /// The same for tokens [firstToken, lastToken) alone, where there are more threads than panels:
    /// both multiples of tokenTile, or the last one the number of tokens.
    void multiply(const Input& input, int64_t first, int64_t last, int64_t firstToken,
                  int64_t lastToken, float* y, int64_t stride) const;
    /// One token: y [rows].
    void multiply(const Input& input, int64_t first, int64_t last, std::span<float> y) const;
    static constexpr int64_t tokenTile = 64; ///< tokens that go through a panel together

private:
    void addColumn(int64_t column, float scale, float remainder, int16_t offset);
    void place(const ColumnWeights& weights);
    struct Outliers;
    void placePanels(const Outliers& outliers);
    void addSegment(kernels::PanelSegment segment);
    void finishBlocks();
    void packPanels(const ColumnWeights& weights, int threads);
    int64_t paddedRows(int64_t panel) const;
    void multiplyPanel(const Input& input, int64_t panel, int64_t token, int64_t tokens,
                       float* sums) const;
    void addOutliers(const Input& input, int64_t panel, int64_t token, int64_t tokens,
                     float* sums) const;

    const kernels::PanelKernels* m_kernels;
    int64_t m_rows = 0, m_cols = 0;
    std::vector<kernels::PanelSegment> m_segments;
    // Stored order, padding included:
    std::vector<int32_t> m_column; ///< source column, −1 = padding
    std::vector<float> m_scale;    ///< of the column
    std::vector<float> m_remainder; ///< scale·(−offset − zero) of a grid: what codes do not hold
    std::vector<int16_t> m_offsets;
    std::vector<int64_t> m_blockBegin;           ///< [blocks + 1], stored columns
    std::vector<kernels::PanelKind> m_blockKind; ///< [blocks]
    std::vector<uint8_t> m_blockRemains;         ///< [blocks]: some remainder is not 0
    std::vector<int64_t> m_blockTables;          ///< [blocks], where in m_tables
    int64_t m_productColumns = 0; ///< of 2 bits, if products are looked up; they are the last
    std::vector<uint8_t> m_tables;
    /// Panel after panel, each one stream: its outliers, then its codes.
    HugeBuffer m_codes;
    std::vector<size_t> m_panelAt;  ///< [panels + 1], bytes: where a panel's stream begins
    std::vector<size_t> m_panelEnd; ///< [panels]: its last code
    std::vector<size_t> m_codesAt;  ///< [panels]
    std::vector<float> m_rowScale;  ///< [N], or empty = 1
    DType m_rawDtype = DType::F16;
    std::vector<int64_t> m_rawColumns;
    std::vector<uint16_t> m_raw; ///< [raw columns, N]
    // An outlier takes four bytes: 0.5 % of them add 0.16 bits per weight to what is read.
    bool m_hasOutliers = false, m_wideOutliers = false;
};

} // namespace bitloom
