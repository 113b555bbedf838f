// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#include "core/stats/operating_point.h"

#include "core/base/error.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <system_error>

namespace bitloom {

namespace {

constexpr int64_t classByteBits = 8; // L.classes, one byte a column
constexpr int64_t halfBits = 16;     // an fp16 scale, zero or outlier value

bool widthExists(PointKind kind, int bits) {
    switch (kind) {
    case PointKind::Table:
        return bits >= 1 && bits <= 5; // 1 and 5 are the faithful mode's
    case PointKind::Grid:
        return (bits >= 2 && bits <= 6) || bits == 8;
    case PointKind::Raw:
        return bits == 16;
    }
    return false;
}

[[noreturn]] void badPoint(std::string_view text) {
    throw Error(
        ErrorCode::Usage, "'" + std::string(text) + "' is not an operating point.",
        "Write a width with t (table, 1 to 5 bits) or g (grid, 2 to 6 or 8 bits) and, where "
        "wanted, a share of outliers: 4t, 6g, 4t+0.25%; or 16 for columns kept as they are.");
}

// Digits and at most one point, then "%". The decimal exponent is shifted in the text, so that
// every fraction that pointText wrote comes back as the same double.
bool parsePercent(std::string_view text, double& fraction) {
    if (text.size() < 2 || text.back() != '%') return false;
    text.remove_suffix(1);
    if (text.find_first_not_of("0123456789.") != std::string_view::npos) return false;
    const std::string shifted = std::string(text) + "e-2";
    const char* end = shifted.data() + shifted.size();
    const auto [stop, error] = std::from_chars(shifted.data(), end, fraction);
    return error == std::errc() && stop == end && fraction > 0 && fraction < 1;
}

// Shortest decimal that reads back as `fraction`, times 100, without an exponent.
std::string percentText(double fraction) {
    char buffer[64];
    const auto result =
        std::to_chars(buffer, buffer + sizeof buffer, fraction, std::chars_format::scientific);
    const std::string_view text(buffer, size_t(result.ptr - buffer));
    const size_t mark = text.find('e');
    std::string digits;
    for (char c : text.substr(0, mark))
        if (c != '.') digits += c;
    int exponent = 0;
    std::string_view tail = text.substr(mark + 1);
    if (tail.front() == '+') tail.remove_prefix(1);
    std::from_chars(tail.data(), tail.data() + tail.size(), exponent);
    const int whole = exponent + 2 + 1; // digits before the decimal point
    if (whole <= 0) return "0." + std::string(size_t(-whole), '0') + digits + '%';
    if (whole >= int(digits.size()))
        return digits + std::string(size_t(whole) - digits.size(), '0') + '%';
    return digits.substr(0, size_t(whole)) + '.' + digits.substr(size_t(whole)) + '%';
}

} // namespace

const Menu& defaultMenu() {
    static const Menu menu = [] {
        Menu points;
        for (const auto& [kind, widths] :
             {std::pair{PointKind::Table, std::vector<int>{2, 3, 4}},
              std::pair{PointKind::Grid, std::vector<int>{2, 3, 4, 5, 6, 8}}})
            for (int bits : widths)
                for (double fraction : {0.0, 0.0025, 0.01})
                    points.push_back({kind, bits, fraction});
        points.push_back({PointKind::Raw, 16, 0});
        return points;
    }();
    return menu;
}

int64_t outlierCount(const OperatingPoint& point, int64_t rows) {
    if (point.kind == PointKind::Raw || point.outlierFraction <= 0) return 0;
    return std::min(rows, int64_t(std::floor(point.outlierFraction * double(rows) + 0.5)));
}

int64_t columnBits(const OperatingPoint& point, int64_t rows) {
    if (point.kind == PointKind::Raw) return classByteBits + 16 * rows;
    const int64_t codes = (rows * point.bits + 31) / 32 * 32;
    const int64_t values = point.kind == PointKind::Table
                               ? (8ll << point.bits) + halfBits // entries, scale
                               : 2 * halfBits;                  // scale, zero
    const int64_t outlier = (rows > 65535 ? 32 : 16) + halfBits;
    return classByteBits + codes + values + outlierCount(point, rows) * outlier;
}

int64_t layerBits(std::span<const uint8_t> points, const Menu& menu, int64_t rows) {
    std::vector<int64_t> used(menu.size(), 0);
    for (uint8_t point : points) {
        if (point >= menu.size())
            throw Error("A column's point has index " + std::to_string(point) + "; the menu has " +
                        std::to_string(menu.size()) + ".");
        ++used[point];
    }
    int64_t bits = 0;
    const std::vector<uint8_t> classes = pointClasses(menu, rows);
    std::vector<bool> seen(menu.size(), false);
    for (size_t p = 0; p < menu.size(); ++p) {
        if (used[p] == 0) continue;
        bits += used[p] * columnBits(menu[p], rows);
        if (!seen[classes[p]]) bits += 8 * classListBytes;
        seen[classes[p]] = true;
    }
    return bits;
}

std::vector<uint8_t> pointClasses(const Menu& menu, int64_t rows) {
    std::vector<uint8_t> classes(menu.size());
    for (size_t p = 0; p < menu.size(); ++p) {
        classes[p] = uint8_t(p);
        for (size_t q = 0; q < p; ++q)
            if (menu[q].kind == menu[p].kind && menu[q].bits == menu[p].bits &&
                outlierCount(menu[q], rows) == outlierCount(menu[p], rows)) {
                classes[p] = classes[q];
                break;
            }
    }
    return classes;
}

std::string pointText(const OperatingPoint& point) {
    if (point.kind == PointKind::Raw) return "16";
    std::string text = std::to_string(point.bits) + (point.kind == PointKind::Table ? 't' : 'g');
    if (point.outlierFraction > 0) text += '+' + percentText(point.outlierFraction);
    return text;
}

OperatingPoint parsePoint(std::string_view text) {
    if (text == "16") return {PointKind::Raw, 16, 0};
    if (text.size() < 2 || text[0] < '1' || text[0] > '9' || (text[1] != 't' && text[1] != 'g'))
        badPoint(text);
    OperatingPoint point{text[1] == 't' ? PointKind::Table : PointKind::Grid, text[0] - '0', 0};
    if (!widthExists(point.kind, point.bits)) badPoint(text);
    if (text.size() > 2 && (text[2] != '+' || !parsePercent(text.substr(3), point.outlierFraction)))
        badPoint(text);
    return point;
}

} // namespace bitloom
