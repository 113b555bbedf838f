// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors

// Whether a checkpoint is still as it was written.
#include "core/format/checkpoint_reader.h"

#include "core/base/error.h"
#include "core/base/hash.h"
#include "core/base/threads.h"
#include "core/format/checkpoint_files.h"
#include "core/io/durable.h"
#include "core/io/mapped_file.h"

#include <algorithm>
#include <map>
#include <mutex>
#include <thread>

namespace bitloom {

namespace fs = std::filesystem;

namespace {

/// Hash in pieces, so that a long file does not delay the wish to stop.
std::string hashInPieces(std::span<const std::byte> bytes, const Progress& progress) {
    constexpr size_t piece = 8 << 20;
    Hasher hasher;
    for (size_t at = 0; at < bytes.size(); at += piece) {
        progress.check();
        hasher.update(bytes.subspan(at, std::min(piece, bytes.size() - at)));
    }
    return hasher.digest();
}

bool isIntact(const fs::path& path, const checkpointFiles::ManifestEntry& entry,
              const Progress& progress) {
    const auto file = MappedFile::open(path);
    const bool intact =
        file->bytes().size() == entry.bytes && hashInPieces(file->bytes(), progress) == entry.hash;
    file->release(file->bytes());
    return intact;
}

bool isIntact(const SafetensorsFile& file, const std::string& name,
              const checkpointFiles::ManifestEntry& entry, const Progress& progress) {
    const TensorInfo& info = file.require(name);
    const bool intact =
        info.bytes() == entry.bytes && hashInPieces(file.data(info), progress) == entry.hash;
    file.release(info);
    return intact;
}

} // namespace

std::vector<std::string> QuantizedCheckpoint::verify(int threads, Progress& progress) const {
    using namespace checkpointFiles;
    Manifest manifest;
    try {
        manifest = parseManifest(readTextFile(m_folder / manifestName), manifestName);
    } catch (const Error&) {
        return {manifestName};
    }
    // Mapped anew: what is mapped since open() may be another file by now, or cut short.
    std::map<std::string, std::shared_ptr<const SafetensorsFile>> shards;
    for (const auto& file : m_files) {
        try {
            shards[file->path().filename()] = SafetensorsFile::open(file->path());
        } catch (const Error&) { // its tensors are found missing below
        }
    }
    struct Item {
        std::string name;
        const ManifestEntry* entry;
        bool isTensor;
        bool intact = false;
    };
    std::vector<Item> items;
    uint64_t total = 0, done = 0;
    for (const auto& [name, entry] : manifest.files)
        items.push_back({name, &entry, false});
    for (const auto& [name, entry] : manifest.tensors)
        items.push_back({name, &entry, true});
    for (const Item& item : items)
        total += item.entry->bytes;

    const auto check = [&](Item& item) {
        try {
            if (!item.isTensor) {
                item.intact = isIntact(m_folder / item.name, *item.entry, progress);
                return;
            }
            const auto place = m_tensors.find(item.name);
            if (place == m_tensors.end()) return;
            const auto shard =
                shards.find(m_files[place->second.first]->path().filename().string());
            if (shard != shards.end())
                item.intact = isIntact(*shard->second, item.name, *item.entry, progress);
        } catch (const Error& error) {
            if (error.code() == ErrorCode::Cancelled) throw;
        }
    };
    const auto caller = std::this_thread::get_id();
    std::mutex mutex;
    parallelFor(int64_t(items.size()), 1, threads, [&](int64_t begin, int64_t end) {
        for (int64_t i = begin; i < end; ++i) {
            Item& item = items[size_t(i)];
            check(item);
            const std::lock_guard guard(mutex);
            done += item.entry->bytes;
            if (std::this_thread::get_id() == caller)
                progress.report(double(done) / double(std::max<uint64_t>(total, 1)),
                                "verifying " + item.name);
        }
    });
    std::vector<std::string> damaged;
    for (const Item& item : items)
        if (!item.intact) damaged.push_back(item.name);
    for (const auto& [name, place] : m_tensors)
        if (!manifest.tensors.contains(name)) damaged.push_back(name);
    for (const auto& file : m_files)
        if (!manifest.files.contains(file->path().filename().string()))
            damaged.push_back(file->path().filename().string());
    return damaged;
}

} // namespace bitloom
