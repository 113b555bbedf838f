// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#include "core/plan/speed.h"

#include "core/base/error.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <iterator>

namespace bitloom {

namespace {

/// Index into SpeedTable::widths of the kernel that multiplies such columns.
size_t kernelOf(const OperatingPoint& point) {
    int width = std::max(point.bits, 2);
    if (width == 7 || (width == 5 && point.kind == PointKind::Table)) width = 8;
    return size_t(std::ranges::find(SpeedTable::widths, width) - std::begin(SpeedTable::widths));
}

} // namespace

double SpeedTable::secondsPerToken(const Plan& plan) const {
    double seconds = otherSeconds;
    std::vector<int64_t> count(plan.menu.size());
    for (const Plan::Layer& layer : plan.layers) {
        const auto matrix = std::ranges::find_if(matrices, [&](const Matrix& m) {
            return m.rows == layer.rows && m.cols == layer.cols;
        });
        if (matrix == matrices.end())
            throw Error("the table of kernel times has no matrix of " + std::to_string(layer.rows) +
                        " × " + std::to_string(layer.cols));
        std::ranges::fill(count, 0);
        for (const uint8_t point : layer.points)
            ++count[point];
        for (size_t p = 0; p < count.size(); ++p) {
            if (count[p] == 0) continue;
            const OperatingPoint& point = plan.menu[p];
            const double share = double(count[p]) / double(layer.cols);
            seconds += share * matrix->seconds[kernelOf(point)];
            if (point.kind != PointKind::Raw)
                seconds += double(count[p]) * double(outlierCount(point, layer.rows)) *
                           matrix->secondsPerOutlier;
        }
    }
    return seconds;
}

nlohmann::json SpeedTable::toJson() const {
    nlohmann::json list = nlohmann::json::array();
    for (const Matrix& m : matrices)
        list.push_back({{"rows", m.rows},
                        {"cols", m.cols},
                        {"seconds", m.seconds},
                        {"seconds_per_outlier", m.secondsPerOutlier}});
    return {
        {"format", 1},        {"machine", machine},
        {"threads", threads}, {"widths", std::vector<int>(std::begin(widths), std::end(widths))},
        {"matrices", list},   {"other_seconds", otherSeconds}};
}

SpeedTable SpeedTable::fromJson(const nlohmann::json& json) {
    try {
        SpeedTable table;
        const std::vector<int> own(std::begin(widths), std::end(widths));
        if (json.at("format") != 1 || json.at("widths").get<std::vector<int>>() != own)
            throw Error("a table of kernel times of another version");
        table.machine = json.at("machine");
        table.threads = json.at("threads");
        table.otherSeconds = json.at("other_seconds");
        bool sound = table.otherSeconds >= 0 && std::isfinite(table.otherSeconds);
        for (const auto& entry : json.at("matrices")) {
            Matrix m{entry.at("rows"), entry.at("cols"), entry.at("seconds"),
                     entry.at("seconds_per_outlier")};
            sound =
                sound && m.seconds.size() == own.size() && m.secondsPerOutlier >= 0 &&
                std::ranges::all_of(m.seconds, [](double s) { return s > 0 && std::isfinite(s); });
            table.matrices.push_back(std::move(m));
        }
        if (!sound) throw Error("a table of kernel times with impossible figures");
        return table;
    } catch (const nlohmann::json::exception& error) {
        throw Error(std::string("a damaged table of kernel times: ") + error.what());
    }
}

} // namespace bitloom
