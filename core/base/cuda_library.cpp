// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#include "core/base/cuda_library.h"

#include "core/base/error.h"
#include "core/base/units.h"

#include <spdlog/fmt/fmt.h>

#include <cstdlib>
#include <dlfcn.h>
#include <filesystem>

namespace bitloom {

namespace {

namespace fs = std::filesystem;

/// What to do about a device that stopped in the middle.
constexpr const char* lostHint =
    "Start the program again: the GPU cannot be used by this process any more. If it happens "
    "again, "
    "run it with BITLOOM_CUDA_SYNCHRONIZE=1, which shows the call that fails, or compute with "
    "--device cpu.";

/// Where the library should be; empty: nowhere.
fs::path libraryFile() {
    if (const char* named = std::getenv("BITLOOM_CUDA_LIBRARY")) return named;
    std::error_code ignored;
    const fs::path program = fs::read_symlink("/proc/self/exe", ignored);
    return program.parent_path().parent_path() / "lib/bitloom/libbitloom_cuda.so";
}

} // namespace

std::string cudaLibraryPath() {
    return libraryFile().string();
}

void* cudaLibraryFunction(const char* name, std::string& why) {
    const fs::path file = libraryFile();
    std::error_code ignored;
    if (file.empty()) {
        why = "BITLOOM_CUDA_LIBRARY is empty";
        return nullptr;
    }
    if (!fs::exists(file, ignored)) {
        why = "this build has no CUDA kernels (" + file.string() + " does not exist)";
        return nullptr;
    }
    void* library = ::dlopen(file.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (!library) {
        why = fmt::format("{} cannot be loaded: {}", file.string(), ::dlerror());
        return nullptr;
    }
    void* function = ::dlsym(library, name);
    if (!function) why = file.string() + " belongs to another version of Bitloom";
    return function;
}

std::shared_ptr<const CudaLibrary> CudaLibrary::open(std::string& why) {
    const auto* api = cudaApi<BitloomCudaApi>("bitloomCudaApi", BITLOOM_CUDA_VERSION, why);
    if (!api) return nullptr;
    int32_t devices = 0;
    if (api->deviceCount(&devices) != BITLOOM_CUDA_OK) {
        why = api->message();
        return nullptr;
    }
    if (devices == 0) {
        why = "there is no NVIDIA GPU";
        return nullptr;
    }
    return std::shared_ptr<const CudaLibrary>(new CudaLibrary(*api, devices));
}

std::shared_ptr<const CudaLibrary> CudaLibrary::of(const BitloomCudaApi& api) {
    return std::shared_ptr<const CudaLibrary>(new CudaLibrary(api, 1));
}

void CudaLibrary::check(int code) const {
    if (code == BITLOOM_CUDA_OK) return;
    const std::string message = std::string("CUDA: ") + m_api->message();
    if (code == BITLOOM_CUDA_OUT_OF_MEMORY)
        throw Error(ErrorCode::NoSpace, message,
                    "Close other programs that use the GPU, or compute with --device cpu.");
    if (code == BITLOOM_CUDA_LOST) throw Error(ErrorCode::Failed, message, lostHint);
    const bool unusable = code == BITLOOM_CUDA_NO_DRIVER || code == BITLOOM_CUDA_NO_DEVICE;
    throw Error(unusable ? ErrorCode::NoDevice : ErrorCode::Failed, message,
                "Compute with --device cpu.");
}

CudaDevice::CudaDevice(std::shared_ptr<const CudaLibrary> library, int index)
    : m_library(std::move(library)) {
    check(api().open(index, &m_context));
    try {
        check(api().describe(m_context, &m_properties));
    } catch (...) {
        api().close(m_context);
        throw;
    }
}

CudaDevice::~CudaDevice() {
    api().close(m_context);
}

int64_t CudaDevice::freeBytes() const {
    BitloomCudaDevice now{};
    check(api().describe(m_context, &now));
    return int64_t(now.freeBytes);
}

void CudaDevice::check(int code) const {
    if (code == BITLOOM_CUDA_LOST) m_lost = true;
    m_library->check(code);
}

void CudaDevice::requireWorking() const {
    if (m_lost)
        throw Error(ErrorCode::NoDevice,
                    std::string(m_properties.name) + " has failed and cannot be used any more",
                    lostHint);
}

CudaMemory::CudaMemory(const CudaDevice& device, size_t bytes) : m_device(&device), m_bytes(bytes) {
    device.check(device.api().allocate(device.context(), bytes, &m_data));
}

CudaMemory::~CudaMemory() {
    if (m_data) m_device->api().release(m_device->context(), m_data);
}

void CudaMemory::upload(const void* from, size_t bytes) {
    m_device->check(m_device->api().upload(m_device->context(), m_data, from, bytes));
}

void CudaMemory::download(void* to, size_t bytes) const {
    m_device->check(m_device->api().download(m_device->context(), to, m_data, bytes));
}

std::string cudaStatusText() {
    std::string why;
    const auto library = CudaLibrary::open(why);
    if (!library) return "not used: " + why;
    std::string text;
    for (int i = 0; i < library->devices(); ++i) {
        if (i > 0) text += "; ";
        try {
            const CudaDevice device(library, i);
            const BitloomCudaDevice& p = device.properties();
            text += fmt::format("{}, compute capability {}.{}, {}, driver for CUDA {}.{}", p.name,
                                p.major, p.minor, formatBytes(int64_t(p.memoryBytes)),
                                p.driver / 1000, p.driver % 1000 / 10);
        } catch (const Error& error) {
            text += fmt::format("device {} not used: {}", i, error.what());
        }
    }
    return text + fmt::format(" (kernels: {})", library->api().build());
}

} // namespace bitloom
