// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include "kernels/host_device.h"

#include <cstdint>

namespace bitloom::kernels {

/// 2^k for k in [-1022, 1023].
BITLOOM_HD double doublePowerOfTwo(int k) {
    const uint64_t bits = uint64_t(k + 1023) << 52;
    double out;
    __builtin_memcpy(&out, &bits, sizeof out);
    return out;
}

/// e^x for x ≤ 0, within a few units in the last place; 0 below -700. Only additions,
/// multiplications and divisions of IEEE doubles: the same bits on every processor and GPU, where
/// the exp of C libraries differs in its last.
BITLOOM_HD double portableExp(double x) {
    if (!(x > -700)) return 0;
    constexpr double log2e = 1.4426950408889634074;
    // ln 2 in two parts: k·high is exact for |k| < 2^11.
    constexpr double ln2High = 6.93147180369123816490e-01, ln2Low = 1.90821492927058770002e-10;
    // The nearest integer: 1.5·2^52 leaves no bits behind the point.
    const double k = (x * log2e + 6755399441055744.0) - 6755399441055744.0;
    const double r = (x - k * ln2High) - k * ln2Low; // |r| ≤ 0.35
    double sum = 1;
    BITLOOM_UNROLL
    for (int n = 16; n > 0; --n) // Taylor: 0.35^17/17! is below 2^-53
        sum = 1 + sum * r / n;
    return sum * doublePowerOfTwo(int(k));
}

} // namespace bitloom::kernels
