// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#include "kernels/cuda/product_forms.cuh"
#include "kernels/cuda/product_kernel.cuh"

namespace bitloom::cuda {

void* transposedKernel(int tiles) {
    switch (tiles) {
    case 1:
        return reinterpret_cast<void*>(productKernel<TransposedForm<1>>);
    case 2:
        return reinterpret_cast<void*>(productKernel<TransposedForm<2>>);
    case 3:
        return reinterpret_cast<void*>(productKernel<TransposedForm<3>>);
    default:
        return reinterpret_cast<void*>(productKernel<TransposedForm<4>>);
    }
}

} // namespace bitloom::cuda
