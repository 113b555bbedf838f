// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#include "kernels/group_quantizer.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <limits>

#include "kernels/column_math.h"
#include "kernels/half.h"

namespace bitloom::kernels {
namespace {

/// The code in floating point: the inner loop of the search, free of branches.
inline float nearestCode(float weight, float inverseScale, float zero, float maxCode) {
    // ceil(t - 1/2) sends ties down. An integer is made by adding 1.5·2^23, which rounds to
    // nearest, and corrected where that went up by exactly one half.
    const float t = std::clamp(weight * inverseScale + zero, 0.f, maxCode);
    const float c = (t + 12582912.f) - 12582912.f;
    return c - t == 0.5f ? c - 1.f : c;
}

double groupError(std::span<const float> weights, const GroupCode& code, int bits) {
    const float scale = halfToFloat(code.scale), zero = float(code.zero);
    const float inverse = scale > 0.f ? 1.f / scale : 0.f, maxCode = float((1 << bits) - 1);
    double error = 0;
    for (const float w : weights) {
        const float c = nearestCode(w, inverse, zero, maxCode);
        const double e = double(w) - double(scale * (c - zero));
        error += e * e;
    }
    return error;
}

GroupCode codeForRange(double low, double high, const GroupOptions& options) {
    const int levels = 1 << options.bits;
    const double step =
        options.symmetric ? std::max(-low, high) / (levels / 2 - 0.5) : (high - low) / (levels - 1);
    GroupCode code;
    code.zero = uint8_t(levels / 2);
    if (step > 0) {
        code.scale = std::max<uint16_t>(floatToFiniteHalf(float(std::min(step, 65504.0))), 1);
        if (!options.symmetric) {
            const double zero = std::floor(-low / double(halfToFloat(code.scale)) + 0.5);
            code.zero = uint8_t(std::clamp(zero, 0., double(levels - 1)));
        }
    } else if (!options.symmetric) {
        code.zero = 0;
    }
    return code;
}

} // namespace

float GroupCode::value(int code) const {
    return halfToFloat(scale) * float(code - int(zero));
}

GroupCode fitGroup(std::span<const float> weights, const GroupOptions& options, double* sse) {
    assert(options.bits >= 2 && options.bits <= 8 && !weights.empty());
    double low = 0, high = 0;
    for (const float w : weights) {
        low = std::min(low, double(w));
        high = std::max(high, double(w));
    }
    GroupCode best = codeForRange(low, high, options);
    if (!options.clipSearch && !sse) return best;
    double bestError = groupError(weights, best, options.bits);
    if (options.clipSearch) {
        for (int step = 1; step <= 24; ++step) {
            const double shrink = 1 - 0.025 * step;
            const GroupCode code = codeForRange(low * shrink, high * shrink, options);
            const double error = groupError(weights, code, options.bits);
            if (error < bestError) {
                bestError = error;
                best = code;
            }
        }
    }
    if (sse) *sse = bestError;
    return best;
}

uint8_t quantizeScalar(float weight, float scale, int zero, int bits) {
    if (!(scale > 0.f)) return uint8_t(zero);
    return uint8_t(nearestCode(weight, 1.f / scale, float(zero), float((1 << bits) - 1)));
}

void assignGroup(std::span<const float> weights, const GroupCode& code, int bits,
                 std::span<uint8_t> codes) {
    assert(weights.size() == codes.size());
    const float scale = halfToFloat(code.scale);
    if (!(scale > 0.f)) {
        std::fill(codes.begin(), codes.end(), code.zero);
        return;
    }
    const float inverse = 1.f / scale, zero = float(code.zero), maxCode = float((1 << bits) - 1);
    for (size_t i = 0; i < weights.size(); ++i)
        codes[i] = uint8_t(int32_t(nearestCode(weights[i], inverse, zero, maxCode)));
}

void dequantizeGroup(const GroupCode& code, std::span<const uint8_t> codes, std::span<float> out) {
    assert(codes.size() == out.size());
    const float scale = halfToFloat(code.scale), zero = float(code.zero);
    for (size_t i = 0; i < codes.size(); ++i)
        out[i] = scale * (float(codes[i]) - zero);
}

} // namespace bitloom::kernels
