// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#include "core/engine/model_weights.h"

#include "core/base/error.h"
#include "core/base/hash.h"

#include <algorithm>
#include <array>
#include <mutex>

namespace bitloom {

namespace {

/// Nothing for a dtype that the products do not know.
std::optional<StoredRows> rowsOf(const TensorInfo& info, std::span<const std::byte> bytes,
                                 std::shared_ptr<const void> owner) {
    if (info.shape.size() != 2) return std::nullopt;
    kernels::RowMatrix matrix{bytes.data(), kernels::RowType::F32, info.shape[0], info.shape[1],
                              info.shape[1]};
    switch (info.dtype) {
    case DType::F32:
        break;
    case DType::F16:
        matrix.type = kernels::RowType::F16;
        break;
    case DType::BF16:
        matrix.type = kernels::RowType::BF16;
        break;
    case DType::I8:
        matrix.type = kernels::RowType::I8;
        break;
    default:
        return std::nullopt;
    }
    return StoredRows{matrix, {}, std::move(owner)};
}

class SourceWeights final : public ModelWeights {
public:
    explicit SourceWeights(std::shared_ptr<const Checkpoint> checkpoint)
        : m_checkpoint(std::move(checkpoint)) {}

    const ModelConfig& config() const override { return m_checkpoint->config(); }
    const Catalogue& catalogue() const override { return m_checkpoint->catalogue(); }
    const std::filesystem::path& folder() const override { return m_checkpoint->folder(); }
    void readLinear(std::string_view linear, std::span<float> out, int) const override {
        m_checkpoint->readFloat(std::string(linear) + ".weight", out);
    }
    std::optional<StoredRows> storedRows(std::string_view name) const override {
        const Checkpoint::Tensor& tensor = m_checkpoint->require(name);
        return rowsOf(tensor.info, tensor.bytes(), m_checkpoint);
    }
    bool hasTensor(std::string_view name) const override { return m_checkpoint->find(name); }
    void readTensor(std::string_view name, std::span<float> out) const override {
        m_checkpoint->readFloat(name, out);
    }
    void readRows(std::string_view name, int64_t rowBegin, std::span<float> out) const override {
        m_checkpoint->readFloatRows(name, rowBegin, out);
    }
    std::string fingerprint() const override { return m_checkpoint->fingerprint(); }
    int64_t storedBytes() const override { return m_checkpoint->weightBytes(); }

private:
    std::shared_ptr<const Checkpoint> m_checkpoint;
};

class QuantizedWeights final : public ModelWeights {
public:
    explicit QuantizedWeights(std::shared_ptr<const QuantizedCheckpoint> checkpoint)
        : m_checkpoint(std::move(checkpoint)) {}

    const ModelConfig& config() const override { return m_checkpoint->config(); }
    const Catalogue& catalogue() const override { return m_checkpoint->catalogue(); }
    const std::filesystem::path& folder() const override { return m_checkpoint->folder(); }
    void readLinear(std::string_view linear, std::span<float> out, int threads) const override {
        m_checkpoint->readLinear(linear, out, threads);
    }
    std::optional<ColumnWeights> columns(std::string_view linear) const override {
        if (m_checkpoint->layoutOf(linear) != LayerLayout::Column) return std::nullopt;
        return m_checkpoint->column(linear);
    }
    std::optional<StoredRows> storedRows(std::string_view name) const override {
        if (!m_checkpoint->hasTensor(name)) return std::nullopt; // a quantized layer
        const QuantizedCheckpoint::Stored stored = m_checkpoint->stored(name);
        std::optional<StoredRows> rows = rowsOf(stored.info, stored.bytes, m_checkpoint);
        if (rows) rows->rowScale = stored.rowScale;
        return rows;
    }
    bool hasTensor(std::string_view name) const override { return m_checkpoint->hasTensor(name); }
    void readTensor(std::string_view name, std::span<float> out) const override {
        m_checkpoint->readFloat(name, out);
    }
    void readRows(std::string_view name, int64_t rowBegin, std::span<float> out) const override {
        m_checkpoint->readFloatRows(name, rowBegin, out);
    }
    std::string fingerprint() const override { return m_checkpoint->fingerprint(); }
    int64_t storedBytes() const override { return m_checkpoint->folderBytes(); }

private:
    std::shared_ptr<const QuantizedCheckpoint> m_checkpoint;
};

template<typename T>
void hashVector(Hasher& hasher, const std::vector<T>& values) {
    hasher.update(std::as_bytes(std::span(values)));
}

class OverlayWeights final : public ModelWeights {
public:
    using Linears = std::map<std::string, QuantizedLinear, std::less<>>;
    using Tensors = std::map<std::string, std::vector<float>, std::less<>>;

