// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#include "core/plan/measured.h"

#include "core/base/log.h"
#include "core/io/durable.h"

#include <algorithm>
#include <array>

namespace bitloom {

namespace {

constexpr std::array stageNames{"gptq", "descent", "polish"}; // by MethodStage

std::filesystem::path fileOf(const std::filesystem::path& statistics) {
    return statistics.parent_path() / "measured.json";
}

struct File {
    std::vector<MeasuredRecord> records;
    std::optional<RoundingProbe> probe;
};

MeasuredRecord recordOf(const nlohmann::json& entry, size_t stage) {
    MeasuredRecord record;
    record.point = {entry.at("distortion"), entry.at("delta_nll"), entry.at("bits_per_weight")};
    record.stage = MethodStage(stage);
    record.checkpoint = entry.at("checkpoint");
    record.textHash = entry.at("text");
    return record;
}

File load(const std::filesystem::path& statistics) {
    const std::filesystem::path path = fileOf(statistics);
    std::error_code error;
    if (!std::filesystem::exists(path, error)) return {};
    File file;
    try {
        const nlohmann::json json = readJsonFile(path);
        for (const nlohmann::json& entry : json.at("measured")) {
            const std::string stage = entry.at("stage");
            const auto name = std::find(stageNames.begin(), stageNames.end(), stage);
            if (name == stageNames.end()) continue; // a later version's
            file.records.push_back(recordOf(entry, size_t(name - stageNames.begin())));
        }
        if (json.contains("probe")) {
            const nlohmann::json& probe = json["probe"];
            file.probe = {probe.at("distortion"), probe.at("delta_nll"), probe.at("stderr"),
                          probe.at("kl_mean"), probe.at("tokens")};
        }
    } catch (const std::exception& damaged) {
        logger("core")->warn("'{}' is left aside: {}", path.string(), damaged.what());
        return {};
    }
    return file;
}

void save(const std::filesystem::path& statistics, const File& file) {
    nlohmann::json list = nlohmann::json::array();
    for (const MeasuredRecord& r : file.records)
        list.push_back({{"distortion", r.point.distortion},
                        {"delta_nll", r.point.deltaNll},
                        {"bits_per_weight", r.point.bitsPerWeight},
                        {"stage", stageNames[size_t(r.stage)]},
                        {"checkpoint", r.checkpoint},
                        {"text", r.textHash}});
    nlohmann::json json{{"format", 1}, {"measured", list}};
    if (file.probe)
        json["probe"] = {{"distortion", file.probe->distortion},
                         {"delta_nll", file.probe->deltaNll},
                         {"stderr", file.probe->standardError},
                         {"kl_mean", file.probe->klMean},
                         {"tokens", file.probe->tokens}};
    writeFileAtomically(fileOf(statistics), json.dump(1));
}

} // namespace

std::vector<MeasuredRecord> loadMeasured(const std::filesystem::path& statistics) {
    return load(statistics).records;
}

void addMeasured(const std::filesystem::path& statistics, const MeasuredRecord& record) {
    File file = load(statistics);
    std::erase_if(file.records, [&](const MeasuredRecord& old) {
        return old.checkpoint == record.checkpoint && old.textHash == record.textHash;
    });
    file.records.push_back(record);
    save(statistics, file);
}

std::optional<RoundingProbe> loadProbe(const std::filesystem::path& statistics) {
    return load(statistics).probe;
}

void keepProbe(const std::filesystem::path& statistics, const RoundingProbe& probe) {
    File file = load(statistics);
    file.probe = probe;
    save(statistics, file);
}

Predictor predictorFor(const std::filesystem::path& statistics, MethodStage stage) {
    const File file = load(statistics);
    Predictor predictor(stage, file.probe ? modelScale(*file.probe) : 1);
    for (const MeasuredRecord& record : file.records)
        if (record.stage == stage) predictor.addMeasured(record.point);
    return predictor;
}

} // namespace bitloom
