// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#include "core/plan/speed.h"

#include "core/base/error.h"

#include <algorithm>
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

double SpeedTable::secondsOfLayer(int64_t rows, int64_t cols, std::span<const int64_t> columns,
                                  const Menu& menu) const {
    const auto matrix = std::ranges::find_if(
        matrices, [&](const Matrix& m) { return m.rows == rows && m.cols == cols; });
    if (matrix == matrices.end())
        throw Error("the table of kernel times has no matrix of " + std::to_string(rows) + " × " +
                    std::to_string(cols));
    double seconds = 0;
    for (size_t p = 0; p < columns.size(); ++p) {
        if (columns[p] == 0) continue;
        const OperatingPoint& point = menu[p];
        seconds += double(columns[p]) / double(cols) * matrix->seconds[kernelOf(point)];
        if (point.kind != PointKind::Raw)
            seconds +=
                double(columns[p]) * double(outlierCount(point, rows)) * matrix->secondsPerOutlier;
    }
    return seconds;
}

double SpeedTable::secondsPerToken(const Plan& plan) const {
    double seconds = otherSeconds;
    std::vector<int64_t> columns(plan.menu.size());
    for (const Plan::Layer& layer : plan.layers) {
        std::ranges::fill(columns, 0);
        for (const uint8_t point : layer.points)
            ++columns[point];
        seconds += secondsOfLayer(layer.rows, layer.cols, columns, plan.menu);
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
