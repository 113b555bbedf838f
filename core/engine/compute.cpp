// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#include "core/engine/compute.h"

#include "core/base/cuda_driver.h"
#include "core/base/error.h"
#include "core/base/log_text.h"
#include "core/base/units.h"
#include "core/engine/detail/cuda_device.h"

#include <ATen/Parallel.h>

#include <cstdlib>

namespace bitloom {

void initEngine(const ComputeOptions& compute) {
    // Conditional numerical reproducibility: with it MKL promises the same bits for the same input,
    // alignment and thread count. A resumed run must continue byte for byte.
    setenv("MKL_CBWR", "AUTO", 0);
    at::set_num_threads(compute.threadsOrDefault());
}

DeviceChoice parseDevice(std::string_view name) {
    if (name == "cpu") return DeviceChoice::Cpu;
    if (name == "cuda") return DeviceChoice::Cuda;
    if (name == "auto") return DeviceChoice::Auto;
    throw Error(ErrorCode::Usage, "there is no device '" + std::string(name) + "'",
                "Devices: cpu, cuda, auto.");
}

void openDevice(ComputeOptions& compute) {
    compute.device.reset();
    compute.deviceReason.clear();
    if (compute.choice == DeviceChoice::Cpu) return;
    std::string why;
    compute.device = detail::openCudaDevice(compute.vramBytes, why);
    if (compute.device) {
        logInfo("engine", "computing on " + deviceText(compute));
        return;
    }
    if (compute.choice == DeviceChoice::Cuda)
        throw Error(
            ErrorCode::NoDevice, "no GPU can be used: " + why,
            "Compute with --device cpu, or with --device auto, which takes a GPU only where "
            "there is one.");
    compute.deviceReason = why;
    logInfo("engine", "computing on " + deviceText(compute));
}

void prepareDevices() {
    std::string why;
    if (CudaDriver::open(why)) detail::loadTorchCuda(why);
}

std::string deviceProblem() {
    std::string why;
    if (CudaDriver::open(why)) (void)detail::torchCudaFile(why);
    return why;
}

std::string deviceName(const ComputeOptions& compute) {
    return compute.device ? compute.device->name() : "cpu";
}

std::string deviceText(const ComputeOptions& compute) {
    if (compute.device)
        return compute.device->description() + ", " + formatBytes(compute.device->memoryBytes()) +
               " for tensors";
    return compute.deviceReason.empty() ? "cpu" : "cpu, because " + compute.deviceReason;
}

int64_t deviceUsedBytes(const ComputeOptions& compute) {
    return compute.device ? compute.device->usedBytes() : 0;
}

std::vector<std::string> deviceFallbacks(const ComputeOptions& compute) {
    return compute.device ? compute.device->fallbacks() : std::vector<std::string>();
}

} // namespace bitloom
