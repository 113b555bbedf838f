// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#include "kernels/cuda/product_forms.cuh"
#include "kernels/cuda/crew.h"
#include "kernels/cuda/product.h"

#include <algorithm>

namespace bitloom::cuda {

namespace {

void* kernelOf(int form) {
    const Form f = formAt(form);
    return f.transposed ? transposedKernel(f.padded / 4) : diagonalKernel(f.padded);
}

} // namespace

Form formAt(int index) {
    return index < 2 ? Form{false, index + 1} : Form{true, 4 * (index - 1)};
}

int formFor(int tokens) {
    return tokens <= 2 ? tokens - 1 : (tokens + 3) / 4 + 1;
}

int slotBytes(const Form& form, const GpuLayout& layout) {
    int codes = 0;
    for (int32_t i = 0; i < layout.segments; ++i) {
        const int bits = kernels::panelBits(layout.segment[size_t(i)].kind);
        const auto step = int(kernels::gpuStepBytes(bits));
        codes = std::max(codes, !form.transposed && bits > 4 ? step / 2 : step);
    }
    return 4 * kernels::crew::codesAt(form.padded) + codes;
}

cudaError_t prepareProducts(int sharedBytes) {
    cudaError_t error = cudaSuccess;
    for (int form = 0; form < forms && error == cudaSuccess; ++form)
        error = cudaFuncSetAttribute(kernelOf(form), cudaFuncAttributeMaxDynamicSharedMemorySize,
                                     sharedBytes);
    return error;
}

cudaError_t launchProduct(int form, const ProductGroup& group, int threadBlocks, int crews,
                          int sharedBytes, cudaStream_t stream) {
    void* arguments[] = {const_cast<ProductGroup*>(&group)};
    return cudaLaunchKernel(kernelOf(form), dim3(unsigned(threadBlocks)),
                            dim3(unsigned(32 * crews * formAt(form).warpsOfCrew())), arguments,
                            size_t(sharedBytes), stream);
}

} // namespace bitloom::cuda
