// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#include "kernels/rows8.h"

#include <algorithm>
#include <cassert>
#include <cmath>

#include "kernels/column_math.h"
#include "kernels/half.h"

namespace bitloom::kernels {

void quantizeRow(std::span<const float> row, std::span<int8_t> codes, uint16_t& scaleBits) {
    assert(row.size() == codes.size());
    float largest = 0.f;
    for (const float w : row)
        largest = std::max(largest, std::fabs(w));
    scaleBits = floatToFiniteHalf(largest / 127.f);
    const float scale = halfToFloat(scaleBits);
    if (scale == 0.f) {
        std::fill(codes.begin(), codes.end(), int8_t(0));
        return;
    }
    const float inverse = 1.f / scale;
    for (size_t d = 0; d < row.size(); ++d) {
        // Adding and subtracting 1.5·2^23 rounds to an integer without a library call.
        const float t = std::clamp(row[d] * inverse, -127.f, 127.f);
        codes[d] = int8_t(int32_t((t + 12582912.f) - 12582912.f));
    }
}

void dequantizeRow(std::span<const int8_t> codes, uint16_t scaleBits, std::span<float> out) {
    assert(codes.size() == out.size());
    const float scale = halfToFloat(scaleBits);
    for (size_t d = 0; d < codes.size(); ++d)
        out[d] = scale * float(codes[d]);
}

} // namespace bitloom::kernels
