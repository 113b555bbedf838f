// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#include "core/base/cuda_driver.h"

#include <cstddef>
#include <dlfcn.h>
#include <type_traits>

namespace bitloom {

/// As the CUDA driver API defines them: results 0 are success, a device is a number.
struct CudaDriver::Functions {
    int (*init)(unsigned flags) = nullptr;
    int (*deviceCount)(int* count) = nullptr;
    int (*deviceGet)(int* device, int ordinal) = nullptr;
    int (*deviceName)(char* name, int length, int device) = nullptr;
    int (*deviceMemory)(size_t* bytes, int device) = nullptr;
    int (*memoryInfo)(size_t* free, size_t* total) = nullptr;
};

std::unique_ptr<const CudaDriver> CudaDriver::open(std::string& why) {
    void* library = ::dlopen("libcuda.so.1", RTLD_NOW | RTLD_LOCAL);
    if (!library) {
        why = "there is no NVIDIA driver (libcuda.so.1 cannot be loaded)";
        return nullptr;
    }
    auto functions = std::make_shared<Functions>();
    const auto find = [&](auto& function, const char* name) {
        function =
            reinterpret_cast<std::remove_reference_t<decltype(function)>>(::dlsym(library, name));
        return function != nullptr;
    };
    if (!find(functions->init, "cuInit") || !find(functions->deviceCount, "cuDeviceGetCount") ||
        !find(functions->deviceGet, "cuDeviceGet") ||
        !find(functions->deviceName, "cuDeviceGetName") ||
        !find(functions->deviceMemory, "cuDeviceTotalMem_v2") ||
        !find(functions->memoryInfo, "cuMemGetInfo_v2")) {
        why = "the NVIDIA driver (libcuda.so.1) lacks functions that CUDA 13 has";
        return nullptr;
    }
    constexpr int noDevice = 100;
    int count = 0;
    int code = functions->init(0);
    if (code == 0) code = functions->deviceCount(&count);
    if (code != 0 && code != noDevice) {
        why = "the NVIDIA driver does not start (CUDA error " + std::to_string(code) + ")";
        return nullptr;
    }
    if (count == 0) {
        why = "there is no NVIDIA GPU";
        return nullptr;
    }
    return std::unique_ptr<const CudaDriver>(new CudaDriver(std::move(functions), count));
}

std::string CudaDriver::name(int device) const {
    int handle = 0;
    char text[256] = {};
    if (m_functions->deviceGet(&handle, device) != 0 ||
        m_functions->deviceName(text, int(sizeof text) - 1, handle) != 0)
        return "NVIDIA GPU";
    return text;
}

int64_t CudaDriver::totalBytes(int device) const {
    int handle = 0;
    size_t bytes = 0;
    if (m_functions->deviceGet(&handle, device) != 0 ||
        m_functions->deviceMemory(&bytes, handle) != 0)
        return 0;
    return int64_t(bytes);
}

int64_t CudaDriver::freeBytes() const {
    size_t free = 0, total = 0;
    return m_functions->memoryInfo(&free, &total) == 0 ? int64_t(free) : 0;
}

} // namespace bitloom
