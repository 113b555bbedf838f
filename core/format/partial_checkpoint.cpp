// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
//
// OUT.partial/ holds the shards at their full size and, in work/, everything that the finished
// checkpoint will not have: journal, lock, scratch of the job. A tensor enters the journal, with
// its hash, after its bytes are flushed; so the journal never names something that is not on disk.
//
// The end, in steps that each leave a state which the next run understands:
//   1. all other files are written and flushed, config.json last: nothing looks like a model
//   before;
//   2. OUT.partial/work is renamed to OUT.work, so that nothing foreign is published;
//   3. OUT.partial is renamed to OUT, or exchanged with it;
//   4. OUT.work is removed.
// A run that finds OUT.work tells by the hash of the manifest, journaled before step 2, whether
// step 3 was done.
#include "core/format/partial_checkpoint.h"

#include "core/base/error.h"
#include "core/base/hash.h"
#include "core/base/log.h"
#include "core/base/threads.h"
#include "core/base/units.h"
#include "core/format/checkpoint_files.h"
#include "core/io/system_error.h"
#include "core/model/checkpoint.h"

#include <algorithm>
#include <cerrno>
#include <set>
#include <unistd.h>

namespace bitloom {

namespace fs = std::filesystem;
using nlohmann::json;

namespace {

constexpr const char* journalName = "journal";

fs::path withSuffix(const fs::path& path, const char* suffix) {
    fs::path result = path;
    result += suffix;
    return result;
}

fs::path parentOf(const fs::path& path) {
    const fs::path parent = path.parent_path();
    return parent.empty() ? fs::path(".") : parent;
}

bool isThere(const fs::path& path) {
    std::error_code ignored;
    return fs::symlink_status(path, ignored).type() != fs::file_type::not_found;
}

bool isEmptyFolder(const fs::path& path) {
    std::error_code none;
    return fs::is_directory(fs::symlink_status(path, none)) && fs::is_empty(path, none) && !none;
}

void makeFolder(const fs::path& path) {
    std::error_code failed;
    fs::create_directories(path, failed);
    if (failed) throwSystemError("create the folder", path, failed.value());
}

void removeAll(const fs::path& path) {
    std::error_code failed;
    fs::remove_all(path, failed);
    if (failed) throwSystemError("remove", path, failed.value());
}

/// The journal goes last: it tells whose folder this is.
void removeAside(const fs::path& aside) {
    std::error_code failed;
    for (fs::directory_iterator entry(aside, failed), end; !failed && entry != end;
         entry.increment(failed))
        if (entry->path().filename() != journalName) removeAll(entry->path());
    removeAll(aside / journalName);
    removeAll(aside);
}

void renameFolder(const fs::path& from, const fs::path& to) {
    if (::rename(from.c_str(), to.c_str()) != 0)
        throwSystemError("rename to '" + to.string() + "' the folder", from, errno);
    flushFolder(parentOf(from));
    flushFolder(parentOf(to));
}

/// What stands at OUT may be replaced: nothing, an empty folder, one of our checkpoints. Anything
/// else is never touched, whatever the options: "-o ~ --force" must not remove a home.
void checkExisting(const fs::path& out, CheckpointWriter::Existing existing) {
    if (!isThere(out) || isEmptyFolder(out)) return;
    std::error_code ignored;
    if (!fs::is_directory(fs::symlink_status(out, ignored)) || !isBitloomCheckpoint(out))
        throw Error("'" + out.string() + "' exists and is not a Bitloom checkpoint",
                    "Choose another folder.");
    if (existing == CheckpointWriter::Existing::Refuse)
        throw Error("'" + out.string() + "' exists already",
                    "Choose another folder, or replace it with --force.");
}

std::string hashIfFile(const fs::path& path) {
    std::error_code ignored;
    return fs::is_regular_file(path, ignored) ? hashFile(path) : std::string();
}

[[noreturn]] void throwDamaged(const fs::path& journal, const std::exception& why) {
    throw Error("'" + journal.string() + "' is damaged: " + why.what(),
                "Remove the folder '" + journal.parent_path().parent_path().string() +
                    "' and start again.");
}

/// "out/", "." and ".." by the name that suffixes can be given to.
fs::path nameOf(const fs::path& out) {
    const fs::path plain = out.has_filename() ? out : out.parent_path();
    const fs::path name = plain.filename();
    return name.empty() || name == "." || name == ".." ? fs::weakly_canonical(plain) : plain;
}

} // namespace

PartialCheckpoint::PartialCheckpoint(const fs::path& out, const CheckpointLayout& layout,
                                     const CheckpointWriter::Options& options,
                                     const std::string& layoutHash)
    : m_out(nameOf(out)), m_partial(withSuffix(m_out, ".partial")), m_work(m_partial / "work"),
      m_aside(withSuffix(m_out, ".work")), m_options(options), m_layout(layout) {
    const fs::path parent = parentOf(m_out);
    std::error_code ignored;
    if (!fs::is_directory(parent, ignored))
        throw Error("'" + parent.string() + "' is no folder, so '" + m_out.string() +
                    "' cannot be made in it");
    if (::access(parent.c_str(), W_OK | X_OK) != 0)
        throw Error("the folder '" + parent.string() + "' cannot be written to");
    recover();
    checkExisting(m_out, m_options.existing);
    const bool isNew = !isThere(m_partial) || isEmptyFolder(m_partial);
    if (!isNew && !m_options.resume)
        throw Error("'" + m_partial.string() + "' was begun and not finished",
                    "Give --resume to go on, or remove it to start again.");
    if (!isNew && !isThere(m_work))
        throw Error("'" + m_partial.string() + "' is not the beginning of a checkpoint",
                    "Move it away, or choose another output folder.");
    checkSpace();
    try {
        makeFolder(m_work);
        m_lock.emplace(m_work);
        const bool goesOn = openJournal(layoutHash);
        // A former run may have died in its last steps; this one is not there yet.
        if (goesOn) fs::remove(m_partial / checkpointFiles::configName, ignored);
        openShards();
        if (goesOn) replay();
    } catch (...) {
        // Nothing is in it yet, and what it has claimed may be what the disk lacks.
        m_shards.clear();
        m_journal.reset();
        m_lock.reset();
        if (isNew) fs::remove_all(m_partial, ignored);
        throw;
    }
}

/// Puts right what a death between steps 2 and 4 of the end has left (see top of file).
void PartialCheckpoint::recover() {
    if (!isThere(m_aside)) return;
    std::string manifestHash;
    if (isThere(m_aside / journalName)) {
        const FolderLock guard(m_aside); // its maker may be alive and at step 3 just now
        try {
            const Journal left(m_aside / journalName);
            for (const json& entry : left.entries())
                if (entry.contains("finished"))
                    manifestHash = entry.at("finished").get<std::string>();
        } catch (const json::exception& error) {
            throwDamaged(m_aside / journalName, error);
        }
        if (!manifestHash.empty() &&
            hashIfFile(m_partial / checkpointFiles::manifestName) == manifestHash) {
            renameFolder(m_aside, m_work); // step 3 was not done
            return;
        }
    }
    const bool published =
        !manifestHash.empty() && hashIfFile(m_out / checkpointFiles::manifestName) == manifestHash;
    // Ours, with the end begun, but its checkpoint is gone: somebody has moved or removed that,
    // whole as it was, and nobody needs the journal any more.
    if (manifestHash.empty() && !isEmptyFolder(m_aside))
        throw Error("'" + m_aside.string() + "' exists and is none of this job's folders",
                    "Move it away, or choose another output folder.");
    // OUT.partial, if there is one, is what OUT was before the exchange.
    if (published) removeAll(m_partial);
    removeAside(m_aside);
}

/// Opens the journal and claims it for this job. True if there is something to go on from.
bool PartialCheckpoint::openJournal(const std::string& layoutHash) {
    m_journal.emplace(m_work / journalName);
    if (m_journal->entries().empty()) {
        m_journal->append({{"fingerprint", m_options.fingerprint}, {"layout", layoutHash}});
        return false;
    }
    try {
        const json& first = m_journal->entries().front();
        if (first.at("fingerprint").get<std::string>() == m_options.fingerprint &&
            first.at("layout").get<std::string>() == layoutHash)
            return true;
    } catch (const json::exception& error) {
        throwDamaged(m_work / journalName, error);
    }
    throw Error("'" + m_partial.string() +
                    "' was begun with another plan, model, calibration, method or number of "
                    "threads, so this job cannot go on with it",
                "Give the same options as then, or remove the folder and start again.");
}

void PartialCheckpoint::checkSpace() const {
    uint64_t there = 0; // what a former run has claimed already
    for (const auto& shard : m_layout.shards()) {
        std::error_code none;
        const uint64_t size = fs::file_size(m_partial / shard.fileName, none);
        if (!none) there += std::min<uint64_t>(size, shard.layout.fileBytes());
    }
    const auto total = uint64_t(m_layout.totalBytes());
    const uint64_t needed = total - std::min(there, total), free = freeBytes(parentOf(m_out));
    if (needed > free)
        throw Error(ErrorCode::NoSpace,
                    "not enough disk space for '" + m_out.string() +
                        "': " + formatBytes(int64_t(needed)) + " (" + formatCount(int64_t(needed)) +
                        " bytes) are needed, " + formatBytes(int64_t(free)) + " (" +
                        formatCount(int64_t(free)) + ") are free",
                    "Make room, choose a folder on another disk, or a smaller budget.");
}

void PartialCheckpoint::openShards() {
    for (const auto& shard : m_layout.shards()) {
        m_shards.push_back(
            std::make_unique<OutputFile>(m_partial / shard.fileName, shard.layout.fileBytes()));
        m_shards.back()->write(0, std::as_bytes(std::span(shard.layout.header())));
        m_shards.back()->flush();
    }
    flushFolder(m_partial);
    flushFolder(parentOf(m_out));
}

void PartialCheckpoint::replay() {
    Hashes journaled;
    try {
        for (const json& entry : m_journal->entries()) {
            if (entry.contains("put"))
                for (const auto& [name, hash] : entry.at("put").items())
                    journaled[name] = hash.get<std::string>();
            else if (entry.contains("mark"))
                m_marks[entry.at("mark").get<std::string>()] = entry.at("value");
        }
    } catch (const json::exception& error) {
        throwDamaged(m_work / journalName, error);
    }
    verify(journaled);
}

void PartialCheckpoint::verify(const Hashes& journaled) {
    const std::vector<std::pair<std::string, std::string>> list(journaled.begin(), journaled.end());
    std::vector<char> intact(list.size());
    parallelFor(int64_t(list.size()), 1, defaultThreads(), [&](int64_t begin, int64_t end) {
        for (int64_t i = begin; i < end; ++i)
            intact[size_t(i)] = hashBytes(read(list[size_t(i)].first)) == list[size_t(i)].second;
    });
    for (size_t i = 0; i < list.size(); ++i) {
        if (intact[i])
            m_hashes.insert(list[i]);
        else
            logger("core")->warn(
                "'{}': tensor '{}' is not as it was written and will be made again",
                m_partial.string(), list[i].first);
    }
    m_resumed = int64_t(m_hashes.size());
}

void PartialCheckpoint::requireOpen() const {
    if (!m_journal) throw Error("'" + m_out.string() + "' is finished already");
}

bool PartialCheckpoint::has(std::string_view tensor) const {
    const std::lock_guard guard(m_mutex);
    return m_hashes.contains(tensor);
}

std::vector<std::byte> PartialCheckpoint::read(std::string_view tensor) const {
    const auto [shard, info] = m_layout.locate(tensor);
    std::vector<std::byte> bytes(info.bytes());
    readShard(shard, m_layout.shards()[shard].layout.fileOffset(info), bytes);
    return bytes;
}

void PartialCheckpoint::readShard(size_t shard, uint64_t offset, std::span<std::byte> bytes) const {
    if (shard >= m_shards.size()) throw Error("'" + m_out.string() + "' is finished already");
    m_shards[shard]->read(offset, bytes);
}

void PartialCheckpoint::put(const std::vector<Named>& tensors) {
    std::vector<std::string> names;
    std::map<std::string, std::string> hashes;
    for (const auto& [name, bytes] : tensors) {
        const TensorInfo info = m_layout.locate(name).second;
        if (bytes.size() != info.bytes())
            throw Error("tensor '" + name + "' has room for " + std::to_string(info.bytes()) +
                        " bytes, but was given " + std::to_string(bytes.size()));
        names.push_back(name);
        hashes[name] = hashBytes(bytes);
    }
    forget(names);
    for (const auto& [name, bytes] : tensors)
        writePiece(name, 0, bytes);
    confirm(hashes);
}

void PartialCheckpoint::forget(std::span<const std::string> tensors) {
    const std::lock_guard guard(m_mutex);
    requireOpen();
    for (const std::string& name : tensors)
        m_hashes.erase(name);
}

void PartialCheckpoint::writePiece(std::string_view tensor, uint64_t offset,
                                   std::span<const std::byte> bytes) {
    const auto [shard, info] = m_layout.locate(tensor);
    if (offset > info.bytes() || bytes.size() > info.bytes() - offset)
        throw Error("tensor '" + info.name + "' would be written beyond its end");
    m_shards[shard]->write(m_layout.shards()[shard].layout.fileOffset(info) + offset, bytes);
}

void PartialCheckpoint::confirm(const std::map<std::string, std::string>& hashes) {
    std::set<size_t> touched;
    for (const auto& [name, hash] : hashes)
        touched.insert(m_layout.locate(name).first);
    for (const size_t shard : touched)
        m_shards[shard]->flush();
    const std::lock_guard guard(m_mutex);
    requireOpen();
    m_journal->append({{"put", hashes}});
    for (const auto& [name, hash] : hashes)
        m_hashes[name] = hash;
    m_written += int64_t(hashes.size());
}

void PartialCheckpoint::putMark(const std::string& key, const json& value) {
    const std::lock_guard guard(m_mutex);
    requireOpen();
    m_journal->append({{"mark", key}, {"value", value}});
    m_marks[key] = value;
}

std::optional<json> PartialCheckpoint::mark(const std::string& key) const {
    const std::lock_guard guard(m_mutex);
    const auto found = m_marks.find(key);
    return found == m_marks.end() ? std::nullopt : std::optional(found->second);
}

PartialCheckpoint::Hashes PartialCheckpoint::hashes() const {
    const std::lock_guard guard(m_mutex);
    return m_hashes;
}

int64_t PartialCheckpoint::written() const {
    const std::lock_guard guard(m_mutex);
    return m_written;
}

void PartialCheckpoint::publish(const std::string& manifestHash, const std::string& config) {
    const std::lock_guard guard(m_mutex);
    requireOpen();
    checkExisting(m_out, m_options.existing); // it may have come meanwhile
    for (const auto& shard : m_shards)
        shard->flush();
    m_journal->append({{"finished", manifestHash}});
    writeFileAtomically(m_partial / checkpointFiles::configName, config);
    m_shards.clear();
    m_journal.reset();
    renameFolder(m_work, m_aside);
    if (isThere(m_out))
        exchangeFolder(m_partial, m_out);
    else
        publishFolder(m_partial, m_out);
    m_lock.reset();
    try {
        removeAside(m_aside);
    } catch (const Error& error) {
        logger("core")->warn("{}", error.what()); // the checkpoint is complete all the same
    }
}

} // namespace bitloom
