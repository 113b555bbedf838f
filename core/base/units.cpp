// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#include "core/base/units.h"

#include "core/base/error.h"

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <limits>
#include <optional>

namespace bitloom {

namespace {

bool isDigit(char c) {
    return c >= '0' && c <= '9';
}

/// Bytes of a unit ("", "B", "k", "MB", "GiB", …), in any case.
std::optional<uint64_t> unitBytes(std::string_view unit) {
    const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? char(c - 'A' + 'a') : c; };
    if (!unit.empty() && lower(unit.back()) == 'b') unit.remove_suffix(1);
    if (unit.empty()) return 1;
    const size_t power = std::string_view("kmgt").find(lower(unit[0]));
    if (power == std::string_view::npos) return std::nullopt;
    const bool binary = unit.size() == 2 && lower(unit[1]) == 'i';
    if (unit.size() > 1 && !binary) return std::nullopt;
    uint64_t bytes = 1;
    for (size_t i = 0; i <= power; ++i)
        bytes *= binary ? 1024 : 1000;
    return bytes;
}

std::optional<int64_t> parse(std::string_view text) {
    while (!text.empty() && text.front() == ' ')
        text.remove_prefix(1);
    while (!text.empty() && text.back() == ' ')
        text.remove_suffix(1);

    // The number is kept as digits / 10^decimals, so that "0.1G" is exact.
    __extension__ using Wide = unsigned __int128;
    Wide digits = 0, scale = 1;
    bool any = false, point = false;
    size_t i = 0;
    for (; i < text.size(); ++i) {
        const char c = text[i];
        if (isDigit(c)) {
            any = true;
            if (point && scale >= Wide(1'000'000'000'000'000)) continue; // far below one byte
            digits = digits * 10 + Wide(c - '0');
            if (point) scale *= 10;
            if (digits > (Wide(1) << 80)) return std::nullopt;
        } else if (c == '.' && !point) {
            point = true;
        } else if (c != '_' || i == 0 || i + 1 == text.size() || !isDigit(text[i - 1]) ||
                   !isDigit(text[i + 1])) {
            break;
        }
    }
    if (!any) return std::nullopt;
    std::string_view unit = text.substr(i);
    while (!unit.empty() && unit.front() == ' ')
        unit.remove_prefix(1);
    const auto bytes = unitBytes(unit);
    if (!bytes) return std::nullopt;
    const Wide value = (digits * *bytes + scale / 2) / scale; // below 2^80 * 2^40
    if (value > Wide(std::numeric_limits<int64_t>::max())) return std::nullopt;
    return static_cast<int64_t>(value);
}

int64_t statusBytes(std::string_view key) {
    std::ifstream status("/proc/self/status");
    for (std::string line; std::getline(status, line);)
        if (line.starts_with(key) && line.size() > key.size() && line[key.size()] == ':')
            return std::strtoll(line.c_str() + key.size() + 1, nullptr, 10) * 1024; // "… kB"
    return 0;
}

} // namespace

int64_t parseSize(std::string_view text) {
    if (const auto bytes = parse(text)) return *bytes;
    throw Error(
        ErrorCode::Usage, "'" + std::string(text) + "' is not a size",
        "Write a number and a unit: 500M, 2.6GiB, 12 kB or 1_000_000. k, M, G, T are powers "
        "of 1000; Ki, Mi, Gi, Ti of 1024.");
}

std::string formatBytes(int64_t bytes) {
    static constexpr const char* units[] = {"B", "kB", "MB", "GB", "TB", "PB", "EB"};
    double value = std::abs(static_cast<double>(bytes));
    size_t unit = 0;
    // 999.5 would print as 1000: it belongs to the next unit.
    while (value >= (unit == 0 ? 1000 : 999.5) && unit + 1 < std::size(units)) {
        value /= 1000;
        ++unit;
    }
    const int decimals = unit == 0 ? 0 : value < 9.995 ? 2 : value < 99.95 ? 1 : 0;
    char text[48];
    std::snprintf(text, sizeof text, "%s%.*f %s", bytes < 0 ? "-" : "", decimals, value,
                  units[unit]);
    return text;
}

std::string formatDuration(double seconds) {
    if (!std::isfinite(seconds) || seconds < 0 || seconds > 1e12) return "unknown";
    char text[64];
    if (seconds > 0 && seconds < 0.9995) {
        std::snprintf(text, sizeof text, "%.0f ms", std::max(1.0, std::round(seconds * 1000)));
        return text;
    }
    const auto whole = static_cast<long long>(std::llround(seconds));
    if (whole < 60) {
        std::snprintf(text, sizeof text, "%lld s", whole);
    } else if (whole < 3600) {
        std::snprintf(text, sizeof text, "%lld min %02lld s", whole / 60, whole % 60);
    } else {
        const long long minutes = std::llround(seconds / 60);
        std::snprintf(text, sizeof text, "%lld h %02lld min", minutes / 60, minutes % 60);
    }
    return text;
}

std::string formatCount(int64_t value) {
    std::string text = std::to_string(value);
    const size_t first = value < 0 ? 1 : 0;
    for (size_t i = text.size(); i > first + 3;)
        text.insert(i -= 3, 1, ',');
    return text;
}

int64_t peakResidentBytes() {
    return statusBytes("VmHWM");
}
std::string processorName() {
    std::ifstream file("/proc/cpuinfo");
    for (std::string line; std::getline(file, line);)
        if (line.starts_with("model name") && line.find(": ") != std::string::npos)
            return line.substr(line.find(": ") + 2);
    return "unknown processor";
}

int64_t residentBytes() {
    return statusBytes("VmRSS");
}

} // namespace bitloom
