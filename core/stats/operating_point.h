// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include "kernels/column_quantizer.h"

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace bitloom {

using kernels::PointKind;

/// One way of storing a column: (width, kind, share of weights stored exactly). FORMAT §1.
struct OperatingPoint {
    PointKind kind = PointKind::Table;
    int bits = 4;               ///< code width; 16 for Raw
    double outlierFraction = 0; ///< of N; see outlierCount

    bool operator==(const OperatingPoint&) const = default;
};

/// The points that a plan may choose from; a column's choice is an index into it. At most 64.
using Menu = std::vector<OperatingPoint>;

/// Tables 2, 3, 4 and grids 2, 3, 4, 5, 6, 8, each with 0, 0.25 % and 1 % outliers (27 points), and
/// raw 16 as the last (for pins; allocators leave it out unless told otherwise).
const Menu& defaultMenu();

/// Outliers of one column of N weights: the fraction rounded to nearest, half up.
int64_t outlierCount(const OperatingPoint& point, int64_t rows);

/// Every stored bit of one column of `rows` weights (ALGORITHMS §3): padded codes, table, scale,
/// zero, class byte, outliers (32 bits each, 48 where rows > 65535). The class list of a layer
/// comes on top: `classListBytes` per class in use.
int64_t columnBits(const OperatingPoint& point, int64_t rows);
inline constexpr int64_t classListBytes = 6; ///< class bits U8, kinds U8, outliers U32

/// Points that are stored alike in a layer of `rows` weights a column (same width, kind and outlier
/// count) are one class. For every point of the menu: the index of the first point of its class.
std::vector<uint8_t> pointClasses(const Menu& menu, int64_t rows);

/// Every stored bit of one layer whose columns have these points (indices into `menu`): columns and
/// class list. Throws Error for an index outside of the menu.
int64_t layerBits(std::span<const uint8_t> points, const Menu& menu, int64_t rows);

/// "4t", "6g", "16", "4t+0.25%"; parsePoint throws Error(Usage) on anything else. Widths as in
/// FORMAT §1: tables 1 to 5, grids 2 to 6 and 8. Fractions come back bit for bit.
std::string pointText(const OperatingPoint& point);
OperatingPoint parsePoint(std::string_view text);

} // namespace bitloom