    OverlayWeights(std::shared_ptr<const ModelWeights> base, Linears linears, Tensors tensors)
        : m_base(std::move(base)), m_linears(std::move(linears)), m_tensors(std::move(tensors)) {
        for (const auto& [name, linear] : m_linears) {
            const LinearInfo* info = catalogue().find(name);
            if (!info) throw Error("the model has no linear layer '" + name + "'");
            std::visit(
                [&](const auto& weights) {
                    if (weights.rows == info->rows && weights.cols == info->cols) return;
                    throw Error("layer '" + name + "' is " +
                                shapeText(std::array{info->rows, info->cols}) +
                                "; its replacement is " +
                                shapeText(std::array{weights.rows, weights.cols}));
                },
                linear);
        }
        for (const auto& expected : catalogue().expected) {
            const auto tensor = m_tensors.find(expected.name);
            if (tensor == m_tensors.end()) continue;
            m_rowSize[expected.name] = expected.shape.size() > 1 ? expected.shape.back() : 1;
            int64_t elements = 1;
            for (const int64_t side : expected.shape)
                elements *= side;
            if (int64_t(tensor->second.size()) != elements)
                throw Error("tensor '" + expected.name + "' is " + shapeText(expected.shape) +
                            "; its replacement has " + std::to_string(tensor->second.size()) +
                            " values");
        }
        for (const auto& [name, values] : m_tensors)
            if (!m_rowSize.contains(name)) throw Error("the model has no tensor '" + name + "'");
    }

    const ModelConfig& config() const override { return m_base->config(); }
    const Catalogue& catalogue() const override { return m_base->catalogue(); }
    const std::filesystem::path& folder() const override { return m_base->folder(); }

    void readLinear(std::string_view linear, std::span<float> out, int threads) const override {
        const auto found = m_linears.find(linear);
        if (found == m_linears.end()) return m_base->readLinear(linear, out, threads);
        std::visit([&](const auto& weights) { weights.dequantize(out, threads); }, found->second);
    }
    std::optional<ColumnWeights> columns(std::string_view linear) const override {
        const auto found = m_linears.find(linear);
        if (found == m_linears.end()) return m_base->columns(linear);
        const auto* columns = std::get_if<ColumnWeights>(&found->second);
        return columns ? std::optional(*columns) : std::nullopt;
    }
    std::optional<StoredRows> storedRows(std::string_view name) const override {
        constexpr std::string_view suffix = ".weight";
        if (m_tensors.contains(name) ||
            (name.ends_with(suffix) &&
             m_linears.contains(name.substr(0, name.size() - suffix.size()))))
            return std::nullopt;
        return m_base->storedRows(name);
    }
    bool hasTensor(std::string_view name) const override {
        return m_tensors.contains(name) || m_base->hasTensor(name);
    }
    void readTensor(std::string_view name, std::span<float> out) const override {
        const auto found = m_tensors.find(name);
        if (found == m_tensors.end()) return m_base->readTensor(name, out);
        copy(name, found->second, 0, out);
        if (out.size() != found->second.size())
            throw Error("tensor '" + std::string(name) + "' has " +
                        std::to_string(found->second.size()) + " values, not " +
                        std::to_string(out.size()));
    }
    void readRows(std::string_view name, int64_t rowBegin, std::span<float> out) const override {
        const auto found = m_tensors.find(name);
        if (found == m_tensors.end()) return m_base->readRows(name, rowBegin, out);
        copy(name, found->second, rowBegin * m_rowSize.find(name)->second, out);
    }

