// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#include "kernels/cuda/product_forms.cuh"
#include "kernels/cuda/product_kernel.cuh"

namespace bitloom::cuda {

void* diagonalKernel(int tokens) {
    return tokens == 1 ? reinterpret_cast<void*>(productKernel<DiagonalForm<1>>)
                       : reinterpret_cast<void*>(productKernel<DiagonalForm<2>>);
}

} // namespace bitloom::cuda
