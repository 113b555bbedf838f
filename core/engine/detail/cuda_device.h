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

/// Loads libtorch's CUDA library, whose operations then serve this process, and tries the first
/// GPU. Null, and why, where that cannot be done. libtorch asks once, at its first call, what
/// devices there are: must come before that, and stays true for the process. `vramBytes` 0: nine
/// tenths of what is free now, less half a gibibyte for what libraries take.
std::shared_ptr<Device> openCudaDevice(int64_t vramBytes, std::string& why);

} // namespace bitloom::detail
