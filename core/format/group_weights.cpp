// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
//
// Layout `group` (FORMAT §1): rows of codes, each padded to 32 bits, with a scale and a zero per
// group of columns.
#include "core/base/error.h"
#include "core/base/threads.h"
#include "core/format/stored_shapes.h"
#include "kernels/half.h"
#include "kernels/pack.h"

#include <algorithm>
#include <cstring>

namespace bitloom {

namespace {

constexpr int64_t grain = 16; ///< rows handed out at once

GroupFormat formatOf(const GroupWeights& weights) {
    return {weights.bits, weights.groupSize, weights.symmetric, !weights.groupIndex.empty()};
}

/// Group of every column.
std::vector<uint32_t> groupOfColumns(const GroupWeights& weights) {
    std::vector<uint32_t> groups(size_t(weights.cols));
    for (size_t k = 0; k < groups.size(); ++k)
        groups[k] = weights.groupIndex.empty() ? uint32_t(int64_t(k) / weights.groupSize)
                                               : weights.groupIndex[k];
    return groups;
}

void check(const GroupWeights& weights, const std::string& where) {
    if (weights.rows < 1 || weights.cols < 1) throw Error(where + " has no weights");
    checkGroupFormat(formatOf(weights), weights.cols, where);
    const int64_t groups = groupCount(weights.cols, weights.groupSize);
    const auto params = size_t(weights.rows * groups);
    if (weights.codes.size() != size_t(weights.rows * weights.cols) ||
        weights.scale.size() != params || weights.zero.size() != params ||
        (!weights.groupIndex.empty() && weights.groupIndex.size() != size_t(weights.cols)))
        throw Error(where + ": its arrays do not fit its shape");
    if (!std::ranges::all_of(weights.scale, isFiniteHalf))
        throw Error(where + ": a scale is infinite or not a number");
    const int limit = 1 << weights.bits;
    for (const uint8_t zero : weights.zero)
        if (weights.symmetric ? zero != limit / 2 : zero >= limit)
            throw Error(where + ": zero " + std::to_string(zero) + " with " +
                        std::to_string(weights.bits) + " bits");
    for (const uint16_t index : weights.groupIndex)
        if (index >= groups)
            throw Error(where + ": a column is in group " + std::to_string(index) + " of " +
                        std::to_string(groups));
}

} // namespace

void GroupWeights::dequantize(std::span<float> out, int threads) const {
    if (int64_t(out.size()) != rows * cols)
        throw Error("a layer of " + std::to_string(rows) + " × " + std::to_string(cols) +
                    " does not fit " + std::to_string(out.size()) + " values");
    const int64_t groups = groupCount(cols, groupSize);
    const auto groupOf = groupOfColumns(*this);
    parallelFor(rows, grain, threads, [&](int64_t begin, int64_t end) {
        std::vector<float> scales(static_cast<size_t>(groups));
        for (int64_t n = begin; n < end; ++n) {
            kernels::halfToFloat(std::span(scale).subspan(size_t(n * groups), size_t(groups)),
                                 scales);
            for (int64_t k = 0; k < cols; ++k) {
                const uint32_t g = groupOf[size_t(k)];
                const int difference =
                    int(codes[size_t(n * cols + k)]) - int(zero[size_t(n * groups + g)]);
                out[size_t(n * cols + k)] = scales[g] * float(difference);
            }
        }
    });
}

std::vector<TensorSpec> groupSpecs(const std::string& layer, int64_t rows, int64_t cols,
                                   const GroupFormat& format) {
    checkGroupFormat(format, cols, "layer '" + layer + "'");
    std::vector<TensorSpec> specs;
    for (const StoredShape& shape : groupShapes(rows, cols, format))
        specs.push_back({layer + "." + std::string(shape.suffix), shape.dtype, shape.shape()});
    return specs;
}

int64_t packedBytes(const GroupWeights& weights) {
    int64_t bytes = 0;
    for (const StoredShape& shape : groupShapes(weights.rows, weights.cols, formatOf(weights)))
        bytes += shape.bytes();
    return bytes;
}

std::vector<PackedTensor> pack(const GroupWeights& weights) {
    check(weights, "group weights");
    std::vector<PackedTensor> tensors;
    for (const StoredShape& shape : groupShapes(weights.rows, weights.cols, formatOf(weights))) {
        PackedTensor& tensor = tensors.emplace_back(
            PackedTensor{std::string(shape.suffix), shape.dtype, shape.shape(), {}});
        tensor.bytes.resize(size_t(shape.bytes()));
        const void* source =
            shape.suffix == "group_scale"   ? static_cast<const void*>(weights.scale.data())
            : shape.suffix == "group_zero"  ? static_cast<const void*>(weights.zero.data())
            : shape.suffix == "group_index" ? static_cast<const void*>(weights.groupIndex.data())
                                            : nullptr;
        if (source) std::memcpy(tensor.bytes.data(), source, tensor.bytes.size());
    }
    auto* words = reinterpret_cast<uint32_t*>(tensors.front().bytes.data()); // "codes" is first
    const int64_t rowWords = kernels::packedWords(weights.cols, weights.bits);
    parallelFor(weights.rows, grain, defaultThreads(), [&](int64_t begin, int64_t end) {
        for (int64_t n = begin; n < end; ++n) {
            const auto row =
                std::span(weights.codes).subspan(size_t(n * weights.cols), size_t(weights.cols));
            if (*std::ranges::max_element(row) >> weights.bits != 0)
                throw Error("row " + std::to_string(n) + ": a code does not fit " +
                            std::to_string(weights.bits) + " bits");
            kernels::packCodes(row, weights.bits, {words + n * rowWords, size_t(rowWords)});
        }
    });
    return tensors;
}

GroupWeights unpackGroup(const std::string& layer, int64_t rows, int64_t cols,
                         const GroupFormat& format, const TensorsBySuffix& tensors) {
    const std::string where = "layer '" + layer + "'";
    if (rows < 1 || cols < 1) throw Error(where + " has no weights");
    checkGroupFormat(format, cols, where);
    const StoredShapes shapes = groupShapes(rows, cols, format);
    refuseOthers(layer, shapes, tensors);
    std::map<std::string_view, std::span<const std::byte>> bytes;
    for (const StoredShape& shape : shapes)
        bytes[shape.suffix] = requireStored(layer, shape, tensors);

    const auto copy = [&](std::string_view suffix, auto& to, int64_t count) {
        to.resize(size_t(count));
        std::memcpy(to.data(), bytes[suffix].data(), bytes[suffix].size());
    };
    GroupWeights out;
    out.rows = rows, out.cols = cols;
    out.bits = format.bits, out.groupSize = format.groupSize, out.symmetric = format.symmetric;
    const int64_t params = rows * groupCount(cols, format.groupSize);
    copy("group_scale", out.scale, params);
    if (format.symmetric)
        out.zero.assign(size_t(params), uint8_t(1 << (format.bits - 1)));
    else
        copy("group_zero", out.zero, params);
    if (format.actOrder) copy("group_index", out.groupIndex, cols);
    out.codes.resize(size_t(rows * cols));
    check(out, where);

    const int64_t rowWords = kernels::packedWords(cols, format.bits);
    const int64_t padding = rowWords * 32 - cols * format.bits;
    const std::byte* codes = bytes["codes"].data();
    parallelFor(rows, grain, defaultThreads(), [&](int64_t begin, int64_t end) {
        std::vector<uint32_t> words(static_cast<size_t>(rowWords));
        for (int64_t n = begin; n < end; ++n) {
            std::memcpy(words.data(), codes + n * rowWords * 4, words.size() * 4);
            if (padding > 0 && words.back() >> (32 - padding) != 0)
                throw Error(where + ", row " + std::to_string(n) + ": the padding is not zero");
            kernels::unpackCodes(words, format.bits,
                                 std::span(out.codes).subspan(size_t(n * cols), size_t(cols)));
        }
    });
    return out;
}

} // namespace bitloom
