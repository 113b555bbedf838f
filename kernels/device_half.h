// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include "kernels/half.h"
#include "kernels/host_device.h"

#ifdef __CUDACC__
#include <cuda_fp16.h>
#endif

#include <cstdint>

/// fp16 with the same bits on the processor and on a GPU: to the nearest, ties to even.
namespace bitloom::kernels {

BITLOOM_HD float halfValue(uint16_t bits) {
#ifdef __CUDA_ARCH__
    return __half2float(__ushort_as_half(bits));
#else
    return halfToFloat(bits);
#endif
}
BITLOOM_HD uint16_t nearestHalf(float value) {
#ifdef __CUDA_ARCH__
    return __half_as_ushort(__float2half_rn(value));
#else
    return floatToHalf(value);
#endif
}

} // namespace bitloom::kernels
