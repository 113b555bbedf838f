// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
//
// The file has its final size from the start. A layer's bytes are flushed first, then its hash is
// entered in the journal, then its state is set in the file: whatever the moment of death, the
// journal never names something that is not on disk. A new writer sets all states from the journal.
#include "core/base/error.h"
#include "core/base/hash.h"
#include "core/base/log.h"
#include "core/stats/statistics.h"
#include "core/stats/statistics_layout.h"

#include <algorithm>
#include <cmath>
#include <set>

namespace bitloom {

namespace fs = std::filesystem;
namespace layout = statisticsLayout;

struct StatisticsWriter::State {
    fs::path folder;
    CalibrationRecipe recipe;
    std::vector<layout::Layer> layers;
    std::map<std::string, size_t, std::less<>> indexOf;
    std::optional<FolderLock> lock;
    std::optional<Journal> journal;
    std::optional<OutputFile> file;
    std::optional<SafetensorsLayout> places;
    std::map<std::string, uint64_t, std::less<>> offsets; ///< in the file, of every tensor
    std::set<std::string, std::less<>> done;
    std::map<std::string, double, std::less<>> gammas;
    std::map<std::string, nlohmann::json, std::less<>> marks;
    bool hasNll = false;

    void openJournal(const std::string& modelName);
    void openFile(const std::map<std::string, std::string>& metadata,
                  std::span<const int32_t> inputIds);
    void replay();
    size_t require(std::string_view name) const;
    std::string hashOf(const layout::Layer& layer) const;
    void writeDoubles(const std::string& name, std::span<const double> values);
    void writeState(size_t index, bool set);
};

size_t StatisticsWriter::State::require(std::string_view name) const {
    const auto found = indexOf.find(name);
    if (found == indexOf.end())
        throw Error("the statistics have no layer '" + std::string(name) + "'");
    return found->second;
}

void StatisticsWriter::State::writeDoubles(const std::string& name,
                                           std::span<const double> values) {
    file->write(offsets.at(name), std::as_bytes(values));
}

void StatisticsWriter::State::writeState(size_t index, bool set) {
    const std::byte value{set};
    file->write(offsets.at(layout::stateName) + index, {&value, 1});
}

void StatisticsWriter::State::openJournal(const std::string& modelName) {
    const fs::path path = folder / layout::journalName;
    const fs::path partial = folder / layout::partialName;
    // Without the file that it tells of a journal is a leftover: finish() died before removing it.
    if (!fs::exists(partial)) fs::remove(path);
    journal.emplace(path);
    const std::string fingerprint = recipe.fingerprint();
    if (journal->entries().empty()) {
        fs::remove(partial);
        journal->append({{"fingerprint", fingerprint},
                         {"metadata", layout::metadata(recipe, modelName, layers)}});
        return;
    }
    const nlohmann::json& first = journal->entries().front();
    if (first.value("fingerprint", "") != fingerprint)
        throw Error("'" + folder.string() + "' holds the calibration of another model or recipe",
                    "Remove the folder, or use another cache folder.");
}

void StatisticsWriter::State::openFile(const std::map<std::string, std::string>& metadata,
                                       std::span<const int32_t> inputIds) {
    places.emplace(layout::specs(recipe, layers), metadata);
    for (const TensorInfo& tensor : places->tensors())
        offsets[tensor.name] = places->fileOffset(tensor);
    file.emplace(folder / layout::partialName, places->fileBytes());
    file->write(0, std::as_bytes(std::span(places->header())));
    file->write(offsets.at(layout::idsName), std::as_bytes(inputIds));
}

std::string StatisticsWriter::State::hashOf(const layout::Layer& layer) const {
    Hasher hasher;
    std::vector<std::byte> bytes;
    const auto add = [&](const std::string& name, int64_t count) {
        bytes.resize(size_t(count));
        file->read(offsets.at(name), bytes);
        hasher.update(bytes);
    };
    const auto points = int64_t(recipe.menu.size());
    for (const layout::Part& part : layout::parts)
        add(layer.name + part.suffix, layer.cols * (part.curves ? points : 1) * 4);
    add(layer.name + layout::rankSuffix, 8);
    return hasher.digest();
}

/// Takes over what the journal says is done.
void StatisticsWriter::State::replay() {
    std::map<std::string, std::string> hashes;
    std::optional<std::pair<double, double>> nll;
    for (const nlohmann::json& entry : journal->entries()) {
        if (entry.contains("layer"))
            hashes[entry.at("layer").get<std::string>()] = entry.at("hash").get<std::string>();
        else if (entry.contains("gamma"))
            gammas[entry.at("gamma").get<std::string>()] = entry.at("value").get<double>();
        else if (entry.contains("nll"))
            nll = {entry.at("nll").get<double>(), entry.at("stderr").get<double>()};
        else if (entry.contains("mark"))
            marks[entry.at("mark").get<std::string>()] = entry.at("value");
    }
    for (size_t i = 0; i < layers.size(); ++i) {
        const std::string& name = layers[i].name;
        if (const auto hash = hashes.find(name); hash != hashes.end()) {
            if (hashOf(layers[i]) == hash->second)
                done.insert(name);
            else
                logger("core")->warn("statistics of '{}' are damaged and will be computed again",
                                     name);
        }
        writeState(2 * i, done.contains(name));
        const auto gamma = gammas.find(name);
        if (gamma != gammas.end()) writeDoubles(name + layout::gammaSuffix, {&gamma->second, 1});
        writeState(2 * i + 1, gamma != gammas.end());
    }
    hasNll = nll.has_value();
    const double values[] = {nll ? nll->first : 0, nll ? nll->second : 0};
    writeDoubles(layout::nllName, values);
    writeState(2 * layers.size(), hasNll);
}

StatisticsWriter::StatisticsWriter(const fs::path& folder, const CalibrationRecipe& recipe,
                                   const Catalogue& catalogue, const std::string& modelName,
                                   std::span<const int32_t> inputIds)
    : m_state(std::make_unique<State>()) {
    State& state = *m_state;
    state.folder = folder;
    state.recipe = recipe;
    if (recipe.menu.empty() || recipe.menu.size() > 64)
        throw Error("a menu of " + std::to_string(recipe.menu.size()) + " points; 1 to 64 can be");
    if (recipe.sequences < 1 || recipe.length < 1 ||
        int64_t(inputIds.size()) != recipe.sequences * recipe.length)
        throw Error("the recipe speaks of " + std::to_string(recipe.sequences) + " × " +
                    std::to_string(recipe.length) + " tokens, but " +
                    std::to_string(inputIds.size()) + " are given");
    for (const LinearInfo& linear : catalogue.linears) {
        state.indexOf[linear.name] = state.layers.size();
        state.layers.push_back({linear.name, linear.rows, linear.cols});
    }
    std::error_code failed;
    fs::create_directories(folder, failed);
    if (failed)
        throw Error("cannot create the folder '" + folder.string() + "': " + failed.message());
    state.lock.emplace(folder);
    state.openJournal(modelName);
    try {
        // As the first writer put it: where the text came from may be told in other words today,
        // and must not move the tensors.
        const auto& metadata = state.journal->entries().front().at("metadata");
        state.openFile(metadata.get<std::map<std::string, std::string>>(), inputIds);
        state.replay();
    } catch (const nlohmann::json::exception& error) {
        throw Error("'" + (folder / layout::journalName).string() + "' is damaged: " + error.what(),
                    "Remove the folder and start again.");
    }
    state.file->flush();
}

StatisticsWriter::~StatisticsWriter() = default;

bool StatisticsWriter::hasLayer(std::string_view name) const {
    return m_state->done.contains(name);
}

bool StatisticsWriter::hasGamma(std::string_view name) const {
    return m_state->gammas.contains(name);
}

void StatisticsWriter::putLayer(std::string_view name, const LayerValues& values) {
    State& state = *m_state;
    const size_t index = state.require(name);
    const layout::Layer& layer = state.layers[index];
    const std::span<const float> arrays[] = {values.actRms, values.actAbsmax, values.weightRms,
                                             values.conditional, values.sse};
    for (size_t p = 0; p < std::size(arrays); ++p) {
        const layout::Part& part = layout::parts[p];
        const size_t count =
            size_t(layer.cols) * (part.curves ? state.recipe.menu.size() : size_t(1));
        const std::string tensor = layer.name + part.suffix;
        if (arrays[p].size() != count)
            throw Error("'" + tensor + "' needs " + std::to_string(count) + " values, not " +
                        std::to_string(arrays[p].size()));
        if (!layout::allUsable(arrays[p]))
            throw Error("'" + tensor +
                        "' would hold a value that is negative, infinite or not a "
                        "number");
    }
    if (!(values.effectiveRank >= 0 && std::isfinite(values.effectiveRank)))
        throw Error("the effective rank of '" + layer.name + "' is not a number");
    // Until the journal knows the new values the layer counts as not done.
    state.writeState(2 * index, false);
    state.done.erase(layer.name);
    for (size_t p = 0; p < std::size(arrays); ++p)
        state.file->write(state.offsets.at(layer.name + layout::parts[p].suffix),
                          std::as_bytes(arrays[p]));
    state.writeDoubles(layer.name + layout::rankSuffix, {&values.effectiveRank, 1});
    state.file->flush();
    state.journal->append({{"layer", layer.name}, {"hash", state.hashOf(layer)}});
    state.done.insert(layer.name);
    state.writeState(2 * index, true);
}

void StatisticsWriter::putGamma(std::string_view name, double gamma) {
    State& state = *m_state;
    const size_t index = state.require(name);
    const std::string& layer = state.layers[index].name;
    if (!(gamma >= 0 && std::isfinite(gamma)))
        throw Error("the Fisher factor of '" + layer + "' is negative, infinite or not a number");
    state.journal->append({{"gamma", layer}, {"value", gamma}});
    state.gammas[layer] = gamma;
    state.writeDoubles(layer + layout::gammaSuffix, {&gamma, 1});
    state.writeState(2 * index + 1, true);
}

double StatisticsWriter::gamma(std::string_view name) const {
    const auto found = m_state->gammas.find(name);
    if (found == m_state->gammas.end())
        throw Error("the Fisher factor of '" + std::string(name) + "' is not known yet");
    return found->second;
}

void StatisticsWriter::putNll(double nll, double standardError) {
    State& state = *m_state;
    if (!std::isfinite(nll) || !std::isfinite(standardError))
        throw Error("the NLL of the calibration text is infinite or not a number");
    state.journal->append({{"nll", nll}, {"stderr", standardError}});
    const double values[] = {nll, standardError};
    state.writeDoubles(layout::nllName, values);
    state.writeState(2 * state.layers.size(), true);
    state.hasNll = true;
}

bool StatisticsWriter::hasNll() const {
    return m_state->hasNll;
}

void StatisticsWriter::putMark(const std::string& key, const nlohmann::json& value) {
    m_state->journal->append({{"mark", key}, {"value", value}});
    m_state->marks[key] = value;
}

const nlohmann::json* StatisticsWriter::mark(const std::string& key) const {
    const auto found = m_state->marks.find(key);
    return found == m_state->marks.end() ? nullptr : &found->second;
}

fs::path StatisticsWriter::finish(std::span<const std::byte> sortedSegments) {
    State& state = *m_state;
    for (const layout::Layer& layer : state.layers)
        if (!hasLayer(layer.name) || !hasGamma(layer.name))
            throw Error("the statistics of layer '" + layer.name + "' are missing");
    if (!state.hasNll) throw Error("the NLL of the calibration text is missing");
    state.file->flush();
    const fs::path segments = state.folder / layout::segmentsName;
    if (sortedSegments.empty())
        fs::remove(segments);
    else
        writeFileAtomically(segments, sortedSegments);
    state.file.reset();
    const fs::path path = state.folder / layout::fileName;
    std::error_code failed;
    fs::rename(partialPath(), path, failed);
    if (failed)
        throw Error("cannot rename '" + partialPath().string() + "' to '" + path.string() +
                    "': " + failed.message());
    flushFolder(state.folder);
    state.journal.reset();
    fs::remove(state.folder / layout::journalName, failed); // a leftover does no harm
    state.lock.reset();
    return path;
}

fs::path StatisticsWriter::partialPath() const {
    return m_state->folder / layout::partialName;
}

} // namespace bitloom
