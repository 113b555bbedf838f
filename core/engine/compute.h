// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include "core/base/compute_options.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace bitloom {

/// Must run once before any other engine call, from the main thread: sets libtorch's threads and
/// asks its BLAS for reproducible results (same input, same thread count → same bits).
void initEngine(const ComputeOptions& compute);

DeviceChoice parseDevice(std::string_view name); ///< "cpu", "cuda", "auto"; throws Error(Usage)

/// Opens what `compute.choice` asks for and puts it into `compute.device`. Before libtorch's first
/// operation, because libtorch finds out once what devices there are. Cuda: throws Error(NoDevice)
/// where there is none that can be used; Auto: `deviceReason` says why.
void openDevice(ComputeOptions& compute);

/// For a process that may be asked for a GPU after it has computed on the processor: loads what has
/// to be there before libtorch's first operation, if there is a GPU at all.
void prepareDevices();

/// Why calibrating, quantizing and evaluating on a GPU will not work here; empty: nothing is known
/// against it. Loads nothing large, so that a GPU that libtorch has no code for is not noticed.
std::string deviceProblem();

/// "cpu" or "cuda": the `device` of results.
std::string deviceName(const ComputeOptions& compute);
/// "NVIDIA H200, 126 GiB for tensors", "cpu", or "cpu, because there is no NVIDIA driver (…)".
std::string deviceText(const ComputeOptions& compute);
/// Bytes of the GPU's memory that are in use, by whatever program; 0 without a device, or where it
/// does not say. From any thread.
int64_t deviceUsedBytes(const ComputeOptions& compute);
/// What was computed on the processor although a GPU was at work, each with its reason.
std::vector<std::string> deviceFallbacks(const ComputeOptions& compute);

} // namespace bitloom
