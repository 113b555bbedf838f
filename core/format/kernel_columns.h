// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include "core/format/column_weights.h"
#include "kernels/column_panels.h"

#include <array>
#include <cstdint>
#include <vector>

namespace bitloom {

/// A stored column as the kernels multiply it, whatever the processor: of FORMAT §1's kinds, six
/// are left. The weight of row n is scale·(entries[code] + offset) (plain kinds: code + offset) +
/// remainder.
struct KernelColumn {
    kernels::PanelKind kind = kernels::PanelKind::Plain8;
    float scale = 1;
    float remainder = 0; ///< of a grid with a fractional zero: what codes do not hold
    int16_t offset = 0;
    std::array<uint8_t, 16> entries{}; ///< of table kinds, from 0 on, not decreasing
};

/// The kind that columns of a class become; not for raw ones.
kernels::PanelKind kernelKind(const ColumnClass& c);
/// −2^(bits − 1): what a grid's code 0 stands for.
int16_t gridOffset(int bits);
/// Column k, which must not be raw. Throws Error for a table wider than the format allows.
KernelColumn kernelColumn(const ColumnWeights& weights, int64_t k);
/// Of a column whose codes are replaced by its entries, those [rows]; else nothing. Tables of 32
/// entries are: no kernel looks them up.
std::vector<uint8_t> replacedCodes(const ColumnWeights& weights, int64_t k);

} // namespace bitloom
