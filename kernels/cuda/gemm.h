// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include <cuda_runtime_api.h>

#include <cstdint>
#include <memory>
#include <string>

namespace bitloom::cuda {

/// Products of fp16 matrices with cuBLASLt, which is loaded when it is first wanted: the library
/// itself does not need it.
class Gemm {
public:
    /// Null, and why, where it cannot be loaded.
    static std::unique_ptr<Gemm> load(std::string& why);
    virtual ~Gemm() = default;
    /// y[t·yStride + n] = Σ_k w[n·wStride + k]·x[t·xStride + k], float32 sums. Empty, or what went
    /// wrong.
    virtual std::string multiply(const uint16_t* w, int64_t wStride, int64_t rows,
                                 const uint16_t* x, int64_t xStride, int64_t tokens, int64_t cols,
                                 float* y, int64_t yStride, void* workspace, size_t workspaceBytes,
                                 cudaStream_t stream) = 0;
};

} // namespace bitloom::cuda
