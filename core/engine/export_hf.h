// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include "core/base/progress.h"
#include "core/engine/compute.h"
#include "core/format/checkpoint_reader.h"

#include <filesystem>
#include <memory>

namespace bitloom {

/// Writes a plain Hugging Face model whose weights are the dequantized ones, in F32, F16 or BF16
/// (norms, biases and 16-bit embeddings keep their own dtype unless F32 is asked for). Streams
/// layer by layer; the folder appears only when complete. Refuses an existing `out`. Returns the
/// bytes written.
int64_t exportHuggingFace(const QuantizedCheckpoint& source, DType dtype,
                          const std::filesystem::path& out, const ComputeOptions& compute,
                          Progress& progress);

} // namespace bitloom
