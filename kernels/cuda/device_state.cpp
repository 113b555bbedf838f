// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#include "kernels/cuda/device_state.h"
#include "kernels/cuda/layer_launch.h"
#include "kernels/cuda/product.h"

#include <algorithm>
#include <cstdlib>
#include <string_view>

namespace bitloom::cuda {

thread_local std::string lastMessage;

void check(cudaError_t error, const char* what) {
    if (error == cudaSuccess) return;
    cudaGetLastError(); // or the next launch would report it again
    int code = BITLOOM_CUDA_FAILED;
    switch (error) {
    case cudaErrorMemoryAllocation:
        code = BITLOOM_CUDA_OUT_OF_MEMORY;
        break;
    case cudaErrorInsufficientDriver:
    case cudaErrorInitializationError:
    case cudaErrorStubLibrary:
    case cudaErrorSystemDriverMismatch:
    case cudaErrorSystemNotReady:
        code = BITLOOM_CUDA_NO_DRIVER;
        break;
    case cudaErrorNoDevice:
    case cudaErrorNoKernelImageForDevice:
    case cudaErrorDevicesUnavailable:
    case cudaErrorUnsupportedPtxVersion:
    case cudaErrorInvalidDeviceFunction:
        code = BITLOOM_CUDA_NO_DEVICE;
        break;
    case cudaErrorIllegalAddress:
    case cudaErrorMisalignedAddress:
    case cudaErrorInvalidAddressSpace:
    case cudaErrorInvalidPc:
    case cudaErrorIllegalInstruction:
    case cudaErrorHardwareStackError:
    case cudaErrorAssert:
    case cudaErrorLaunchFailure:
    case cudaErrorLaunchTimeout:
    case cudaErrorECCUncorrectable:
    case cudaErrorNvlinkUncorrectable:
        code = BITLOOM_CUDA_LOST;
        break;
    default:
        break;
    }
    std::string text = std::string(what) + ": " + cudaGetErrorString(error);
    if (code == BITLOOM_CUDA_LOST)
        text += "; the GPU cannot be used by this process any more, a new one can";
    throw Failure{code, std::move(text)};
}

void require(bool holds, const char* what) {
    if (!holds) throw Failure{BITLOOM_CUDA_BAD_ARGUMENT, what};
}

SharedMemory::Piece SharedMemory::atLeast(size_t bytes) {
    if (m_present && m_present->bytes() >= bytes) return m_present;
    Memory larger(bytes);
    larger.clear();
    std::erase_if(m_before, [](const auto& piece) { return piece.expired(); });
    if (m_present) m_before.push_back(m_present);
    m_present = std::make_shared<const Memory>(std::move(larger));
    return m_present;
}

size_t SharedMemory::bytes() const {
    size_t all = m_present ? m_present->bytes() : 0;
    for (const auto& piece : m_before)
        if (const Piece held = piece.lock()) all += held->bytes();
    return all;
}

} // namespace bitloom::cuda

using namespace bitloom::cuda;

BitloomCudaContext::~BitloomCudaContext() {
    for (cudaEvent_t event : arrived)
        if (event) cudaEventDestroy(event);
    if (read) cudaFreeHost(read);
    if (stream) cudaStreamDestroy(stream);
}

void BitloomCudaContext::use() const {
    check(cudaSetDevice(device), "choosing the device");
}

void BitloomCudaContext::open(int number) {
    int count = 0;
    check(cudaGetDeviceCount(&count), "looking for devices");
    require(number >= 0 && number < count, "there is no device of that number");
    device = number;
    use();
    const char* wish = std::getenv("BITLOOM_CUDA_SYNCHRONIZE");
    synchronizes = wish && *wish && std::string_view(wish) != "0";
    int major = 0;
    check(cudaDeviceGetAttribute(&major, cudaDevAttrComputeCapabilityMajor, device),
          "asking the device");
    if (major < 8)
        throw Failure{BITLOOM_CUDA_NO_DEVICE, "the device has compute capability " +
                                                  std::to_string(major) + ".x; 8.0 is needed"};
    check(cudaDeviceGetAttribute(&multiprocessors, cudaDevAttrMultiProcessorCount, device),
          "asking the device");
    check(cudaDeviceGetAttribute(&sharedBytes, cudaDevAttrMaxSharedMemoryPerBlockOptin, device),
          "asking the device");
    sharedBytes -= 1024; // what kernels have without asking, and the system's share
    // The first call that needs the device's code: fails where there is none for it.
    check(prepareProducts(sharedBytes), "loading the kernels");
    check(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking), "opening a stream");
    check(prepareAttention(sharedBytes), "loading the kernels");
    check(cudaMallocHost(reinterpret_cast<void**>(&read), slots * slotBytes), "allocating memory");
    for (cudaEvent_t& event : arrived)
        check(cudaEventCreateWithFlags(&event, cudaEventDisableTiming), "making an event");
}

void BitloomCudaContext::settle(const char* what) const {
    if (!synchronizes) return;
    cudaStreamCaptureStatus status = cudaStreamCaptureStatusNone;
    check(cudaStreamIsCapturing(stream, &status), what);
    if (status == cudaStreamCaptureStatusNone) check(cudaStreamSynchronize(stream), what);
}

Gemm& BitloomCudaContext::needGemm() {
    if (!gemm && whyNoGemm.empty()) gemm = Gemm::load(whyNoGemm);
    if (!gemm) throw Failure{BITLOOM_CUDA_NO_GEMM, whyNoGemm};
    if (workspace.bytes() == 0) workspace = Memory(size_t(32) << 20);
    return *gemm;
}

uint64_t BitloomCudaContext::memoryBytes() const {
    return weights.bytes() + halves.bytes() + factors.bytes() + workspace.bytes() + zeros.bytes() +
           activations.bytes();
}

void BitloomCudaContext::grow(Memory& memory, size_t bytes) const {
    if (memory.bytes() >= bytes) return;
    check(cudaStreamSynchronize(stream), "waiting for the device");
    memory = Memory();
    memory = Memory(bytes);
}
