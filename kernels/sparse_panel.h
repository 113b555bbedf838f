// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include <cstdint>
#include <span>

/// Sparse rows times vectors: the outliers of a panel of a layer (KERNELS §2.5).
///
/// A row alone would end its chain of multiply-adds in a mispredicted branch. So rows are sorted by
/// their number of entries, 16 of about the same number form a group, and a step holds the next
/// entry of each: 16 columns, then 16 values, a line of the cache. What shorter rows lack is filled
/// with zeros, about 3 % of all.
///
/// In memory: order, a byte for each row of each group (its number in the panel); steps of each
/// group, uint32; up to the next line, nothing; then group after group the steps.
namespace bitloom::kernels {

inline constexpr int sparseLanes = 16; ///< rows of a group

/// Rows of a panel as lists: row r has entries [begin[r], begin[r + 1]) − begin[0], columns
/// ascending; values are fp16 bits.
struct SparseLists {
    std::span<const uint32_t> begin; ///< [rows + 1], at most 256 rows
    const uint32_t* column = nullptr;
    const uint16_t* value = nullptr;
};
/// `wide`: columns take four bytes instead of two, for more of them than 16 bits can name.
int64_t sparsePanelBytes(std::span<const uint32_t> begin, bool wide);
/// `out`: sparsePanelBytes, at a multiple of 64.
void packSparsePanel(const SparseLists& lists, bool wide, std::span<uint8_t> out);

/// A packed panel.
struct SparsePanel {
    const uint8_t* data = nullptr; ///< at a multiple of 64
    int64_t rows = 0;
    bool wide = false;

    int64_t groups() const { return (rows + sparseLanes - 1) / sparseLanes; }
    const uint8_t* order() const { return data; }
    const uint32_t* steps() const {
        return reinterpret_cast<const uint32_t*>(data + groups() * sparseLanes);
    }
    const uint8_t* entries() const { return data + headBytes(groups()); }
    static int64_t headBytes(int64_t groups) {
        return (groups * (sparseLanes + int64_t(sizeof(uint32_t))) + 63) / 64 * 64;
    }
};

/// Vectors that are multiplied together: the input is kept with `width` of them side by side.
inline constexpr int64_t sparseTile = 64;
/// For `vectors` ≤ sparseTile: room for whole registers.
constexpr int64_t sparseWidth(int64_t vectors) {
    return (vectors + 15) / 16 * 16;
}

/// y[v·yStride + r] += Σ value·x[column·width + v] over the entries of row r, v in [0, vectors): a
/// chain of fused multiply-adds for each row and vector, the same bits as one vector after another
/// (DenseRowKernels::addSparse). x [columns, width] with width = sparseWidth(vectors); what lies
/// behind the vectors may be anything.
void addSparseRows(const SparsePanel& panel, const float* x, int64_t vectors, float* y,
                   int64_t yStride);

} // namespace bitloom::kernels
