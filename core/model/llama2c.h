// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include "core/base/progress.h"

#include <filesystem>

namespace bitloom {

/// Turns a llama2.c checkpoint (version 0 "legacy" float file: seven int32 of header, a negative
/// vocabulary size meaning an untied head; or version 1/2-less float export with magic "ak42") into
/// a Hugging Face folder with F32 weights. `tokenizer` is the llama2.c tokenizer.bin that belongs
/// to it; where not given, tok<vocab>.bin or tokenizer.bin beside `file` is used, and without
/// either the folder gets none and says so. q and k rows are permuted from llama2.c's interleaved
/// rotary pairs to the half-split order of Hugging Face.
void convertLlama2c(const std::filesystem::path& file, const std::filesystem::path& tokenizer,
                    const std::filesystem::path& out, Progress& progress);

} // namespace bitloom
