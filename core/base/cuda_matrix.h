// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include "core/base/cuda_library.h"
#include "kernels/gpu_columns.h"

#include <functional>
#include <span>
#include <string>
#include <vector>

namespace bitloom {

/// A matrix on a device: up to three that read the same input, multiplied as one, whose rows follow
/// each other in results. The device must outlive it. Thread rule: one thread at a time per device.
class CudaMatrix {
public:
    /// Codes packed already: `codes` of each; where they are empty, they are made up on the device.
    CudaMatrix(const CudaDevice& device, std::span<const kernels::GpuMatrix> matrices);
    CudaMatrix(const CudaDevice& device, const kernels::GpuMatrix& matrix)
        : CudaMatrix(device, std::span(&matrix, 1)) {}
    /// Codes packed on the device from the checkpoint's form: `words`, and where each stored column
    /// is in them. `matrix.codes` is not looked at.
    CudaMatrix(const CudaDevice& device, const kernels::GpuMatrix& matrix,
               std::span<const uint32_t> words, std::span<const BitloomCudaColumn> columns);
    /// Plain rows.
    CudaMatrix(const CudaDevice& device, const BitloomCudaRowsSpec& rows);
    ~CudaMatrix();
    CudaMatrix(CudaMatrix&& other) noexcept;
    CudaMatrix& operator=(CudaMatrix&&) = delete;

    BitloomCudaMatrix* get() const { return m_matrix; }
    uint64_t bytes() const { return m_device->api().matrixBytes(m_matrix); } ///< read by a product
    uint64_t memoryBytes() const { return m_device->api().matrixMemory(m_matrix); } ///< held

private:
    const CudaDevice* m_device;
    BitloomCudaMatrix* m_matrix = nullptr;
};

/// What a check of the device's products found; see checkCudaProducts.
struct CudaCheck {
    std::string name;
    bool ok = false;
    std::string detail;
};

/// Compares products of the device with their definition (kernels/gpu_columns.h), bit for bit:
/// kinds of columns, shapes, mixtures, outliers, raw columns, 1 to 16 tokens, packing on the
/// device; and products of many tokens with the same weights in float64, within fp16's rounding.
std::vector<CudaCheck> checkCudaProducts(const CudaDevice& device);
/// Compares what the device computes between products with plain sums in double: norms, gates and
/// their rounding (that to the bit), plain rows, attention, embeddings, angles, choice of tokens.
/// `only`: the check of that name; empty: all.
std::vector<CudaCheck> checkCudaLayers(const CudaDevice& device, const std::string& only = {});
/// Runs `body` as a check of that name; an Error that it throws is its detail.
CudaCheck runCudaCheck(const std::string& name, const std::function<void(CudaCheck&)>& body);

} // namespace bitloom
