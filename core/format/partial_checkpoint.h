// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include "core/format/checkpoint_writer.h"
#include "core/io/durable.h"

#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace bitloom {

/// OUT.partial: the files of a checkpoint at their full size and the journal of what they hold.
/// Knows tensors by name and their places, nothing of what they mean. put, read, has and marks may
/// be called from several threads.
class PartialCheckpoint {
public:
    using Named = std::pair<std::string, std::span<const std::byte>>;
    using Hashes = std::map<std::string, std::string, std::less<>>;

    /// See CheckpointWriter. `layoutHash` tells layouts of one fingerprint apart.
    PartialCheckpoint(const std::filesystem::path& out, const CheckpointLayout& layout,
                      const CheckpointWriter::Options& options, const std::string& layoutHash);

    bool has(std::string_view tensor) const;
    std::vector<std::byte> read(std::string_view tensor) const;
    /// Writes, flushes, and enters the tensors in the journal, all or none.
    void put(const std::vector<Named>& tensors);

    /// The same for tensors too large for memory: forget, then write in pieces, then confirm with
    /// the hashes of what was written.
    void forget(std::span<const std::string> tensors);
    void writePiece(std::string_view tensor, uint64_t offset, std::span<const std::byte> bytes);
    void confirm(const std::map<std::string, std::string>& hashes);

    void putMark(const std::string& key, const nlohmann::json& value);
    std::optional<nlohmann::json> mark(const std::string& key) const;

    const std::filesystem::path& out() const { return m_out; }
    const std::filesystem::path& folder() const { return m_partial; }
    const std::filesystem::path& workFolder() const { return m_work; }
    Hashes hashes() const;
    void readShard(size_t shard, uint64_t offset, std::span<std::byte> bytes) const;
    int64_t resumed() const { return m_resumed; }
    int64_t written() const;

    /// The last steps, after every file but config.json is written; see the .cpp.
    void publish(const std::string& manifestHash, const std::string& config);

private:
    void recover();
    void open();
    bool openJournal(const std::string& layoutHash);
    void checkSpace() const;
    void openShards();
    void replay();
    void verify(const Hashes& journaled);
    void requireOpen() const;

    std::filesystem::path m_out, m_partial, m_work, m_aside; ///< OUT, OUT.partial, …/work, OUT.work
    CheckpointWriter::Options m_options;
    const CheckpointLayout& m_layout;
    std::optional<FolderLock> m_lock;
    std::vector<std::unique_ptr<OutputFile>> m_shards;

    mutable std::mutex m_mutex; ///< guards what follows
    std::optional<Journal> m_journal;
    Hashes m_hashes; ///< of the tensors that are there
    std::map<std::string, nlohmann::json, std::less<>> m_marks;
    int64_t m_resumed = 0, m_written = 0;
};

} // namespace bitloom
