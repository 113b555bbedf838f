// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#include "core/engine/write_checkpoint.h"

#include "core/base/error.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <system_error>
#include <unistd.h>

namespace bitloom {

namespace fs = std::filesystem;

namespace {

int64_t bytesOnDisk(const fs::path& folder) {
    int64_t bytes = 0;
    for (const auto& entry : fs::recursive_directory_iterator(folder))
        if (entry.is_regular_file()) bytes += int64_t(entry.file_size());
    return bytes;
}

std::vector<std::string> warningsOf(const WrittenCheckpoint& written,
                                    const QuantizeOptions& options, int64_t predicted) {
    std::vector<std::string> warnings = written.report.warnings;
    if (written.report.polishedByBlock)
        warnings.push_back(
            fmt::format("polished block by block: both models together do not fit into the limit "
                        "of {}; trained end to end, where there is more, the result is better",
                        options.compute.device ? "the GPU's memory" : "memory"));
    if (written.bytes != predicted)
        warnings.push_back(
            fmt::format("{} bytes were written where {} were predicted", written.bytes, predicted));
    return warnings;
}

} // namespace

fs::path outputName(const fs::path& given) {
    const fs::path out = fs::absolute(given).lexically_normal();
    return out.has_filename() ? out : out.parent_path();
}

void checkOutputFolder(const OutputFolder& output, const OutputHints& hints) {
    std::error_code ignored;
    const fs::path out = outputName(output.folder);
    const std::string name = "'" + out.string() + "'";
    const std::string elsewhere = hints.elsewhere;
    if (!out.has_filename() || out == out.root_path())
        throw Error(name + " is no name for a new folder", "Give the folder a name.");
    if (fs::exists(fs::symlink_status(out, ignored)) && !output.force)
        throw Error(name + " exists already", hints.exists);
    fs::path parent = out.parent_path();
    while (!fs::exists(parent, ignored) && parent != parent.root_path())
        parent = parent.parent_path();
    if (!fs::is_directory(parent, ignored))
        throw Error("'" + parent.string() + "' is not a folder, so " + name +
                        " cannot be made in it",
                    elsewhere + ".");
    if (::access(parent.c_str(), W_OK | X_OK) != 0)
        throw Error(
            fmt::format("'{}' cannot be written to: {}", parent.string(), std::strerror(errno)),
            elsewhere + ", or change the folder's permissions.");
    const fs::path partial = out.string() + ".partial";
    if (fs::exists(partial, ignored) && !output.resume)
        throw Error("an unfinished '" + partial.string() + "' is there from an earlier run",
                    hints.unfinished);
}

void makeParents(const fs::path& folder, const OutputHints& hints) {
    std::error_code failed;
    const fs::path parent = outputName(folder).parent_path();
    fs::create_directories(parent, failed);
    if (failed)
        throw Error(
            fmt::format("the folder '{}' cannot be made: {}", parent.string(), failed.message()),
            std::string(hints.elsewhere) + ".");
}

std::vector<std::pair<std::string, int64_t>> filesOf(const CheckpointLayout& layout) {
    std::vector<std::pair<std::string, int64_t>> files;
    for (const auto& shard : layout.shards())
        files.emplace_back(shard.fileName, int64_t(shard.layout.fileBytes()));
    for (const auto& file : layout.files())
        files.emplace_back(file.name, file.bytes);
    std::ranges::sort(files);
    return files;
}

WrittenCheckpoint writeCheckpoint(std::shared_ptr<const Checkpoint> model,
                                  const Statistics& statistics, const QuantizeOptions& options,
                                  const CheckpointLayout& layout, const OutputFolder& output,
                                  Progress& progress) {
    CheckpointWriter::Options how;
    how.existing =
        output.force ? CheckpointWriter::Existing::Replace : CheckpointWriter::Existing::Refuse;
    how.resume = output.resume;
    how.fingerprint = quantizeFingerprint(*model, statistics, options);
    CheckpointWriter writer(output.folder, *model, layout, how);
    ProgressSlice main(progress, 0, 0.97), rest(progress, 0.97, 1);
    WrittenCheckpoint written;
    written.report = quantize(model, statistics, options, writer, main);
    writer.finish(layout.spec().recipe, rest);
    written.resumedTensors = writer.resumedTensors();
    written.writtenTensors = writer.writtenTensors();
    written.bytes = bytesOnDisk(output.folder);
    written.warnings = warningsOf(written, options, layout.totalBytes());
    return written;
}

void requireIntact(const fs::path& folder, const std::vector<std::string>& damaged,
                   const char* hint) {
    if (damaged.empty()) return;
    std::string names;
    for (size_t i = 0; i < damaged.size() && i < 8; ++i)
        names += (i ? ", " : "") + damaged[i];
    if (damaged.size() > 8) names += fmt::format(", and {} more", damaged.size() - 8);
    throw Error("'" + folder.string() + "' is damaged: " + names, hint);
}

} // namespace bitloom
