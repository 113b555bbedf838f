// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#include "kernels/column_math.h"

#include <algorithm>
#include <cassert>

#include "kernels/half.h"

namespace bitloom::kernels {

void dequantizeColumn(const ColumnCode& code, std::span<const uint8_t> codes,
                      std::span<float> out) {
    assert(code.kind != PointKind::Raw && codes.size() == out.size());
    float values[256];
    const int entries = code.entries();
    const float scale = halfToFloat(code.scale), zero = halfToFloat(code.zero);
    for (int c = 0; c < entries; ++c)
        values[c] = code.kind == PointKind::Table ? scale * float(code.table[c])
                                                  : scale * (float(c) - zero);
    for (size_t n = 0; n < codes.size(); ++n)
        out[n] = values[codes[n]];
}

uint16_t floatToFiniteHalf(float value) {
    return floatToHalf(std::clamp(value, -65504.f, 65504.f));
}

uint16_t outlierCorrection(float exact, float dequantized) {
    return floatToFiniteHalf(exact - dequantized);
}

} // namespace bitloom::kernels
