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

} // namespace

std::vector<MeasuredRecord> loadMeasured(const std::filesystem::path& statistics) {
    const std::filesystem::path path = fileOf(statistics);
    std::error_code error;
    if (!std::filesystem::exists(path, error)) return {};
    std::vector<MeasuredRecord> records;
    try {
        const nlohmann::json file = readJsonFile(path);
        for (const nlohmann::json& entry : file.at("measured")) {
            MeasuredRecord record;
            record.point = {entry.at("distortion"), entry.at("delta_nll"),
                            entry.at("bits_per_weight")};
            const std::string stage = entry.at("stage");
            const auto name = std::find(stageNames.begin(), stageNames.end(), stage);
            if (name == stageNames.end()) continue; // a later version's
            record.stage = MethodStage(name - stageNames.begin());
            record.checkpoint = entry.at("checkpoint");
            record.textHash = entry.at("text");
            records.push_back(std::move(record));
        }
    } catch (const std::exception& damaged) {
        logger("core")->warn("'{}' is left aside: {}", path.string(), damaged.what());
        records.clear();
    }
    return records;
}

void addMeasured(const std::filesystem::path& statistics, const MeasuredRecord& record) {
    std::vector<MeasuredRecord> records = loadMeasured(statistics);
    std::erase_if(records, [&](const MeasuredRecord& old) {
        return old.checkpoint == record.checkpoint && old.textHash == record.textHash;
    });
    records.push_back(record);
    nlohmann::json list = nlohmann::json::array();
    for (const MeasuredRecord& r : records)
        list.push_back({{"distortion", r.point.distortion},
                        {"delta_nll", r.point.deltaNll},
                        {"bits_per_weight", r.point.bitsPerWeight},
                        {"stage", stageNames[size_t(r.stage)]},
                        {"checkpoint", r.checkpoint},
                        {"text", r.textHash}});
    writeFileAtomically(fileOf(statistics),
                        nlohmann::json{{"format", 1}, {"measured", list}}.dump(1));
}

Predictor predictorFor(const std::filesystem::path& statistics, MethodStage stage) {
    Predictor predictor(stage);
    for (const MeasuredRecord& record : loadMeasured(statistics))
        if (record.stage == stage) predictor.addMeasured(record.point);
    return predictor;
}

} // namespace bitloom
