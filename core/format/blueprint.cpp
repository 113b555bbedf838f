// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#include "core/format/blueprint.h"

#include "core/base/error.h"
#include "core/format/stored_shapes.h"

#include <algorithm>
#include <cstdio>
#include <numeric>

namespace bitloom {

namespace {

constexpr std::string_view weightSuffix = ".weight";

std::string_view withoutWeight(std::string_view name) {
    return name.ends_with(weightSuffix) ? name.substr(0, name.size() - weightSuffix.size()) : name;
}

/// A literal with the dot, so that names need no joining of three.
std::string_view dotted(std::string_view suffix) {
    static constexpr std::string_view all[] = {
        ".classes",    ".class_bits", ".class_kinds", ".class_outliers", ".codes",   ".tables",
        ".scale",      ".zero",       ".raw",         ".out_row",        ".out_val", ".group_scale",
        ".group_zero", ".group_index"};
    for (const std::string_view name : all)
        if (name.substr(1) == suffix) return name;
    throw Error("no stored tensor is named '" + std::string(suffix) + "'");
}

int64_t digits(uint64_t value) {
    int64_t count = 1;
    for (; value >= 10; value /= 10)
        ++count;
    return count;
}

} // namespace

std::string Blueprint::Tensor::name() const {
    return std::string(base).append(suffix);
}

Blueprint::Blueprint(const Checkpoint& source, const CheckpointSpec& spec) {
    const Catalogue& catalogue = source.catalogue();
    tensors.reserve(catalogue.linears.size() * 11 + catalogue.expected.size());
    int64_t paddingBits = 0;
    size_t used = 0, nextLinear = 0;
    for (const Catalogue::Expected& expected : catalogue.expected) {
        const DType dtype = source.require(expected.name).info.dtype;
        const bool isHead = expected.name == catalogue.embedding || expected.name == catalogue.head;
        const bool isLinear = nextLinear < catalogue.linears.size() &&
                              expected.name.size() ==
                                  catalogue.linears[nextLinear].name.size() + weightSuffix.size() &&
                              expected.name.starts_with(catalogue.linears[nextLinear].name);
        const size_t first = tensors.size();
        if (isLinear) {
            const LinearInfo& linear = catalogue.linears[nextLinear++];
            const auto found = spec.layers.find(linear.name);
            const LayerFormat* format = found == spec.layers.end() ? nullptr : &found->second;
            used += format != nullptr;
            parts.linearWeights += linear.rows * linear.cols;
            if (!format || format->layout == LayerLayout::Dense) {
                addPlain(expected.name, dtype, expected.shape, linear.name);
                parts.raw += tensors.back().bytes();
                parts.linearBytes += tensors.back().bytes();
            } else {
                addLinear(linear, *format, dtype, paddingBits);
            }
            continue;
        }
        if (isHead && spec.head == HeadStorage::Rows8)
            addRows8(expected.name, expected.shape);
        else
            addPlain(expected.name, dtype, expected.shape);
        for (size_t i = first; i < tensors.size(); ++i)
            (isHead ? parts.embeddingAndHead : parts.otherTensors) += tensors[i].bytes();
    }
    if (nextLinear != catalogue.linears.size())
        throw Error("layer '" + catalogue.linears[nextLinear].name +
                    "' has no weight in the catalogue");
    if (used != spec.layers.size())
        for (const auto& [name, format] : spec.layers)
            if (!catalogue.find(name)) throw Error("the model has no layer '" + name + "'");
    splitPadding(parts, paddingBits);
    assignShards(spec.maxShardBytes);
}

void Blueprint::addLinear(const LinearInfo& linear, const LayerFormat& format, DType sourceDtype,
                          int64_t& paddingBits) {
    StoredShapes shapes;
    if (format.layout == LayerLayout::Group) {
        checkGroupFormat(format.group, linear.cols, "layer '" + linear.name + "'");
        shapes = groupShapes(linear.rows, linear.cols, format.group);
    } else {
        checkClasses(format.classes, linear.rows, "layer '" + linear.name + "'");
        const auto counts = countClasses(format.classOf, format.classes.size());
        if (int64_t(format.classOf.size()) != linear.cols ||
            std::accumulate(counts.begin(), counts.end(), int64_t(0)) != linear.cols)
            throw Error("layer '" + linear.name + "': classes are given for " +
                        std::to_string(format.classOf.size()) + " columns of " +
                        std::to_string(linear.cols) + ", or one is out of range");
        shapes = columnShapes(linear.rows, linear.cols, format.classes, counts,
                              rawDtypeFor(sourceDtype));
    }
    for (const StoredShape& shape : shapes)
        tensors.push_back(
            {linear.name, dotted(shape.suffix), shape.dtype, shape.rank, shape.dims, linear.name});
    addStored(parts, shapes, paddingBits);
}

void Blueprint::addRows8(const std::string& name, std::span<const int64_t> shape) {
    if (shape.size() != 2) throw Error("tensor '" + name + "' is no matrix of rows");
    tensors.push_back({name, {}, DType::I8, 2, {shape[0], shape[1]}, {}});
    tensors.push_back({withoutWeight(name), ".row_scale", DType::F16, 1, {shape[0], 0}, {}});
}

void Blueprint::addPlain(const std::string& name, DType dtype, std::span<const int64_t> shape,
                         std::string_view linear) {
    if (shape.empty() || shape.size() > 2)
        throw Error("tensor '" + name + "' " + shapeText(shape) + " is neither list nor matrix");
    tensors.push_back(
        {name, {}, dtype, int(shape.size()), {shape[0], shape.size() == 2 ? shape[1] : 0}, linear});
}

/// Fills one shard after another. The tensors of a linear stay together; so do rows and scales.
void Blueprint::assignShards(int64_t maxShardBytes) {
    // More than a header entry takes beside the name: dtype, two dimensions, two offsets, marks.
    constexpr int64_t entryBytes = 128, emptyHeader = 64;
    int64_t size = emptyHeader;
    shardBegins = {0};
    for (size_t i = 0; i < tensors.size();) {
        int64_t unit = 0;
        size_t end = i;
        const auto together = [&](const Tensor& a, const Tensor& b) {
            return !a.linear.empty() ? a.linear == b.linear : b.suffix == ".row_scale";
        };
        do {
            unit += tensors[end].bytes() + int64_t(tensors[end].nameLength()) + entryBytes;
            ++end;
        } while (end < tensors.size() && together(tensors[i], tensors[end]));
        if (size > emptyHeader && size + unit > maxShardBytes) {
            shardBegins.push_back(i);
            size = emptyHeader;
        }
        size += unit;
        i = end;
    }
}

std::span<const Blueprint::Tensor> Blueprint::shard(size_t index) const {
    const size_t begin = shardBegins[index];
    const size_t end = index + 1 < shardBegins.size() ? shardBegins[index + 1] : tensors.size();
    return std::span(tensors).subspan(begin, end - begin);
}

std::string Blueprint::shardName(size_t index) const {
    if (shardBegins.size() == 1) return "model.safetensors";
    char name[64];
    std::snprintf(name, sizeof name, "model-%05zu-of-%05zu.safetensors", index + 1,
                  shardBegins.size());
    return name;
}

int64_t headerBytes(std::span<const Blueprint::Tensor> tensors) {
    // Offsets grow in the order of the file, and with them their digits: the order is needed.
    struct Key {
        int64_t width;
        std::string_view name;
        const Blueprint::Tensor* tensor;
    };
    size_t room = 0;
    for (const auto& tensor : tensors)
        room += tensor.nameLength();
    std::string names;
    names.reserve(room);
    std::vector<Key> keys;
    keys.reserve(tensors.size());
    for (const auto& tensor : tensors) {
        const char* begin = names.data() + names.size();
        names.append(tensor.base).append(tensor.suffix);
        keys.push_back({dtypeBytes(tensor.dtype), {begin, tensor.nameLength()}, &tensor});
    }
    std::ranges::sort(keys, [](const Key& a, const Key& b) {
        return a.width != b.width ? a.width > b.width : a.name < b.name;
    });
    constexpr std::string_view fixed = R"(,"":{"dtype":"","shape":[],"data_offsets":[,]})";
    auto length = int64_t(std::string_view(R"({"__metadata__":{"format":"pt"}})").size());
    uint64_t at = 0;
    for (const Key& key : keys) {
        const auto& tensor = *key.tensor;
        length += int64_t(fixed.size() + key.name.size() + dtypeName(tensor.dtype).size());
        length += digits(uint64_t(tensor.dims[0]));
        if (tensor.rank == 2) length += 1 + digits(uint64_t(tensor.dims[1]));
        length += digits(at);
        at += uint64_t(tensor.bytes());
        length += digits(at);
    }
    return 8 + (length + 7) / 8 * 8;
}

} // namespace bitloom
