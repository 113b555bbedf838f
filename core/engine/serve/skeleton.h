// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include "core/engine/serve/files.h"
#include "core/model/checkpoint.h"

#include <string>
#include <vector>

namespace bitloom::serve {

/// A file of a model folder and the pieces of it that a stand-in of the same size needs, so that
/// Checkpoint::open takes it for the model itself: same config, same tensors, same fingerprint,
/// and so the same statistics, plans and sizes. The weights are not among them.
struct SkeletonFile {
    std::string name;
    uint64_t bytes = 0;
    std::vector<FilePiece> pieces;
};

/// Plain files of the model's folder, by name.
std::vector<SkeletonFile> skeletonOf(const Checkpoint& model);
Json toJson(const std::vector<SkeletonFile>& files);

} // namespace bitloom::serve
