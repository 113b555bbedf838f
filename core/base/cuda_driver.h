// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>

namespace bitloom {

/// The driver of NVIDIA GPUs (libcuda.so.1), asked directly: what there is, before anything large
/// is loaded for it. Makes no context. Safe from any thread.
class CudaDriver {
public:
    /// Null, and why, where there is no driver or no GPU. The environment's CUDA_VISIBLE_DEVICES
    /// counts.
    static std::unique_ptr<const CudaDriver> open(std::string& why);

    int devices() const { return m_devices; }
    std::string name(int device) const; ///< "NVIDIA H200"
    int64_t totalBytes(int device) const;
    /// Free memory of the device whose context the calling thread uses; 0 if it uses none.
    int64_t freeBytes() const;

private:
    struct Functions;
    CudaDriver(std::shared_ptr<const Functions> functions, int devices)
        : m_functions(std::move(functions)), m_devices(devices) {}
    std::shared_ptr<const Functions> m_functions;
    int m_devices;
};

} // namespace bitloom
