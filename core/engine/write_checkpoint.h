// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include "core/base/progress.h"
#include "core/engine/quantize.h"

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace bitloom {

// What stands between a request for a checkpoint and the checkpoint, for the command line and for
// `bitloom serve`: the folder, the writing, the checking.

/// A folder that is to be written, and what may be there already.
struct OutputFolder {
    std::filesystem::path folder;
    bool resume = false; ///< an unfinished one may be there
    bool force = false;  ///< a finished one may be there, and is replaced
};

/// What a user can do about a folder that cannot be written, in the words of where it was asked
/// for: whole sentences, but `elsewhere`, which others are made of.
struct OutputHints {
    const char* exists;     ///< "Choose another name with -o, or give --force to replace it."
    const char* elsewhere;  ///< "Choose another place with -o"
    const char* unfinished; ///< "Give --resume to go on with it, or remove it to start again."
};

/// Absolute, without a slash at the end.
std::filesystem::path outputName(const std::filesystem::path& given);
/// Refuses a folder that cannot be written before anything long is started. Throws Error.
void checkOutputFolder(const OutputFolder& output, const OutputHints& hints);
/// Makes the folders above it that are not there yet. Throws Error.
void makeParents(const std::filesystem::path& folder, const OutputHints& hints);

/// The files that a checkpoint will have and their bytes, by name.
std::vector<std::pair<std::string, int64_t>> filesOf(const CheckpointLayout& layout);

struct WrittenCheckpoint {
    QuantizeReport report;
    std::vector<std::string> warnings; ///< the report's, and what is to be said of polish and size
    int64_t resumedTensors = 0, writtenTensors = 0;
    int64_t bytes = 0; ///< of all files, as they are on the disk
};

/// Computes and writes what `layout` says, which was made for checkpointSpec(...). Throws Error;
/// broken off or failed, what is finished stays in FOLDER.partial, and with `resume` the next call
/// goes on with it.
WrittenCheckpoint writeCheckpoint(std::shared_ptr<const Checkpoint> model,
                                  const Statistics& statistics, const QuantizeOptions& options,
                                  const CheckpointLayout& layout, const OutputFolder& output,
                                  Progress& progress);

/// Throws Error with `hint` and the first names where there are any: see
/// QuantizedCheckpoint::verify().
void requireIntact(const std::filesystem::path& folder, const std::vector<std::string>& damaged,
                   const char* hint);

} // namespace bitloom
