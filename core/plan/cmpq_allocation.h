// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace bitloom {

/// The allocation of CMPQ (arXiv 2410.13056) as published, for one tensor: widths 1…5 by the norms
/// of the columns' activations alone (ALGORITHMS §6).
///
/// An integer target b gives b + 1 bits to the `share` of columns with the largest norms, b − 1 to
/// the `share` with the smallest, b to the rest. A fractional target f + r gives f + 1 bits to the
/// share r with the largest norms and f to the rest. Widths beyond 1 and 5 are cut off there.
/// Shares are rounded to whole columns; of equal norms the earlier column counts as larger.
/// `norms` are a_k = sqrt(H_kk), finite; `bits` lies in [1, 5]; `share` in [0, 0.5]. Throws Error.
std::vector<uint8_t> cmpqWidths(std::span<const float> norms, double bits, double share = 0.10);

} // namespace bitloom
