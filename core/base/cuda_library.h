// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include "kernels/cuda/bitloom_cuda.h"

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>

namespace bitloom {

/// A function that libbitloom_cuda.so exports. The file is the one that the environment variable
/// BITLOOM_CUDA_LIBRARY names (empty: none), else ../lib/bitloom/libbitloom_cuda.so from the
/// program. Null, and why, if it is not there or has no such function.
void* cudaLibraryFunction(const char* name, std::string& why);
std::string cudaLibraryPath(); ///< of that file; "" for none

/// The table of functions that the library's function `entry` gives for `version`; null, and why.
template<class Api>
const Api* cudaApi(const char* entry, uint32_t version, std::string& why) {
    using Entry = const Api* (*)(uint32_t);
    const auto function = reinterpret_cast<Entry>(cudaLibraryFunction(entry, why));
    if (!function) return nullptr;
    const Api* api = function(version);
    if (api && api->bytes >= sizeof(Api)) return api;
    why = cudaLibraryPath() + " belongs to another version of Bitloom";
    return nullptr;
}

/// libbitloom_cuda.so, opened at run time: programs are the same with and without it, and where it
/// is missing or cannot work the reason is a text, not an error. Stays loaded until the end of the
/// process, because CUDA's libraries cannot be unloaded.
class CudaLibrary {
public:
    /// Null, and why, if the library is not there, is of another version, or finds no driver or
    /// device that it can use.
    static std::shared_ptr<const CudaLibrary> open(std::string& why);

    /// Another table of the same functions: tests run everything above it without a GPU.
    static std::shared_ptr<const CudaLibrary> of(const BitloomCudaApi& api);

    const BitloomCudaApi& api() const { return *m_api; }
    int devices() const { return m_devices; }
    /// Throws Error (NoDevice, NoSpace or Failed) with the library's message for a code that is not
    /// BITLOOM_CUDA_OK.
    void check(int code) const;

private:
    CudaLibrary(const BitloomCudaApi& api, int devices) : m_api(&api), m_devices(devices) {}
    const BitloomCudaApi* m_api;
    int m_devices;
};

/// One device, opened; `what` of it. Throws Error.
class CudaDevice {
public:
    explicit CudaDevice(std::shared_ptr<const CudaLibrary> library, int index = 0);
    ~CudaDevice();
    CudaDevice(const CudaDevice&) = delete;
    CudaDevice& operator=(const CudaDevice&) = delete;

    const CudaLibrary& library() const { return *m_library; }
    const BitloomCudaApi& api() const { return m_library->api(); }
    BitloomCudaContext* context() const { return m_context; }
    /// As it was when it was opened; how much memory is free changes.
    const BitloomCudaDevice& properties() const { return m_properties; }
    int64_t freeBytes() const; ///< now
    /// As CudaLibrary's. A device that is lost stays so: whoever computes asks requireWorking
    /// first.
    void check(int code) const;
    void requireWorking() const; ///< throws Error(NoDevice)

private:
    std::shared_ptr<const CudaLibrary> m_library;
    BitloomCudaContext* m_context = nullptr;
    BitloomCudaDevice m_properties{};
    mutable std::atomic<bool> m_lost = false;
};

/// Memory of a device, freed with it. The device must outlive it.
class CudaMemory {
public:
    CudaMemory(const CudaDevice& device, size_t bytes);
    ~CudaMemory();
    CudaMemory(CudaMemory&& other) noexcept
        : m_device(other.m_device), m_data(std::exchange(other.m_data, nullptr)),
          m_bytes(other.m_bytes) {}
    CudaMemory& operator=(CudaMemory&&) = delete;

    void* data() const { return m_data; }
    int64_t bytes() const { return int64_t(m_bytes); }
    template<class T>
    T* as() const {
        return static_cast<T*>(m_data);
    }
    void upload(const void* from, size_t bytes);
    void download(void* to, size_t bytes) const;

private:
    const CudaDevice* m_device;
    void* m_data = nullptr;
    size_t m_bytes = 0;
};

/// What was recorded between beginGraph and endGraph. The device, and all that its calls were
/// given, must outlive it.
class CudaGraph {
public:
    /// Records the calls that `record` makes.
    template<class F>
    CudaGraph(const CudaDevice& device, F&& record) : m_device(&device) {
        device.check(device.api().beginGraph(device.context()));
        try {
            record();
        } catch (...) {
            BitloomCudaGraph* broken = nullptr; // ends the recording
            if (device.api().endGraph(device.context(), &broken) == BITLOOM_CUDA_OK)
                device.api().destroyGraph(broken);
            throw;
        }
        device.check(device.api().endGraph(device.context(), &m_graph));
    }
    ~CudaGraph() {
        if (m_graph) m_device->api().destroyGraph(m_graph);
    }
    CudaGraph(const CudaGraph&) = delete;
    CudaGraph& operator=(const CudaGraph&) = delete;

    void launch() const {
        m_device->check(m_device->api().launchGraph(m_device->context(), m_graph));
    }
    /// Of `repeats` launches.
    double seconds(int repeats) const {
        double out = 0;
        m_device->check(m_device->api().timeGraph(m_device->context(), m_graph, repeats, &out));
        return out;
    }

private:
    const CudaDevice* m_device;
    BitloomCudaGraph* m_graph = nullptr;
};

/// "NVIDIA H200, compute capability 9.0, …" for every device, or "not used: …" and the reason.
std::string cudaStatusText();

} // namespace bitloom
