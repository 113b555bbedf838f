// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include "core/engine/detail/device.h"

#include <cstdint>
#include <memory>
#include <string>

/// A device of libtorch's own kind (PrivateUse1) without hardware: its tensors lie in memory that
/// the processor may not touch but through copies, so that what forgets to move a tensor ends with
/// an error or a fault, as it would on a GPU; and its memory ends where a test says.
namespace bitloom::engineTesting {

/// What its allocator sees.
struct EmulatedMemory {
    static void setLimit(int64_t bytes); ///< more than that: c10::OutOfMemoryError
    static int64_t used();
    static int64_t peak(); ///< since setLimit
    static int64_t refused();
};

class EmulatedDevice : public bitloom::detail::Device {
public:
    /// `memoryBytes` is what the engine is told; the allocator's limit is EmulatedMemory's.
    explicit EmulatedDevice(int64_t memoryBytes) : m_memoryBytes(memoryBytes) {}

    at::Device torch() const override { return {at::kPrivateUse1, 0}; }
    std::string name() const override { return "emulated"; }
    std::string description() const override { return "Emulated device"; }
    int64_t memoryBytes() const override { return m_memoryBytes; }
    int64_t usedBytes() const override { return EmulatedMemory::used(); }
    /// By the processor, from the weights as they are there.
    bool errorCurves(const at::Tensor& byColumn, std::span<const kernels::CurvePoint> points,
                     bool rawIsExact, std::span<float> sse, std::span<float> rms) override;
    int curves() const { return m_curves; } ///< layers that errorCurves was asked for

private:
    at::Tensor copyIn(const at::Tensor& host) override;
    at::Tensor copyOut(const at::Tensor& there) override;
    int64_t m_memoryBytes;
    int m_curves = 0;
};

} // namespace bitloom::engineTesting
