// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include <cstdint>
#include <memory>
#include <string>

namespace bitloom {

namespace detail {
class Device;
}

/// Where a job is asked to compute. Auto: on a GPU that can be used, else on the processor.
enum class DeviceChoice : uint8_t { Cpu, Cuda, Auto };

/// How much of the machine a job may use.
struct ComputeOptions {
    int threads = 0;         ///< 0 = defaultThreads()
    int64_t memoryBytes = 0; ///< cap on resident memory; 0 = three quarters of the machine's
    DeviceChoice choice = DeviceChoice::Cpu;
    int64_t vramBytes = 0; ///< cap on the GPU's memory; 0 = nine tenths of what is free

    /// The device that openDevice() (engine/compute.h) found for `choice`; null = the processor.
    std::shared_ptr<detail::Device> device;
    std::string deviceReason; ///< why Auto came to the processor

    int threadsOrDefault() const;
    int64_t memoryOrDefault() const;
};

} // namespace bitloom
