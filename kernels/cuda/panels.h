// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include <algorithm>
#include <cstdint>

/// How a matrix goes to cuBLASLt in pieces. Plain C++.
namespace bitloom::cuda {

/// Bytes of fp16 weights that stay in the L2 cache until they are multiplied.
constexpr int64_t panelBytes = int64_t(24) << 20;

/// Rows of a piece of a matrix of `rows` rows of `stride` fp16 weights: whole `unit`s of rows, at
/// least one, so that every piece's results begin where they are as well aligned as the first's;
/// or all of the rows.
constexpr int64_t panelRows(int64_t rows, int64_t stride, int64_t unit) {
    return std::min(std::max(panelBytes / (2 * stride) / unit, int64_t(1)) * unit, rows);
}

/// Bytes that an address is a multiple of: a power of two, at most what cuBLASLt asks for.
constexpr uint32_t alignmentOf(uintptr_t address) {
    return uint32_t(std::min(address == 0 ? 256 : address & (~address + 1), uintptr_t(256)));
}

} // namespace bitloom::cuda
