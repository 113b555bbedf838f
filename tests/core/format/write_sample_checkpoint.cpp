// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
//
// write_sample_checkpoint MODEL OUT DUMP.safetensors keep|rows8 MAX_SHARD_BYTES
//
// Quantizes a small model by fitting every column and group on its own, with every kind of storage
// that there is, and dumps what the C++ reader makes of the result as float32. For
// check_python_reader.py.
#include "core/base/error.h"
#include "core/format/checkpoint_reader.h"
#include "core/format/checkpoint_writer.h"
#include "core/model/checkpoint.h"
#include "kernels/column_quantizer.h"
#include "kernels/group_quantizer.h"
#include "kernels/half.h"

#include <cstdio>
#include <cstdlib>
#include <string>

using namespace bitloom;

namespace {

struct Matrix {
    int64_t rows, cols;
    std::vector<float> values;
    std::vector<float> column(int64_t k) const {
        std::vector<float> result;
        for (int64_t n = 0; n < rows; ++n)
            result.push_back(values[size_t(n * cols + k)]);
        return result;
    }
};

ColumnWeights fitColumns(const Matrix& matrix, const LayerFormat& format, DType rawDtype) {
    Menu menu;
    for (const ColumnClass& of : format.classes)
        menu.push_back({of.kind, of.bits, double(of.outliers) / double(matrix.rows)});
    ColumnWeights weights = ColumnWeights::make(matrix.rows, matrix.cols, format.classOf, menu);
    weights.rawDtype = rawDtype;
    kernels::ColumnScratch scratch;
    for (int64_t k = 0; k < matrix.cols; ++k) {
        const ColumnClass& of = weights.classAt(k);
        const std::vector<float> exact = matrix.column(k);
        if (of.kind == PointKind::Raw) {
            for (int64_t n = 0; n < matrix.rows; ++n)
                weights.raw[size_t(k)][size_t(n)] = rawDtype == DType::BF16
                                                        ? kernels::floatToBfloat16(exact[size_t(n)])
                                                        : kernels::floatToHalf(exact[size_t(n)]);
            continue;
        }
        const auto code = kernels::fitColumn(exact, of.kind, of.bits, scratch);
        weights.setCode(k, code);
        kernels::assignColumn(exact, code, weights.columnCodes(k));
        auto& rows = weights.outlierRow[size_t(k)];
        kernels::chooseOutliers(exact, int(of.outliers), scratch, rows);
        for (size_t i = 0; i < rows.size(); ++i)
            weights.outlierVal[size_t(k)][i] =
                kernels::floatToHalf(exact[rows[i]] - code.value(weights.columnCodes(k)[rows[i]]));
    }
    return weights;
}

GroupWeights fitGroups(const Matrix& matrix, const GroupFormat& format) {
    GroupWeights weights;
    weights.rows = matrix.rows, weights.cols = matrix.cols;
    weights.bits = format.bits, weights.groupSize = format.groupSize;
    weights.symmetric = format.symmetric;
    const int64_t groups = (matrix.cols + format.groupSize - 1) / format.groupSize;
    if (format.actOrder) // columns dealt out to the groups like cards
        for (int64_t k = 0; k < matrix.cols; ++k)
            weights.groupIndex.push_back(uint16_t(k % groups));
    weights.codes.resize(matrix.values.size());
    for (int64_t n = 0; n < matrix.rows; ++n) {
        for (int64_t g = 0; g < groups; ++g) {
            std::vector<int64_t> members;
            std::vector<float> values;
            for (int64_t k = 0; k < matrix.cols; ++k)
                if ((format.actOrder ? k % groups : k / format.groupSize) == g) {
                    members.push_back(n * matrix.cols + k);
                    values.push_back(matrix.values[size_t(members.back())]);
                }
            const auto code = kernels::fitGroup(values, {format.bits, format.symmetric, false});
            std::vector<uint8_t> codes(values.size());
            kernels::assignGroup(values, code, format.bits, codes);
            for (size_t i = 0; i < members.size(); ++i)
                weights.codes[size_t(members[i])] = codes[i];
            weights.scale.push_back(code.scale);
            weights.zero.push_back(code.zero);
        }
    }
    return weights;
}

/// Linears in turn: columns of all points, groups, dense.
CheckpointSpec makeSpec(const Checkpoint& source, const std::string& head, int64_t maxShardBytes) {
    CheckpointSpec spec;
    spec.head = head == "rows8" ? HeadStorage::Rows8 : HeadStorage::Keep;
    spec.maxShardBytes = maxShardBytes;
    spec.recipe = {{"method", "sample"}};
    Menu menu = defaultMenu();
    menu.push_back({PointKind::Table, 1, 0}); // the faithful mode's
    menu.push_back({PointKind::Table, 5, 0.02});
    size_t i = 0;
    for (const LinearInfo& linear : source.catalogue().linears) {
        LayerFormat& format = spec.layers[linear.name];
        if (i % 5 < 3) {
            std::vector<uint8_t> points;
            for (int64_t k = 0; k < linear.cols; ++k)
                points.push_back(uint8_t(uint64_t(k * 7 + int64_t(i)) % menu.size()));
            format = LayerFormat::column(points, menu, linear.rows);
        } else if (i % 5 == 3) {
            format.layout = LayerLayout::Group;
            format.group = {.bits = int(2 + i % 7),
                            .groupSize = 48,
                            .symmetric = i % 2 == 0,
                            .actOrder = i % 3 == 0};
        } else {
            spec.layers.erase(linear.name);
        }
        ++i;
    }
    return spec;
}

void run(char** arguments) {
    const auto source = Checkpoint::open(arguments[1]);
    const CheckpointSpec spec = makeSpec(*source, arguments[4], std::atoll(arguments[5]));
    NoProgress progress;
    CheckpointWriter writer(arguments[2], *source, CheckpointLayout(*source, spec), {});
    for (const LinearInfo& linear : source->catalogue().linears) {
        const auto format = spec.layers.find(linear.name);
        if (format == spec.layers.end()) continue;
        const std::string name = linear.name + ".weight";
        Matrix matrix{linear.rows, linear.cols,
                      std::vector<float>(size_t(linear.rows * linear.cols))};
        source->readFloat(name, matrix.values);
        writer.putLinear(linear.name,
                         format->second.layout == LayerLayout::Group
                             ? pack(fitGroups(matrix, format->second.group))
                             : pack(fitColumns(matrix, format->second,
                                               rawDtypeFor(source->require(name).info.dtype))));
    }
    writer.copyRemaining(*source, 2, progress);
    writer.finish(spec.recipe, progress);

    const auto written = QuantizedCheckpoint::open(arguments[2]);
    std::vector<std::vector<float>> values;
    std::vector<TensorBytes> dump;
    for (const auto& expected : source->catalogue().expected) {
        TensorBytes& tensor =
            dump.emplace_back(TensorBytes{{expected.name, DType::F32, expected.shape}, {}});
        auto& content = values.emplace_back(size_t(tensor.spec.elements()));
        if (written->hasTensor(expected.name))
            written->readFloat(expected.name, content);
        else
            written->readLinear(expected.name.substr(0, expected.name.size() - 7), content, 2);
        tensor.bytes = std::as_bytes(std::span(content));
    }
    writeSafetensors(arguments[3], dump);
}

} // namespace

int main(int count, char** arguments) {
    if (count != 6) return 2;
    try {
        run(arguments);
    } catch (const std::exception& error) {
        std::fprintf(stderr, "%s\n", error.what());
        return 1;
    }
    return 0;
}