    /// Of the base and every replaced value. Computed when first asked for: it reads all codes.
    std::string fingerprint() const override {
        std::call_once(m_hashed, [this] {
            Hasher hasher;
            hasher.update(m_base->fingerprint());
            for (const auto& [name, linear] : m_linears) {
                hasher.update(name);
                std::visit([&](const auto& weights) { hashWeights(hasher, weights); }, linear);
            }
            for (const auto& [name, values] : m_tensors) {
                hasher.update(name);
                hashVector(hasher, values);
            }
            m_fingerprint = hasher.digest();
        });
        return m_fingerprint;
    }
    /// What the base would take with the replaced layers in the place of its own.
    int64_t storedBytes() const override {
        int64_t bytes = m_base->storedBytes();
        for (const auto& [name, linear] : m_linears) {
            bytes += std::visit([](const auto& weights) { return packedBytes(weights); }, linear);
            if (const auto rows = m_base->storedRows(name + ".weight"))
                bytes -= rows->matrix.rows * rows->matrix.cols *
                         kernels::rowTypeBytes(rows->matrix.type);
            else if (const auto columns = m_base->columns(name))
                bytes -= packedBytes(*columns);
        }
        return bytes;
    }

private:
    static void copy(std::string_view name, const std::vector<float>& values, int64_t begin,
                     std::span<float> out) {
        if (begin < 0 || begin + int64_t(out.size()) > int64_t(values.size()))
            throw Error("rows outside of tensor '" + std::string(name) + "' were asked for");
        std::copy_n(values.begin() + begin, out.size(), out.begin());
    }
    static void hashWeights(Hasher& hasher, const ColumnWeights& weights) {
        for (const ColumnClass& columns : weights.classes)
            hasher.update(std::to_string(columns.bits) + "/" + std::to_string(int(columns.kind)) +
                          "/" + std::to_string(columns.outliers) + ";");
        hashVector(hasher, weights.classOf);
        hashVector(hasher, weights.codes);
        hashVector(hasher, weights.tables);
        hashVector(hasher, weights.scale);
        hashVector(hasher, weights.zero);
        for (size_t k = 0; k < weights.raw.size(); ++k)
            hashVector(hasher, weights.raw[k]);
        for (size_t k = 0; k < weights.outlierRow.size(); ++k) {
            hashVector(hasher, weights.outlierRow[k]);
            hashVector(hasher, weights.outlierVal[k]);
        }
    }
    static void hashWeights(Hasher& hasher, const GroupWeights& weights) {
        hasher.update(std::to_string(weights.bits) + "/" + std::to_string(weights.groupSize) +
                      (weights.symmetric ? "s;" : "a;"));
        hashVector(hasher, weights.codes);
        hashVector(hasher, weights.scale);
        hashVector(hasher, weights.zero);
        hashVector(hasher, weights.groupIndex);
    }

    std::shared_ptr<const ModelWeights> m_base;
    Linears m_linears;
    Tensors m_tensors;
    std::map<std::string, int64_t, std::less<>> m_rowSize;
    mutable std::once_flag m_hashed;
    mutable std::string m_fingerprint;
};

} // namespace

std::shared_ptr<const ModelWeights> weightsOf(std::shared_ptr<const Checkpoint> checkpoint) {
    return std::make_shared<SourceWeights>(std::move(checkpoint));
}

std::shared_ptr<const ModelWeights>
weightsOf(std::shared_ptr<const QuantizedCheckpoint> checkpoint) {
    return std::make_shared<QuantizedWeights>(std::move(checkpoint));
}

std::shared_ptr<const ModelWeights>
overlay(std::shared_ptr<const ModelWeights> base,
        std::map<std::string, QuantizedLinear, std::less<>> linears,
        std::map<std::string, std::vector<float>, std::less<>> tensors) {
    return std::make_shared<OverlayWeights>(std::move(base), std::move(linears),
                                            std::move(tensors));
}

std::shared_ptr<const ModelWeights> openWeights(const std::string& model) {
    const std::filesystem::path folder = resolveModelFolder(model);
    if (isBitloomCheckpoint(folder)) return weightsOf(QuantizedCheckpoint::open(folder));
    return weightsOf(Checkpoint::open(model));
}

} // namespace bitloom
