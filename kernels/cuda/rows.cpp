// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors

// Plain rows in memory of the device.

#include "kernels/cuda/fixed_point.h"
#include "kernels/cuda/layer_launch.h"
#include "kernels/cuda/matrix.h"

#include <algorithm>

namespace bitloom::cuda {

namespace {

size_t bytesOf(int32_t type) {
    return type == BITLOOM_CUDA_F32 ? 4 : 2;
}

/// Largest magnitude as bits.
template<class Bits>
Bits largestOf(const void* rows, int64_t count, Bits mask) {
    const auto* from = static_cast<const Bits*>(rows);
    Bits most = 0;
    for (int64_t i = 0; i < count; ++i)
        most = std::max<Bits>(most, from[i] & mask);
    return most;
}

/// The power of two that brings the largest weight to 2^8: room for sums, and for small weights.
float factorToHalf(int32_t type, const void* rows, int64_t count, float present) {
    const char* wrong = "a weight is infinite or not a number";
    uint32_t bits = 0;
    if (type == BITLOOM_CUDA_F16) {
        require(largestOf<uint16_t>(rows, count, 0x7fff) < 0x7c00, wrong);
        return 1;
    }
    bits = type == BITLOOM_CUDA_F32
               ? largestOf<uint32_t>(rows, count, 0x7fffffffu)
               : uint32_t(largestOf<uint16_t>(rows, count, uint16_t(0x7fff))) << 16;
    require(kernels::fixed::finite(bits), wrong);
    const int exponent = int(bits >> 23) - 127;
    if (exponent <= -100) return present; // zeros, or as good as
    return std::min(present, kernels::fixed::powerOfTwo(std::min(8 - exponent, 100)));
}

} // namespace

void makeRows(BitloomCudaContext& context, const BitloomCudaRowsSpec& spec,
              BitloomCudaMatrix& matrix) {
    require(spec.type >= BITLOOM_CUDA_F32 && spec.type <= BITLOOM_CUDA_BF16 && spec.parts >= 1 &&
                spec.parts <= mostParts && spec.cols > 0,
            "plain rows are F32, F16 or BF16, of 1 to 3 matrices");
    auto plain = std::make_unique<Rows>();
    plain->type = spec.type;
    plain->stride = (spec.cols + rowsUnit - 1) / rowsUnit * rowsUnit;
    bool biased = false;
    const bool made = !spec.hostRows[0];
    int64_t all = 0;
    for (int32_t i = 0; i < spec.parts; ++i) {
        require(spec.rows[i] > 0, "a matrix needs rows");
        all += spec.rows[i];
        biased |= spec.hostBias[i] != nullptr;
        require((spec.hostRows[i] == nullptr) == made, "rows are given for all matrices or none");
    }
    require(all < (int64_t(1) << 31), "a matrix on a GPU has less than 2^31 rows");
    const size_t size = bytesOf(spec.type), pitch = size_t(plain->stride) * size;
    plain->numbers = Memory(size_t(all) * pitch);
    plain->numbers.clear();
    std::vector<float> bias(biased ? size_t(all) : 0, 0.f);
    float factor = kernels::fixed::powerOfTwo(100);
    int64_t row = 0;
    for (int32_t i = 0; i < spec.parts; ++i) {
        if (!made) {
            factor = factorToHalf(spec.type, spec.hostRows[i], spec.rows[i] * spec.cols, factor);
            check(cudaMemcpy2D(plain->numbers.as<char>() + size_t(row) * pitch, pitch,
                               spec.hostRows[i], size_t(spec.cols) * size, size_t(spec.cols) * size,
                               size_t(spec.rows[i]), cudaMemcpyHostToDevice),
                  "copying to the device");
        }
        if (spec.hostBias[i])
            std::copy(spec.hostBias[i], spec.hostBias[i] + spec.rows[i],
                      bias.begin() + std::ptrdiff_t(row));
        row += spec.rows[i];
    }
    check(cudaStreamSynchronize(nullptr), "copying to the device");
    if (made) {
        require(spec.cols % rowsUnit == 0, "made-up rows have a multiple of 8 columns");
        factor = kernels::fixed::powerOfTwo(13);
        check(launchRandomRows(spec.type, plain->numbers.as<void>(), all * plain->stride,
                               uint64_t(all), context.stream),
              "making up weights");
    }
    if (biased) plain->bias = Memory::of(bias);
    plain->toHalf = spec.type == BITLOOM_CUDA_F16 ? 1.f : factor;
    matrix.context = &context;
    matrix.rows = all;
    matrix.cols = spec.cols;
    matrix.bytes = uint64_t(all) * uint64_t(spec.cols) * size;
    matrix.plain = std::move(plain);
    takeScratch(matrix);
}

} // namespace bitloom::cuda
