// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#include "core/engine/inputs.h"

#include "core/base/error.h"
#include "core/io/safetensors.h"
#include "core/stats/statistics.h"
#include "core/text/tokenizer.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>

namespace bitloom {

namespace fs = std::filesystem;

namespace {

constexpr int64_t defaultSequences = 128, defaultLength = 2048;

struct WindowShape {
    int64_t length = defaultLength, sequences = defaultSequences;
};

WindowShape windowShape(const ModelConfig& config, int64_t sequences, int64_t length,
                        const InputNote& note) {
    WindowShape shape;
    const int64_t holds = config.maxPositions;
    if (length > 0) {
        shape.length = std::min(length, holds);
        if (length > holds)
            note(fmt::format("windows of {} tokens are more than the {} positions of this model; "
                             "{} are used",
                             length, holds, holds));
    } else if (holds < defaultLength) {
        shape.length = std::max<int64_t>(2, holds / 2);
        shape.sequences = (defaultSequences * defaultLength + shape.length - 1) / shape.length;
    }
    if (sequences > 0) shape.sequences = sequences;
    return shape;
}

void requirePlainFile(const fs::path& path) {
    std::error_code error;
    if (!fs::exists(path, error))
        throw Error("there is no file '" + path.string() + "'", "Check the name.");
    if (fs::is_directory(path, error))
        throw Error("'" + path.string() + "' is a folder, not a file", "Name a file.");
}

void requireTokenizer(const fs::path& folder) {
    if (!hasTokenizer(folder))
        throw Error("'" + folder.string() + "' has no tokenizer, so text cannot be used",
                    "Give ready token ids (--ids on the command line: safetensors, I32 input_ids), "
                    "or put tokenizer.json or tokenizer.model into the folder.");
}

/// The text of a source, and its name for people.
std::pair<std::string, std::string> readSource(const TextSource& source, const fs::path& own,
                                               const fs::path& bundledText, const char* doing,
                                               const InputNote& note) {
    if (source.inlined) {
        if (source.inlined->text.empty())
            throw Error("the text '" + source.inlined->name + "' is empty", "Give a longer text.");
        return {source.inlined->text, source.inlined->name};
    }
    std::vector<fs::path> files = source.files;
    if (files.empty()) {
        std::error_code ignored;
        const bool beside = !source.bundled && fs::is_regular_file(own, ignored);
        files = {beside ? own : bundledText};
        if (!source.bundled)
            note(fmt::format("{} {} ({})", doing,
                             beside ? "the model's own " + own.filename().string()
                                    : std::string("the bundled text"),
                             files[0].string()));
    }
    std::string name;
    for (const fs::path& file : files) {
        requirePlainFile(file);
        name += (name.empty() ? "" : ", ") + file.filename().string();
    }
    return {readTexts(files), name};
}

} // namespace

TokenWindows calibrationWindows(const Checkpoint& model, const TextSource& source,
                                int64_t sequences, int64_t wantedLength,
                                const fs::path& bundledText, const InputNote& note) {
    const WindowShape shape = windowShape(model.config(), sequences, wantedLength, note);
    if (!source.ids.empty()) {
        requirePlainFile(source.ids);
        int64_t length = shape.length;
        if (wantedLength == 0) {
            // Rows that somebody prepared stay as they are where the model can hold them.
            const auto ids = SafetensorsFile::open(source.ids);
            const TensorInfo& tensor = ids->require("input_ids");
            if (tensor.shape.size() == 2)
                length = std::min(tensor.shape[1], model.config().maxPositions);
            else if (tensor.elements() < length)
                length = tensor.elements();
        }
        return windowsFromIds(source.ids, model.config().vocab, length, sequences);
    }
    requireTokenizer(model.folder());
    const auto [text, name] =
        readSource(source, model.folder() / "calibration.txt", bundledText, "calibrating on", note);
    const auto tokenizer = loadTokenizer(model.folder());
    TokenWindows windows = windowsFromText(*tokenizer, text, name, shape.length, shape.sequences);
    if (windows.count < shape.sequences && sequences > 0)
        note(fmt::format("the text fills {} windows of {} tokens, not {}", windows.count,
                         windows.length, shape.sequences));
    return windows;
}

EvaluationWindows evaluationInput(const ModelWeights& model, const TextSource& source,
                                  Protocol protocol, int64_t wantedContext,
                                  const fs::path& bundledText, const InputNote& note) {
    const ModelConfig& config = model.config();
    EvaluationWindows windows;
    if (!source.ids.empty()) {
        requirePlainFile(source.ids);
        const int64_t asked = wantedContext > 0 ? wantedContext : defaultContext(protocol);
        int64_t length = std::min(asked, config.maxPositions);
        const auto ids = SafetensorsFile::open(source.ids);
        const TensorInfo& tensor = ids->require("input_ids");
        if (wantedContext == 0)
            length = std::min(length, tensor.shape.empty() ? 1 : tensor.shape.back());
        windows =
            evaluationWindows(windowsFromIds(source.ids, config.vocab, length), protocol, config);
        if (windows.note.empty() && wantedContext > config.maxPositions)
            windows.note = fmt::format("context capped at {} by the model", config.maxPositions);
    } else {
        requireTokenizer(model.folder());
        const auto [text, name] =
            readSource(source, model.folder() / "valid.txt", bundledText, "measuring on", note);
        windows = evaluationWindows(*loadTokenizer(model.folder()), text, name, protocol,
                                    wantedContext, config);
    }
    if (!windows.note.empty()) note(windows.note);
    return windows;
}

std::shared_ptr<const Statistics> newestStatistics(const fs::path& cache,
                                                   const std::string& modelFingerprint,
                                                   const std::string& wanted,
                                                   const InputNote& note) {
    std::shared_ptr<const Statistics> newest;
    for (const fs::path& path : findCachedStatistics(cache, modelFingerprint)) {
        std::shared_ptr<const Statistics> statistics;
        try {
            statistics = Statistics::open(path);
        } catch (const Error& error) {
            note(fmt::format("cached statistics are passed over: {}", error.what()));
            continue;
        }
        if (!newest) newest = statistics;
        if (wanted.empty()) break;
        if (statistics->recipe().fingerprint() == wanted) return statistics;
    }
    return newest;
}

std::shared_ptr<const Statistics> cachedStatistics(const fs::path& cache, const Checkpoint& model,
                                                   const std::string& wanted,
                                                   const InputNote& note) {
    adoptStatistics(cache, model.folder(), model.fingerprint());
    auto statistics = newestStatistics(cache, model.fingerprint(), wanted, note);
    if (statistics && !wanted.empty() && statistics->recipe().fingerprint() != wanted)
        note("the statistics that the plan was made from are not in the cache; the newest of this "
             "model are used");
    return statistics;
}

void requireStatisticsOf(const Statistics& statistics, const Checkpoint& model) {
    if (statistics.recipe().modelFingerprint == model.fingerprint()) return;
    throw Error(fmt::format("the statistics '{}' are of another model ({})",
                            statistics.path().string(), statistics.modelName()),
                fmt::format("Calibrate this one: bitloom calibrate {}", model.folder().string()));
}

std::string describeCalibration(const Statistics& statistics) {
    const CalibrationRecipe& recipe = statistics.recipe();
    std::string source = recipe.source.empty() ? "ids" : recipe.source;
    if (source.find(", ") == std::string::npos) source = fs::path(source).filename().string();
    return fmt::format("{}, {} windows of {}", source, recipe.sequences, recipe.length);
}

} // namespace bitloom
