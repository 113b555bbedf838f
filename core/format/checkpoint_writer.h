// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include "core/base/progress.h"
#include "core/format/layout.h"

#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace bitloom {

/// Writes a checkpoint crash-safely (FORMAT §5): fills OUT.partial/, journals every tensor with its
/// hash after its bytes are on disk, and publishes the folder at the end. A writer made again with
/// the same layout and fingerprint goes on where the last one stopped.
/// put… and marks may be called from several threads.
class CheckpointWriter {
public:
    enum class Existing { Refuse, Replace }; ///< what to do with a complete OUT: refuse, or --force
    struct Options {
        Existing existing = Existing::Refuse;
        bool resume =
            false; ///< accept an OUT.partial of the same fingerprint; without it one is an Error
        std::string
            fingerprint; ///< of plan, model, calibration, method, threads: what resume compares
    };
    /// Checks that OUT's parent is writable and that the space is there (Error NoSpace names both
    /// figures), creates OUT.partial and its files at full size. With `resume`, verifies the hash
    /// of every journaled tensor; those that fail are dropped with a warning and must be put again.
    CheckpointWriter(const std::filesystem::path& out, const Checkpoint& source,
                     const CheckpointLayout& layout, const Options& options);
    ~CheckpointWriter();

    bool hasTensor(std::string_view name) const;
    bool hasLinear(std::string_view linear) const; ///< all its tensors are there
    void putTensor(std::string_view name, std::span<const std::byte> bytes);
    /// Packs and writes; sizes must be those of the layout.
    void putLinear(std::string_view linear, const std::vector<PackedTensor>& tensors);
    /// The bytes of a tensor that is already there.
    std::vector<std::byte> readTensor(std::string_view name) const;
    ColumnWeights readColumn(std::string_view linear) const;
    GroupWeights readGroup(std::string_view linear) const;

    void putMark(const std::string& key, const nlohmann::json& value);
    std::optional<nlohmann::json> mark(const std::string& key) const; ///< the latest
    /// OUT.partial/work: scratch of the job, removed before publishing.
    std::filesystem::path workFolder() const;

    /// Copies the tensors that are not quantized and are not there yet (embedding, head, norms,
    /// biases), converting embedding and head to rows8 where the spec says so.
    void copyRemaining(const Checkpoint& source, int threads, Progress& progress);
    /// Writes the generated files, the manifest, flushes, removes scratch, publishes.
    /// `recipe` must fit the size the layout fixed.
    void finish(const nlohmann::json& recipe, Progress& progress);

    /// Counters for tests: tensors found finished on resume, and put in this run.
    int64_t resumedTensors() const;
    int64_t writtenTensors() const;

private:
    struct State;
    std::unique_ptr<State> m_state;
};

} // namespace bitloom
