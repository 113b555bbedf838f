// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include "kernels/cuda/fixed_point.h"
#include "kernels/device_half.h"
#include "kernels/host_device.h"

#include <cmath>
#include <cstdint>
#include <numbers>

/// Numbers of 16 bits and functions of float32, for the processor and the GPU. Conversions, square
/// roots and what is made of multiplications and additions have the same bits on both; exponentials
/// and what comes of them may differ in the last.
namespace bitloom::cuda {

using kernels::halfValue;
using kernels::nearestHalf;

BITLOOM_HD float fromBfloat16(uint16_t bits) {
    return kernels::fixed::bitsToFloat(uint32_t(bits) << 16);
}
BITLOOM_HD float exponential(float x) {
#ifdef __CUDA_ARCH__
    return expf(x);
#else
    return std::exp(x);
#endif
}
BITLOOM_HD float squareRoot(float x) {
#ifdef __CUDA_ARCH__
    return __fsqrt_rn(x);
#else
    return std::sqrt(x);
#endif
}
/// To the nearest, ties to even, of at most 2^22 in size.
BITLOOM_HD float nearestInteger(float x) {
    return kernels::fixed::add(kernels::fixed::add(x, 12582912.f), -12582912.f);
}
BITLOOM_HD float larger(float a, float b) {
    return a > b ? a : b;
}
BITLOOM_HD float minusInfinity() {
    return kernels::fixed::bitsToFloat(0xff800000u);
}

/// What another thread block of the same launch has written.
template<class T>
BITLOOM_HD T fresh(const T* at) {
#ifdef __CUDA_ARCH__
    return __ldcg(at);
#else
    return *at;
#endif
}

/// bitloom::Activation of a gate.
BITLOOM_HD float activate(int32_t activation, float x) {
    namespace fixed = kernels::fixed;
    switch (activation) {
    case 0:
        return fixed::divide(x, 1.f + exponential(-x));
    case 1:
        return larger(x, 0.f);
    case 2: {
        const float inner = x * float(std::numbers::sqrt2 / 2);
        return x * (0.5f * (1.f + erff(inner)));
    }
    default: {
        const float inner =
            float(std::numbers::inv_sqrtpi * std::numbers::sqrt2) * (x + 0.044715f * x * x * x);
        return 0.5f * x * (1.f + tanhf(inner));
    }
    }
}

/// Sine and cosine within a unit of float32's last place, for angles below 2^20: in double, because
/// angles of long contexts have few bits left behind the point.
BITLOOM_HD void sineCosine(float angle, float& sine, float& cosine) {
    const double x = angle;
    const double k = nearbyint(x * 0.63661977236758134308);
    // π/2 in two parts: k times the first is exact.
    const double r = (x - k * 1.57079632673412561417) - k * 6.07710050650619224932e-11;
    const double z = r * r, w = z * z;
    const double s = (r + z * r * (-0.166666666416265235595 + z * 0.0083333293858894631756)) +
                     z * r * w * (-0.000198393348360966317347 + z * 0.0000027183114939898219064);
    const double c = ((1.0 - z * 0.499999997251031003120) + w * 0.0416666233237390631894) +
                     w * z * (-0.00138867637746099294692 + z * 0.0000243904487962774090654);
    const int quarter = int(int64_t(k) & 3);
    sine = float(quarter == 0 ? s : quarter == 1 ? c : quarter == 2 ? -s : -c);
    cosine = float(quarter == 0 ? c : quarter == 1 ? -s : quarter == 2 ? -c : s);
}

} // namespace bitloom::cuda
