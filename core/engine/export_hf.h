// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include "core/base/progress.h"
#include "core/engine/compute.h"
#include "core/format/checkpoint_reader.h"

#include <filesystem>
#include <memory>

namespace bitloom {

enum class ExistingExport { Refuse, Replace };

/// Whether an export may go to `out`: nothing is there, or, to be replaced, an empty folder or a
/// model that exportHuggingFace() wrote (files alone, with its card). Anything else is never
/// touched: "-o ~ --force" must not remove a home. Throws Error.
void checkExportFolder(const std::filesystem::path& out, ExistingExport existing);

/// Writes a plain Hugging Face model whose weights are the dequantized ones, in F32, F16 or BF16
/// (norms, biases and 16-bit embeddings keep their own dtype unless F32 is asked for). Streams
/// layer by layer into `out`.partial; the folder appears only when complete. What is at `out` is
/// as checkExportFolder() allows; a replaced export stays whole until the new one takes its place,
/// and stays at all if this one fails or is cancelled. Returns the bytes written.
int64_t exportHuggingFace(const QuantizedCheckpoint& source, DType dtype,
                          const std::filesystem::path& out, const ComputeOptions& compute,
                          Progress& progress, ExistingExport existing = ExistingExport::Refuse);

} // namespace bitloom
