// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include "core/engine/detail/device.h"

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>

namespace bitloom::detail {

/// libtorch_cuda.so: the file that the environment variable BITLOOM_LIBTORCH_CUDA names (empty:
/// none), else the one beside the libtorch that this process runs with. Empty, and why, if there is
/// none.
std::filesystem::path torchCudaFile(std::string& why);

/// Loads libtorch's CUDA library, whose operations then serve this process. libtorch asks once what
/// devices there are, in its first backward pass at the latest: false, and why, if that was before.
bool loadTorchCuda(std::string& why);

/// The first GPU, after a trial. Null, and why, where it cannot be used. `vramBytes` 0: nine tenths
/// of what is free now, less half a gibibyte for what libraries take.
std::shared_ptr<Device> openCudaDevice(int64_t vramBytes, std::string& why);

} // namespace bitloom::detail
