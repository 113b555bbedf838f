// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#include "core/plan/segment_cache.h"

#include "core/base/hash.h"

#include <cmath>
#include <cstring>

namespace bitloom {

namespace {

constexpr uint32_t version = 1; // raise whenever the content or the way it is computed changes
constexpr size_t digestSize = 32;

struct Header {
    char magic[8] = {'B', 'L', 'S', 'E', 'G', 'M', 'T', 'S'};
    uint32_t version = bitloom::version;
    uint32_t menuSize = 0;
    uint64_t layers = 0, columns = 0, segments = 0;
    double unit = 1;
    char checksum[digestSize] = {};
};
static_assert(sizeof(Header) == 80);

Header makeHeader(const std::string& checksum, size_t menuSize, size_t layers, size_t columns) {
    Header header;
    header.menuSize = uint32_t(menuSize);
    header.layers = layers;
    header.columns = columns;
    std::memcpy(header.checksum, checksum.data(), std::min(checksum.size(), digestSize));
    return header;
}

template<typename T>
void take(std::span<const std::byte>& rest, std::vector<T>& values, size_t count) {
    values.resize(count);
    if (count > 0) std::memcpy(values.data(), rest.data(), count * sizeof(T));
    rest = rest.subspan(count * sizeof(T));
}

} // namespace

std::vector<std::byte> writeSegments(const SegmentBase& base, std::span<const Segment> segments) {
    const size_t layers = base.endTotals.size();
    Header header =
        makeHeader(base.checksum, base.pointTotals.size() / layers, layers, base.start.size());
    header.segments = segments.size();
    header.unit = base.unit;
    std::vector<std::byte> bytes;
    bytes.reserve(sizeof header + (layers + base.pointTotals.size()) * sizeof(double) +
                  base.start.size() + segments.size_bytes() + digestSize);
    const auto put = [&](std::span<const std::byte> part) {
        bytes.insert(bytes.end(), part.begin(), part.end());
    };
    put(std::as_bytes(std::span(&header, 1)));
    put(std::as_bytes(std::span(base.pointTotals)));
    put(std::as_bytes(std::span(base.endTotals)));
    put(std::as_bytes(segments));
    put(std::as_bytes(std::span(base.start)));
    const std::string digest = hashBytes(bytes);
    put(std::as_bytes(std::span(digest)));
    return bytes;
}

bool readSegments(std::span<const std::byte> bytes, const std::string& checksum,
                  const ColumnMap& map, uint64_t allowed, SegmentBase& base) {
    if (bytes.size() < sizeof(Header) + digestSize) return false;
    Header header;
    std::memcpy(&header, bytes.data(), sizeof header);
    Header expected = makeHeader(checksum, map.menuSize, map.layers(), size_t(map.columns()));
    expected.segments = header.segments;
    expected.unit = header.unit;
    if (std::memcmp(&header, &expected, sizeof header) != 0) return false;
    if (!(header.unit > 0) || !std::isfinite(header.unit)) return false;

    // The other sizes are those of the model in memory; only this one is the file's word.
    const size_t fixed = sizeof(Header) + digestSize + size_t(map.columns()) +
                         map.layers() * (map.menuSize + 1) * sizeof(double);
    if (bytes.size() < fixed || (bytes.size() - fixed) % sizeof(Segment) != 0 ||
        (bytes.size() - fixed) / sizeof(Segment) != header.segments)
        return false;
    const std::span<const std::byte> content = bytes.first(bytes.size() - digestSize);
    if (std::memcmp(hashBytes(content).data(), bytes.last(digestSize).data(), digestSize) != 0)
        return false;

    SegmentBase read;
    read.checksum = checksum;
    read.unit = header.unit;
    std::span<const std::byte> rest = content.subspan(sizeof header);
    take(rest, read.pointTotals, map.layers() * map.menuSize);
    take(rest, read.endTotals, map.layers());
    take(rest, read.segments, size_t(header.segments));
    take(rest, read.start, size_t(map.columns()));

    // A checksum finds damage; that no index leads out of the arrays must hold for any file.
    const uint32_t columns = uint32_t(map.columns());
    bool inside = true;
    for (const Segment& s : read.segments)
        inside &= s.column() < columns && (allowed >> s.point() & 1);
    for (uint8_t point : read.start)
        inside &= point < 64 && (allowed >> (point & 63) & 1);
    if (!inside) return false;
    base = std::move(read);
    return true;
}

} // namespace bitloom
