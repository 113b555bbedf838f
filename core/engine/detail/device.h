// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include "kernels/column_quantizer.h"

#include <ATen/ATen.h>
#include <c10/util/Exception.h>

#include <atomic>
#include <cstdint>
#include <mutex>
#include <span>
#include <string>
#include <vector>

namespace bitloom::detail {

/// Memory beside the processor's that tensors can live in and be computed with. Thread-safe.
class Device {
public:
    virtual ~Device() = default;
    virtual at::Device torch() const = 0;
    virtual std::string name() const = 0;        ///< "cuda"
    virtual std::string description() const = 0; ///< "NVIDIA H200"
    virtual int64_t memoryBytes() const = 0;     ///< what tensors of a job may take of its memory
    virtual int64_t usedBytes() const = 0;       ///< of its memory, by whatever program; 0: unknown

    /// A copy there of a tensor of the processor, and back. Throws c10::OutOfMemoryError.
    at::Tensor upload(const at::Tensor& host) {
        m_uploaded += int64_t(host.nbytes());
        return copyIn(host);
    }
    at::Tensor download(const at::Tensor& there) {
        m_downloaded += int64_t(there.nbytes());
        return copyOut(there);
    }
    /// columnErrorCurve (kernels/column_quantizer.h) of all columns of `byColumn` [K, N], float32,
    /// dense and there: sse [K, points] and the root mean squares [K], on the processor. False
    /// where the device has nothing of the kind, which the log then says. Throws
    /// c10::OutOfMemoryError.
    virtual bool errorCurves(const at::Tensor& byColumn,
                             std::span<const kernels::CurvePoint> points, bool rawIsExact,
                             std::span<float> sse, std::span<float> rms) = 0;

    int64_t uploadedBytes() const { return m_uploaded; }
    int64_t downloadedBytes() const { return m_downloaded; }

    /// Whether `bytes` fit; if not, notes that `what` goes to the processor.
    bool fits(const std::string& what, int64_t bytes);
    /// Says in the log, once for each `what`, that it is computed on the processor, and why.
    void fallBack(const std::string& what, const std::string& why);
    /// What fell back, in order, each with its reason.
    std::vector<std::string> fallbacks() const;

private:
    virtual at::Tensor copyIn(const at::Tensor& host) = 0;
    virtual at::Tensor copyOut(const at::Tensor& there) = 0;
    std::atomic<int64_t> m_uploaded{0}, m_downloaded{0};
    mutable std::mutex m_mutex;
    std::vector<std::string> m_fallbackOf, m_fallbacks;
};

/// Where one piece of work computes: on a device, or (empty) on the processor, where nothing is
/// copied.
class Place {
public:
    Place() = default;
    /// `share`: the piece is to be content with one such part of the device's memory.
    explicit Place(Device& device, int64_t share = 1) : m_device(&device), m_share(share) {}

    bool onDevice() const { return m_device != nullptr; }
    Device* device() const { return m_device; }
    at::Device torch() const { return m_device ? m_device->torch() : at::Device(at::kCPU); }
    /// Undefined tensors stay undefined.
    at::Tensor in(const at::Tensor& host) const {
        return m_device && host.defined() ? m_device->upload(host) : host;
    }
    at::Tensor out(const at::Tensor& there) const {
        return m_device && there.defined() ? m_device->download(there) : there;
    }
    /// Memory to plan batches with: of the device, or `host`.
    int64_t memoryBytes(int64_t host) const {
        return m_device ? m_device->memoryBytes() / m_share : host;
    }

private:
    Device* m_device = nullptr;
    int64_t m_share = 1;
};

/// Whether libtorch says that a device has no memory left, in one of its ways.
bool isOutOfMemory(const c10::Error& error);
/// The same error for users: Error(Failed) without libtorch's stack. Never returns.
[[noreturn]] void throwDeviceFailed(const std::string& what, const c10::Error& error);

/// Runs `body(place)` on the device if there is one and `bytes` fit into its memory, once more with
/// a quarter of it if libtorch runs out of memory all the same, and on the processor otherwise. So
/// `body` must be able to begin anew: what it leaves must not depend on what an earlier call left.
/// `what` names the work in the log: "block 3 of 32".
template<class Body>
void runPlaced(Device* device, const std::string& what, int64_t bytes, const Body& body) {
    if (device && device->fits(what, bytes)) {
        for (const int64_t share : {1, 4}) {
            try {
                body(Place(*device, share));
                return;
            } catch (const c10::Error& error) {
                if (!isOutOfMemory(error)) throwDeviceFailed(what, error);
            }
        }
        device->fallBack(what, "the GPU has no memory left for it");
    }
    body(Place());
}

} // namespace bitloom::detail
