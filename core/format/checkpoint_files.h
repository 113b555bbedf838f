// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include "core/format/blueprint.h"
#include "core/format/layout.h"

#include <cstdint>
#include <map>
#include <string>
#include <vector>

/// The text files of a checkpoint: what they say, and how much room each is given before its text
/// is known. Text is padded with spaces to its room; a test holds that it always fits.
namespace bitloom::checkpointFiles {

inline constexpr const char* configName = "config.json";
inline constexpr const char* indexName = "model.safetensors.index.json";
inline constexpr const char* recipeName = "recipe.json";
inline constexpr const char* manifestName = "MANIFEST.json";
inline constexpr const char* cardName = "README.md";
inline constexpr int formatVersion = 1;

/// All files of the checkpoint but the shards, sorted by name. Copies are the ones that the source
/// has: tokenizer, chat template, generation settings, licences.
std::vector<CheckpointLayout::PlainFile> list(const Checkpoint& source, const CheckpointSpec& spec,
                                              const Blueprint& blueprint);

std::string configText(const Checkpoint& source, const CheckpointSpec& spec);
std::string indexText(const CheckpointLayout& layout);
/// `recipe` with the sizes by part and the program's name.
std::string recipeText(const nlohmann::json& recipe, const SizeParts& parts);
/// At most `room` bytes: rows of the recipe that do not fit are left out.
std::string cardText(const nlohmann::json& recipe, const CheckpointLayout& layout, int64_t room);

struct ManifestEntry {
    uint64_t bytes = 0;
    std::string hash;
};
struct Manifest {
    std::map<std::string, ManifestEntry, std::less<>> files, tensors; ///< by name
};
std::string manifestText(const Manifest& manifest);
/// Throws Error(where + …).
Manifest parseManifest(const std::string& text, const std::string& where);

/// Throws Error if `text` needs more room than the layout gave.
std::string padded(std::string text, int64_t bytes, const std::string& fileName);

} // namespace bitloom::checkpointFiles
