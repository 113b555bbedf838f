// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include "core/base/compute_options.h"
#include "core/engine/serve/files.h"
#include "core/format/layout.h"

#include <filesystem>
#include <string>

namespace bitloom::serve {

/// What memory the engine will need for a model, in bytes, before anything is loaded: from the
/// shapes alone, the program's own share (what is resident now) included.
struct MemoryNeed {
    int64_t analyze = 0;      ///< calibration at the usual window length
    int64_t quantize = 0;     ///< one block at a time
    int64_t chat = 0;         ///< reading the weights again for every token
    int64_t chatResident = 0; ///< all weights in memory
};
MemoryNeed memoryNeed(const ModelConfig& config, const Catalogue& catalogue,
                      const ComputeOptions& compute);
int64_t machineMemory();   ///< bytes of the machine
int64_t availableMemory(); ///< that could be had now; 0 where unknown

/// Answer to `open` (`full`) or `info`: headers only. What the client may fetch of the model is
/// told to `files`.
Json describeModel(const std::string& model, bool full, const std::filesystem::path& cache,
                   const ComputeOptions& compute, FileAccess& files);

Json partsToJson(const SizeParts& parts);

} // namespace bitloom::serve
