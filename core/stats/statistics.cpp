// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#include "core/stats/statistics.h"

#include "core/base/error.h"
#include "core/base/hash.h"
#include "core/base/log.h"
#include "core/base/threads.h"
#include "core/stats/statistics_layout.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <atomic>
#include <charconv>
#include <cmath>
#include <cstring>
#include <unistd.h>

namespace bitloom {

namespace fs = std::filesystem;
namespace layout = statisticsLayout;

namespace {

const TensorInfo& requireTensor(const SafetensorsFile& file, const TensorSpec& spec) {
    const TensorInfo& info = file.require(spec.name);
    if (info.dtype != spec.dtype || info.shape != spec.shape)
        throw Error("'" + file.path().string() + "': tensor '" + spec.name + "' is " +
                    std::string(dtypeName(info.dtype)) + " " + shapeText(info.shape) +
                    "; it should be " + std::string(dtypeName(spec.dtype)) + " " +
                    shapeText(spec.shape));
    return info;
}

/// The values where they lie, or a copy in `owner` where that is not aligned for T.
template<typename T>
std::span<const T> viewOf(std::span<const std::byte> bytes, std::vector<T>& owner) {
    const size_t count = bytes.size() / sizeof(T);
    if (reinterpret_cast<uintptr_t>(bytes.data()) % alignof(T) == 0)
        return {reinterpret_cast<const T*>(bytes.data()), count};
    owner.resize(count);
    std::memcpy(owner.data(), bytes.data(), count * sizeof(T));
    return owner;
}

double readDouble(const SafetensorsFile& file, const std::string& name, size_t index = 0) {
    double value;
    std::memcpy(&value, file.data(file.require(name)).data() + index * sizeof value, sizeof value);
    return value;
}

std::string exactText(double value) {
    char text[32];
    const auto end = std::to_chars(text, text + sizeof text, value);
    return {text, end.ptr};
}

/// Throws Error unless the numbers of a finished layer can be worked with.
void checkLayer(const LayerStatistics& layer, const std::string& where) {
    const auto fail = [&](const char* what) {
        throw Error(where + ": " + what + " of layer '" + layer.name +
                        "' hold a value that is negative, infinite or not a number",
                    "The file is damaged: remove it and calibrate again.");
    };
    if (layer.normsDone) {
        if (!layout::allUsable(layer.actRms) || !layout::allUsable(layer.actAbsmax) ||
            !layout::allUsable(layer.weightRms))
            fail("the norms");
        if (!layout::allUsable(layer.conditional)) fail("the conditional variances");
        if (!layout::allUsable(layer.sse)) fail("the error curves");
        if (!(layer.effectiveRank >= 0 && std::isfinite(layer.effectiveRank)))
            fail("the effective rank and norms");
    }
    if (layer.gammaDone && !(layer.gamma >= 0 && std::isfinite(layer.gamma)))
        fail("the Fisher factor and norms");
}

} // namespace

std::string CalibrationRecipe::fingerprint() const {
    std::string text = "statistics " + std::to_string(layout::numbersVersion) + "\n" +
                       modelFingerprint + "\n" + textHash + "\n" + std::to_string(sequences) +
                       "\n" + std::to_string(length) + "\n" + exactText(damping) + "\n" + order +
                       "\n";
    for (const OperatingPoint& point : menu)
        text += pointText(point) + " " + exactText(point.outlierFraction) + "\n";
    return hashText(text);
}

std::shared_ptr<const Statistics> Statistics::open(const fs::path& path, bool allowPartial) {
    const std::shared_ptr<Statistics> result(new Statistics);
    Statistics& made = *result;
    const std::string where = "'" + path.string() + "'";
    made.m_path = path;
    made.m_file = SafetensorsFile::open(path);
    const SafetensorsFile& file = *made.m_file;
    layout::Metadata metadata = layout::parse(file.metadata(), where);
    made.m_recipe = std::move(metadata.recipe);
    made.m_modelName = std::move(metadata.modelName);
    for (const TensorSpec& spec : layout::specs(made.m_recipe, metadata.layers))
        requireTensor(file, spec);

    const auto state = file.data(file.require(layout::stateName));
    const auto isSet = [&](size_t index) { return state[index] != std::byte{0}; };
    const auto floats = [&](const std::string& name) {
        std::vector<float> owner;
        const auto view = viewOf(file.data(file.require(name)), owner);
        if (!owner.empty()) made.m_unaligned.push_back(std::move(owner)); // its data stay in place
        return view;
    };
    bool complete = isSet(2 * metadata.layers.size());
    for (size_t i = 0; i < metadata.layers.size(); ++i) {
        LayerStatistics layer;
        layer.name = metadata.layers[i].name;
        layer.rows = metadata.layers[i].rows;
        layer.cols = metadata.layers[i].cols;
        layer.normsDone = isSet(2 * i);
        layer.gammaDone = isSet(2 * i + 1);
        complete = complete && layer.normsDone && layer.gammaDone;
        std::span<const float>* const views[] = {&layer.actRms, &layer.actAbsmax, &layer.weightRms,
                                                 &layer.conditional, &layer.sse};
        for (size_t p = 0; p < std::size(views); ++p)
            *views[p] = floats(layer.name + layout::parts[p].suffix);
        layer.gamma = readDouble(file, layer.name + layout::gammaSuffix);
        layer.effectiveRank = readDouble(file, layer.name + layout::rankSuffix);
        made.m_layers.push_back(std::move(layer));
    }
    if (!complete && !allowPartial)
        throw Error(where + " is not complete: its calibration is running or was broken off",
                    "The same calibration goes on where it stopped.");
    parallelFor(int64_t(made.m_layers.size()), 1, defaultThreads(),
                [&](int64_t begin, int64_t end) {
                    for (int64_t i = begin; i < end; ++i)
                        checkLayer(made.m_layers[size_t(i)], where);
                });

    made.m_complete = complete;
    made.m_ids = viewOf(file.data(file.require(layout::idsName)), made.m_unalignedIds);
    made.m_nllFp = readDouble(file, layout::nllName);
    made.m_nllFpStderr = readDouble(file, layout::nllName, 1);
    if (!std::isfinite(made.m_nllFp) || !std::isfinite(made.m_nllFpStderr))
        throw Error(where + ": the NLL of the calibration text is not a number");
    const fs::path segments = path.parent_path() / layout::segmentsName;
    std::error_code ignored;
    if (complete && fs::is_regular_file(segments, ignored)) {
        made.m_segmentsFile = MappedFile::open(segments);
        made.m_segments = made.m_segmentsFile->bytes();
    }
    return result;
}

const LayerStatistics* Statistics::find(std::string_view name) const {
    const auto found = std::ranges::find(m_layers, name, &LayerStatistics::name);
    return found == m_layers.end() ? nullptr : &*found;
}

fs::path statisticsFolder(const fs::path& cache, const CalibrationRecipe& recipe) {
    return cache / "stats" / recipe.fingerprint().substr(0, 16);
}

std::vector<fs::path> findCachedStatistics(const fs::path& cache,
                                           const std::string& modelFingerprint) {
    std::vector<std::pair<fs::file_time_type, fs::path>> found;
    std::error_code none; // no such folder: nothing is cached
    for (fs::directory_iterator entry(cache / "stats", none), end; !none && entry != end;
         entry.increment(none)) {
        const fs::path path = entry->path() / layout::fileName;
        try {
            if (!fs::is_regular_file(path)) continue;
            const auto file = SafetensorsFile::open(path);
            const auto metadata = layout::parse(file->metadata(), path.string());
            if (metadata.recipe.modelFingerprint == modelFingerprint)
                found.emplace_back(fs::last_write_time(path), path);
        } catch (const std::exception&) {
            // Something else in the cache folder, or a file of another version: not what is asked.
        }
    }
    std::ranges::sort(found, [](const auto& a, const auto& b) {
        return a.first != b.first ? a.first > b.first : a.second < b.second;
    });
    std::vector<fs::path> paths;
    for (auto& [time, path] : found)
        paths.push_back(std::move(path));
    return paths;
}

bool adoptStatistics(const fs::path& cache, const fs::path& modelFolder,
                     const std::string& modelFingerprint) {
    const fs::path own = modelFolder / "bitloom" / layout::fileName;
    std::error_code ignored;
    if (!fs::is_regular_file(own, ignored)) return false;
    try {
        const auto statistics = Statistics::open(own);
        if (statistics->recipe().modelFingerprint != modelFingerprint) {
            logger("stats")->warn("'{}' are statistics of another model", own.string());
            return false;
        }
        const fs::path folder = statisticsFolder(cache, statistics->recipe());
        const fs::path target = folder / layout::fileName;
        if (fs::is_regular_file(target, ignored)) return true;
        fs::create_directories(folder);
        // Another program, or another thread of this one, may do the same just now: whoever renames
        // last leaves the same bytes.
        static std::atomic<int> serial{0};
        const fs::path draft =
            folder / fmt::format(".adopting-{}-{}", ::getpid(), serial.fetch_add(1));
        fs::copy_file(own, draft, fs::copy_options::overwrite_existing);
        fs::rename(draft, target);
        return true;
    } catch (const std::exception& error) {
        logger("stats")->warn("the statistics in '{}' are not used: {}", own.string(),
                              error.what());
        return false;
    }
}

} // namespace bitloom
