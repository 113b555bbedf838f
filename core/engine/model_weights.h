// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include "core/format/checkpoint_reader.h"
#include "core/format/column_weights.h"
#include "core/model/checkpoint.h"
#include "kernels/dense_rows.h"

#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace bitloom {

/// A matrix as it lies in the checkpoint's mapped file, for products that read it there.
struct StoredRows {
    kernels::RowMatrix matrix;
    std::vector<float> rowScale;       ///< [rows] for I8, else empty
    std::shared_ptr<const void> owner; ///< keeps the file mapped
};

/// Where a forward pass takes its weights from, as float32: a Hugging Face checkpoint, a Bitloom
/// checkpoint, or one of them with some layers replaced in memory. Immutable; safe to share.
class ModelWeights {
public:
    virtual ~ModelWeights() = default;
    virtual const ModelConfig& config() const = 0;
    virtual const Catalogue& catalogue() const = 0;
    virtual const std::filesystem::path& folder() const = 0; ///< tokenizer and config lie there
    /// Weight of a linear, row-major [N, K].
    virtual void readLinear(std::string_view linear, std::span<float> out, int threads) const = 0;
    /// The same with its codes, where it is stored in layout `column`.
    virtual std::optional<ColumnWeights> columns(std::string_view) const { return std::nullopt; }
    /// A matrix (linear, embedding or head) that is stored as plain rows, by tensor name; nothing
    /// for another dtype. Its values are not checked: they may be infinite or not numbers.
    virtual std::optional<StoredRows> storedRows(std::string_view) const { return std::nullopt; }
    /// Norms, biases, embedding, head: by tensor name.
    virtual bool hasTensor(std::string_view name) const = 0;
    virtual void readTensor(std::string_view name, std::span<float> out) const = 0;
    virtual void readRows(std::string_view name, int64_t rowBegin, std::span<float> out) const = 0;
    virtual std::string fingerprint() const = 0;
    virtual int64_t storedBytes() const = 0; ///< on disk
};

using QuantizedLinear = std::variant<ColumnWeights, GroupWeights>;

std::shared_ptr<const ModelWeights> weightsOf(std::shared_ptr<const Checkpoint> checkpoint);
std::shared_ptr<const ModelWeights>
weightsOf(std::shared_ptr<const QuantizedCheckpoint> checkpoint);
/// `base` with linears and small tensors (norms after polish) replaced.
std::shared_ptr<const ModelWeights>
overlay(std::shared_ptr<const ModelWeights> base,
        std::map<std::string, QuantizedLinear, std::less<>> linears,
        std::map<std::string, std::vector<float>, std::less<>> tensors = {});
/// MODEL or OUT, whichever it is.
std::shared_ptr<const ModelWeights> openWeights(const std::string& model);

} // namespace bitloom
