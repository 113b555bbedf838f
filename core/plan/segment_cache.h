// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include "core/plan/segment_list.h"

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace bitloom {

/// What an allocator works out from curves alone, without limits. Kept beside the statistics.
struct SegmentBase {
    std::string checksum;            ///< of the curves: 32 hexadecimal digits
    double unit = 1;                 ///< of slopes
    std::vector<uint8_t> start;      ///< [columns] cheapest hull vertex
    std::vector<double> pointTotals; ///< [layers, points] distortion if all columns took a point
    std::vector<double> endTotals;   ///< [layers] distortion with all hulls climbed to the end
    std::vector<Segment> segments;   ///< sorted
};

/// Bytes of `base` with `segments` in place of base.segments: a header with version, sizes and the
/// checksum of the curves, the arrays, and a checksum of everything before it. Little-endian.
std::vector<std::byte> writeSegments(const SegmentBase& base, std::span<const Segment> segments);

/// Reads them back. False, with `base` as it was, where they are of another version or of other
/// curves (`checksum`), damaged, or hold indices out of range.
bool readSegments(std::span<const std::byte> bytes, const std::string& checksum,
                  const ColumnMap& map, uint64_t allowed, SegmentBase& base);

} // namespace bitloom
