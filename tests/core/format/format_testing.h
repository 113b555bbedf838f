// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include "core/base/error.h"
#include "core/base/progress.h"
#include "core/format/checkpoint_writer.h"
#include "core/io/durable.h"
#include "core/model/checkpoint.h"

#include <QDir>
#include <QFileInfo>
#include <QTemporaryDir>
#include <QtTest>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <map>
#include <random>
#include <string>
#include <vector>

/// Random weights and specs for the tests of core/format.
namespace bitloom::formatTesting {

using Random = std::mt19937_64;

inline int64_t below(Random& random, int64_t limit) {
    return int64_t(random() % uint64_t(limit));
}

/// A finite half that is no tiny number.
inline uint16_t randomHalf(Random& random) {
    return uint16_t((random() & 0x83ff) | uint64_t(8 + below(random, 12)) << 10);
}

/// binary16 by its definition: what the code under test is compared with.
inline float halfValue(uint16_t bits) {
    const int exponent = bits >> 10 & 31;
    const double mantissa = bits & 1023;
    const double size =
        exponent == 0 ? std::ldexp(mantissa, -24) : std::ldexp(1024 + mantissa, exponent - 25);
    return float(bits & 0x8000 ? -size : size);
}

inline float bfloat16Value(uint16_t bits) {
    const double size = std::ldexp(128 + (bits & 127), (bits >> 7 & 255) - 134);
    return float(bits & 0x8000 ? -size : size);
}

inline void fillTable(Random& random, int bits, int8_t* table) {
    // Within ±63 every limit of FORMAT §1 holds; four-bit tables may reach farther, and go to
    // theirs.
    std::vector<int8_t> values(size_t(1) << bits);
    for (int8_t& value : values)
        value = int8_t(below(random, 127) - 63);
    std::ranges::sort(values);
    if (bits == 4) {
        const int middle = int(std::floor((values[7] + values[8]) / 2.0));
        values.front() = int8_t(std::max(-128, middle - 128));
        values.back() = int8_t(std::min(127, middle + 126));
    }
    std::ranges::copy(values, table);
}

/// Fills everything that make() has laid out.
inline void fill(Random& random, ColumnWeights& weights) {
    for (int64_t k = 0; k < weights.cols; ++k) {
        const auto i = size_t(k);
        const ColumnClass& of = weights.classAt(k);
        if (of.kind == PointKind::Raw) {
            for (uint16_t& value : weights.raw[i])
                value = weights.rawDtype == DType::BF16 ? uint16_t((random() & 0x80ff) | 0x3f00)
                                                        : randomHalf(random);
            continue;
        }
        weights.scale[i] = randomHalf(random);
        if (of.kind == PointKind::Grid) weights.zero[i] = randomHalf(random);
        if (of.kind == PointKind::Table) fillTable(random, of.bits, &weights.tables[i * 32]);
        for (uint8_t& code : weights.columnCodes(k))
            code = uint8_t(below(random, 1 << of.bits));
        std::vector<uint32_t> rows(size_t(weights.rows));
        for (size_t n = 0; n < rows.size(); ++n)
            rows[n] = uint32_t(n);
        std::ranges::shuffle(rows, random);
        rows.resize(of.outliers);
        std::ranges::sort(rows);
        weights.outlierRow[i] = rows;
        weights.outlierVal[i].resize(of.outliers);
        for (uint16_t& value : weights.outlierVal[i])
            value = randomHalf(random);
    }
}

inline GroupWeights randomGroups(Random& random, int64_t rows, int64_t cols,
                                 const GroupFormat& format) {
    GroupWeights weights;
    weights.rows = rows, weights.cols = cols;
    weights.bits = format.bits, weights.groupSize = format.groupSize;
    weights.symmetric = format.symmetric;
    const int64_t groups = (cols + format.groupSize - 1) / format.groupSize;
    for (int64_t i = 0; i < rows * cols; ++i)
        weights.codes.push_back(uint8_t(below(random, 1 << format.bits)));
    for (int64_t i = 0; i < rows * groups; ++i) {
        weights.scale.push_back(randomHalf(random));
        weights.zero.push_back(format.symmetric ? uint8_t(1 << (format.bits - 1))
                                                : uint8_t(below(random, 1 << format.bits)));
    }
    if (format.actOrder)
        for (int64_t k = 0; k < cols; ++k)
            weights.groupIndex.push_back(uint16_t(below(random, groups)));
    return weights;
}

/// What is packed, as if it came from a file.
inline TensorsBySuffix asStored(const std::vector<PackedTensor>& packed) {
    TensorsBySuffix tensors;
    for (const PackedTensor& tensor : packed)
        tensors[tensor.suffix] = {
            TensorInfo{"L." + tensor.suffix, tensor.dtype, tensor.shape, 0, tensor.bytes.size()},
            tensor.bytes};
    return tensors;
}

enum class Storage { Dense, Columns, Groups, Mixed };

/// A spec with random formats for the linears of a model.
inline CheckpointSpec randomSpec(const Checkpoint& source, Storage plan, uint64_t seed) {
    Random random(seed);
    CheckpointSpec spec;
    spec.recipe = {{"method", "test"}, {"seed", seed}, {"budget", {{"bits", 3.0}}}};
    size_t i = 0;
    for (const LinearInfo& linear : source.catalogue().linears) {
        const bool column = plan == Storage::Columns || (plan == Storage::Mixed && i % 3 == 0);
        const bool group = plan == Storage::Groups || (plan == Storage::Mixed && i % 3 == 1);
        ++i;
        if (column) {
            const Menu& menu = defaultMenu();
            std::vector<uint8_t> points;
            for (int64_t k = 0; k < linear.cols; ++k)
                points.push_back(uint8_t(below(random, int64_t(menu.size()))));
            spec.layers[linear.name] = LayerFormat::column(points, menu, linear.rows);
        } else if (group) {
            LayerFormat format;
            format.layout = LayerLayout::Group;
            format.group = {.bits = int(2 + below(random, 7)),
                            .groupSize = 16 << below(random, 4),
                            .symmetric = below(random, 2) == 0,
                            .actOrder = below(random, 2) == 0};
            spec.layers[linear.name] = format;
        }
    }
    return spec;
}

/// Random content for a linear of a spec; the same for the same seed.
inline std::vector<PackedTensor> randomLinear(const Checkpoint& source, const CheckpointSpec& spec,
                                              const LinearInfo& linear, uint64_t seed) {
    Random random(seed ^ std::hash<std::string>()(linear.name));
    const LayerFormat& format = spec.layers.at(linear.name);
    if (format.layout == LayerLayout::Group)
        return pack(randomGroups(random, linear.rows, linear.cols, format.group));
    Menu menu;
    std::vector<uint8_t> points;
    for (const ColumnClass& of : format.classes)
        menu.push_back({of.kind, of.bits, double(of.outliers) / double(linear.rows)});
    points.assign(format.classOf.begin(), format.classOf.end());
    ColumnWeights weights = ColumnWeights::make(linear.rows, linear.cols, points, menu);
    weights.rawDtype = rawDtypeFor(source.require(linear.name + ".weight").info.dtype);
    fill(random, weights);
    return pack(weights);
}

/// Writes a whole checkpoint with random content.
inline void writeAll(const std::filesystem::path& out, const Checkpoint& source,
                     const CheckpointLayout& layout, const nlohmann::json& recipe) {
    CheckpointWriter writer(out, source, layout, {});
    for (const LinearInfo& linear : source.catalogue().linears)
        if (layout.spec().layers.contains(linear.name))
            writer.putLinear(linear.name, randomLinear(source, layout.spec(), linear, 1));
    NoProgress progress;
    writer.copyRemaining(source, 2, progress);
    writer.finish(recipe, progress);
}

inline std::filesystem::path golden(const std::string& name) {
    return std::filesystem::path(BITLOOM_TEST_DATA) / "goldens" / name;
}

/// A folder in memory where there is one: tests flush to disk hundreds of times.
class Folder {
public:
    Folder() : m_folder(place()) {}
    std::filesystem::path path() const { return m_folder.path().toStdString(); }

private:
    static QString place() {
        const QString memory = "/dev/shm";
        return (QFileInfo(memory).isWritable() ? memory : QDir::tempPath()) + "/bitloom-XXXXXX";
    }
    QTemporaryDir m_folder;
};

/// Content of every file below a folder by its relative path.
inline std::map<std::string, std::string> contentOf(const std::filesystem::path& folder) {
    std::map<std::string, std::string> content;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(folder))
        if (entry.is_regular_file())
            content[std::filesystem::relative(entry.path(), folder).string()] =
                readTextFile(entry.path());
    return content;
}

inline void flipByte(const std::filesystem::path& path, uint64_t offset) {
    std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
    file.seekg(std::streamoff(offset));
    const char byte = char(file.get() ^ 0x10);
    file.seekp(std::streamoff(offset));
    file.put(byte);
}

/// Message of the Error that `act` throws; empty if it throws none.
template<typename Act>
std::string errorOf(Act&& act) {
    try {
        act();
    } catch (const Error& error) {
        return error.what();
    }
    return {};
}

#define COMPARE_ERROR(act, part)                                                                   \
    do {                                                                                           \
        const std::string thrown = bitloom::formatTesting::errorOf([&] { act; });                  \
        QVERIFY2(!thrown.empty(), "no error was thrown");                                          \
        QVERIFY2(thrown.find(part) != std::string::npos, thrown.c_str());                          \
    } while (false)

} // namespace bitloom::formatTesting
